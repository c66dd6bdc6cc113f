# SPDX-License-Identifier: MIT
# GNU grep.
configure --disable-nls
build
program src/grep
