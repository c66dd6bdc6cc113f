// SPDX-License-Identifier: MIT
/*
 * From an ELF image to an address space that is ready to run.
 *
 * Nothing here touches a running process: exec and spawn throw the space away if anything fails.
 * Strings come from the memory of the calling process, page by page.  The start-up stack is that of
 * x86-64 psABI 1.0 §3.4.1: argc, argv, envp, auxiliary vector, all below the strings.
 */
#include <kernel/elf.h>
#include <kernel/file.h>

#include "process_impl.h"

enum auxiliary {
    AT_NULL,
    AT_PHDR = 3,
    AT_PHENT,
    AT_PHNUM,
    AT_PAGESZ,
    AT_BASE,
    AT_FLAGS,
    AT_ENTRY,
    AT_UID = 11,
    AT_EUID,
    AT_GID,
    AT_EGID,
    AT_HWCAP = 16,
    AT_CLKTCK,
    AT_SECURE = 23,
    AT_RANDOM = 25,
    AT_EXECFN = 31,
};
#define AUXILIARY_PAIRS 17
#define PROGRAM_HEADER 56 /* bytes */
#define STACK_RANDOM_PAGES 16384
#define STACK_ROOM (128UL << 10) /* mapped at first, below the arguments; the rest grows */
#define STACK_PAGES_MAX ((32UL << 30) / PAGE_SIZE)

struct loader { /* one allocation: too big for the kernel stack */
    struct elf_image program, interpreter;
    struct credentials credentials; /* to be */
    uint64_t program_base, interpreter_base; /* added to addresses of the file */
    uint64_t *words; /* for the stack: argc, pointers, auxiliary vector */
    size_t word_count;
    char page[ELF_HEADER_MAX];
};

/* --- what was asked for --------------------------------------------------------------------------- */

/* Asks the server of a set-id file for its ids; that the caller may execute it is checked there once more. */
static int image_ids(struct image *i, struct file *f) {
    struct reply reply;
    if (!(f->kind & FILE_KIND_SETID) || !(f->scheme->flags & SCHEME_SETID)) return 0;
    long e = file_current(f);
    if (!e) e = scheme_call_simple(f->scheme, OP_EXECUTE, f->id, 0, 0, 0, &reply, DEADLINE_NEVER);
    if (!e && f->incarnation != scheme_incarnation(f->scheme)) e = -ESTALE; /* another server, another file */
    if (e) return e > 0 ? -EIO : (int)syscall_restartable(e);
    i->uid = (uint32_t)reply.args[0];
    i->gid = (uint32_t)reply.args[1];
    return 0;
}

/* ids: it is the program, whose file may be set-id. */
static int image_memory(struct image *i, handle_t h, struct memory **out, bool ids) {
    struct object *o;
    int e = handle_lookup(h, 0, RIGHT_READ | RIGHT_MAP_EXEC, &o, nullptr);
    if (e) return e;
    e = object_memory(o, out);
    if (!e && ids && o->ops == &file_ops) e = image_ids(i, object_as(file, o));
    object_put(o);
    return e == -ENODEV ? -EACCES : e;
}

static void image_name(struct image *i) {
    const char *name = i->path;
    for (const char *s = i->path; *s; s++)
        if (*s == '/' && s[1]) name = s + 1;
    print_format(i->name, sizeof(i->name), "%s", name);
}

int image_open(struct image *i, const struct image_args *args) {
    *i = (struct image){.args = *args, .uid = SETID_NONE, .gid = SETID_NONE};
    uint64_t strings = (uint64_t)args->argument_count + args->environment_count;
    if (args->flags & ~(uint32_t)IMAGE_SERVICE) return -EINVAL;
    if (args->flags && !cred_privileged(atomic_load(&process_current()->cred))) return -EPERM;
    if (args->strings_size > ARGUMENTS_MAX || strings > ARGUMENTS_MAX / sizeof(uint64_t) ||
        strings * sizeof(uint64_t) + args->strings_size > ARGUMENTS_MAX)
        return -E2BIG;
    int e = user_strncpy(i->path, (uaddr_t)args->path, sizeof(i->path));
    if (e < 0) return e;
    image_name(i);
    e = image_memory(i, args->image, &i->program, true);
    if (!e && args->interpreter != HANDLE_NONE) e = image_memory(i, args->interpreter, &i->interpreter, false);
    if (e) image_close(i);
    return e;
}

void image_close(struct image *i) {
    if (i->program) object_put(memory_object(i->program));
    if (i->interpreter) object_put(memory_object(i->interpreter));
    if (i->cred) cred_put(i->cred);
}

/*
 * Only privileged processes have set what names mean for p: its root, and its namespace, which the handle does not
 * let it change.  Else a set-id program could be made to read the caller's /etc/passwd.
 */
static bool view_is_privileged(struct process *p) {
    static const handle_t view[] = {HANDLE_NAMESPACE, HANDLE_ROOT};
    struct object *o;
    uint32_t rights, flags;
    for (unsigned n = 0; n < array_size(view); n++) {
        if (handle_describe(&p->handles, view[n], &o, &rights, &flags)) return false;
        object_put(o);
        if (!(flags & HANDLE_PRIVILEGED) || (view[n] == HANDLE_NAMESPACE && rights & RIGHT_CONTROL)) return false;
    }
    return true;
}

/*
 * The ids that p will have; a record of them if that is a change.  What runs a program with an interpreter is the
 * caller's choice, so such a program is never set-id.
 */
static int image_credentials(struct image *i, struct process *p, struct loader *l) {
    struct credentials *c = &l->credentials;
    bool alone = !i->interpreter && !l->program.has_interpreter;
    if ((i->uid & i->gid) != SETID_NONE && !(alone && view_is_privileged(p) && !p->tracer))
        i->uid = i->gid = SETID_NONE;
    struct cred *old = cred_get(p);
    i->old_cred = old->c.id;
    i->secure = credentials_exec(&old->c, i->uid, i->gid, c);
    bool same = credentials_equal(&old->c, c);
    cred_put(old);
    if (!same) i->cred = cred_create(c);
    return same || i->cred ? 0 : -ENOMEM;
}

bool image_ids_hold(const struct image *i, struct process *p) {
    bool set = (i->uid & i->gid) != SETID_NONE;
    return !i->cred || (atomic_load(&p->cred)->c.id == i->old_cred && (!set || view_is_privileged(p)));
}

struct space *image_adopt(struct process *p, struct image *i, struct space *s) {
    if (i->cred) process_replace_cred(p, i->cred); /* before anybody can see the new space: info.c */
    i->cred = nullptr;
    spin_lock(&process_lock);
    struct space *old = p->space;
    p->space = s;
    p->executed = old; /* spawn says so itself, once the child is in its group */
    memcpy(p->name, i->name, sizeof(p->name));
    p->arguments = i->arguments;
    p->arguments_end = i->arguments_end;
    p->environment_end = i->environment_end;
    p->dumpable = !i->secure;
    p->foreign_handler = 0;
    p->serve_rank = 0;
    spin_unlock(&process_lock);
    return old;
}

/* --- segments ------------------------------------------------------------------------------------ */

static int image_parse(struct loader *l, struct memory *m, struct elf_image *out) {
    long n = memory_read_kernel(m, l->page, sizeof(l->page), 0);
    if (n < 0) return (int)n;
    return elf_parse(l->page, (size_t)n, memory_size(m), ARCH_ELF_MACHINE, TIME_PAGE, out);
}

static int map_fixed(struct space *s, vaddr_t start, vaddr_t end, uint32_t flags, struct memory *m, uint64_t offset) {
    preempt_point(); /* between the steps of building an image */
    if (start == end) return 0;
    long at = space_map(s, start, end - start, flags | VM_FIXED, m, offset);
    return at < 0 ? (int)at : 0;
}

static int segment_map(struct space *s, struct memory *m, const struct elf_segment *e, uint64_t base) {
    static const char zeros[PAGE_SIZE];
    vaddr_t start = base + align_down(e->vaddr, PAGE_SIZE), file_end = base + e->vaddr + e->file_size;
    vaddr_t pages_end = e->file_size ? align_up(file_end, PAGE_SIZE) : start;
    vaddr_t end = align_up(base + e->vaddr + e->memory_size, PAGE_SIZE);
    int error = map_fixed(s, start, pages_end, e->flags, m, align_down(e->file_offset, PAGE_SIZE));
    if (!error && e->memory_size > e->file_size && file_end < pages_end) /* bss begins in this page */
        error = e->flags & VM_WRITE ? space_write(s, file_end, zeros, pages_end - file_end) : -ENOEXEC;
    return error ? error : map_fixed(s, pages_end, end, e->flags, nullptr, 0);
}

static int image_map(struct space *s, struct memory *m, const struct elf_image *elf, uint64_t *base) {
    *base = 0;
    if (elf->position_independent) { /* somewhere with room for all of it: mappings are randomised */
        long at = space_map(s, 0, elf->high - elf->low, 0, nullptr, 0);
        if (at < 0) return (int)at;
        *base = (uint64_t)at - elf->low;
    }
    for (uint32_t i = 0; i < elf->segment_count; i++) {
        int e = segment_map(s, m, &elf->segments[i], *base);
        if (e) return e;
    }
    return 0;
}

/* --- the stack ----------------------------------------------------------------------------------- */

/* Copies the strings to `to`; their addresses become argv and envp. */
static int strings_copy(struct loader *l, struct space *s, struct image *i, vaddr_t to) {
    uint64_t count = 0, start = 0, arguments = i->args.argument_count;
    uint64_t total = arguments + i->args.environment_count;
    int e = 0;
    i->arguments = i->arguments_end = to;
    for (uint64_t at = 0; !e && at < i->args.strings_size; at += sizeof(l->page)) {
        size_t n = min(i->args.strings_size - at, sizeof(l->page));
        e = copy_from_user(l->page, (uaddr_t)i->args.strings + at, n);
        if (!e) e = space_write(s, to + at, l->page, n);
        for (size_t c = 0; !e && c < n && count < total; c++) {
            if (l->page[c]) continue;
            l->words[l->word_count++] = to + start;
            start = at + c + 1;
            if (++count != arguments) continue;
            l->words[l->word_count++] = 0;
            i->arguments_end = to + start;
        }
    }
    i->environment_end = to + start;
    return e ? e : count == total ? 0 : -EINVAL;
}

static void auxiliary_add(struct loader *l, const struct image *i, vaddr_t random, vaddr_t path) {
    const struct credentials *c = &l->credentials;
    const struct elf_image *elf = &l->program;
    const uint64_t phdr = elf->phdr_vaddr ? l->program_base + elf->phdr_vaddr : 0;
    const uint64_t pairs[AUXILIARY_PAIRS][2] = {
        {AT_PHDR, phdr},
        {AT_PHENT, PROGRAM_HEADER},
        {AT_PHNUM, elf->phdr_count},
        {AT_PAGESZ, PAGE_SIZE},
        {AT_BASE, l->interpreter_base},
        {AT_FLAGS, 0},
        {AT_ENTRY, l->program_base + elf->entry},
        {AT_UID, c->uid},
        {AT_EUID, c->euid},
        {AT_GID, c->gid},
        {AT_EGID, c->egid},
        {AT_HWCAP, 0},
        {AT_CLKTCK, 100},
        {AT_SECURE, i->secure},
        {AT_RANDOM, random},
        {AT_EXECFN, path},
        {AT_NULL, 0},
    };
    memcpy(l->words + l->word_count, pairs, sizeof(pairs));
    l->word_count += 2 * AUXILIARY_PAIRS;
}

static int stack_build(struct loader *l, struct space *s, struct image *i) {
    uint64_t random[2] = {random_u64(), random_u64()};
    uint64_t arguments = max(i->args.argument_count, 1U);
    uint64_t words = 1 + arguments + 1 + i->args.environment_count + 1 + 2 * AUXILIARY_PAIRS;
    vaddr_t top = TIME_PAGE - PAGE_SIZE - random_u64() % STACK_RANDOM_PAGES * PAGE_SIZE;
    size_t path_size = strlen(i->path) + 1;
    vaddr_t path = top - 16 - path_size, random_at = align_down(path - sizeof(random), 16);
    vaddr_t strings = random_at - random_u64() % PAGE_SIZE - i->args.strings_size;
    vaddr_t sp = align_down(strings - words * sizeof(uint64_t), 16);
    vaddr_t low = align_down(sp, PAGE_SIZE) - STACK_ROOM;
    uint32_t flags = VM_READ | VM_WRITE | VM_STACK | (l->program.executable_stack ? VM_EXEC : 0);
    int e = map_fixed(s, low, top, flags, nullptr, 0);
    if (!e) e = space_write(s, path, i->path, path_size);
    if (!e) e = space_write(s, random_at, random, sizeof(random));
    i->stack = sp;
    l->words = kmalloc(words * sizeof(uint64_t));
    if (e || !l->words) return e ? e : -ENOMEM;
    l->words[l->word_count++] = arguments;
    if (i->args.argument_count == 0) { /* a program may rely on argv[0] */
        l->words[l->word_count++] = path;
        l->words[l->word_count++] = 0;
    }
    e = strings_copy(l, s, i, strings);
    if (e) return e;
    l->words[l->word_count++] = 0;
    auxiliary_add(l, i, random_at, path);
    return space_write(s, sp, l->words, l->word_count * sizeof(uint64_t));
}

/* --- all of it ----------------------------------------------------------------------------------- */

static int time_page_map(struct space *s) {
    static struct memory *time_page; /* made by the first process, before any other */
    if (!time_page) time_page = memory_create_device(frame_paddr(clock_time_page()), PAGE_SIZE, 0);
    return time_page ? map_fixed(s, TIME_PAGE, TIME_PAGE + PAGE_SIZE, VM_READ | VM_SHARED, time_page, 0) : -ENOMEM;
}

static int space_fill(struct loader *l, struct space *s, struct image *i, struct process *p) {
    int e = image_parse(l, i->program, &l->program);
    if (!e && i->interpreter) e = image_parse(l, i->interpreter, &l->interpreter);
    if (!e && i->interpreter && !l->interpreter.position_independent) e = -ENOEXEC;
    if (!e) e = time_page_map(s);
    if (!e) e = image_map(s, i->program, &l->program, &l->program_base);
    i->entry = l->program_base + l->program.entry;
    if (!e && i->interpreter) {
        e = image_map(s, i->interpreter, &l->interpreter, &l->interpreter_base);
        i->entry = l->interpreter_base + l->interpreter.entry;
    }
    if (!e) e = image_credentials(i, p, l);
    return e ? e : stack_build(l, s, i);
}

struct space *image_load(struct image *i, struct process *p) {
    struct loader *l = kmalloc(sizeof(*l));
    struct space *s = space_create();
    int e = -ENOMEM;
    if (l && s) {
        l->interpreter_base = l->word_count = 0;
        l->words = nullptr;
        s->service = i->args.flags & IMAGE_SERVICE;
        s->limit_pages = min(p->limits[LIMIT_SPACE].soft / PAGE_SIZE, s->limit_pages);
        s->stack_pages = min(p->limits[LIMIT_STACK].soft / PAGE_SIZE, STACK_PAGES_MAX);
        /* A service is not at the mercy of what other processes of its user take. */
        if (!s->service && p != process_init && process_init)
            space_set_quota(s, &atomic_load(&p->cred)->account->quota);
        e = space_fill(l, s, i, p);
        kfree(l->words);
    }
    kfree(l);
    if (!e) return s;
    if (s) space_put(s);
    return err_ptr(e);
}
