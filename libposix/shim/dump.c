// SPDX-License-Identifier: MIT
/*
 * Core dumps. The kernel enters posix_dump() in a process that a signal ends (abi/process.h, FOREIGN_DUMP); it writes
 * the file `core` in the working directory as Linux would, an ELF64 file that gdb reads: notes (registers of each
 * thread, what ended it, auxiliary vector, names of files), then the memory. Left out are pages that were never
 * touched, and the code of files; pages that can't be read become holes. Whatever else fails or is beyond RLIMIT_CORE
 * cuts the file.
 *
 * The program may be in any state: no memory of its own is read but by the kernel, no thread-local storage is used.
 */
#include "shim.h"
#include <elf.h>
#include <link.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/procfs.h>
#include <ucontext.h>

#define HALT_TRIES 2000 /* of 1 ms: a server answers a cancelled call within a second */
#define FILES_MAX 64
#define RUN_PAGES 64UL
#define PSARGS (sizeof(((struct elf_prpsinfo *)0)->pr_psargs))

struct core {
    handle_t file;
    uint64_t at, limit; /* next byte of the file; the first that may not be written */
    bool failed;
    int signal;
    const struct signal_info *info;
    const ucontext_t *context;
    struct process_ids ids;
    uint64_t segments, notes_size;
    size_t file_count;
    struct { /* names of mapped files */
        uint64_t object;
        uintptr_t name;
    } files[FILES_MAX];
};
struct mapping {
    struct map_info info;
    uint64_t dumped; /* bytes of it in the file */
};

/* --- reading ------------------------------------------------------------------------------------ */

static bool memory_read(uintptr_t at, void *to, size_t size) { return sys_trace(0, TRACE_READ, to, size, at) == 0; }

/* A string of the program, cut to fit: its length. */
static size_t string_read(uintptr_t at, char *to, size_t size) {
    size_t n = 0;
    while (n + 1 < size && memory_read(at + n, to + n, 1) && to[n]) {
        n++;
    }
    to[n] = 0;
    return n;
}

/* The first mapping from `at` on that belongs in the core; false: there is none. */
static bool mapping_next(uint64_t at, struct mapping *out) {
    for (;; at = out->info.end) {
        struct map_info *info = &out->info;
        if (sys_process_info(0, PROCESS_MAPS, info, sizeof(*info), at) != sizeof(*info)) {
            return false;
        }
        if (info->flags & VM_READ && info->start != TIME_PAGE) {
            out->dumped = info->object && info->flags & VM_EXEC ? 0 : info->end - info->start;
            return true;
        }
    }
}

#define for_each_mapping(m) for (struct mapping m = {}; mapping_next(m.info.end, &m);)

/* --- writing ------------------------------------------------------------------------------------ */

/* What can't be read is left out. */
static void emit(struct core *core, const void *data, size_t size) {
    for (size_t done = 0; done < size && !core->failed;) {
        size_t n = size - done;
        n = core->at >= core->limit ? 0 : n < core->limit - core->at ? n : core->limit - core->at;
        long wrote =
            n ? sys_write(core->file, (const char *)data + done, n, (int64_t)core->at, IO_NO_SIGNAL, DEADLINE_NEVER)
              : 0;
        if (wrote == -EFAULT) {
            return;
        }
        core->failed = wrote <= 0;
        if (wrote > 0) {
            core->at += (uint64_t)wrote;
            done += (size_t)wrote;
        }
    }
}

static void emit_padding(struct core *core, size_t size) {
    static const char zeros[8];
    emit(core, zeros, -size & 3);
}

static void note_begin(struct core *core, unsigned type, size_t size) {
    const Elf64_Nhdr header = {.n_namesz = 5, .n_descsz = (Elf64_Word)size, .n_type = type};
    emit(core, &header, sizeof(header));
    emit(core, "CORE\0\0\0", 8);
}

static void note(struct core *core, unsigned type, const void *data, size_t size) {
    note_begin(core, type, size);
    emit(core, data, size);
    emit_padding(core, size);
}

/* --- threads ------------------------------------------------------------------------------------ */

/* In the order of struct thread_registers, up to fs_base. */
static const uint8_t saved[] = {REG_R15, REG_R14, REG_R13, REG_R12, REG_RBP, REG_RBX, REG_R11, REG_R10,
                                REG_R9,  REG_R8,  REG_RAX, REG_RCX, REG_RDX, REG_RSI, REG_RDI};

/* Of the thread that writes: as the signal found it. */
static void registers_own(const ucontext_t *context, struct thread_registers *out) {
    const greg_t *r = context->uc_mcontext.gregs;
    memset(out, 0, sizeof(*out));
    for (size_t i = 0; i < sizeof(saved); i++) {
        memcpy((uint64_t *)out + i, &r[saved[i]], sizeof(*r));
    }
    out->number = UINT64_MAX;
    out->rip = (uint64_t)r[REG_RIP];
    out->cs = 0x33;
    out->rflags = (uint64_t)r[REG_EFL];
    out->rsp = (uint64_t)r[REG_RSP];
    out->ss = 0x2b;
    __asm__("rdfsbase %0" : "=r"(out->fs_base));
    __asm__("rdgsbase %0" : "=r"(out->gs_base));
    memcpy(out->fpu, context->uc_mcontext.fpregs, sizeof(out->fpu));
}

static bool registers_other(uint32_t tid, struct thread_registers *out) {
    long error = -EAGAIN;
    for (int i = 0; i < HALT_TRIES && error == -EAGAIN; i++) {
        error = sys_trace(tid, TRACE_REGISTERS, out, sizeof(*out), 0);
        if (error == -EAGAIN) {
            sys_thread_sleep(clock_monotonic() + 1000000);
        }
    }
    return error == 0;
}

static void status_fill(const struct core *core, uint32_t tid, const struct thread_registers *registers,
                        struct elf_prstatus *out) {
    struct thread_info info = {};
    sys_thread_info(tid, &info);
    memset(out, 0, sizeof(*out));
    out->pr_info.si_signo = out->pr_cursig = (short)core->signal;
    out->pr_sigpend = info.signal_pending;
    out->pr_sighold = info.signal_mask;
    out->pr_pid = (pid_t)tid;
    out->pr_ppid = (pid_t)core->ids.parent;
    out->pr_pgrp = (pid_t)core->ids.group;
    out->pr_sid = (pid_t)core->ids.session;
    out->pr_fpvalid = 1;
    memcpy(out->pr_reg, registers, sizeof(out->pr_reg));
}

static void note_process(struct core *core) {
    struct elf_prpsinfo out = {.pr_sname = 'R'};
    struct process_state state = {};
    struct credentials credentials = {};
    sys_process_info(0, PROCESS_STATE, &state, sizeof(state), 0);
    sys_process_info(0, PROCESS_CREDENTIALS, &credentials, sizeof(credentials), 0);
    out.pr_uid = credentials.uid;
    out.pr_gid = credentials.gid;
    out.pr_pid = (pid_t)core->ids.pid;
    out.pr_ppid = (pid_t)core->ids.parent;
    out.pr_pgrp = (pid_t)core->ids.group;
    out.pr_sid = (pid_t)core->ids.session;
    memcpy(out.pr_fname, state.name, sizeof(out.pr_fname) - 1);
    long size = sys_process_info(0, PROCESS_ARGUMENTS, out.pr_psargs, PSARGS - 1, 0);
    for (long i = 0; i + 1 < size; i++) {
        if (!out.pr_psargs[i]) {
            out.pr_psargs[i] = ' ';
        }
    }
    note(core, NT_PRPSINFO, &out, sizeof(out));
}

static void note_thread(struct core *core, uint32_t tid) {
    struct thread_registers registers;
    struct elf_prstatus status;
    bool self = tid == core->ids.tid;
    if (self) {
        registers_own(core->context, &registers);
    } else if (!registers_other(tid, &registers)) {
        return;
    }
    status_fill(core, tid, &registers, &status);
    note(core, NT_PRSTATUS, &status, sizeof(status));
    note(core, NT_FPREGSET, registers.fpu, sizeof(registers.fpu));
    if (self) {
        note_process(core);
        note(core, NT_SIGINFO, core->info, sizeof(*core->info));
    }
}

static void note_threads(struct core *core) {
    note_thread(core, core->ids.tid); /* the first is the one that gdb begins with */
    for (long tid = 0; (tid = sys_process_info(0, PROCESS_NEXT_THREAD, nullptr, 0, (uint64_t)tid)) > 0;) {
        if (tid != core->ids.tid) {
            note_thread(core, (uint32_t)tid);
        }
    }
}

/* --- what is known of the image ------------------------------------------------------------------ */

static void note_auxiliary(struct core *core) {
    static const uint8_t types[] = {AT_PHDR, AT_PHENT, AT_PHNUM, AT_PAGESZ, AT_BASE,   AT_FLAGS,  AT_ENTRY,  AT_UID,
                                    AT_EUID, AT_GID,   AT_EGID,  AT_HWCAP,  AT_CLKTCK, AT_SECURE, AT_RANDOM, AT_EXECFN};
    uint64_t pairs[sizeof(types) + 1][2] = {};
    for (size_t i = 0; i < sizeof(types); i++) {
        pairs[i][0] = types[i];
        pairs[i][1] = getauxval(types[i]);
    }
    note(core, NT_AUXV, pairs, sizeof(pairs));
}

/* The file mapped at this address has this name. */
static void file_add(struct core *core, uintptr_t at, uintptr_t name) {
    struct map_info info;
    bool mapped = sys_process_info(0, PROCESS_MAPS, &info, sizeof(info), at) == sizeof(info) && info.start <= at;
    if (mapped && info.object && core->file_count < FILES_MAX) {
        core->files[core->file_count].object = info.object;
        core->files[core->file_count++].name = name;
    }
}

/* Address of the program's dynamic section; 0: it is static. */
static uintptr_t dynamic_find(uintptr_t headers) {
    Elf64_Phdr header;
    uintptr_t base = 0;
    for (unsigned long i = 0; i < getauxval(AT_PHNUM); i++) {
        if (!memory_read(headers + i * sizeof(header), &header, sizeof(header))) {
            break;
        }
        if (header.p_type == PT_PHDR) {
            base = headers - header.p_vaddr;
        }
        if (header.p_type == PT_DYNAMIC) {
            return base + header.p_vaddr;
        }
    }
    return 0;
}

/* The program's own name, and those that the dynamic linker keeps for debuggers. */
static void files_find(struct core *core) {
    struct r_debug debug = {};
    struct link_map map;
    Elf64_Dyn entry = {};
    uintptr_t headers = getauxval(AT_PHDR), at = dynamic_find(headers);
    file_add(core, headers, getauxval(AT_EXECFN));
    while (at && memory_read(at, &entry, sizeof(entry)) && entry.d_tag != DT_NULL && entry.d_tag != DT_DEBUG) {
        at += sizeof(entry);
    }
    if (entry.d_tag != DT_DEBUG || !memory_read(entry.d_un.d_ptr, &debug, sizeof(debug))) {
        return;
    }
    uintptr_t next = (uintptr_t)debug.r_map;
    for (int i = 0; next && i < FILES_MAX && memory_read(next, &map, sizeof(map)); i++) {
        if (i > 0) { /* the first is the program */
            file_add(core, (uintptr_t)map.l_ld, (uintptr_t)map.l_name);
        }
        next = (uintptr_t)map.l_next;
    }
}

/* Of the mapping's file; false: it has none. */
static bool file_name(const struct core *core, const struct mapping *m, char name[PATH_MAX], size_t *length) {
    for (size_t i = 0; i < core->file_count; i++) {
        if (m->info.object == core->files[i].object) {
            *length = string_read(core->files[i].name, name, PATH_MAX) + 1;
            return *length > 1;
        }
    }
    return false;
}

static void note_files(struct core *core) {
    char name[PATH_MAX];
    uint64_t head[2] = {0, PAGE_BYTES};
    size_t size = sizeof(head), length;
    for_each_mapping(m) {
        if (file_name(core, &m, name, &length)) {
            head[0]++;
            size += 3 * sizeof(uint64_t) + length;
        }
    }
    note_begin(core, NT_FILE, size);
    emit(core, head, sizeof(head));
    for_each_mapping(m) {
        const uint64_t range[3] = {m.info.start, m.info.end, m.info.offset / PAGE_BYTES};
        if (file_name(core, &m, name, &length)) {
            emit(core, range, sizeof(range));
        }
    }
    for_each_mapping(m) {
        if (file_name(core, &m, name, &length)) {
            emit(core, name, length);
        }
    }
    emit_padding(core, size);
}

/* --- the file ------------------------------------------------------------------------------------ */

static uint64_t notes_offset(const struct core *core) {
    return sizeof(Elf64_Ehdr) + (core->segments + 1) * sizeof(Elf64_Phdr);
}

static uint64_t memory_offset(const struct core *core) {
    return (notes_offset(core) + core->notes_size + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
}

static void headers_write(struct core *core) {
    const Elf64_Ehdr elf = {
        .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
        .e_type = ET_CORE,
        .e_machine = EM_X86_64,
        .e_version = EV_CURRENT,
        .e_phoff = sizeof(elf),
        .e_ehsize = sizeof(elf),
        .e_phentsize = sizeof(Elf64_Phdr),
        .e_phnum = (Elf64_Half)(core->segments + 1),
    };
    const Elf64_Phdr notes = {
        .p_type = PT_NOTE, .p_offset = notes_offset(core), .p_filesz = core->notes_size, .p_align = 4};
    uint64_t offset = memory_offset(core), left = core->segments;
    core->at = 0;
    emit(core, &elf, sizeof(elf));
    emit(core, &notes, sizeof(notes));
    for_each_mapping(m) {
        const unsigned flags = m.info.flags;
        const Elf64_Phdr segment = {
            .p_type = PT_LOAD,
            .p_offset = offset,
            .p_vaddr = m.info.start,
            .p_filesz = m.dumped,
            .p_memsz = m.info.end - m.info.start,
            .p_flags = PF_R | (flags & VM_WRITE ? PF_W : 0) | (flags & VM_EXEC ? PF_X : 0),
            .p_align = PAGE_BYTES,
        };
        if (!left--) {
            break;
        }
        emit(core, &segment, sizeof(segment));
        offset += m.dumped;
    }
}

/* Pages of anonymous memory that were never touched become holes. */
static void mapping_write(struct core *core, const struct mapping *m) {
    uint64_t base = core->at - m->info.start;
    for (uint64_t at = m->info.start, end = at + m->dumped; at < end && !core->failed; at += RUN_PAGES * PAGE_BYTES) {
        uint8_t there[RUN_PAGES] = {};
        uint64_t pages = (end - at) / PAGE_BYTES;
        pages = pages < RUN_PAGES ? pages : RUN_PAGES;
        sys_vm_advise(at, pages * PAGE_BYTES, VM_RESIDENT, there);
        for (uint64_t i = 0; i < pages; i++) {
            core->at = base + at + i * PAGE_BYTES;
            if (there[i] || m->info.object) {
                emit(core, (const void *)(at + i * PAGE_BYTES), PAGE_BYTES);
            }
        }
    }
    core->at = base + m->info.start + m->dumped;
}

/* Only a plain file of one's own, under no other name, is written over. A pipe must not hold the program up. */
static bool core_open(struct core *core) {
    struct file_attributes attributes;
    long file = row_open("core", O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
    if (file < 0) {
        return false;
    }
    core->file = (handle_t)file;
    sys_handle_set(core->file, 1, FILE_NONBLOCK, 0);
    return row_fstat(core->file, &attributes) == 0 && S_ISREG(attributes.mode) && attributes.links == 1 &&
           attributes.uid == (uint32_t)row_geteuid() && row_ftruncate(core->file, 0) == 0;
}

static bool core_write(struct core *core) {
    struct process_limit limit = {};
    bool told = sys_process_info(0, PROCESS_IDS, &core->ids, sizeof(core->ids), 0) >= 0 &&
                sys_process_info(0, PROCESS_LIMIT, &limit, sizeof(limit), RLIMIT_CORE) >= 0;
    if (!told || !core_open(core)) {
        return false;
    }
    core->limit = limit.soft < INT64_MAX ? limit.soft : INT64_MAX;
    for_each_mapping(m) { core->segments += core->segments < PN_XNUM - 2; }
    files_find(core);
    core->at = notes_offset(core);
    note_threads(core);
    note_auxiliary(core);
    note_files(core);
    core->notes_size = core->at - notes_offset(core);
    headers_write(core);
    core->at = memory_offset(core);
    uint64_t left = core->segments;
    for_each_mapping(m) {
        if (!left-- || core->failed) {
            break;
        }
        mapping_write(core, &m);
    }
    if (!core->failed) {
        row_ftruncate(core->file, (off_t)(core->at < core->limit ? core->at : core->limit)); /* it may end in a hole */
    }
    return true;
}

[[noreturn]] void posix_dump(int signal, const struct signal_info *info, const ucontext_t *context) {
    struct core core = {.signal = signal, .info = info, .context = context};
    bool written = core_write(&core);
    for (;;) {
        sys_process_exit(!written);
    }
}
