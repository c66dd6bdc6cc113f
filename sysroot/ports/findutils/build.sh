# SPDX-License-Identifier: MIT
# GNU find and xargs.
configure --disable-nls
build
program find/find xargs/xargs
