// SPDX-License-Identifier: MIT
/* Service manifests: what is accepted, what each directive yields, where errors are reported. */
#include <errno.h>
#include <manifest.h>
#include <unit.h>

static struct manifest m;
static unsigned line;

static int parse(const char *text) { return manifest_parse(&m, text, strlen(text), &line); }

TEST(everything) {
    CHECK(parse("# UART\nprogram /lib/drivers/serial -v x\n\nscheme serial 10\nscheme other 0x14 setid\n"
                "opens log\tfile # both\nopens tty\nports 0x3f8 8\nisa-irq 4\nmmio 0xfee00000 4096\n"
                "grant log\ngrant modules\nmount /dev/x\nrestart once\npriority 40\n"
                "when exec=com2\nunless quiet") == 0);
    CHECK(m.argument_count == 3 && strcmp(m.arguments[0], "/lib/drivers/serial") == 0);
    CHECK(strcmp(m.arguments[2], "x") == 0 && !m.arguments[3]);
    CHECK(m.scheme_count == 2 && strcmp(m.schemes[0].name, "serial") == 0);
    CHECK(m.schemes[0].rank == 10 && m.schemes[1].rank == 20);
    CHECK(!m.schemes[0].setid && m.schemes[1].setid);
    CHECK(manifest_opens(&m, "log") && manifest_opens(&m, "tty") && !manifest_opens(&m, "proc"));
    CHECK(m.hardware_count == 3 && m.hardware[0].kind == MANIFEST_PORTS);
    CHECK(m.hardware[0].start == 0x3f8 && m.hardware[0].length == 8);
    CHECK(m.hardware[1].kind == MANIFEST_ISA_IRQ && m.hardware[1].start == 4);
    CHECK(m.hardware[2].kind == MANIFEST_MMIO && m.hardware[2].length == 4096);
    CHECK(m.grants == (GRANT_LOG | GRANT_MODULES));
    CHECK(strcmp(m.mount, "/dev/x") == 0);
    CHECK(m.restart == RESTART_ONCE && m.priority == 40);
    CHECK(manifest_wanted(&m, "a exec=com2"));
    CHECK(!manifest_wanted(&m, "a exec=com22"));
    CHECK(!manifest_wanted(&m, "exec=com2 quiet"));
    CHECK(manifest_wanted(&m, "exec=com2 quietly"));
}

TEST(defaults) {
    CHECK(parse("program /x") == 0);
    CHECK(m.restart == RESTART_ALWAYS && m.priority == -1 && m.grants == 0 && !m.opens_all);
    CHECK(manifest_wanted(&m, ""));
    CHECK(parse("program /x\nopens *\n") == 0 && manifest_opens(&m, "any"));
}

TEST(errors) {
    static const char *const bad[] = {
        "nonsense",
        "program",
        "program x",
        "scheme a",
        "scheme a 256",
        "scheme a:b 1",
        "scheme a x",
        "scheme a 1 suid",
        "scheme a 1 setid x",
        "ports 0x10000 1",
        "ports 0xffff 2",
        "ports 1 0",
        "ports 1",
        "isa-irq 16",
        "isa-irq -1",
        "mmio 0x 1",
        "grant all",
        "restart maybe",
        "priority 64",
        "mount x",
        "when",
        "opens",
        "scheme abcdefghijklmnopqrstuvwxyz0123456789 1",
        "program /y",
        "opens a b c d e f g h i j k l m n o p q r",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char text[128];
        snprintf(text, sizeof(text), "program /x\n%s\nrestart never\n", bad[i]);
        CHECK(parse(text) == -EINVAL && line == 2);
    }
    CHECK(parse("scheme a 1\n") == -EINVAL && line == 0);
    CHECK(parse("program /x\nmount /y\n") == -EINVAL && line == 0);
    CHECK(manifest_parse(&m, "program /x\0", 11, &line) == -EINVAL);
}

UNIT_MAIN
