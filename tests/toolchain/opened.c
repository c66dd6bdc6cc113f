// SPDX-License-Identifier: MIT
/* A library for dlopen: its thread-local storage comes when threads exist already. */
static __thread char room[5000];
__thread int opened = 7;

int opened_add(int n) {
    room[n]++;
    opened += n;
    return opened * 10 + room[n];
}
