# SPDX-License-Identifier: MIT
cd /tmp
cat /bin/dash /etc/passwd >data
cp data kept
xz -T2 -2 data && xz -t data.xz && /bin/busybox unxz -c data.xz | cmp - kept && echo busybox reads it
xz -d data.xz && cmp data kept && echo same
xz --version
