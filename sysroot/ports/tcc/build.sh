# SPDX-License-Identifier: MIT
# tcc, and what it needs to compile programs in the running system: the C library's headers and libraries. It is linked
# dynamically for -run, and its runtime is compiled by clang, since this tcc can't run on the build machine.
printf '#define TCC_VERSION "%s"\n' "$(cat "$SOURCE/VERSION")" >config.h
${CC% -static} -O2 -w -I. -DTCC_TARGET_X86_64 -DTCC_MUSL -DCONFIG_TCCDIR='"/usr/lib/tcc"' -o tcc "$SOURCE/tcc.c"
for file in libtcc1.c alloca86_64.S va_list.c dsohandle.c; do $CC -O2 -w -fPIC -c "$SOURCE/lib/$file"; done
mkdir -p "$OUT/usr/lib/tcc" && cp -r "$SOURCE/include" "$OUT/usr/lib/tcc/"
$AR rcs "$OUT/usr/lib/tcc/libtcc1.a" libtcc1.o alloca86_64.o va_list.o dsohandle.o
cp -r "$SYSROOT/include" "$OUT/usr/" && rm -rf "$OUT/usr/include/c++"
(cd "$SYSROOT/lib" && cp [Sc]*.o libc.so libc.a libcrypt.a libm.a libutil.a lib[dprx]*.a "$OUT/usr/lib/")
program tcc
