# SPDX-License-Identifier: MIT
mkdir /tmp/work && cd /tmp/work
ls --version | head -n 1
seq 1000 | shuf --random-source=/bin/sh | sort -n --parallel=2 -S 20K | sha256sum
printf 'b 2\na 10\nc 1\n' >file && sort -k2,2n file | tac | paste -sd, && sort file >sorted && join sorted sorted | head -n 1
cp -a --reflink=auto file copy && ln -s copy soft && ln copy hard && stat -c '%F %h %s' copy soft && readlink -f soft
mkdir -p tree/sub && touch -d '2001-02-03 04:05:06 UTC' tree/sub/old && chmod 2750 tree/sub && touch -r tree/sub/old tree/sub
TZ=UTC ls -lR --time-style=long-iso tree | awk '{ print $1, $6, $7, $8 }'
cp -r --preserve=all tree tree2 && TZ=UTC date -r tree2/sub/old +%F && du --apparent-size -b tree2/sub/old | cut -f1
dd if=/dev/zero of=holes bs=1k seek=63 count=1 status=none && cp --sparse=always holes less && cmp holes less && wc -c <less
mkfifo fifo && (seq 5 | tee fifo >/dev/null &) && tail -n 2 fifo
timeout 0.2 sleep 10; echo $?
nice -n 3 nice; env -i A=1 printenv A; numfmt --to=iec 123456789; echo text | base64; factor 1234567890123
split -n 2 -d file part. && cat part.00 part.01 | cksum -a md5 --untagged; test -k /tmp && echo sticky
echo line >>file && tail -n 1 -f file --pid=$$ | head -n 1
rm -rf /tmp/work 2>&1; ls -d /tmp/work 2>/dev/null || echo gone
