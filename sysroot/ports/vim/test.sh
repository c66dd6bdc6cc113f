# SPDX-License-Identifier: MIT
cd /tmp
export TERM=xterm
vim --version | sed -n '1s/,.*//p'
printf 'int main(void)\n{\nreturn 0;\n}\n' >test.c
vim -es -u NONE -c '%s/0/42/' -c 'normal ggOfirst' -c wq test.c && cat test.c
vim -es -u NONE -c 'runtime defaults.vim' -c 'syntax on' -c 'edit test.c' -c 'redir! >names' \
    -c 'echo &filetype synIDattr(synID(4, 1, 1), "name") strftime("%Y", 0)' -c 'redir END' -c q
cat names
echo
# keys through a terminal: insert a word, move, delete a line, write and end
(sleep 3; printf 'ione\rtwo\rthree\033'; sleep 1; printf 'kdd:wq\r') |
    script -q -c 'stty rows 24 cols 80; vim -u NONE typed' /dev/null >screen
cat typed
