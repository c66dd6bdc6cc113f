# SPDX-License-Identifier: MIT
cd /tmp
file --version | head -n 1
echo text >text && gzip -kf text && tar -cf text.tar text 2>/dev/null && printf '#!/bin/sh\n' >script && ln -sf text soft
file text text.tar script soft /dev/null /tmp
file -b text.gz | cut -d, -f1
file -b /bin/busybox | cut -d, -f1,2
file -bi script /bin/sh
printf '\211PNG\r\n\032\n\0\0\0\rIHDR\0\0\0\020\0\0\0\020\b\002\0\0\0' | file -
