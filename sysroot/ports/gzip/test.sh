# SPDX-License-Identifier: MIT
cd /tmp
gzip --version | head -n 1
cat /bin/dash >data
gzip -9 -k data && /bin/busybox gunzip -c data.gz | cmp - data && gzip -t data.gz && gzip -dc data.gz | cmp - data && echo same
/bin/busybox gzip -c data | gzip -d | cmp - data && echo same
