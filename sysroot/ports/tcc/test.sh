# SPDX-License-Identifier: MIT
cd /tmp
cat >hello.c <<END
#include <stdio.h>
#include <stdlib.h>
#include <math.h>
int main(int count, char **words)
{
    printf("%s: %d %.3f %s\n", words[1], count, sqrt(2), getenv("HOME") ? "home" : "none");
    return 7;
}
END
tcc -o hello hello.c -lm && ./hello linked
echo $?
tcc -run hello.c run
echo $?
tcc -static -o hello_static hello.c && ./hello_static static
echo $?
