# SPDX-License-Identifier: MIT
# lighttpd: its modules in the program; no TLS, no regular expressions in its configuration.
# sys/queue.h, which musl doesn't have, is the build machine's: macros only.
export LIGHTTPD_STATIC=yes
mkdir -p include/sys && cp /usr/include/*/sys/queue.h include/sys
configure --disable-shared --enable-static --without-pcre2 --without-zlib --without-bzip2 CPPFLAGS=-I$PWD/include
modules="access accesslog alias auth authn_file cgi dirlisting evhost expire extforward fastcgi indexfile proxy redirect
rewrite scgi setenv simple_vhost sockproxy staticfile status userdir"
for name in $modules; do echo "PLUGIN_INIT(mod_$name)"; done >src/plugin-static.h
build -C src versionstamp
build -C src lighttpd
program src/lighttpd
