# SPDX-License-Identifier: MIT
# GNU coreutils: one program with a link for each name.
FORCE_UNSAFE_CONFIGURE=1 configure --disable-nls --enable-single-binary=symlinks --enable-no-install-program=stdbuf
build
everything
