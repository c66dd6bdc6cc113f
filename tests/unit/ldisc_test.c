// SPDX-License-Identifier: MIT
/* The line discipline: each behaviour by what goes in from the line and what both sides see. */
#include <errno.h>
#include <ldisc.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unit.h>

static struct ldisc ld;

static void type(const char *text) {
    CHECK(ldisc_receive(&ld, (const uint8_t *)text, strlen(text), 0) == strlen(text));
}

/* What the line saw since the last call. */
static const char *sent(void) {
    static char text[LDISC_OUTPUT_SIZE + 1];
    size_t length = 0, count;
    const uint8_t *bytes;
    while ((count = ldisc_output_peek(&ld, &bytes)) > 0 && length + count < sizeof(text)) {
        memcpy(text + length, bytes, count);
        ldisc_output_done(&ld, count);
        length += count;
    }
    text[length] = 0;
    return text;
}

static const char *get(size_t size) {
    static char text[LDISC_INPUT_SIZE + 1];
    int64_t deadline;
    if (!ldisc_read_ready(&ld, size, 0, 0, &deadline)) return "(waits)";
    text[ldisc_read(&ld, (uint8_t *)text, size)] = 0;
    return text;
}

static void set(uint32_t iflag_off, uint32_t lflag_off, uint32_t iflag_on, uint32_t lflag_on) {
    struct ldisc_termios termios = ld.termios;
    termios.iflag = (termios.iflag & ~iflag_off) | iflag_on;
    termios.lflag = (termios.lflag & ~lflag_off) | lflag_on;
    ldisc_set_termios(&ld, &termios);
}

static void set_raw(uint8_t minimum, uint8_t time) {
    struct ldisc_termios termios = ld.termios;
    termios.lflag &= ~(uint32_t)(ICANON | ECHO | ISIG | IEXTEN);
    termios.iflag &= ~(uint32_t)(IXON | ICRNL);
    termios.cc[VMIN] = minimum;
    termios.cc[VTIME] = time;
    ldisc_set_termios(&ld, &termios);
}

static bool is(const char *a, const char *b) {
    if (strcmp(a, b) == 0) return true;
    printf("# got \"%s\", expected \"%s\"\n", a, b);
    return false;
}

TEST(canonical_line) {
    ldisc_init(&ld);
    type("hel");
    CHECK(is(get(100), "(waits)"));
    CHECK(!ldisc_poll_readable(&ld));
    type("lo\rmore");
    CHECK(is(sent(), "hello\r\nmore"));
    CHECK(ldisc_poll_readable(&ld));
    CHECK(ldisc_readable(&ld) == 6);
    CHECK(is(get(100), "hello\n"));
    CHECK(is(get(100), "(waits)"));
}

TEST(canonical_short_reads) {
    ldisc_init(&ld);
    type("abcdef\nx\n");
    CHECK(is(get(4), "abcd"));
    CHECK(is(get(4), "ef\n"));
    CHECK(is(get(4), "x\n"));
}

TEST(end_of_file) {
    ldisc_init(&ld);
    type("\x04");
    CHECK(is(get(10), ""));
    type("ab\x04");
    CHECK(is(get(10), "ab"));
    CHECK(is(get(10), "(waits)"));
    type("abc\x04"); /* the read that takes all also takes the mark */
    CHECK(is(get(3), "abc"));
    CHECK(is(get(3), "(waits)"));
    CHECK(is(sent(), "ababc"));
}

TEST(erase) {
    ldisc_init(&ld);
    type("ab\x7f");
    CHECK(is(sent(), "ab\b \b"));
    type("\x7f\x7f\x7f"); /* no further than the start */
    CHECK(is(sent(), "\b \b"));
    type("c\n");
    CHECK(is(get(10), "c\n"));
    sent();
    type("a\x16\x03\x7f"); /* a control character is two columns */
    CHECK(is(sent(), "a^\b^C\b \b\b \b"));
}

TEST(erase_tab) {
    ldisc_init(&ld);
    CHECK(ldisc_write(&ld, (const uint8_t *)"$ ", 2) == 2);
    type("a\t\x7f");
    CHECK(is(sent(), "$ a\t\b\b\b\b\b"));
}

TEST(erase_utf8) {
    ldisc_init(&ld);
    type("\xc3\xa4\xe2\x82\xac\x7f");
    CHECK(is(sent(), "\xc3\xa4\xe2\x82\xac\b \b"));
    type("\n");
    CHECK(is(get(10), "\xc3\xa4\n"));
    set(IUTF8, 0, 0, 0);
    type("\xc3\xa4\x7f\n");
    CHECK(is(get(10), "\xc3\n"));
}

TEST(word_erase_and_kill) {
    ldisc_init(&ld);
    type("one two  \x17");
    CHECK(is(sent(), "one two  \b \b\b \b\b \b\b \b\b \b"));
    type("\x15");
    CHECK(is(sent(), "\b \b\b \b\b \b\b \b"));
    set(0, ECHOKE, 0, 0);
    type("ab\x15");
    CHECK(is(sent(), "ab^U\r\n"));
    type("z\n");
    CHECK(is(get(10), "z\n"));
}

TEST(literal_next_and_reprint) {
    ldisc_init(&ld);
    type("\x16\x04z\x12\n");
    CHECK(is(sent(), "^\b^Dz^R\r\n^Dz\r\n"));
    CHECK(is(get(10), "\x04z\n"));
    set(0, IEXTEN, 0, 0);
    type("\x17\n");
    CHECK(is(get(10), "\x17\n"));
}

TEST(signals) {
    ldisc_init(&ld);
    type("abc\x03");
    CHECK(is(sent(), "^C")); /* the output was flushed, too */
    CHECK(ldisc_take_signals(&ld) == 1ULL << (SIGINT - 1));
    CHECK(ldisc_take_signals(&ld) == 0);
    type("\x1a\x1c");
    CHECK(ldisc_take_signals(&ld) == (1ULL << (SIGTSTP - 1) | 1ULL << (SIGQUIT - 1)));
    sent();
    set(0, 0, 0, NOFLSH);
    type("ab\x03\n");
    CHECK(is(sent(), "ab^C\r\n"));
    CHECK(is(get(10), "ab\n"));
    set(0, ISIG, 0, 0);
    type("\x03\n");
    CHECK(is(get(10), "\x03\n"));
}

TEST(flow_control) {
    ldisc_init(&ld);
    CHECK(ldisc_write(&ld, (const uint8_t *)"text", 4) == 4);
    type("\x13");
    CHECK(is(sent(), ""));
    type("\x11");
    CHECK(is(sent(), "text"));
    type("\x13z");
    CHECK(is(sent(), ""));
    set(0, 0, IXANY, 0);
    type("y");
    CHECK(is(sent(), "zy"));
}

TEST(input_throttle) {
    static uint8_t text[LDISC_INPUT_SIZE];
    ldisc_init(&ld);
    set_raw(1, 0);
    set(0, 0, IXOFF, 0);
    memset(text, 'x', sizeof(text));
    CHECK(ldisc_receive(&ld, text, 3500, 0) == 3500);
    CHECK(is(sent(), "\x13"));
    CHECK(ldisc_read(&ld, text, 3500) == 3500);
    CHECK(is(sent(), "\x11"));
}

TEST(input_mapping) {
    ldisc_init(&ld);
    set(ICRNL, ECHO, INLCR | ISTRIP, 0);
    type("a\n\xe1"
         "b");
    set(INLCR | ISTRIP, 0, IGNCR, 0);
    type("\r\n");
    CHECK(is(get(10), "a\rab\n"));
}

TEST(output_processing) {
    struct ldisc_termios termios;
    ldisc_init(&ld);
    termios = ld.termios;
    ldisc_write(&ld, (const uint8_t *)"a\n\tb", 4);
    CHECK(is(sent(), "a\r\n\tb"));
    termios.oflag |= XTABS;
    ldisc_set_termios(&ld, &termios);
    ldisc_write(&ld, (const uint8_t *)"\rab\tc", 5);
    CHECK(is(sent(), "\rab      c"));
    termios.oflag = OPOST | OCRNL | ONOCR | OLCUC;
    ldisc_set_termios(&ld, &termios);
    ldisc_write(&ld, (const uint8_t *)"\rx", 2);
    CHECK(is(sent(), "\nX"));
    termios.oflag &= ~(uint32_t)OPOST;
    ldisc_set_termios(&ld, &termios);
    ldisc_write(&ld, (const uint8_t *)"\t\n", 2);
    CHECK(is(sent(), "\t\n"));
}

TEST(raw_min_time) {
    int64_t deadline;
    ldisc_init(&ld);
    set_raw(3, 0); /* MIN > 0, TIME = 0 */
    type("ab");
    CHECK(is(get(10), "(waits)"));
    CHECK(!ldisc_poll_readable(&ld));
    CHECK(is(get(2), "ab"));
    type("abc");
    CHECK(is(get(10), "abc"));

    set_raw(3, 2); /* MIN > 0, TIME > 0: between bytes */
    CHECK(!ldisc_read_ready(&ld, 10, 1000, 1000, &deadline) && deadline == LDISC_NEVER);
    ldisc_receive(&ld, (const uint8_t *)"a", 1, 5000);
    CHECK(!ldisc_read_ready(&ld, 10, 1000, 6000, &deadline) && deadline == 200005000);
    CHECK(ldisc_read_ready(&ld, 10, 1000, 200005000, &deadline));
    CHECK(ldisc_read(&ld, (uint8_t[10]){}, 10) == 1);

    set_raw(0, 1); /* MIN = 0, TIME > 0: from the read */
    CHECK(!ldisc_read_ready(&ld, 10, 1000, 1000, &deadline) && deadline == 100001000);
    CHECK(ldisc_read_ready(&ld, 10, 1000, 100001000, &deadline));
    CHECK(is((ldisc_read(&ld, (uint8_t[10]){}, 10), get(0)), "(waits)"));

    set_raw(0, 0);
    CHECK(ldisc_read_ready(&ld, 10, 0, 0, &deadline));
    CHECK(is(get(10), ""));
}

TEST(mode_change_keeps_input) {
    ldisc_init(&ld);
    type("abc");
    set_raw(1, 0);
    CHECK(is(get(2), "ab"));
    set(0, 0, 0, ICANON);
    CHECK(is(get(10), "c"));
    CHECK(is(get(10), "(waits)"));
}

TEST(line_length_limit) {
    static uint8_t text[2 * LDISC_INPUT_SIZE];
    ldisc_init(&ld);
    set(0, ECHO, 0, 0);
    memset(text, 'x', sizeof(text));
    CHECK(ldisc_receive(&ld, text, sizeof(text), 0) == sizeof(text)); /* the excess is lost */
    CHECK(sent()[0] == '\a');
    type("\n");
    CHECK(ldisc_receive(&ld, text, 10, 0) == 0); /* full, but someone can read: not lost */
    CHECK(ldisc_readable(&ld) == LDISC_INPUT_SIZE);
    CHECK(ldisc_read(&ld, text, sizeof(text)) == LDISC_INPUT_SIZE);
    CHECK(text[LDISC_INPUT_SIZE - 1] == '\n');
    CHECK(ldisc_receive(&ld, text, 10, 0) == 10);
}

TEST(output_limit_leaves_room_for_echo) {
    static uint8_t text[2 * LDISC_OUTPUT_SIZE];
    ldisc_init(&ld);
    memset(text, 'x', sizeof(text));
    size_t taken = ldisc_write(&ld, text, sizeof(text));
    CHECK(taken <= LDISC_OUTPUT_SIZE - LDISC_ECHO_RESERVE);
    CHECK(!ldisc_writable(&ld));
    type("y");
    CHECK(ldisc_output_pending(&ld) == taken + 1);
    CHECK(strlen(sent()) == taken + 1);
    CHECK(ldisc_writable(&ld));
}

TEST(break_condition) {
    ldisc_init(&ld);
    ldisc_receive_break(&ld, 0);
    CHECK(ldisc_take_signals(&ld) == 1ULL << (SIGINT - 1));
    set(BRKINT, 0, IGNBRK, 0);
    ldisc_receive_break(&ld, 0);
    CHECK(ldisc_take_signals(&ld) == 0);
    set_raw(1, 0);
    set(IGNBRK, 0, PARMRK, 0);
    ldisc_receive_break(&ld, 0);
    CHECK(ldisc_readable(&ld) == 3);
}

TEST(control_requests) {
    struct ldisc_window window = {.rows = 50, .columns = 132};
    struct ldisc_termios termios;
    uint8_t answer[64];
    size_t length;
    ldisc_init(&ld);
    CHECK(ldisc_control(&ld, TCGETS, 0, NULL, 0, answer, &length) == 0 && length == 36);
    memcpy(&termios, answer, sizeof(termios));
    CHECK(termios.cc[VEOF] == 4 && (termios.cflag & CSIZE) == CS8);
    CHECK(ldisc_control(&ld, TIOCSWINSZ, 0, &window, sizeof(window), answer, &length) == 0);
    CHECK(ldisc_take_signals(&ld) == 1ULL << (SIGWINCH - 1));
    CHECK(ldisc_control(&ld, TIOCSWINSZ, 0, &window, sizeof(window), answer, &length) == 0);
    CHECK(ldisc_take_signals(&ld) == 0);
    CHECK(ldisc_control(&ld, TIOCGWINSZ, 0, NULL, 0, answer, &length) == 0 && length == 8);
    CHECK(memcmp(answer, &window, 8) == 0);
    CHECK(ldisc_control(&ld, TCSETS, 0, &termios, 10, answer, &length) == -EINVAL);
    CHECK(ldisc_control(&ld, TIOCSTI, 0, "x", 1, answer, &length) == -EPERM);
    CHECK(ldisc_control(&ld, 0x1234, 0, NULL, 0, answer, &length) == -ENOTTY);
    type("ab\n");
    CHECK(ldisc_control(&ld, FIONREAD, 0, NULL, 0, answer, &length) == 0 && answer[0] == 3);
    CHECK(ldisc_control(&ld, TCFLSH, TCIFLUSH, NULL, 0, answer, &length) == 0);
    CHECK(ldisc_readable(&ld) == 0);
    CHECK(ldisc_control(&ld, TCFLSH, 9, NULL, 0, answer, &length) == -EINVAL);
    CHECK(ldisc_control_drains(TCSETSW, 0) && !ldisc_control_drains(TCSETS, 0));
}

UNIT_MAIN
