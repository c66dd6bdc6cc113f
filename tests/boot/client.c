// SPDX-License-Identifier: MIT
/*
 * client NAME ADDRESS PORT WORDS...: one TCP connection, for net_peers_test.py. Words are done one after the other:
 *   keepalive      probes after a second, two of them, a second apart
 *   timeout N      TCP_USER_TIMEOUT of N ms
 *   linger N       TCP_LINGER2 of N s
 *   write N        N bytes, without waiting for room
 *   read           until data, the end or an error
 *   shutdown, close
 *   drain          until the end or an error; how many bytes in all
 *   again          closes it and connects anew, when the port that it had comes next; 1: the new one's is another
 *   wait N         for N ms
 *   datagram       the first and only word: asks the peer for a datagram of bytes of their place's number
 * Prints NAME, the word and the error that it gave, or how many bytes, for each of connect, write and read.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *name;
static char data[262144];

static void tell(const char *word, long result) {
    const char *error = errno == ETIMEDOUT ? "ETIMEDOUT" : errno == ECONNRESET ? "ECONNRESET" : strerror(errno);
    if (result < 0) printf("%s: %s %s\n", name, word, error);
    else printf("%s: %s %ld\n", name, word, result);
    fflush(stdout);
}

static void option(int s, int level, int what, int value) {
    if (setsockopt(s, level, what, &value, sizeof(value)) != 0) perror(name), exit(1);
}

static void keep_alive(int s) {
    option(s, SOL_SOCKET, SO_KEEPALIVE, 1);
    option(s, IPPROTO_TCP, TCP_KEEPIDLE, 1);
    option(s, IPPROTO_TCP, TCP_KEEPINTVL, 1);
    option(s, IPPROTO_TCP, TCP_KEEPCNT, 2);
}

static int datagram(const struct sockaddr_in *to) {
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    option(s, SOL_SOCKET, SO_RCVBUF, sizeof(data));
    if (connect(s, (const struct sockaddr *)to, sizeof(*to)) != 0 || send(s, "?", 1, 0) < 0)
        return tell("connect", -1), 1;
    long n = recv(s, data, sizeof(data), 0), right = 0;
    while (right < n && data[right] == (char)(right / 8)) right++;
    tell("datagram", n < 0 ? n : right);
    return 0;
}

static long drain(int s) {
    long all = 0, n;
    while ((n = read(s, data, 4096)) > 0) all += n;
    return n < 0 ? n : all;
}

static uint16_t port_of(int s) {
    struct sockaddr_in own = {};
    socklen_t length = sizeof(own);
    getsockname(s, (struct sockaddr *)&own, &length);
    return ntohs(own.sin_port);
}

static int again(int old, const struct sockaddr_in *to) {
    struct sockaddr_in any = {.sin_family = AF_INET};
    uint16_t port = port_of(old), picked = 0;
    close(old);
    while (picked + 1 != port) {
        int s = socket(AF_INET, SOCK_STREAM, 0);
        bind(s, (struct sockaddr *)&any, sizeof(any));
        picked = port_of(s);
        close(s);
    }
    int s = socket(AF_INET, SOCK_STREAM, 0);
    tell("again", connect(s, (const struct sockaddr *)to, sizeof(*to)) != 0 ? -1 : port_of(s) != port);
    return s;
}

int main(int count, char **words) {
    struct sockaddr_in to = {.sin_family = AF_INET};
    if (count < 4) return 2;
    name = words[1];
    inet_pton(AF_INET, words[2], &to.sin_addr);
    to.sin_port = htons((uint16_t)atoi(words[3]));
    if (count == 5 && !strcmp(words[4], "datagram")) return datagram(&to);
    int s = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(s, (struct sockaddr *)&to, sizeof(to)) != 0) return tell("connect", -1), 1;
    for (int i = 4; i < count; i++) {
        const char *word = words[i];
        int n = i + 1 < count ? atoi(words[i + 1]) : 0;
        if (!strcmp(word, "keepalive")) keep_alive(s);
        else if (!strcmp(word, "read")) tell(word, read(s, data, sizeof(data)));
        else if (!strcmp(word, "drain")) tell(word, drain(s));
        else if (!strcmp(word, "shutdown")) shutdown(s, SHUT_WR);
        else if (!strcmp(word, "close")) close(s);
        else if (!strcmp(word, "again")) s = again(s, &to);
        else if (i++, !strcmp(word, "timeout")) option(s, IPPROTO_TCP, TCP_USER_TIMEOUT, n);
        else if (!strcmp(word, "linger")) option(s, IPPROTO_TCP, TCP_LINGER2, n);
        else if (!strcmp(word, "wait")) poll(nullptr, 0, n);
        else if (!strcmp(word, "write")) {
            fcntl(s, F_SETFL, O_NONBLOCK);
            tell(word, write(s, data, (size_t)n));
            fcntl(s, F_SETFL, 0);
        } else return 2;
    }
    return 0;
}
