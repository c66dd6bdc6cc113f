# SPDX-License-Identifier: MIT
cd /tmp
cat /bin/busybox >data
minigzip data && gzip -t data.gz && minigzip -d data.gz && cmp data /bin/busybox && echo same
gzip -c /etc/passwd >passwd.gz && minigzip -d passwd.gz && cmp passwd /etc/passwd && echo same
