// SPDX-License-Identifier: MIT
/* System-wide information and control. */
#include <kernel/clock.h>
#include <kernel/log.h>
#include <kernel/memory.h>
#include <kernel/process.h>
#include <kernel/sanitizer.h>
#include <kernel/scheme.h>
#include <kernel/system.h>
#include <kernel/trace_ring.h>
#include <kernel/syscall.h>

#define NAME_SIZE 65 /* as struct utsname */
static struct {
    struct spinlock lock;
    char host[NAME_SIZE], domain[NAME_SIZE];
} names = {.lock = SPINLOCK_INIT(RANK_HANDLES), .host = "cathode", .domain = "(none)"};

static void plain_destroy(struct object *) {}
static const struct object_ops system_ops = {.type = OBJECT_SYSTEM, .name = "system", .destroy = plain_destroy};
static const struct object_ops hardware_ops = {.type = OBJECT_HARDWARE, .name = "hardware", .destroy = plain_destroy};
static const struct object_ops log_ops = {.type = OBJECT_LOG, .name = "log", .destroy = plain_destroy};
static struct object system_root, hardware_root, log_root;

struct object *system_object(enum object_type type) {
    static const struct {
        struct object *object;
        const struct object_ops *ops;
    } roots[] = {{&system_root, &system_ops}, {&hardware_root, &hardware_ops}, {&log_root, &log_ops}};
    for (unsigned i = 0; i < array_size(roots); i++) {
        if (roots[i].ops->type != type) continue;
        if (!roots[i].object->ops) object_init(roots[i].object, roots[i].ops);
        return roots[i].object;
    }
    return nullptr;
}

/* --- information: each fills buf and returns its length --------------------------------------------- */

static const struct bootinfo *boot;
void system_init(const struct bootinfo *b) { boot = b; }

static size_t put(char *buf, size_t size, const void *data, size_t n) {
    n = min(n, size);
    __builtin_memcpy(buf, data, n);
    return n;
}

static size_t info_memory(char *buf, size_t size) {
    struct memory_totals t = {.total = frame_total_count() * PAGE_SIZE,
                              .free = frame_free_count() * PAGE_SIZE,
                              .cache = memory_cache_pages() * PAGE_SIZE,
                              .kernel = kmalloc_total()};
    return put(buf, size, &t, sizeof(t));
}

/* Of CPUs that go on counting. */
RACE_INTENDED static size_t info_counters(char *buf, size_t size) {
    uint64_t sum[COUNT_COUNT] = {};
    for (uint32_t c = 0; c < cpu_online(); c++)
        for (unsigned i = 0; i < COUNT_COUNT; i++) {
            uint64_t n = cpu_get(c)->counters[i];
            sum[i] = i == COUNT_IRQ_OFF_MAX ? max(sum[i], n) : sum[i] + n;
        }
    return put(buf, size, sum, sizeof(sum));
}

static size_t info_cpus(char *buf, size_t size) {
    size_t n = 0;
    for (uint32_t c = 0; c < cpu_online() && n < size; c++) {
        struct cpu_info i = {.id = c, .online = 1, .switches = cpu_get(c)->counters[COUNT_SWITCH]};
        sched_cpu_times(c, &i.idle_ns, &i.busy_ns);
        n += put(buf + n, size - n, &i, sizeof(i));
    }
    return n;
}

static size_t info_load(char *buf, size_t size) {
    uint64_t v[5] = {sched_load(0), sched_load(1), sched_load(2)};
    sched_thread_counts(&v[3], &v[4]);
    return put(buf, size, v, sizeof(v));
}

static size_t put_name(char *buf, size_t size, const char *name) {
    spin_lock(&names.lock);
    size_t n = put(buf, size, name, __builtin_strlen(name));
    spin_unlock(&names.lock);
    return n;
}

static size_t info_trace(char *buf, size_t size) { return trace_read((struct trace_record *)(void *)buf, size); }

static size_t info_hostname(char *buf, size_t size) { return put_name(buf, size, names.host); }

static size_t info_domainname(char *buf, size_t size) { return put_name(buf, size, names.domain); }

static size_t info_schemes(char *buf, size_t size) {
    const size_t one = sizeof(struct scheme_info);
    return scheme_describe((struct scheme_info *)buf, size / one) * one;
}

static long info_fill(uint32_t topic, char *buf, size_t size) {
    static size_t (*const fill[])(char *buf, size_t size) = {
        [SYSTEM_MEMORY] = info_memory,   [SYSTEM_COUNTERS] = info_counters,     [SYSTEM_CPUS] = info_cpus,
        [SYSTEM_LOAD] = info_load,       [SYSTEM_HOSTNAME] = info_hostname,     [SYSTEM_TRACE] = info_trace,
        [SYSTEM_SCHEMES] = info_schemes, [SYSTEM_DOMAINNAME] = info_domainname,
    };
    const struct framebuffer_info *f = &boot->framebuffer;
    if (topic < array_size(fill) && fill[topic]) return (long)fill[topic](buf, size);
    switch (topic) {
    case SYSTEM_VERSION: return (long)put(buf, size, CATHODE_VERSION, sizeof(CATHODE_VERSION) - 1);
    case SYSTEM_COMMAND_LINE: return (long)put(buf, size, boot->command_line, __builtin_strlen(boot->command_line));
    case SYSTEM_FRAMEBUFFER: return (long)put(buf, size, f, f->width ? sizeof(*f) : 0);
    case SYSTEM_ACPI_ROOT: return (long)put(buf, size, &boot->rsdp, sizeof(boot->rsdp));
    default: return -EINVAL;
    }
}

long sys_system_info(uint32_t topic, void *out, size_t size) {
    size = min(size, PAGE_SIZE * 4);
    if (topic == SYSTEM_TRACE && !cred_privileged(process_current()->cred)) return -EPERM;
    char *buf = kzalloc(PAGE_SIZE * 4);
    if (!buf) return -ENOMEM;
    long n = info_fill(topic, buf, size);
    if (n > 0) {
        int e = copy_to_user((uaddr_t)out, buf, (size_t)n);
        if (e) n = e;
    }
    kfree(buf);
    return n;
}

/* --- control -------------------------------------------------------------------------------------- */

static int set_name(char *out, uaddr_t text, size_t length) {
    char name[NAME_SIZE] = {};
    if (length >= sizeof(name)) return -EINVAL;
    int e = copy_from_user(name, text, length);
    if (e) return e;
    spin_lock(&names.lock);
    __builtin_memcpy(out, name, sizeof(name));
    spin_unlock(&names.lock);
    return 0;
}

long sys_system_control(struct object *, uint32_t op, uint64_t a, uint64_t b) {
    switch (op) {
    case SYSTEM_POWER_OFF: arch_power_off((int)a);
    case SYSTEM_REBOOT: arch_reboot();
    case SYSTEM_HALT: arch_halt();
    case SYSTEM_CLOCK_SET: clock_set_realtime((nsec_t)a); return 0;
    case SYSTEM_CLOCK_ADJUST: clock_set_realtime(clock_realtime() + (nsec_t)a); return 0;
    case SYSTEM_LOG_LEVEL: log_set_console_level((enum log_level)min(a, (uint64_t)LOG_DEBUG)); return 0;
    case SYSTEM_SET_HOSTNAME: return set_name(names.host, a, b);
    case SYSTEM_SET_DOMAINNAME: return set_name(names.domain, a, b);
    case SYSTEM_CONSOLE_RELEASE: arch_console_mapped(0, SIZE_MAX); return 0;
#if CATHODE_DEBUG
    case SYSTEM_DUMP_OBJECTS: objects_dump(); return 0;
    case SYSTEM_FAIL_ALLOCATION: alloc_fail_nth((uint32_t)b ? (uint32_t)b : process_current()->pid, a); return 0;
#endif
    default: return -EINVAL;
    }
}
