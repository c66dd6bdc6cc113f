// SPDX-License-Identifier: MIT
/*
 * Processes, credentials, signals, images.  kernel/process/
 * The process tree (parents, groups, sessions) is under process_lock (RANK_PROCESS), signal state
 * under process->signal_lock (RANK_THREAD: taken after objects, before run queues).
 */
#pragma once
#include <abi/process.h>
#include <abi/signal.h>
#include <kernel/handle.h>
#include <kernel/space.h>
#include <kernel/thread.h>

struct cred { /* immutable */
    _Atomic uint32_t refs;
    struct credentials c;
    struct tree_node node;
};
struct signal_state { /* dispositions and what is pending for the process */
    struct signal_action actions[SIGNAL_COUNT];
    uint64_t pending;
    struct list queue;
};
struct session;
struct process {
    struct object object;
    uint32_t pid;
    enum { PROCESS_ALIVE, PROCESS_EXITING, PROCESS_ZOMBIE, PROCESS_REAPED } state;
    struct space *space;
    struct handle_table handles;
    struct cred *cred; /* under process_lock; readers take a reference */
    struct process *parent;
    struct list children, sibling_link;
    struct list threads; /* struct thread.process_link */
    uint32_t thread_count;
    uint32_t group, exit_signal;
    struct session *session;
    struct list group_link;
    struct spinlock signal_lock;
    struct signal_state signals;
    struct wait_queue child_wait; /* waiters for children */
    struct tree_node node; /* by pid */
    uint32_t umask, epoch;
    struct process_limit limits[LIMIT_COUNT];
    int32_t exit_status; /* as wait(2) encodes */
    bool stopped, stop_reported, continued, executed, group_exit, dumpable, subreaper;
    uaddr_t foreign_handler;
    uint32_t serve_rank; /* lowest rank of the schemes it serves; 0: it serves none */
    uint32_t nice;
    struct process_usage usage, children_usage;
    struct timer itimer_real;
    nsec_t itimer_interval;
    vaddr_t arguments, arguments_end, environment_end; /* in user memory, for /proc */
    uint64_t start_ns;
    char name[32];
    struct process *vfork_parent;
};
extern const struct object_ops process_ops;
extern struct spinlock process_lock;

static inline struct process *process_current(void) { return thread_current()->process; }
struct process *process_find(uint32_t pid); /* reference (object), or null */
/* init: first process from an ELF image in a memory object. */
struct process *process_create_first(struct memory *image, const char *path);
NORETURN void process_exit(int32_t wait_status); /* whole process; current thread */
NORETURN void process_thread_exit(void); /* current thread only; last one ends the process */
void process_kill(struct process *p, int signal, int code); /* from the kernel: fault, memory */
struct cred *cred_get(struct process *p);
void cred_put(struct cred *c);
struct cred *cred_find(uint64_t id); /* reference, or null */
static inline bool cred_privileged(const struct cred *c) { return c->c.privileges & PRIVILEGE_ROOT; }

/* Signals. */
void signal_send_process(struct process *p, int signal, const struct signal_info *info);
void signal_send_thread(struct thread *t, int signal, const struct signal_info *info);
void signal_send_fault(int signal, int code, uaddr_t address); /* to the current thread, forced */
bool signal_pending(struct thread *t); /* a deliverable one, or exit: blocking calls return -EINTR */
uint64_t signal_mask_of(struct thread *t); /* control area's mask if registered */

/* ELF (kernel/process/elf.c): pure, host-testable. System V gABI 4.1, x86-64 psABI 1.0. */
struct elf_segment {
    uint64_t vaddr, file_offset, file_size, memory_size;
    uint32_t flags; /* VM_READ… */
};
#define ELF_SEGMENTS_MAX 32
struct elf_image {
    uint64_t entry, phdr_vaddr, low, high; /* low … high: extent, page-aligned */
    uint32_t phdr_count, segment_count;
    bool position_independent, has_interpreter, executable_stack;
    uint64_t stack_size;
    struct elf_segment segments[ELF_SEGMENTS_MAX];
};
/* header: first `size` bytes (≥ 64, all program headers must be within) of a file of file_size bytes. -ENOEXEC */
MUST_CHECK int elf_parse(const void *header, size_t size, uint64_t file_size, struct elf_image *out);
