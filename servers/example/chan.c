// SPDX-License-Identifier: MIT
/*
 * Message channels (cathode/chan.h), both sides.
 *
 *   chan serve NAME        answers each message by the same in capitals, and says who sent it; a message
 *                          that comes with a descriptor has its answer written there
 *   chan ask NAME TEXT     sends TEXT and prints the answer
 */
#include <cathode/chan.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int fail(const char *what) {
    perror(what);
    return 1;
}

static void serve_client(int c) {
    char text[256], answer[300];
    struct chan_sender who;
    int fd;
    for (;;) {
        size_t fds = 1;
        ssize_t n = chan_receive(c, text, sizeof(text), &fd, &fds, &who, CHAN_CLOEXEC);
        if (n < 0 || (n == 0 && who.pid == 0)) return; /* it is gone */
        if ((size_t)n > sizeof(text)) n = sizeof(text);
        for (ssize_t i = 0; i < n; i++) text[i] = (char)toupper((unsigned char)text[i]);
        int length = snprintf(answer, sizeof(answer), "%.*s (uid %u)\n", (int)n, text, who.uid);
        if (fds == 1) {
            (void)!write(fd, answer, (size_t)length);
            close(fd);
        }
        chan_send(c, answer, (size_t)length, NULL, 0, 0);
    }
}

static int serve(const char *name) {
    int l = chan_listen(name, 0666, CHAN_CLOEXEC);
    if (l < 0) return fail(name);
    for (int c; (c = chan_accept(l, CHAN_CLOEXEC)) >= 0; close(c)) serve_client(c);
    return fail("accept");
}

static int ask(const char *name, const char *text) {
    char answer[300];
    int c = chan_connect(name, CHAN_CLOEXEC);
    if (c < 0 || chan_send(c, text, strlen(text), NULL, 0, 0) < 0) return fail(name);
    ssize_t n = chan_receive(c, answer, sizeof(answer), NULL, NULL, NULL, 0);
    if (n < 0) return fail(name);
    return write(STDOUT_FILENO, answer, (size_t)n) == n ? 0 : 1;
}

int main(int argc, char **argv) {
    if (argc == 3 && !strcmp(argv[1], "serve")) return serve(argv[2]);
    if (argc == 4 && !strcmp(argv[1], "ask")) return ask(argv[2], argv[3]);
    fprintf(stderr, "usage: %s serve NAME | ask NAME TEXT\n", argv[0]);
    return 2;
}
