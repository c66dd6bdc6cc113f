# SPDX-License-Identifier: MIT
# gzip.
configure --disable-nls
build
program gzip
