// SPDX-License-Identifier: MIT
/* Formatting, memory functions, the log, locks. Trees have a host test. */
#include <kernel/lib.h>
#include <kernel/lock.h>
#include <kernel/log.h>
#include <kernel/test.h>

static bool prints(const char *expected, const char *format, ...) PRINTF_LIKE(2, 3);
static bool prints(const char *expected, const char *format, ...) {
    char buf[64];
    __builtin_va_list args;
    __builtin_va_start(args, format);
    size_t n = print_vformat(buf, sizeof(buf), format, args);
    __builtin_va_end(args);
    return n == strlen(expected) && !strcmp(buf, expected);
}

KTEST(print_formats) {
    EXPECT(prints("a 1 -2 3 ff FF %", "a %d %i %u %x %X %%", 1, -2, 3u, 255u, 255u));
    EXPECT(prints("   42|42   |00042|-0042", "%5d|%-5d|%05d|%05d", 42, 42, 42, -42));
    EXPECT(prints("0x1f abc ab c", "%#x %s %.2s %c", 31u, "abc", "abc", 'c'));
    EXPECT(prints("18446744073709551615 -9223372036854775808", "%lu %ld", UINT64_MAX, INT64_MIN));
    EXPECT(prints("(null)", "%s", (char *)nullptr));
    char small[4];
    EXPECT(print_format(small, sizeof(small), "%s", "abcdef") == 6 && !strcmp(small, "abc"));
}

KTEST(memory_functions) {
    char a[64], b[64];
    for (size_t i = 0; i < sizeof(a); i++) a[i] = (char)i;
    for (size_t n = 0; n < 20; n++) {
        memset(b, 0x55, sizeof(b));
        memcpy(b + 3, a + 1, n);
        EXPECT(!memcmp(b + 3, a + 1, n) && b[2] == 0x55 && b[3 + n] == 0x55);
    }
    memcpy(b, a, sizeof(a));
    memmove(b + 5, b, 40);
    EXPECT(!memcmp(b + 5, a, 40));
    memcpy(b, a, sizeof(a));
    memmove(b, b + 5, 40);
    EXPECT(!memcmp(b, a + 5, 40));
    EXPECT(strnlen("abc", 2) == 2 && strlen("abc") == 3);
    EXPECT(strcmp("abc", "abd") < 0 && strncmp("abc", "abd", 2) == 0);
}

KTEST(log_reads_back) {
    uint64_t at = log_start();
    char buf[256];
    while (log_read(&at, buf, sizeof(buf)) > 0);
    klog(LOG_DEBUG, "one %d", 1);
    size_t n = log_read(&at, buf, sizeof(buf) - 1);
    buf[n] = 0;
    EXPECT(n > 8 && !strncmp(buf, "<7>[", 4) && !strcmp(buf + n - 8, "] one 1\n"));
    EXPECT(log_read(&at, buf, sizeof(buf)) == 0);
}

KTEST(log_drops_whole_old_lines) {
    for (int i = 0; i < 3000; i++) klog(LOG_DEBUG, "line %d of many, to fill the ring more than once", i);
    uint64_t at = 0;
    char first;
    EXPECT(log_read(&at, &first, 1) == 1 && first == '<');
}

KTEST(spin_lock_pair_orders) {
    static struct spinlock l[2] = {SPINLOCK_INIT(RANK_OBJECT), SPINLOCK_INIT(RANK_OBJECT)};
    spin_lock_pair(&l[1], &l[0]);
    EXPECT(atomic_load(&l[0].held) && atomic_load(&l[1].held));
    spin_unlock_pair(&l[1], &l[0]);
    spin_lock_pair(&l[0], &l[0]);
    spin_unlock_pair(&l[0], &l[0]);
    EXPECT(!atomic_load(&l[0].held) && !atomic_load(&l[1].held));
}
