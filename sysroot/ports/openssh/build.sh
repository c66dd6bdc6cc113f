# SPDX-License-Identifier: MIT
# openssh: sftp-server alone, which dropbear starts for sftp and for scp of today's clients.
configure --without-openssl --without-zlib --disable-lastlog --disable-utmp --disable-wtmp
build sftp-server
mkdir -p "$OUT/usr/libexec" && cp sftp-server "$OUT/usr/libexec"
