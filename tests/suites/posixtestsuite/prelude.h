// SPDX-License-Identifier: MIT
/* Included before each test: what glibc's headers make visible and the tests of 2002 therefore don't include. */
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* They ask for the option as of 2001, which that of 2008 takes in. */
#undef _POSIX_ASYNCHRONOUS_IO
#define _POSIX_ASYNCHRONOUS_IO 200112L

/* The function is to be tested; and where the macro leaves no call in a loop, its flag is never read again. */
#undef pthread_equal
