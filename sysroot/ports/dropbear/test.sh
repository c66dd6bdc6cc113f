# SPDX-License-Identifier: MIT
# Secure shell from this machine to itself, by key.
export HOME=/root && mkdir -p /root/.ssh /etc/dropbear && cd /tmp
dropbearkey -t ed25519 -f /root/.ssh/id_dropbear 2>/dev/null | grep ^ssh- >/root/.ssh/authorized_keys
chmod 700 /root/.ssh && chmod 600 /root/.ssh/authorized_keys
dropbear -R -E -p 127.0.0.1:2222 2>/tmp/log
run() { ssh -y -p 2222 root@127.0.0.1 "$@" 2>/dev/null; }
run 'id -un; echo err >&2; exit 7'; echo "status $?"
seq 100000 | run 'md5sum' && seq 100000 | md5sum
script -qc "ssh -y -p 2222 root@127.0.0.1 -t 'tty | cut -c1-9; stty -a 2>/dev/null | grep -c icanon'" /dev/null 2>&1 |
    grep -v '^ssh:\|^Host\|^(ssh\|^.$' | tr -d '\r'
run 'head -c 66000 /dev/zero' </dev/null | { sleep 1; wc -c; } # more than a pipe holds, and its reader is late
printf '#!/bin/sh\nexec ssh -y "$@" 2>/dev/null\n' >via && chmod 755 via
seq 200000 >there && scp -q -S /tmp/via -P 2222 there root@127.0.0.1:/tmp/back && cmp there back && echo copied
rm /root/.ssh/id_dropbear && dropbearkey -t ed25519 -f /root/.ssh/id_dropbear >/dev/null 2>&1
[ -z "$(setsid ssh -y -p 2222 root@127.0.0.1 echo in </dev/null 2>/dev/null)" ] && echo refused
grep -c 'Pubkey auth succeeded' log
