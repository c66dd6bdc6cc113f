# SPDX-License-Identifier: MIT
# libffi, for python3's ctypes. Its static trampolines don't compile with musl: closures are in memory mapped for it.
configure --disable-shared --disable-docs --disable-multi-os-directory --disable-exec-static-tramp --with-pic
build
everything
