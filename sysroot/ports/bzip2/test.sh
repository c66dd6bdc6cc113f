# SPDX-License-Identifier: MIT
cd /tmp
cat /bin/dash /etc/passwd >data
cp data kept
bzip2 -9 data && bzip2 -t data.bz2 && /bin/busybox bunzip2 -c data.bz2 | cmp - kept && echo busybox reads it
bzip2 -d data.bz2 && cmp data kept && echo same
bzip2 --version 2>&1 </dev/null | head -n 1
