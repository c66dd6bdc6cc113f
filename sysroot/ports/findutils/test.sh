# SPDX-License-Identifier: MIT
mkdir -p /tmp/tree/a/b /tmp/tree/c && cd /tmp/tree
find --version | head -n 1
echo 1 >a/one; echo 22 >a/b/two; ln -s ../a/one c/link; touch -d 2001-01-01 c/old
find . -type f -size -4c -printf '%p %s %y\n' | sort
find . -type l -printf '%p -> %l\n'
find . -mtime +1000
find . -name '*o*' -print0 | sort -z | xargs -0 -n 1 -P 2 echo | sort
find a -depth -delete && ls
seq 6 | xargs -n 4 echo
