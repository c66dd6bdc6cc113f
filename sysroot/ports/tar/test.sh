# SPDX-License-Identifier: MIT
cd /tmp
tar --version | head -n 1
mkdir -p tree/sub; echo text >tree/sub/file; ln tree/sub/file tree/hard; ln -s sub/file tree/soft; chmod 640 tree/sub/file
truncate -s 1M tree/sparse
tar -cSzf tree.tar.gz tree && tar -tzf tree.tar.gz | sort
mkdir out && tar -xzf tree.tar.gz -C out && cat out/tree/soft && stat -c '%a %h' out/tree/hard && stat -c %s out/tree/sparse
/bin/busybox tar -cf - tree | tar -xOf - tree/sub/file
tar -df tree.tar.gz && echo no difference
