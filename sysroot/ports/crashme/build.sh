# SPDX-License-Identifier: MIT
# crashme: runs random bytes as a program. For tests only.
$CC -O1 -w -DPRNG_MT -include sys/wait.h -o crashme "$SOURCE/crashme.c" "$SOURCE/vnsq.c" "$SOURCE/mt19937ar.c"
program crashme
