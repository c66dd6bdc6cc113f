// SPDX-License-Identifier: MIT
/* proc: the scheme `proc:`, mounted at the path given as argument. */
#include "proc.h"

#include <service.h>

static struct fs fs;

int main(int argc, char **argv) {
    if (proc_fs_init(&fs, argc > 1 ? argv[1] : "/proc") != 0) return 1;
    int result = fs_serve(&fs, SERVICE_SCHEME);
    service_log("proc: stopped (error %d)", -result);
    return 1;
}
