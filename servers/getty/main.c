// SPDX-License-Identifier: MIT
/*
 * getty TTY [TERM]: makes the terminal the controlling one of a new session, puts it into a sane state, shows
 * /etc/issue (on a terminal of that type /etc/issue.screen, after clearing it), asks for a name and becomes
 * /bin/login, which gives up after a minute without a password: a terminal that nobody is at waits here. init starts
 * it again when the session has ended.
 */
#include <errno.h>
#include <fcntl.h>
#include <service.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <termios.h>
#include <unistd.h>

static int terminal_open(const char *path) {
    int fd = open(path, O_RDWR);
    if (fd < 0) return -1;
    ioctl(fd, TIOCSCTTY, 0); /* done by the open, unless it is another session's still */
    fchown(fd, 0, 5);
    fchmod(fd, 0620);
    for (int i = 0; i < 3; i++) dup2(fd, i);
    if (fd > 2) close(fd);
    return tcsetpgrp(0, getpgrp());
}

static void terminal_reset(void) {
    struct termios t;
    if (tcgetattr(0, &t) < 0) return;
    t.c_iflag = BRKINT | ICRNL | IXON | IMAXBEL | IUTF8;
    t.c_oflag = OPOST | ONLCR;
    t.c_lflag = ISIG | ICANON | IEXTEN | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE;
    tcsetattr(0, TCSADRAIN, &t);
}

/* What \c in /etc/issue stands for (as in agetty); null: itself. */
static const char *issue_word(char c, const struct utsname *system, const char *line) {
    switch (c) {
    case 's': return system->sysname;
    case 'n': return system->nodename;
    case 'r': return system->release;
    case 'v': return system->version;
    case 'm': return system->machine;
    case 'l': return line;
    default: return nullptr;
    }
}

static void issue_show(const char *path, const char *line) {
    struct utsname system;
    FILE *f = fopen(path, "re");
    if (!f) return;
    uname(&system);
    for (int c; (c = getc(f)) != EOF;) {
        const char *word = nullptr;
        if (c == '\\' && (c = getc(f)) != EOF) word = issue_word((char)c, &system, line);
        if (word) fputs(word, stdout);
        else putchar(c);
    }
    fclose(f);
    fflush(stdout);
}

/* The name that is typed; false: the terminal has gone. */
static bool name_ask(char *name, size_t size) {
    struct utsname system;
    uname(&system);
    do {
        printf("%s login: ", system.nodename);
        fflush(stdout);
        ssize_t n = read(0, name, size - 1);
        if (n <= 0) return false;
        name[n] = 0;
        name[strcspn(name, "\n")] = 0;
    } while (name[strspn(name, " ")] == 0);
    return true;
}

int main(int argc, char **argv) {
    char name[256];
    char term[64];
    if (argc < 2 || argc > 3) return 2;
    snprintf(term, sizeof(term), "TERM=%s", argc == 3 ? argv[2] : "xterm");
    setsid();
    for (int i = 1; i < NSIG; i++) signal(i, SIG_DFL);
    if (terminal_open(argv[1]) < 0) {
        service_log("getty: %s: %s", argv[1], strerror(errno));
        return 1;
    }
    terminal_reset();
    const char *line = ttyname(0);
    bool screen = argc == 3;
    if (screen) fputs("\033c", stdout); /* whatever the last session left */
    issue_show(screen ? "/etc/issue.screen" : "/etc/issue",
               line && strncmp(line, "/dev/", 5) == 0 ? line + 5 : argv[1]);
    if (!name_ask(name, sizeof(name))) return 1;
    char path[] = "PATH=/usr/local/bin:/bin:/sbin:/usr/bin:/usr/sbin", login[] = "login", end[] = "--";
    execve("/bin/login", (char *const[]){login, end, name, nullptr}, (char *const[]){path, term, nullptr});
    service_log("getty: /bin/login: %s", strerror(errno));
    return 1;
}
