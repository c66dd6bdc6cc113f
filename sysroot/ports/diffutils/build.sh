# SPDX-License-Identifier: MIT
# GNU diff, cmp, diff3 and sdiff.
configure --disable-nls
build
program src/diff src/cmp src/diff3 src/sdiff
