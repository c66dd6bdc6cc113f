# SPDX-License-Identifier: MIT
# GNU tar.
configure --disable-nls
build
program src/tar
