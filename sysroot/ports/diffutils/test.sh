# SPDX-License-Identifier: MIT
cd /tmp
diff --version | head -n 1
seq 8 >one; sed 's/4/four/; 7d' one >two; sed 's/2/2nd/' one >three
diff one two
diff -U 0 one two | tail -n +3
cmp one two
diff3 -m two one three
mkdir -p x/y z/y; echo 1 >x/y/f; echo 2 >z/y/f; diff -rq x z
echo $?
