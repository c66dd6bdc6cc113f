// SPDX-License-Identifier: MIT
/* mount and umount2, of directories and of file systems by their type. Needs root. */
#include "test.h"
#include <sys/mount.h>

static void need_root(void) {
    if (geteuid() != 0) SKIP("needs root");
    if (mount("none", "/nowhere", "proc", 0, NULL) < 0 && errno == EPERM) SKIP("root may not mount here");
}

TEST(a_directory_in_two_places) {
    char path[256];
    need_root();
    OK(mkdir("a", 0755));
    OK(mkdir("b", 0755));
    file_make("a/f", "text");
    file_make("b/hidden", "");
    OK(mount("a", "b", NULL, MS_BIND, NULL));
    file_expect("b/f", "text");
    FAILS(ENOENT, access("b/hidden", F_OK));
    file_make("b/g", "new");
    file_expect("a/g", "new");
    OK(mkdir("a/sub", 0755));
    int open_file = (int)OK(open("b/f", O_RDONLY));
    OK(getcwd(path, sizeof(path)) ? 0 : -1);
    OK(umount2("b", MNT_DETACH));
    EQUAL(read(open_file, path, 4), 4); /* what is open stays so */
    OK(access("b/hidden", F_OK));
    FAILS(ENOENT, access("b/f", F_OK));
    FAILS(EINVAL, umount2("b", 0));
}

TEST(a_file_system_by_its_type) {
    need_root();
    OK(mkdir("p", 0755));
    FAILS(ENOENT, access("p/self", F_OK));
    OK(mount("none", "p", "proc", 0, NULL));
    OK(access("p/self", F_OK));
    OK(access("p/meminfo", R_OK));
    OK(umount("p"));
    FAILS(ENOENT, access("p/self", F_OK));
    OK(rmdir("p"));
}

TEST(a_name_of_one_letter) {
    need_root();
    OK(mkdir("/x", 0755));
    long error = mount("none", "/x", "proc", 0, NULL) < 0 ? errno : 0;
    if (!error) {
        OK(access("/x/self", F_OK));
        OK(umount("/x"));
    }
    FAILS(ENOENT, access("/x/self", F_OK));
    OK(rmdir("/x"));
    EQUAL(error, 0);
}

TEST(a_mount_point_is_busy) {
    need_root();
    OK(mkdir("a", 0755));
    OK(mkdir("b", 0755));
    OK(mount("a", "b", NULL, MS_BIND, NULL));
    FAILS(EBUSY, rmdir("b"));
    FAILS(EBUSY, rename("b", "c"));
    OK(umount2("b", MNT_DETACH | UMOUNT_NOFOLLOW));
    OK(rename("b", "c"));
}

TEST(a_link_to_a_mount_point) {
    need_root();
    OK(mkdir("a", 0755));
    OK(mkdir("b", 0755));
    OK(mkdir("d", 0755));
    OK(symlink("../b", "d/far"));
    OK(symlink("d/far", "near"));
    file_make("a/f", "text");
    for (int i = 0; i < 2; i++) {
        OK(mount("a", "near", NULL, MS_BIND, NULL));
        OK(access("b/f", F_OK));
        FAILS(EINVAL, umount2("near", UMOUNT_NOFOLLOW));
        OK(umount2(i ? "near//" : "near", 0));
        FAILS(ENOENT, access("b/f", F_OK));
    }
    OK(symlink("loop", "loop"));
    FAILS(ELOOP, umount2("loop", 0));
}

TEST(mount_errors) {
    need_root();
    OK(mkdir("a", 0755));
    file_make("f", "");
    FAILS(ENODEV, mount("none", "a", "no-such-type", 0, NULL));
    FAILS(ENOENT, mount("none", "missing", "proc", 0, NULL));
    FAILS(ENOTDIR, mount("none", "f", "proc", 0, NULL));
    FAILS(ENOENT, mount("missing", "a", NULL, MS_BIND, NULL));
    FAILS(EINVAL, mount("none", "a", NULL, 0, NULL));
    FAILS(EINVAL, umount2("a", 0));
    FAILS(EINVAL, umount2("a", 0x1000));
    FAILS(ENOENT, umount2("missing", 0));
}

static int as_nobody(void *unused) {
    OK(setgid(65534));
    OK(setuid(65534));
    FAILS(EPERM, mount("a", "b", NULL, MS_BIND, NULL));
    FAILS(EPERM, mount("none", "b", "proc", 0, NULL));
    FAILS(EPERM, umount2("b", 0));
    FAILS(EPERM, umount2("c", MNT_DETACH));
    return 0;
}

TEST(others_may_not) {
    need_root();
    OK(chmod(".", 0755));
    OK(mkdir("a", 0777));
    OK(mkdir("b", 0777));
    OK(mkdir("c", 0777));
    OK(mount("a", "c", NULL, MS_BIND, NULL));
    EQUAL(child_run(as_nobody, NULL), 0);
    OK(umount2("c", 0));
}

#ifdef __cathode__
TEST(what_cannot_be_kept_is_refused) {
    need_root();
    OK(mkdir("a", 0755));
    OK(mkdir("a/sub", 0755));
    OK(mkdir("ab", 0755));
    FAILS(ELOOP, mount("a", "a", NULL, MS_BIND, NULL));
    FAILS(ELOOP, mount("a/sub", "a", NULL, MS_BIND, NULL));
    FAILS(EINVAL, mount("ab", "a", NULL, MS_BIND | MS_RDONLY, NULL));
    FAILS(EINVAL, mount("none", "a", "proc", MS_NOSUID, NULL));
    OK(mount("ab", "a", NULL, MS_BIND, NULL)); /* a longer name is no directory below */
    OK(umount("a"));
    OK(mount("a", "a/sub", NULL, MS_BIND, NULL));
    OK(access("a/sub/sub/sub", F_OK));
    OK(umount("a/sub"));
}
#endif
