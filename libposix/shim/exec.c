// SPDX-License-Identifier: MIT
/*
 * Images for exec and spawn. The kernel loads an image and an interpreter from handles and knows no
 * paths: `#!` lines and PT_INTERP are read here. Argument strings are handed over in one block, which
 * lies on the stack if it is small, else in a mapping of its own (exec drops it, else it is unmapped).
 */
#include "shim.h"
#include <elf.h>
#include <string.h>
#include <unistd.h>

#define SCRIPT_LINE_MAX 256 /* bytes of a `#!` line that count, as on Linux */
#define SCRIPT_DEPTH_MAX 4
#define SMALL_STRINGS 4096

struct image {
    handle_t file, interpreter;
    handle_t start; /* directory that relative paths begin at */
    uint32_t script_depth;
    uint32_t extra_count; /* arguments that replace argv[0]: interpreter, its option, script */
    size_t extra_size;
    char extra[SCRIPT_DEPTH_MAX * SCRIPT_LINE_MAX + PATH_MAX]; /* them, NUL-terminated, in order */
    char head[1024]; /* start of the file: `#!` line or ELF headers */
    size_t head_size;
};

static void image_close(struct image *image) {
    if (image->file >= 0) {
        sys_handle_close(image->file);
    }
    if (image->interpreter >= 0) {
        sys_handle_close(image->interpreter);
    }
    image->file = image->interpreter = HANDLE_NONE;
}

/* Opens a file that may be executed by the caller, in the upper range. */
static long executable_open(handle_t start, const char *path, int flags) {
    struct path_call p;
    path_prepare(&p, OP_OPEN, path, (uint64_t)(O_RDONLY | O_NONBLOCK | flags), 0);
    p.call.handle_flags = HANDLE_IN_UPPER;
    p.call.request.flags = REQUEST_IDEMPOTENT;
    p.empty_allowed = !*path;
    long error = path_walk(&p, start);
    if (error < 0) {
        return error;
    }
    handle_t h = p.call.reply.handle;
    error = p.call.reply.args[3] & FILE_KIND_DIRECTORY ? -EACCES : call_simple(h, OP_ACCESS, ACCESS_EFFECTIVE, X_OK, 0);
    if (error < 0) {
        sys_handle_close(h);
        return error;
    }
    return h;
}

static long head_read(struct image *image) {
    long got = sys_read(image->file, image->head, sizeof(image->head), 0, 0, DEADLINE_NEVER);
    if (got < 0) {
        return got == -EINVAL || got == -ESPIPE || got == -EISDIR ? -EACCES : got;
    }
    image->head_size = (size_t)got;
    return 0;
}

static bool blank(char c) { return c == ' ' || c == '\t'; }

/* Puts one more string in front of those in `extra`. */
static long extra_prepend(struct image *image, const char *string, size_t length) {
    if (image->extra_size + length + 1 > sizeof(image->extra)) {
        return -E2BIG;
    }
    memmove(image->extra + length + 1, image->extra, image->extra_size);
    memcpy(image->extra, string, length);
    image->extra[length] = 0;
    image->extra_size += length + 1;
    image->extra_count++;
    return 0;
}

/* `#!interpreter [one argument]`: the image becomes the interpreter. */
static long script_resolve(struct image *image, const char *path) {
    char interpreter[SCRIPT_LINE_MAX];
    size_t size = image->head_size < SCRIPT_LINE_MAX ? image->head_size : SCRIPT_LINE_MAX;
    const char *line = image->head + 2, *limit = image->head + size;
    const char *end = memchr(line, '\n', (size_t)(limit - line));
    end = end ? end : limit;
    while (end > line && (blank(end[-1]) || !end[-1])) {
        end--;
    }
    while (line < end && blank(*line)) {
        line++;
    }
    const char *word = line;
    while (line < end && !blank(*line)) {
        line++;
    }
    size_t length = (size_t)(line - word);
    if (length == 0) {
        return -ENOEXEC;
    }
    memcpy(interpreter, word, length);
    interpreter[length] = 0;
    while (line < end && blank(*line)) {
        line++;
    }
    long error = 0;
    if (image->extra_count == 0) { /* the script's path stands for argv[0] */
        error = extra_prepend(image, path, strlen(path));
    }
    if (!error && line < end) {
        error = extra_prepend(image, line, (size_t)(end - line));
    }
    if (!error) {
        error = extra_prepend(image, interpreter, length);
    }
    if (error) {
        return error;
    }
    image_close(image);
    long h = executable_open(image->start, interpreter, 0);
    image->file = (handle_t)h;
    return h < 0 ? h : head_read(image);
}

static long interpreter_open(struct image *image, uint64_t offset, uint64_t size) {
    char path[PATH_MAX];
    if (size < 2 || size > sizeof(path)) {
        return -ENOEXEC;
    }
    long got = sys_read(image->file, path, size, (int64_t)offset, 0, DEADLINE_NEVER);
    if (got != (long)size || path[size - 1]) {
        return -ENOEXEC;
    }
    long h = executable_open(image->start, path, 0);
    image->interpreter = (handle_t)h;
    return h < 0 ? h : 0;
}

/* Finds PT_INTERP. Everything else about ELF is for the kernel to check. */
static long elf_resolve(struct image *image) {
    Elf64_Ehdr header;
    Elf64_Phdr program;
    memcpy(&header, image->head, sizeof(header));
    for (unsigned i = 0; i < header.e_phnum; i++) {
        uint64_t at = header.e_phoff + i * sizeof(program);
        if (header.e_phentsize != sizeof(program) || at < header.e_phoff) {
            return -ENOEXEC;
        }
        if (at + sizeof(program) <= image->head_size) {
            memcpy(&program, image->head + at, sizeof(program));
        } else if (sys_read(image->file, &program, sizeof(program), (int64_t)at, 0, DEADLINE_NEVER) !=
                   sizeof(program)) {
            return -ENOEXEC;
        }
        if (program.p_type == PT_INTERP) {
            return interpreter_open(image, program.p_offset, program.p_filesz);
        }
    }
    return 0;
}

/* directory: where path begins; start: where the paths of interpreters do. */
static long image_resolve(struct image *image, handle_t directory, handle_t start, const char *path, int flags) {
    image->file = image->interpreter = HANDLE_NONE;
    image->start = start;
    image->script_depth = image->extra_count = 0;
    image->extra_size = 0;
    long h = executable_open(directory, path, flags);
    if (h < 0) {
        return h;
    }
    image->file = (handle_t)h;
    long error = head_read(image);
    while (!error && image->head_size > 2 && image->head[0] == '#' && image->head[1] == '!') {
        error = image->script_depth++ < SCRIPT_DEPTH_MAX ? script_resolve(image, path) : -ELOOP;
    }
    if (!error) {
        bool elf = image->head_size >= sizeof(Elf64_Ehdr) && !memcmp(image->head, ELFMAG, SELFMAG);
        error = elf ? elf_resolve(image) : -ENOEXEC;
    }
    if (error) {
        image_close(image);
    }
    return error;
}

static size_t strings_size(char *const *v, uint32_t *count) {
    size_t size = 0;
    *count = 0;
    for (; v && v[*count]; ++*count) {
        size += strlen(v[*count]) + 1;
    }
    return size;
}

static char *strings_copy(char *end, char *const *v, uint32_t from) {
    for (v += from; *v; v++) {
        end = stpcpy(end, *v) + 1;
    }
    return end;
}

/* Lays out the strings and spawns or, with a null spawn, replaces the program. */
static long image_run(struct image *image, const char *path, char *const *arguments, char *const *environment,
                      struct spawn_args *spawn) {
    static char *const none[] = {nullptr};
    char small[SMALL_STRINGS], *strings = small;
    uint32_t argument_count, environment_count;
    arguments = arguments ? arguments : none;
    environment = environment ? environment : none;
    size_t size = image->extra_size + strings_size(arguments, &argument_count);
    size += strings_size(environment, &environment_count);
    uint32_t replaced = image->extra_count && argument_count ? 1 : 0;
    if (size + (argument_count + environment_count) * sizeof(char *) > ARGUMENTS_MAX) {
        return -E2BIG;
    }
    size_t mapped = 0;
    if (size > sizeof(small)) {
        mapped = (size + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
        long address = sys_vm_map(0, mapped, VM_READ | VM_WRITE, HANDLE_NONE, 0);
        if (address < 0) {
            return address;
        }
        strings = (char *)address;
    }
    char *end = mempcpy(strings, image->extra, image->extra_size);
    end = strings_copy(end, arguments, replaced);
    end = strings_copy(end, environment, 0);
    struct image_args args = {
        .image = image->file,
        .interpreter = image->interpreter,
        .argument_count = image->extra_count + argument_count - replaced,
        .environment_count = environment_count,
        .strings = strings,
        .strings_size = (uint64_t)(end - strings),
        .path = path,
    };
    if (spawn) {
        spawn->image = args;
    }
    long result = spawn ? sys_process_spawn(spawn) : sys_process_exec(&args);
    if (mapped) {
        sys_vm_unmap((uintptr_t)strings, mapped);
    }
    return result;
}

static long exec(int directory, const char *path, char *const *arguments, char *const *environment, int flags) {
    struct image image;
    long error = image_resolve(&image, directory_handle(directory), HANDLE_CWD, path, flags);
    if (error == 0) {
        error = image_run(&image, path, arguments, environment, nullptr);
        image_close(&image);
    }
    return error;
}

long exec_spawn(handle_t start, const char *path, char *const *arguments, char *const *environment,
                struct spawn_args *spawn) {
    struct image image;
    long result = *path ? image_resolve(&image, start, start, path, 0) : -ENOENT;
    if (result == 0) {
        result = image_run(&image, path, arguments, environment, spawn);
        image_close(&image);
    }
    return result;
}

long row_execve(const char *path, char *const *arguments, char *const *environment) {
    return *path ? exec(AT_FDCWD, path, arguments, environment, 0) : -ENOENT;
}

long row_execveat(int directory, const char *path, char *const *arguments, char *const *environment, int flags) {
    if (flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW)) {
        return -EINVAL;
    }
    if (!*path && !(flags & AT_EMPTY_PATH)) {
        return -ENOENT;
    }
    return exec(directory, path, arguments, environment, flags & AT_SYMLINK_NOFOLLOW ? O_NOFOLLOW : 0);
}
