# SPDX-License-Identifier: MIT
# less, in place of busybox's.
configure
build
program less lesskey
