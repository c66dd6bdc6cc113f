# SPDX-License-Identifier: MIT
cd /tmp
nano --version | head -n 1
(sleep 2; printf 'typed text'; sleep 1; printf '\017\r'; sleep 1; printf '\030') |
    script -q -c 'stty rows 24 cols 80; TERM=xterm nano typed' /dev/null >screen
cat typed
