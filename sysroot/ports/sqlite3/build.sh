# SPDX-License-Identifier: MIT
# sqlite3: the shell and the library, from the amalgamation, which needs tclsh on the build machine. What configure found
# is in sqlite_cfg.h: without it a busy database is waited for by whole seconds.
configure --disable-tcl --disable-readline
[ -e sqlite3.c ] || build sqlite3.c shell.c
$CC -O2 -w -I. -D_HAVE_SQLITE_CONFIG_H -DSQLITE_THREADSAFE=1 -DSQLITE_ENABLE_FTS5 -DSQLITE_ENABLE_MATH_FUNCTIONS \
    -c sqlite3.c
$CC -O2 -w -I. -o sqlite3 shell.c sqlite3.o -lm
$CC -O2 -w -I. -o speedtest1 "$SOURCE/test/speedtest1.c" sqlite3.o -lm
mkdir -p "$OUT/usr/local/lib" "$OUT/usr/local/include"
cp sqlite3.h "$OUT/usr/local/include/" && $AR rcs "$OUT/usr/local/lib/libsqlite3.a" sqlite3.o
program sqlite3 speedtest1
