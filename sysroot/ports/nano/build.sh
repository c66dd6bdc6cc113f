# SPDX-License-Identifier: MIT
# nano.
configure --disable-nls --disable-libmagic
build
program src/nano
