# SPDX-License-Identifier: MIT
# cacert: the certificate authorities of Debian's ca-certificates (Mozilla's list), in one file where libraries look.
tar -xJf "$SOURCE/data.tar.xz" ./usr/share/ca-certificates
mkdir -p "$OUT/etc/ssl/certs"
find usr -name '*.crt' | LC_ALL=C sort | xargs cat >"$OUT/etc/ssl/certs/ca-certificates.crt"
