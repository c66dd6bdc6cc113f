// SPDX-License-Identifier: MIT
/*
 * The file-system library against the host's tmpfs (or what /dev/shm or /tmp is): the same random
 * operations on both, as different users, must have the same results, errors and attributes.
 * Runs in a chroot, hence as root only; else it is skipped.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <unit.h>

#include "fs_host.h"

#define HELD 6
static struct {
    int fd; /* the host's */
    struct fs_open *open;
} held[HELD];

static uint64_t state;
static uint32_t roll(uint32_t n) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)(state >> 33) % n;
}

static const char *random_path(char *out) {
    static const char *const parts[] = {"a", "b", "c", "d", "e", "a", "b", "l", "m", ".", "..", "f"};
    size_t length = 0;
    if (roll(12) == 0) out[length++] = '/';
    for (uint32_t i = 0, n = 1 + roll(3); i < n; i++) {
        const char *part = parts[roll(sizeof(parts) / sizeof(parts[0]))];
        length += (size_t)sprintf(out + length, "%s%s", i ? roll(8) ? "/" : "//" : "", part);
    }
    if (roll(10) == 0) out[length++] = '/';
    out[length] = 0;
    return out;
}

struct side { /* where both start: the root, or an open file */
    int fd;
    struct fs_node *node;
};

static struct side random_start(void) {
    uint32_t i = roll(HELD * 3);
    if (i < HELD && held[i].open) return (struct side){held[i].fd, held[i].open->node};
    return (struct side){AT_FDCWD, host_fs.fs.root};
}

static int host_result(long result) { return result < 0 ? -errno : 0; }

struct step {
    struct fs_call call;
    struct side from, to;
    char path[64], other[64], text[256];
    uint32_t mode, flags;
};

static void compare_stat(struct step *s, bool follow, int *ours, int *theirs) {
    struct file_attributes a;
    struct stat st;
    *ours = fs_stat(&s->call, s->from.node, host_name(s->path), follow ? 0 : FILE_NOFOLLOW, &a);
    *theirs = host_result(fstatat(s->from.fd, s->path, &st, follow ? 0 : AT_SYMLINK_NOFOLLOW));
    if (*ours || *theirs) return;
    /* Streams lose set-id bits when they are opened for writing, the host's files when written. */
    uint32_t early = S_ISREG(st.st_mode) ? MODE_SETUID | MODE_SETGID : 0;
    bool same = (a.mode | early) == (st.st_mode | early) && a.uid == st.st_uid && a.gid == st.st_gid &&
                a.links == st.st_nlink && (S_ISDIR(st.st_mode) || a.size == st.st_size);
    if (!same)
        printf("# stat: mode %o %o, owner %u:%u %u:%u, links %lu %lu, size %ld %ld\n", a.mode, st.st_mode, a.uid, a.gid,
               st.st_uid, st.st_gid, a.links, st.st_nlink, (long)a.size, (long)st.st_size);
    *theirs = same ? 0 : 1;
}

static void compare_open(struct step *s, int *ours, int *theirs) {
    static const uint32_t choices[] = {O_RDONLY,
                                       O_WRONLY,
                                       O_RDWR,
                                       O_CREAT | O_WRONLY,
                                       O_CREAT | O_EXCL | O_RDWR,
                                       O_DIRECTORY,
                                       O_NOFOLLOW,
                                       O_PATH,
                                       O_PATH | O_NOFOLLOW,
                                       O_CREAT,
                                       O_TRUNC | O_WRONLY,
                                       O_CREAT | O_TRUNC | O_RDWR,
                                       O_CREAT | O_DIRECTORY,
                                       O_PATH | O_DIRECTORY,
                                       O_NOATIME,
                                       O_CREAT | O_NOFOLLOW};
    uint32_t flags = choices[roll(sizeof(choices) / sizeof(choices[0]))] | O_NONBLOCK;
    struct fs_open *o = nullptr;
    struct fs_plane plane;
    s->flags = flags;
    *ours = fs_open(&s->call, s->from.node, host_name(s->path), flags, s->mode, &o, &plane);
    int fd = openat(s->from.fd, s->path, (int)flags, s->mode);
    *theirs = host_result(fd);
    uint32_t i = roll(HELD);
    if (*ours || *theirs || roll(3) || S_ISFIFO(o->node->mode)) {
        if (o) fs_close(&host_fs.fs, o);
        if (fd >= 0) close(fd);
        return;
    }
    if (held[i].open) {
        fs_close(&host_fs.fs, held[i].open);
        close(held[i].fd);
    }
    held[i].open = o;
    held[i].fd = fd;
}

static void compare_read_link(struct step *s, int *ours, int *theirs) {
    char text[FS_PATH_MAX], host_text[FS_PATH_MAX];
    *ours = fs_readlink(&s->call, s->from.node, host_name(s->path), text, sizeof(text));
    long length = readlinkat(s->from.fd, s->path, host_text, sizeof(host_text));
    *theirs = length < 0 ? -errno : (int)length;
    if (*ours >= 0 && *ours == length && memcmp(text, host_text, (size_t)length) != 0) *theirs = -1000;
}

static void compare_path(int *ours, int *theirs) {
    char text[FS_PATH_MAX], host_text[FS_PATH_MAX];
    uint32_t i = roll(HELD);
    struct fs_call c = host_call(0, 0);
    *ours = *theirs = 0;
    if (!held[i].open || !S_ISDIR(held[i].open->node->mode)) return;
    *ours = fs_path(&c, held[i].open->node, text, sizeof(text));
    if (seteuid(0) != 0 || fchdir(held[i].fd) != 0) abort();
    long length = syscall(SYS_getcwd, host_text, sizeof(host_text));
    *theirs = length < 0 ? -errno : (int)length - 1;
    if (*ours > 0 && *ours == *theirs && memcmp(text, host_text, (size_t)*ours) != 0) *theirs = -1000;
    if (chdir("/") != 0) abort();
}

static void compare_attributes(struct step *s, uint32_t which, int *ours, int *theirs) {
    struct file_attributes a = {.mode = s->mode, .uid = roll(3), .gid = roll(3), .size = roll(9000)};
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = 77}};
    uint32_t set = SET_MODE, flags = 0;
    switch (which) {
    case 0: *theirs = host_result(fchmodat(s->from.fd, s->path, s->mode, 0)); break;
    case 1:
        set = SET_UID | SET_GID;
        flags = FILE_NOFOLLOW;
        *theirs = host_result(fchownat(s->from.fd, s->path, a.uid, a.gid, AT_SYMLINK_NOFOLLOW));
        break;
    case 2: {
        set = SET_SIZE;
        s->from = (struct side){AT_FDCWD, host_fs.fs.root};
        *theirs = host_result(truncate(s->path, a.size));
        break;
    }
    case 3:
        set = SET_MTIME;
        a.mtime_s = 77;
        *theirs = host_result(utimensat(s->from.fd, s->path, times, 0));
        break;
    default:
        set = SET_ATIME | SET_MTIME;
        a.mtime_ns = a.atime_ns = UTIME_NOW;
        *theirs = host_result(utimensat(s->from.fd, s->path, nullptr, 0));
    }
    *ours = fs_set_attributes(&s->call, s->from.node, nullptr, host_name(s->path), flags, set, &a);
}

static const char *run_step(struct step *s, int *ours, int *theirs) {
    struct fs_name path = host_name(s->path), other = host_name(s->other);
    switch (roll(20)) {
    case 0:
    case 1:
        *ours = fs_make_node(&s->call, s->from.node, path, MODE_DIRECTORY | s->mode, 0);
        *theirs = host_result(mkdirat(s->from.fd, s->path, s->mode));
        return "mkdir";
    case 2:
        *ours = fs_make_node(&s->call, s->from.node, path, MODE_FIFO | s->mode, 0);
        *theirs = host_result(mknodat(s->from.fd, s->path, S_IFIFO | s->mode, 0));
        return "mkfifo";
    case 3:
        *ours = fs_symlink(&s->call, s->from.node, path, other);
        *theirs = host_result(symlinkat(s->other, s->from.fd, s->path));
        return "symlink";
    case 4:
    case 5: {
        bool follow = roll(2); /* as root: the host may have protected_hardlinks */
        s->call = host_call(0, 0);
        if (seteuid(0) != 0) abort();
        *ours = fs_link(&s->call, s->from.node, path, follow ? 0 : FILE_NOFOLLOW, s->to.node, other);
        *theirs = host_result(linkat(s->from.fd, s->path, s->to.fd, s->other, follow ? AT_SYMLINK_FOLLOW : 0));
        return "link";
    }
    case 6:
        *ours = fs_remove(&s->call, s->from.node, path, false);
        *theirs = host_result(unlinkat(s->from.fd, s->path, 0));
        return "unlink";
    case 7:
        *ours = fs_remove(&s->call, s->from.node, path, true);
        *theirs = host_result(unlinkat(s->from.fd, s->path, AT_REMOVEDIR));
        return "rmdir";
    case 8:
    case 9:
    case 10: {
        static const uint32_t flags[] = {0, 0, 0, RENAME_KEEP, RENAME_SWAP};
        s->flags = flags[roll(5)];
        *ours = fs_rename(&s->call, s->from.node, path, s->to.node, other, s->flags);
        *theirs = host_result(syscall(SYS_renameat2, s->from.fd, s->path, s->to.fd, s->other, s->flags));
        return "rename";
    }
    case 11: compare_stat(s, true, ours, theirs); return "stat";
    case 12: compare_stat(s, false, ours, theirs); return "lstat";
    case 13: compare_read_link(s, ours, theirs); return "readlink";
    case 14: compare_path(ours, theirs); return "getcwd";
    case 15:
        s->mode &= 7;
        *ours = fs_access(&s->call, s->from.node, path, ACCESS_EFFECTIVE, s->mode);
        *theirs = host_result(syscall(SYS_faccessat2, s->from.fd, s->path, s->mode, AT_EACCESS));
        return "access";
    case 16:
    case 17: {
        static const char *const names[] = {"chmod", "chown", "truncate", "utimes", "touch"};
        uint32_t which = roll(5);
        compare_attributes(s, which, ours, theirs);
        return names[which];
    }
    default: compare_open(s, ours, theirs); return "open";
    }
}

/* --- the whole tree ------------------------------------------------------------------------------- */
static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static size_t list_host(char **out, const char *path) {
    size_t count = 0;
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));)
        if (asprintf(&out[count], "%s %d", e->d_name, e->d_type) > 0) count++;
    if (d) closedir(d);
    return count;
}

static size_t list_ours(char **out, struct fs_node *dir) {
    struct fs_call c = host_call(0, 0);
    struct fs_open o = {.node = dir, .flags = O_NOATIME};
    char buffer[80]; /* so that reading goes on at cookies */
    int64_t offset = 0, got;
    size_t count = 0;
    while ((got = fs_read(&c, &o, buffer, sizeof(buffer), offset, IO_DIRECTORY, &offset)) > 0)
        for (int64_t at = 0; at < got; at += *(uint16_t *)(buffer + at + 16))
            if (asprintf(&out[count], "%s %d", buffer + at + 19, buffer[at + 18]) > 0) count++;
    return count;
}

static void compare_tree(struct fs_node *dir, const char *path) {
    char *ours[64], *theirs[64];
    size_t n = list_ours(ours, dir), m = list_host(theirs, path);
    qsort(ours, n, sizeof(ours[0]), by_text);
    qsort(theirs, m, sizeof(theirs[0]), by_text);
    CHECK(n == m);
    for (size_t i = 0; i < n && i < m; i++) {
        CHECK(strcmp(ours[i], theirs[i]) == 0);
        struct fs_call c = host_call(0, 0);
        struct fs_node *child;
        struct fs_name name = fs_name(ours[i], strcspn(ours[i], " "));
        name.hash = fs_name_hash(name);
        char below[512];
        snprintf(below, sizeof(below), "%s/%.*s", path, (int)name.length, ours[i]);
        if (ours[i][0] != '.' && host_fs.fs.ops->lookup(&c, dir, name, &child) == 0 && node_is(child, MODE_DIRECTORY))
            compare_tree(child, below);
    }
    for (size_t i = 0; i < n; i++) free(ours[i]);
    for (size_t i = 0; i < m; i++) free(theirs[i]);
}

static bool step_once(uint64_t seed, int number) {
    static const uint32_t users[] = {0, 0, 1, 2};
    static const uint32_t modes[] = {0777, 0755, 0700, 0644, 0666, 02775, 0, 0111, 06755, 0555};
    struct step s = {.from = random_start(), .to = random_start()};
    uint32_t uid = users[roll(4)];
    s.mode = modes[roll(10)];
    random_path(s.path);
    random_path(s.other);
    s.call = host_call(uid, uid);
    int ours = 0, theirs = 0;
    if (seteuid(0) != 0 || setegid(uid) != 0 || seteuid(uid) != 0) abort();
    host_now += 1000;
    const char *name = run_step(&s, &ours, &theirs);
    if (seteuid(0) != 0 || setegid(0) != 0) abort();
    if (ours == theirs) return true;
    printf("# seed %lu step %d: %s \"%s\" \"%s\" mode %o flags %o uid %u from %d to %d: %d, host %d\n", seed, number,
           name, s.path, s.other, s.mode, s.flags, uid, s.from.fd, s.to.fd, ours, theirs);
    return false;
}

static void run_seed(uint64_t seed) {
    state = seed;
    host_fs_init(1 << 20);
    memset(held, 0, sizeof(held));
    for (int i = 0; i < 3000; i++) {
        if (!step_once(seed, i)) {
            CHECK(!"same as the host");
            break;
        }
        if (i % 50 == 0) compare_tree(host_fs.fs.root, ".");
    }
    for (int i = 0; i < HELD; i++) {
        if (held[i].open) {
            fs_close(&host_fs.fs, held[i].open);
            close(held[i].fd);
        }
    }
    CHECK(host_fs.fs.opens.count == 0);
    ramfs_fini(&host_fs);
    CHECK(host_fs.nodes_used == 0 && host_fs.entry_count == 0);
}

static bool host_prepare(char *folder) {
    strcpy(folder, access("/dev/shm", W_OK) == 0 ? "/dev/shm/cathode-XXXXXX" : "/tmp/cathode-XXXXXX");
    return geteuid() == 0 && mkdtemp(folder) && setgroups(0, nullptr) == 0;
}

static void folder_remove(const char *folder) {
    char command[128];
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    CHECK(system(command) == 0);
}

TEST(same_as_host) {
    char folder[64];
    if (!host_prepare(folder)) {
        printf("# skipped: needs root\n");
        return;
    }
    for (uint64_t seed = 1; seed <= 40; seed++) {
        char root[80];
        int status = 1;
        snprintf(root, sizeof(root), "%s/%lu", folder, seed);
        CHECK(mkdir(root, 0755) == 0);
        fflush(stdout);
        pid_t pid = fork();
        if (pid == 0) {
            umask(0);
            unit_failed = chroot(root) != 0 || chdir("/") != 0;
            if (!unit_failed) run_seed(seed);
            fflush(stdout);
            _exit(unit_failed);
        }
        CHECK(waitpid(pid, &status, 0) == pid && status == 0);
        if (status) break;
    }
    folder_remove(folder);
}

UNIT_MAIN
