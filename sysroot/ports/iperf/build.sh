# SPDX-License-Identifier: MIT
# iperf 2, without a few uses of freed memory (*.patch). Its service.c, for Windows, is not in Debian's tarball; an empty
# one takes its place.
[ -e "$SOURCE/patched" ] || cat "$RECIPE"/*.patch | patch -d "$SOURCE" -s -p1
touch "$SOURCE/patched"
CXXFLAGS="-O2 -w" ac_cv_func_memcmp_working=yes configure
: >src/service.c
build
program src/iperf
