// SPDX-License-Identifier: MIT
/* The rules about user ids: who may do what to whom, and what set*id makes of a process. */
#include "../../kernel/process/cred.h"
#include <abi/errno.h>
#include <abi/scheme.h>
#include <unit.h>

static struct credentials user(uint32_t uid) {
    return (struct credentials){.uid = uid,
                                .euid = uid,
                                .suid = uid,
                                .fsuid = uid,
                                .gid = uid,
                                .egid = uid,
                                .sgid = uid,
                                .fsgid = uid,
                                .privileges = uid ? 0 : PRIVILEGE_ROOT};
}

static int change(const struct credentials *old, uint32_t uid, uint32_t euid, uint32_t suid, struct credentials *out) {
    struct credentials wish = *old;
    wish.uid = uid;
    wish.euid = wish.fsuid = euid;
    wish.suid = suid;
    return credentials_change(old, &wish, out);
}

TEST(signals) {
    struct credentials root = user(0), a = user(1), b = user(2);
    CHECK(credentials_may_signal(&root, &a) && credentials_may_signal(&a, &a));
    CHECK(!credentials_may_signal(&a, &b) && !credentials_may_signal(&a, &root));
    b.suid = 1;
    CHECK(credentials_may_signal(&a, &b));
    b.suid = 2;
    b.euid = 1; /* the effective id of the receiver does not count */
    CHECK(!credentials_may_signal(&a, &b));
}

TEST(inspection) {
    struct credentials root = user(0), a = user(1), setuid = user(1);
    setuid.euid = 2;
    CHECK(credentials_may_inspect(&root, &a) && credentials_may_inspect(&a, &a));
    CHECK(!credentials_may_inspect(&a, &root) && !credentials_may_inspect(&a, &setuid));
    struct credentials bare_root = user(0);
    bare_root.privileges = 0;
    CHECK(!credentials_may_inspect(&bare_root, &root));
}

TEST(privilege_goes_and_returns) {
    struct credentials root = user(0), c, d;
    CHECK(change(&root, 0, 5, 0, &c) == 0 && c.euid == 5 && !credentials_privileged(&c));
    CHECK(change(&c, 0, 0, 0, &d) == 0 && credentials_privileged(&d)); /* the saved id was 0 */
    CHECK(change(&root, 5, 5, 5, &c) == 0 && !credentials_privileged(&c));
    CHECK(change(&c, 0, 0, 0, &d) == -EPERM); /* for good */
}

TEST(privilege_given_up) {
    struct credentials root = user(0), wish = root, c, d;
    wish.privileges = 0;
    CHECK(credentials_change(&root, &wish, &c) == 0 && c.euid == 0 && !credentials_privileged(&c));
    CHECK(credentials_change(&c, &root, &d) == 0 && !credentials_privileged(&d));
}

TEST(unprivileged_changes) {
    struct credentials a = user(1), c, wish;
    a.suid = 2;
    CHECK(change(&a, 1, 2, 2, &c) == 0 && c.euid == 2);
    CHECK(change(&a, 2, 1, 1, &c) == 0 && c.uid == 2);
    CHECK(change(&a, 3, 1, 2, &c) == -EPERM && change(&a, 1, 3, 2, &c) == -EPERM);
    wish = a;
    wish.group_count = 1;
    CHECK(credentials_change(&a, &wish, &c) == -EPERM);
    wish.group_count = GROUPS_MAX + 1;
    CHECK(credentials_change(&a, &wish, &c) == -EINVAL);
    wish = a;
    wish.egid = 9;
    CHECK(credentials_change(&a, &wish, &c) == -EPERM);
    CHECK(credentials_equal(&a, &a) && !credentials_equal(&a, &wish));
}

TEST(exec) {
    struct credentials a = user(1), root = user(0), c;
    CHECK(!credentials_exec(&a, SETID_NONE, SETID_NONE, &c) && credentials_equal(&a, &c));
    CHECK(credentials_exec(&a, 0, SETID_NONE, &c) && c.uid == 1 && c.euid == 0 && c.suid == 0 && c.fsuid == 0);
    CHECK(credentials_privileged(&c) && c.egid == 1 && c.sgid == 1);
    CHECK(credentials_exec(&a, SETID_NONE, 5, &c) && c.euid == 1 && c.gid == 1 && c.egid == 5 && c.sgid == 5);
    CHECK(credentials_exec(&root, 1, SETID_NONE, &c) && c.uid == 0 && c.euid == 1 && !credentials_privileged(&c));
    CHECK(!credentials_exec(&root, 0, 0, &c) && credentials_equal(&root, &c));
    root.privileges = 0; /* it had given it up: the program gets more than it had */
    CHECK(!credentials_exec(&root, SETID_NONE, SETID_NONE, &c) && !credentials_privileged(&c));
    CHECK(credentials_exec(&root, 0, SETID_NONE, &c) && credentials_privileged(&c));
    a.suid = 2;
    CHECK(!credentials_exec(&a, SETID_NONE, SETID_NONE, &c) && c.suid == 1);
}

UNIT_MAIN
