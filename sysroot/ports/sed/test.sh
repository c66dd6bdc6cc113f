# SPDX-License-Identifier: MIT
cd /tmp
sed --version | head -n 1
printf 'one two\nthree four\n' >words
sed -E 's/(\w+) (\w+)/\u\2 \1/' words
sed -i.kept -e '1d' -e '$a end' words
cat words words.kept
seq 10 | sed -n '/3/,/5/{=;p}' | sed 'N;s/\n/:/'
seq 5 | sed -z 's/\n/,/g'; echo
