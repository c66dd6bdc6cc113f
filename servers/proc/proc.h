// SPDX-License-Identifier: MIT
/*
 * proc: processes and system figures as text files, in the layouts of Linux that ps, top, free and
 * their like read.  Names and permissions are the fs library's; a file's text is made when it is
 * read from its start, and kept until it is closed.
 */
#pragma once
#include <fs.h>

struct text { /* grows; a failed allocation cuts it short */
    char *bytes;
    size_t length, capacity;
};
[[gnu::format(printf, 2, 3)]] void text_add(struct text *t, const char *format, ...);
void text_append(struct text *t, const void *bytes, size_t size);
void text_free(struct text *t);

enum proc_kind { PROC_FILE, PROC_DIRECTORY, PROC_LINK, PROC_TASKS, PROC_HANDLES, PROC_SCHEMES };

/* One row of a directory's table; the last one has no name. pid: the process, 0 outside of one. */
struct proc_file {
    const char *name;
    uint32_t mode;
    enum proc_kind kind;
    int (*show)(struct text *t, uint32_t pid, uint32_t index);  /* the text, or a link's target */
    int (*store)(const char *text, size_t size);                /* a write; null: none */
    const struct proc_file *children;                           /* PROC_DIRECTORY */
};

extern const struct proc_file system_files[];  /* system.c: the root's */
extern const struct proc_file process_files[]; /* process.c: of each process, task.c's too */
extern const struct proc_file task_files[];    /* of each thread */

[[nodiscard]] int proc_fs_init(struct fs *fs, const char *mount_point); /* tree.c */
int show_mounts(struct text *t, uint32_t pid, uint32_t index); /* system.c */
/* State of a process. 0 or -ESRCH. */
int process_state_get(uint32_t pid, struct process_state *out);
