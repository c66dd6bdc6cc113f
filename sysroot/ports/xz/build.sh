# SPDX-License-Identifier: MIT
# xz: the programs and the library.
configure --disable-nls --disable-shared --disable-doc --disable-scripts
build
everything
