# SPDX-License-Identifier: MIT
# mksh, by its own build script.
CFLAGS="-O2 -w" TARGET_OS=Linux quietly make.log sh "$SOURCE/Build.sh" -r
program mksh
