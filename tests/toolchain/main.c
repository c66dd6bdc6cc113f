// SPDX-License-Identifier: MIT
/*
 * A dynamically linked program: threads, thread-local storage of the program and of libraries in
 * every TLS model, dlopen, symbols replaced by LD_PRELOAD.  Prints what toolchain_test.py expects.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

int linked_add(int n); /* liblinked.so */
const char *word(void); /* replaced by libpreloaded.so */

static __thread int local = 5;

static void *thread(void *argument) {
    local++;
    printf("thread: local %d, library %d\n", local, linked_add(1));
    return argument;
}

int main(int argc, char **argv) {
    pthread_t t;
    pthread_create(&t, NULL, thread, NULL);
    pthread_join(t, NULL);
    printf("main: local %d, library %d\n", local, linked_add(2));
    void *library = dlopen(argv[1], RTLD_NOW);
    if (!library) {
        printf("dlopen: %s\n", dlerror());
        return 1;
    }
    int (*add)(int) = (int (*)(int))dlsym(library, "opened_add");
    printf("opened: %d\n", add(3));
    printf("again: %d\n", add(3));
    printf("missing: %s\n", dlsym(library, "nothing") ? "found" : "not there");
    dlclose(library);
    printf("word: %s\n", word());
    return 3;
}
