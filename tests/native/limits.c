// SPDX-License-Identifier: MIT
/*
 * confine(1): programs with no network, or one that ends where they were told. Each case runs this program again under
 * it, where the function named by INSIDE tries what it may and what it may not. On the loopback.
 */
#include "native.h"
#include <cathode/inet.h>
#include "../posix/inet.h"

#define BYTES 300000

static int in_port, out_port; /* of the rules, and not */

static int from_environment(const char *name) {
    const char *value = getenv(name);
    return value ? atoi(value) : 0;
}

/* --- the servers, which run outside ------------------------------------------------------------------ */

static int echo(void *listener) {
    static char all[BYTES];
    for (;;) {
        int s = accept(*(int *)listener, NULL, NULL);
        size_t got = 0;
        for (ssize_t n; got < BYTES && (n = read(s, all + got, BYTES - got)) > 0;) got += (size_t)n;
        for (size_t at = 0; at < got;) {
            ssize_t n = write(s, all + at, got - at);
            if (n <= 0) break;
            at += (size_t)n;
        }
        close(s);
    }
}

static int serve(int family) {
    int l = listening(family, 5), port = port_of(l);
    child_start(echo, &l);
    close(l);
    return port;
}

/* `confine OPTIONS… this-program`, where inside() of that name runs. The options may have %d: the port allowed. */
static int confined(const char *inside, const char *const *options) {
    char text[16][64], number[2][8];
    const char *words[20] = {"confine"};
    int count = 1;
    for (; options[count - 1]; count++) {
        snprintf(text[count], sizeof(text[0]), options[count - 1], in_port);
        words[count] = text[count];
    }
    words[count] = "/tests/native/limits";
    pid_t pid = (pid_t)OK(fork());
    if (pid == 0) {
        for (int i = 0; i < 2; i++) snprintf(number[i], sizeof(number[i]), "%d", i ? out_port : in_port);
        setenv("INSIDE", inside, 1);
        setenv("IN_PORT", number[0], 1);
        setenv("OUT_PORT", number[1], 1);
        execv("/bin/confine", (char *const *)words);
        _exit(99);
    }
    int status = child_wait(pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}
#define CONFINED(inside, ...) EQUAL(confined(inside, (const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL}), 0)

/* --- inside -------------------------------------------------------------------------------------------- */

static int stream(int family) { return (int)OK(socket(family, SOCK_STREAM, 0)); }

/* What is sent comes back the same. */
static void expect_echo(int s) {
    static char sent[BYTES], back[BYTES];
    for (int i = 0; i < BYTES; i++) sent[i] = (char)(i * 7 + i / 256);
    for (size_t at = 0; at < BYTES;) at += (size_t)OK(write(s, sent + at, BYTES - at));
    for (size_t at = 0; at < BYTES;) {
        ssize_t n = OK(read(s, back + at, BYTES - at));
        CHECK(n > 0);
        at += (size_t)n;
    }
    CHECK(!memcmp(sent, back, BYTES));
    close(s);
}

static socklen_t v4(union address *a, uint32_t ip, int port) {
    loopback(AF_INET, port, a);
    a->v4.sin_addr.s_addr = htonl(ip);
    return sizeof(a->v4);
}

static socklen_t mapped(union address *a, uint32_t ip, int port) {
    loopback(AF_INET6, port, a);
    char text[32];
    snprintf(text, sizeof(text), "::ffff:%u.%u.%u.%u", ip >> 24, ip >> 16 & 255, ip >> 8 & 255, ip & 255);
    EQUAL(inet_pton(AF_INET6, text, &a->v6.sin6_addr), 1);
    return sizeof(a->v6);
}

static int connect_v4(int s, uint32_t ip, int port) {
    union address a;
    socklen_t length = v4(&a, ip, port);
    return connect(s, &a.any, length);
}

static int connect_mapped(int s, uint32_t ip, int port) {
    union address a;
    socklen_t length = mapped(&a, ip, port);
    return connect(s, &a.any, length);
}

static int open_name(const char *format, int port) {
    char name[64];
    snprintf(name, sizeof(name), format, port);
    return open(name, O_RDWR);
}

static void inside_nothing(void) {
    static const int families[] = {AF_INET, AF_INET6}, types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_RAW};
    for (int f = 0; f < 2; f++)
        for (int t = 0; t < 3; t++) FAILS(EAFNOSUPPORT, socket(families[f], types[t], t == 2 ? IPPROTO_ICMP : 0));
    FAILS(EAFNOSUPPORT, socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP));
    FAILS(ENOENT, open_name("/scheme/tcp/127.0.0.1:%d", in_port));
    FAILS(ENOENT, open_name("/scheme/udp/127.0.0.1:%d", in_port));
    FAILS(ENOENT, open("/scheme/ip/tcp", O_RDONLY));
    FAILS(ENOENT, open("/scheme/netlimit", O_RDONLY));
    int ends[2];
    OK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends)); /* other sockets are there */
    OK(socket(AF_UNIX, SOCK_STREAM, 0));
}

static void inside_tcp(void) {
    int s = stream(AF_INET);
    FAILS(EACCES, connect_v4(s, INADDR_LOOPBACK, out_port));
    FAILS(EACCES, connect_v4(s, INADDR_ANY, out_port));
    FAILS(EACCES, connect_v4(s, 0x0a000202, in_port));
    OK(connect_v4(s, INADDR_LOOPBACK, in_port)); /* it is as good as new */
    CHECK(connect_v4(s, INADDR_LOOPBACK, out_port) < 0); /* and has one peer */
    expect_echo(s);
    int quick = (int)OK(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
    FAILS(EACCES, connect_v4(quick, INADDR_LOOPBACK, out_port));
    FAILS(EINPROGRESS, connect_v4(quick, INADDR_LOOPBACK, in_port));
    EQUAL(ready(quick, POLLOUT, 5000) & POLLOUT, POLLOUT);
    close(quick);
}

static void inside_tcp_six(void) {
    int s = stream(AF_INET6);
    FAILS(EACCES, connect_mapped(s, INADDR_LOOPBACK, out_port));
    FAILS(EACCES, connect_mapped(s, INADDR_ANY, out_port));
    FAILS(EACCES, try_connect(s, AF_INET6, in_port)); /* ::1 isn't among the addresses */
    OK(connect_mapped(s, INADDR_LOOPBACK, in_port));
    expect_echo(s);
}

static void inside_tcp_names(void) {
    FAILS(EACCES, open_name("/scheme/tcp/127.0.0.1:%d", out_port));
    FAILS(EACCES, open_name("/scheme/tcp/0.0.0.0:%d", out_port));
    FAILS(EACCES, open_name("/scheme/tcp/[::ffff:127.0.0.1]:%d", out_port));
    FAILS(EACCES, open_name("/scheme/tcp/[::1]:%d", in_port));
    FAILS(ENOENT, open_name("/scheme/tcp/127.0.0.1:", 0));
    FAILS(ENOENT, open_name("/scheme/tcp/../udp/127.0.0.1:%d", in_port));
    expect_echo((int)OK(open_name("/scheme/tcp/127.0.0.1:%d", in_port)));
}

static void inside_tcp_bind(void) {
    union address a;
    int s = stream(AF_INET);
    FAILS(EACCES, bind(s, &a.any, v4(&a, INADDR_LOOPBACK, out_port + 1)));
    OK(bind(s, &a.any, v4(&a, INADDR_LOOPBACK, 0)));
    FAILS(EACCES, listen(s, 5));
    FAILS(EACCES, listen(stream(AF_INET), 5));
    OK(connect_v4(s, INADDR_LOOPBACK, in_port));
}

/* As root, who may do so with other sockets; and with Cathode's own calls. */
static void inside_tcp_control(void) {
    struct ifreq r = {.ifr_name = "lo"};
    int s = stream(AF_INET);
    OK(ioctl(s, SIOCGIFFLAGS, &r));
    FAILS(EPERM, ioctl(s, SIOCSIFFLAGS, &r));
    struct inet_rule all = {.what = INET_RULE_TO, .last = 65535};
    struct call_args args = {.request = {.op = INET_LIMIT, .length = sizeof(all)},
                             .in = &all,
                             .carry = HANDLE_NONE,
                             .deadline = DEADLINE_NEVER};
    GIVES(-EPERM, sys_call(s, &args));
    FAILS(EACCES, connect_v4(s, INADDR_LOOPBACK, out_port));
    handle_t ns = (handle_t)GOOD(sys_namespace_control(HANDLE_NAMESPACE, NAMESPACE_CLONE, nullptr, 0, HANDLE_NONE));
    GIVES(-EACCES, sys_namespace_control(HANDLE_NAMESPACE, NAMESPACE_UNBIND, (char *)"tcp", 3, HANDLE_NONE));
    GOOD(sys_handle_duplicate(ns, HANDLE_NAMESPACE, HANDLE_AT | HANDLE_KEEP, RIGHTS_SAME));
    FAILS(EACCES, connect_v4(stream(AF_INET), INADDR_LOOPBACK, out_port));
    FAILS(EAFNOSUPPORT, socket(AF_INET, SOCK_DGRAM, 0));
}

static void inside_other_families(void) {
    expect_echo(connected(AF_INET6, SOCK_STREAM, in_port));
    FAILS(EACCES, try_connect(stream(AF_INET6), AF_INET6, out_port));
    FAILS(EACCES, connect_v4(stream(AF_INET), INADDR_LOOPBACK, in_port)); /* IPv6's addresses are not IPv4's */
    FAILS(EACCES, connect_mapped(stream(AF_INET6), INADDR_LOOPBACK, in_port));
}

static void inside_prefix(void) {
    int s = stream(AF_INET);
    FAILS(EACCES, connect_v4(s, 0x7f000004, in_port));
    OK(connect_v4(s, 0x7f000003, in_port));
    FAILS(EACCES, connect_v4(stream(AF_INET), 0x7f000001, in_port + 2));
    CHECK(connect_v4(stream(AF_INET), 0x7f000001, in_port + 1) == 0 || errno == ECONNREFUSED);
}

static int accept_one(void *listener) {
    char all[5] = {};
    int s = (int)OK(accept(*(int *)listener, NULL, NULL));
    EQUAL(read(s, all, 5), 5);
    return memcmp(all, "hello", 5);
}

static void inside_listen(void) {
    union address a;
    int s = stream(AF_INET);
    FAILS(EACCES, bind(s, &a.any, v4(&a, INADDR_LOOPBACK, out_port)));
    OK(bind(s, &a.any, v4(&a, INADDR_ANY, in_port)));
    OK(listen(s, 5));
    FAILS(EACCES, connect_v4(stream(AF_INET), INADDR_LOOPBACK, in_port)); /* that is another right */
    EQUAL(accept_one(&s), 0);
}

/* The rules are the socket's when the network server was started anew, too. */
static void inside_listen_again(void) {
    union address a;
    struct ifreq r = {.ifr_name = "lo"};
    int s = stream(AF_INET), fd = (int)OK(open("/scheme/service/net", O_WRONLY));
    OK(bind(s, &a.any, v4(&a, INADDR_ANY, in_port)));
    OK(listen(s, 5));
    EQUAL(write(fd, "restart\n", 8), 8);
    sleep_ms(100);
    EQUAL(accept_one(&s), 0);
    OK(ioctl(s, SIOCGIFFLAGS, &r));
    FAILS(EPERM, ioctl(s, SIOCSIFFLAGS, &r));
}

/* The error of a datagram comes with the next operation. */
static void expect_refused(int s, const union address *to, socklen_t length) {
    OK(sendto(s, "no", 2, 0, to ? &to->any : NULL, length));
    struct pollfd p = {s, POLLIN, 0};
    OK(poll(&p, 1, 5000));
    FAILS(EACCES, recv(s, (char[4]){}, 4, MSG_DONTWAIT));
}

static void inside_udp(void) {
    union address in, out, from;
    char text[8];
    socklen_t length = sizeof(from);
    int s = (int)OK(socket(AF_INET, SOCK_DGRAM, 0)), six = (int)OK(socket(AF_INET6, SOCK_DGRAM, 0));
    expect_refused(s, &out, v4(&out, INADDR_LOOPBACK, out_port));
    expect_refused(six, &out, mapped(&out, INADDR_LOOPBACK, out_port));
    expect_refused(six, &out, loopback(AF_INET6, in_port, &out));
    int third = (int)OK(socket(AF_INET, SOCK_DGRAM, 0));
    FAILS(EACCES, bind(third, &in.any, v4(&in, INADDR_ANY, out_port + 1)));
    OK(connect_v4(third, INADDR_LOOPBACK, out_port));
    expect_refused(third, NULL, 0);
    /* Whoever is at in_port answers from there and from out_port: the former is heard. */
    OK(sendto(s, "ask", 3, 0, &in.any, v4(&in, INADDR_LOOPBACK, in_port)));
    EQUAL(recvfrom(s, text, sizeof(text), 0, &from.any, &length), 4);
    CHECK(!memcmp(text, "good", 4) && ntohs(from.v4.sin_port) == in_port);
    EQUAL(ready(s, POLLIN, 300), 0);
    int named = (int)OK(open_name("/scheme/udp/127.0.0.1:%d", in_port));
    EQUAL(write(named, "ask", 3), 3);
    EQUAL(read(named, text, sizeof(text)), 4);
}

static void inside_icmp(void) {
    union address a;
    char request[8] = {8}; /* echo */
    int s = (int)OK(socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP));
    OK(sendto(s, request, 8, 0, &a.any, v4(&a, 0x7f000002, 0)));
    EQUAL(ready(s, POLLIN, 5000) & POLLERR, POLLERR);
    FAILS(EACCES, recv(s, request, 8, MSG_DONTWAIT));
    OK(sendto(s, request, 8, 0, &a.any, v4(&a, INADDR_LOOPBACK, 0)));
    EQUAL(recv(s, request, 8, 0), 8);
    EQUAL(request[0], 0); /* the answer */
    FAILS(EAFNOSUPPORT, socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
}

/* A socket that a program outside gets from here is limited there, too. */
static void inside_pass(void) {
    int s = (int)OK(socket(AF_INET, SOCK_STREAM, 0));
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {.head = {CMSG_LEN(sizeof(int)), 0, SOL_SOCKET, SCM_RIGHTS}};
    memcpy(CMSG_DATA(&control.head), &s, sizeof(s));
    struct iovec v = {"x", 1};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    EQUAL(sendmsg(from_environment("CHANNEL"), &m, 0), 1);
}

/* Without the gate's server there are no new sockets; those that are there know their rules. */
static void inside_killed(void) {
    int s = stream(AF_INET), fd;
    CHECK((fd = open("/scheme/service/netlimit", O_WRONLY)) >= 0);
    EQUAL(write(fd, "restart\n", 8), 8);
    int64_t end = now_ms() + 5000;
    for (int other; (other = socket(AF_INET, SOCK_STREAM, 0)) >= 0; close(other)) CHECK(now_ms() < end);
    EQUAL(errno, EAFNOSUPPORT);
    FAILS(EACCES, connect_v4(s, INADDR_LOOPBACK, out_port));
    OK(connect_v4(s, INADDR_LOOPBACK, in_port));
    expect_echo(s);
}

static void inside_quickly(void) {}

#define ENTRY(name) {#name, inside_##name}
__attribute__((constructor)) static void inside(void) {
    static const struct {
        const char *name;
        void (*run)(void);
    } all[] = {ENTRY(nothing),     ENTRY(tcp),    ENTRY(tcp_six), ENTRY(tcp_names),      ENTRY(tcp_bind),
               ENTRY(tcp_control), ENTRY(prefix), ENTRY(listen),  ENTRY(listen_again),   ENTRY(udp),
               ENTRY(pass),        ENTRY(icmp),   ENTRY(killed),  ENTRY(other_families), ENTRY(quickly)};
    const char *name = getenv("INSIDE");
    in_port = from_environment("IN_PORT");
    out_port = from_environment("OUT_PORT");
    for (unsigned i = 0; name && i < sizeof(all) / sizeof(all[0]); i++) {
        if (strcmp(all[i].name, name) != 0) continue;
        all[i].run();
        _exit(0);
    }
    if (name) _exit(98);
}

/* --- cases ---------------------------------------------------------------------------------------------- */

static void serve_both(int family) {
    in_port = serve(family);
    out_port = serve(family);
}

TEST(no_network) {
    serve_both(AF_INET);
    CONFINED("nothing");
}
TEST(connections) {
    serve_both(AF_INET);
    CONFINED("tcp", "--tcp", "127.0.0.1:%d");
}
TEST(connections_of_ipv6_sockets) {
    serve_both(AF_INET);
    CONFINED("tcp_six", "--tcp", "127.0.0.1:%d");
}
TEST(connections_by_name) {
    serve_both(AF_INET);
    CONFINED("tcp_names", "--tcp", "127.0.0.1:%d");
}
TEST(no_listening) {
    serve_both(AF_INET);
    CONFINED("tcp_bind", "--tcp", "127.0.0.1:%d");
}
TEST(no_way_around) {
    serve_both(AF_INET);
    CONFINED("tcp_control", "--tcp", "127.0.0.1:%d");
}
TEST(ipv6) {
    serve_both(AF_INET6);
    CONFINED("other_families", "--tcp", "[::1]:%d");
    CONFINED("other_families", "--tcp", "[::]/127:%d");
}
TEST(prefixes_and_ranges) {
    char rule[40];
    in_port = port_of(bound(AF_INET, SOCK_STREAM, 0));
    int l = (int)OK(socket(AF_INET, SOCK_STREAM, 0));
    union address a;
    OK(bind(l, &a.any, v4(&a, INADDR_ANY, 0)));
    OK(listen(l, 5));
    in_port = port_of(l);
    snprintf(rule, sizeof(rule), "127.0.0.0/30:%d-%d", in_port, in_port + 1);
    CONFINED("prefix", "--tcp", rule);
}

static int connect_soon(void *port) {
    for (int i = 0; i < 500; i++) {
        int s = stream(AF_INET);
        if (connect_v4(s, INADDR_LOOPBACK, *(int *)port) == 0) {
            EQUAL(write(s, "hello", 5), 5);
            return 0;
        }
        close(s);
        sleep_ms(10);
    }
    return 1;
}
static int connect_often(void *port) {
    signal(SIGPIPE, SIG_IGN); /* some are lost with the server */
    for (;;) {
        int s = socket(AF_INET, SOCK_STREAM, 0);
        if (connect_v4(s, INADDR_LOOPBACK, *(int *)port) == 0 && write(s, "hello", 5) == 5) sleep_ms(20);
        close(s);
        sleep_ms(10);
    }
}
TEST(listeners) {
    int s = bound(AF_INET, SOCK_STREAM, 0);
    in_port = port_of(s);
    close(s);
    out_port = in_port + 1;
    pid_t other = child_start(connect_soon, &in_port);
    CONFINED("listen", "--tcp-listen", "*:%d");
    EQUAL(child_wait(other), 0);
}

TEST(listeners_that_come_back) {
    int s = bound(AF_INET, SOCK_STREAM, 0);
    in_port = port_of(s);
    close(s);
    pid_t other = child_start(connect_often, &in_port);
    CONFINED("listen_again", "--tcp-listen", "*:%d");
    server_kill(other);
}

struct pair_of_sockets {
    int in, out;
};
static int answer_udp(void *argument) {
    struct pair_of_sockets *p = argument;
    union address from;
    char text[8];
    for (;;) {
        socklen_t length = sizeof(from);
        ssize_t n = OK(recvfrom(p->in, text, sizeof(text), 0, &from.any, &length));
        if (n != 3 || memcmp(text, "ask", 3)) return 1;
        OK(sendto(p->out, "evil", 4, 0, &from.any, length));
        OK(sendto(p->in, "good", 4, 0, &from.any, length));
        OK(sendto(p->out, "evil", 4, 0, &from.any, length));
    }
}
TEST(datagrams) {
    struct pair_of_sockets p = {bound(AF_INET, SOCK_DGRAM, 0), bound(AF_INET, SOCK_DGRAM, 0)};
    in_port = port_of(p.in);
    out_port = port_of(p.out);
    pid_t server = child_start(answer_udp, &p);
    CONFINED("udp", "--udp", "127.0.0.1:%d");
    EQUAL(ready(p.out, POLLIN, 0), 0); /* nothing came */
    kill(server, SIGKILL);
}

TEST(echoes) { CONFINED("icmp", "--icmp", "127.0.0.1"); }

TEST(passed_on) {
    int ends[2];
    char number[8];
    serve_both(AF_INET);
    OK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
    snprintf(number, sizeof(number), "%d", ends[1]);
    setenv("CHANNEL", number, 1);
    CONFINED("pass", "--tcp", "127.0.0.1:%d");
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec v = {number, 1};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    EQUAL(recvmsg(ends[0], &m, 0), 1);
    int s;
    memcpy(&s, CMSG_DATA(&control.head), sizeof(s));
    FAILS(EACCES, connect_v4(s, INADDR_LOOPBACK, out_port));
    OK(connect_v4(s, INADDR_LOOPBACK, in_port));
    expect_echo(s);
}

TEST(server_killed) {
    serve_both(AF_INET);
    CONFINED("killed", "--tcp", "127.0.0.1:%d");
    CONFINED("tcp", "--tcp", "127.0.0.1:%d"); /* and its next instance is as good */
}

/* What nobody has any more is ended when there is a new one, which takes a moment. */
TEST(they_end) {
    for (int i = 0; i < 10; i++) CONFINED("quickly", "--tcp", "127.0.0.1:1");
    int64_t end = now_ms() + 15000;
    do {
        sleep_ms(20);
        CHECK(now_ms() < end);
        CONFINED("quickly", "--tcp", "127.0.0.1:1");
    } while (scheme_count("limited.tcp") > 3);
}
