# SPDX-License-Identifier: MIT
tput -T xterm-256color colors
tput -T vt100 cup 4 2 | od -An -c
infocmp -1 linux | grep -c =
ls /usr/local/share/terminfo
