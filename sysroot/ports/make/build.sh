# SPDX-License-Identifier: MIT
# GNU make: the tarball has no configure script, so config.h is ours. Its glob, since it wants GNU's hooks.
mkdir -p gnu && cp "$SOURCE/lib/fnmatch.in.h" gnu/fnmatch.h && cp "$SOURCE/lib/glob.in.h" gnu/glob.h
cd "$SOURCE/src"
sources=$(ls *.c ../lib/glob.c ../lib/fnmatch.c ../lib/concat-filename.c ../lib/xconcat-filename.c ../lib/findprog-in.c |
    grep -v -e '^vms' -e '^amiga' -e '^remote-cstms' -e '^getopt')
$CC -O2 -w -DHAVE_CONFIG_H -DLIBDIR='"/usr/local/lib"' -DINCLUDEDIR='"/usr/local/include"' -DLOCALEDIR='""' \
    -I"$RECIPE" -I"$OLDPWD/gnu" -I../lib -o "$OLDPWD/make" $sources
cd "$OLDPWD"
program make
