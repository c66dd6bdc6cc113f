# SPDX-License-Identifier: MIT
# tmux.
export LIBEVENT_CORE_CFLAGS=" " LIBEVENT_CORE_LIBS=-levent_core LIBTINFO_CFLAGS=" " LIBTINFO_LIBS=-ltinfo
configure --disable-utf8proc
build
program tmux
