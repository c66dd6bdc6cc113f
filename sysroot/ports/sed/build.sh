# SPDX-License-Identifier: MIT
# GNU sed.
configure --disable-nls
build
program sed/sed
