# SPDX-License-Identifier: MIT
# pkg: packages from a folder and from an archive; what is there is never replaced.
cd /tmp
mkdir -p hello/usr/local/bin hello/usr/local/share/hello/deep
printf '#!/bin/sh\necho "hello $(cat /usr/local/share/hello/deep/word)"\n' >hello/usr/local/bin/hello
chmod 755 hello/usr/local/bin/hello
echo world >hello/usr/local/share/hello/deep/word
ln -s hello hello/usr/local/bin/hallo
pkg list
pkg install hello && hallo
pkg list && pkg list hello
pkg install hello
pkg remove hello && hash -r && hello
find /usr/local /var/lib/pkg -name '*h*llo*'
tar -c -z -C hello -f other.tar.gz .
pkg install other.tar.gz && hello
pkg install hello
pkg list
pkg remove ../pkg/other
pkg remove hello
pkg remove other
mkdir -p bad/bin && echo evil >bad/bin/dash
pkg install bad
pkg list
sh -c 'echo unharmed'
