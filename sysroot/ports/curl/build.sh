# SPDX-License-Identifier: MIT
# curl: TLS by mbedtls, whose authorities are those of the package cacert; also libcurl.a.
configure --disable-shared --disable-ldap --disable-manual --with-mbedtls --with-zlib \
    --with-ca-bundle=/etc/ssl/certs/ca-certificates.crt CPPFLAGS="$CPPFLAGS" LDFLAGS="$LDFLAGS"
build
everything
