# SPDX-License-Identifier: MIT
cd /tmp
printf 'alpha\nbeta\ngamma\nalphabet\n' >words
grep --version | head -n 1
grep -E '^(alpha|gamma)$' words
grep -c a words
grep -ron 'bet[a]*' words
grep -w -v alpha words | grep -F -x beta
seq 100000 | grep -E '^(.)(.)\2\1$' | wc -l
