# SPDX-License-Identifier: MIT
less --version | head -n 1
seq 3 | less -FX
seq 200 >/tmp/numbers
# to the end, to the line that begins with 55, out
(sleep 2; printf G; sleep 1; printf '?^55\n'; sleep 1; printf q) |
    script -q -c 'stty rows 10 cols 40; TERM=xterm less /tmp/numbers' /tmp/typescript >/tmp/screen
tr -d '\r\033' </tmp/screen | sed 's/\[[0-9;?]*[a-zA-Z]//g; s/M//' | grep -x -e 200 -e 54 -e 55 -e 63 -e 64 | uniq
