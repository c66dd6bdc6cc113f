# SPDX-License-Identifier: MIT
# GNU awk: without loadable extensions, since it is linked statically.
configure --disable-nls --disable-extensions --disable-pma --without-mpfr --without-readline
build -C support && build gawk
program gawk
