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
                "grant log\ngrant modules\ngrant power\nmount /dev/x\nrestart once\npriority 40\n"
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
    CHECK(m.grants == (GRANT_LOG | GRANT_MODULES | GRANT_POWER));
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

TEST(drivers) {
    CHECK(parse("program /x\nscheme disk.virtio* 12\npci 1af4:1001 1AF4:1042\nnodes vd\ngrant hardware\n") == 0);
    CHECK(m.match_count == 2 && m.scheme_count == 1 && strcmp(m.nodes, "vd") == 0 && m.grants == GRANT_HARDWARE);
    CHECK(manifest_matches(&m, 0x1af4, 0x1001, 0x010000) && manifest_matches(&m, 0x1af4, 0x1042, 0));
    CHECK(!manifest_matches(&m, 0x1af4, 0x1041, 0x010000) && !manifest_matches(&m, 0x1042, 0x1af4, 0));
    CHECK(parse("program /x\nclass 01:06:01\nclass c:3") == 0 && m.match_count == 2);
    CHECK(manifest_matches(&m, 1, 2, 0x010601) && !manifest_matches(&m, 1, 2, 0x010600));
    CHECK(manifest_matches(&m, 1, 2, 0x0c0330) && !manifest_matches(&m, 1, 2, 0x0c0430));
    CHECK(parse("program /x") == 0 && !manifest_matches(&m, 0, 0, 0));
    CHECK(parse("program /x\nscheme net.a* 1\npci 1:2\nnodes eth*") == 0 && strcmp(m.nodes, "eth*") == 0);
    CHECK(parse("program /x\nscheme input.a 1\nisa-irq 1\nnodes input*") == 0 && m.match_count == 0 && m.nodes);
    CHECK(parse("program /x\nscheme tcp 1\nuses eth") == 0 && strcmp(m.uses, "eth") == 0);
}

TEST(errors) {
    static const char *const bad[] = {
        "nonsense",
        "program",
        "program x",
        "scheme a",
        "scheme a 256",
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
        "pci 1af4",
        "pci 1af4:10000",
        "pci 1af4:1042:1",
        "pci :1",
        "pci",
        "class 1",
        "class 1:100",
        "class 1:6:1:1",
        "class 1:6 1:7",
        "nodes",
        "nodes a/b",
        "nodes ..",
        "nodes abcdefghi",
        "nodes e*h",
        "nodes e**",
        "uses",
        "uses a b",
        "program /y",
        "opens a b c d e f g h i j k l m n o p q r",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char text[128];
        snprintf(text, sizeof(text), "program /x\n%s\nrestart never\n", bad[i]);
        CHECK(parse(text) == -EINVAL && line == 2);
    }
    static const char *const bad_whole[] = {"scheme a:b 1",
                                            "scheme a* 1",
                                            "scheme a 1\npci 1:2",
                                            "scheme * 1\npci 1:2",
                                            "scheme abcdefghijklmnopqrstuvwxyz0123456789 1",
                                            "nodes vd",
                                            "scheme a* 1\ndisks\nnodes vd",
                                            "uses eth",
                                            "scheme a* 1\ndisks\nuses eth",
                                            "scheme a* 1\npci 1:2\nuses eth",
                                            "scheme a* 1\npci 1:2\nmount /x"};
    for (size_t i = 0; i < sizeof(bad_whole) / sizeof(bad_whole[0]); i++) {
        char text[128];
        snprintf(text, sizeof(text), "program /x\n%s\n", bad_whole[i]);
        CHECK(parse(text) == -EINVAL && line == 0);
    }
    CHECK(parse("scheme a 1\n") == -EINVAL && line == 0);
    CHECK(parse("program /x\nmount /y\n") == -EINVAL && line == 0);
    CHECK(manifest_parse(&m, "program /x\0", 11, &line) == -EINVAL);
}

UNIT_MAIN
