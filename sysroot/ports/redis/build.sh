# SPDX-License-Identifier: MIT
# redis: musl's malloc, no TLS, no modules.
[ -e src ] || cp -R "$SOURCE/." .
export uname_S=Linux uname_M=x86_64 USE_SYSTEMD=no OPTIMIZATION=-O2
for name in hiredis linenoise lua hdr_histogram; do build -C deps "$name" CC="$CC" AR="$AR" RANLIB="$RANLIB" ; done
build -C src redis-server redis-cli redis-benchmark CC="$CC" MALLOC=libc
program src/redis-server src/redis-cli src/redis-benchmark
