# SPDX-License-Identifier: MIT
# libevent, for tmux.
configure --disable-shared --disable-openssl --disable-samples --disable-libevent-regress --disable-thread-support
build
everything
