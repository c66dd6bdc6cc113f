# SPDX-License-Identifier: MIT
# mbedtls: the three libraries, and of its programs the self tests and those that make, use and check keys.
[ -e library ] || cp -R "$SOURCE/." .
build lib CFLAGS="-O2 -w"
for name in test/selftest pkey/gen_key pkey/key_app_writer pkey/pk_sign pkey/pk_verify hash/generic_sum; do
    $CC -O2 -w -Iinclude -o "mbedtls-${name#*/}" "programs/$name.c" -Llibrary -lmbedtls -lmbedx509 -lmbedcrypto
done
program mbedtls-*
mkdir -p "$OUT/usr/local/lib" "$OUT/usr/local/include"
cp library/*.a "$OUT/usr/local/lib" && cp -R include/mbedtls include/psa "$OUT/usr/local/include"
