# SPDX-License-Identifier: MIT
# mawk.
configure
build
program mawk
