// SPDX-License-Identifier: MIT
/*
 * A plugin of QEMU's (its API version 1) for scripts/lib/bench_login.py: which instruction of the guest, counted from
 * the kernel's first one, was the last to store into memory that is not RAM: a display adapter's.
 *
 *     -plugin stores.so,entry=ADDRESS,ram=BYTES,out=FILE
 *
 * Memory is numbered as QEMU allocates it: RAM from 0, then what devices have.  What an idle processor doesn't execute
 * isn't counted.  The text `COUNT` is in FILE when QEMU ends; 0: nothing was stored, or `entry` never executed.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_plugin_hwaddr;
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id, void (*translated)(uint64_t id, struct qemu_plugin_tb *tb));
enum { QEMU_ADD = 0, QEMU_NO_REGISTERS = 0, QEMU_STORES = 2 };
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *insn, int op, void *to, uint64_t value);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, void (*run)(unsigned cpu, void *user),
                                            int flags, void *user);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *insn,
                                      void (*access)(unsigned cpu, uint32_t info, uint64_t address, void *user),
                                      int flags, int kinds, void *user);
struct qemu_plugin_hwaddr *qemu_plugin_get_hwaddr(uint32_t info, uint64_t address);
bool qemu_plugin_hwaddr_is_io(const struct qemu_plugin_hwaddr *address);
uint64_t qemu_plugin_hwaddr_phys_addr(const struct qemu_plugin_hwaddr *address);
void qemu_plugin_register_atexit_cb(uint64_t id, void (*end)(uint64_t id, void *user), void *user);

EXPORT int qemu_plugin_version = 1;

static uint64_t executed, entry, ram, last;
static bool entered;
static const char *out;

static void enter(unsigned cpu, void *user) {
    if (!entered) executed = 1;
    entered = true;
}

static void stored(unsigned cpu, uint32_t info, uint64_t address, void *user) {
    const struct qemu_plugin_hwaddr *where = entered ? qemu_plugin_get_hwaddr(info, address) : NULL;
    if (where && !qemu_plugin_hwaddr_is_io(where) && qemu_plugin_hwaddr_phys_addr(where) >= ram) last = executed;
}

static void translated(uint64_t id, struct qemu_plugin_tb *tb) {
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        qemu_plugin_register_vcpu_insn_exec_inline(insn, QEMU_ADD, &executed, 1);
        if (qemu_plugin_insn_vaddr(insn) == entry)
            qemu_plugin_register_vcpu_insn_exec_cb(insn, enter, QEMU_NO_REGISTERS, NULL);
        qemu_plugin_register_vcpu_mem_cb(insn, stored, QEMU_NO_REGISTERS, QEMU_STORES, NULL);
    }
}

static void end(uint64_t id, void *user) {
    FILE *f = fopen(out, "w");
    if (!f) return;
    fprintf(f, "%" PRIu64 "\n", last);
    fclose(f);
}

EXPORT int qemu_plugin_install(uint64_t id, const void *machine, int argc, char **argv) {
    for (int i = 0; i < argc; i++) {
        const char *value = strchr(argv[i], '=');
        if (!value) return -1;
        if (!strncmp(argv[i], "entry=", 6)) entry = strtoull(value + 1, NULL, 0);
        else if (!strncmp(argv[i], "ram=", 4)) ram = strtoull(value + 1, NULL, 0);
        else if (!strncmp(argv[i], "out=", 4)) out = strdup(value + 1);
    }
    if (!entry || !ram || !out) return -1;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, end, NULL);
    return 0;
}
