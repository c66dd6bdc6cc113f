// SPDX-License-Identifier: MIT
/*
 * Resource limits, usage, and the three interval timers.
 *
 * CPU time has no tick: one timer per process is set for the earliest moment at which all its
 * threads together can have used up what is left before RLIMIT_CPU, ITIMER_VIRTUAL or ITIMER_PROF;
 * when it fires the time used is counted, and the timer set again for the rest.
 */
#include "process_impl.h"

#define SECOND 1000000000ULL
#define CPU_CHECK_MIN 1000000LL /* ns: CPU time is not looked at more often */
#define ITIMER_STEP_MIN 100000LL /* ns between two signals of one timer */
#define STACK_DEFAULT (8UL << 20)

void limits_init(struct process *p) {
    uint64_t tasks = min(frame_total_count() / 32, 32768UL);
    for (uint32_t i = 0; i < LIMIT_COUNT; i++)
        p->limits[i] = (struct process_limit){i, 0, LIMIT_INFINITE, LIMIT_INFINITE};
    p->limits[LIMIT_STACK].soft = STACK_DEFAULT;
    p->limits[LIMIT_CORE].soft = 0;
    p->limits[LIMIT_TASKS].soft = p->limits[LIMIT_TASKS].hard = tasks;
    p->limits[LIMIT_SIGNALS].soft = p->limits[LIMIT_SIGNALS].hard = tasks;
    p->limits[LIMIT_HANDLES].soft = 1024;
    p->limits[LIMIT_HANDLES].hard = 65536;
    p->handles.limit = 1024;
}

/* --- usage --------------------------------------------------------------------------------------- */

void usage_add(struct process_usage *to, const struct process_usage *more) {
    to->user_ns += more->user_ns;
    to->system_ns += more->system_ns;
    to->faults_minor += more->faults_minor;
    to->faults_major += more->faults_major;
    to->switches_voluntary += more->switches_voluntary;
    to->switches_forced += more->switches_forced;
    to->max_resident = max(to->max_resident, more->max_resident);
}

void usage_of_thread(struct thread *t, struct process_usage *out) {
    *out = (struct process_usage){
        .user_ns = thread_run_ns(t),
        .faults_minor = t->faults_minor,
        .faults_major = t->faults_major,
        .switches_voluntary = t->switches_voluntary,
        .switches_forced = t->switches_forced,
    };
}

void usage_of_process(struct process *p, struct process_usage *out) {
    *out = p->usage;
    for_each_thread (t, p) {
        struct process_usage one;
        usage_of_thread(t, &one);
        usage_add(out, &one);
    }
}

static uint64_t cpu_time_locked(struct process *p) REQUIRES(p -> signal_lock) {
    uint64_t ns = p->usage.user_ns;
    for_each_thread (t, p) ns += thread_run_ns(t);
    return ns;
}

uint64_t process_cpu_time(struct process *p) {
    spin_lock(&p->signal_lock);
    uint64_t ns = cpu_time_locked(p);
    spin_unlock(&p->signal_lock);
    return ns;
}

/* --- limits on CPU time, virtual and profiling timers ------------------------------------------- */

static void timer_signal(struct process *p, int signal) REQUIRES(p -> signal_lock) {
    const struct signal_info info = {.signal = signal, .code = SI_KERNEL};
    if (signal_post(p, nullptr, signal, &info)) return; /* no memory: one expiration is lost */
}

/* Sends what is due at `used` ns; gives the next moment, in CPU time. */
static uint64_t cpu_timers_run(struct process *p, uint64_t used) REQUIRES(p -> signal_lock) {
    static const int signals[] = {SIGALRM, SIGVTALRM, SIGPROF};
    uint64_t next = UINT64_MAX;
    for (unsigned i = 1; i < array_size(signals); i++) {
        struct interval_timer *c = &p->timers[i];
        if (c->expiry && (int64_t)used >= c->expiry) {
            timer_signal(p, signals[i]);
            c->expiry = c->interval ? (int64_t)used + c->interval : 0;
        }
        if (c->expiry) next = min(next, (uint64_t)c->expiry);
    }
    uint64_t soft = p->limits[LIMIT_CPU].soft, hard = p->limits[LIMIT_CPU].hard;
    if (soft >= UINT64_MAX / SECOND) return next;
    if (hard < UINT64_MAX / SECOND && used >= hard * SECOND) process_end_threads(p, SIGKILL);
    if (used >= soft * SECOND) {
        timer_signal(p, SIGXCPU);
        p->limits[LIMIT_CPU].soft = ++soft; /* again each second, until the hard limit */
    }
    return min(next, soft * SECOND);
}

static void cpu_timer_arm(struct process *p) REQUIRES(p -> signal_lock) {
    uint64_t used = cpu_time_locked(p), next = cpu_timers_run(p, used);
    if (next == UINT64_MAX || p->group_exit) return;
    int64_t rest = (int64_t)min(next - used, 1000 * SECOND) / max((int64_t)p->thread_count, 1);
    timer_start(&p->cpu_timer, clock_now() + max(rest, CPU_CHECK_MIN));
}

static void cpu_timer_fire(struct timer *t) {
    struct process *p = container_of(t, struct process, cpu_timer);
    spin_lock(&p->signal_lock);
    cpu_timer_arm(p);
    spin_unlock(&p->signal_lock);
}

int limit_set(struct process *p, const struct process_limit *l, bool privileged) {
    if (l->index >= LIMIT_COUNT || l->soft > l->hard) return -EINVAL;
    struct process_limit *limit = &p->limits[l->index];
    if (l->hard > limit->hard && !privileged) return -EPERM;
    if (l->index == LIMIT_HANDLES && l->hard > HANDLE_UPPER) return -EPERM;
    spin_lock(&process_lock);
    *limit = *l;
    if (l->index == LIMIT_HANDLES) p->handles.limit = (uint32_t)l->soft;
    if (p->space && l->index == LIMIT_SPACE) p->space->limit_pages = l->soft / PAGE_SIZE;
    if (p->space && l->index == LIMIT_STACK) p->space->stack_pages = l->soft / PAGE_SIZE;
    spin_lock(&p->signal_lock);
    if (l->index == LIMIT_CPU) cpu_timer_arm(p);
    spin_unlock(&p->signal_lock);
    spin_unlock(&process_lock);
    return 0;
}

/* --- ITIMER_REAL --------------------------------------------------------------------------------- */

static void itimer_fire(struct timer *t) {
    struct process *p = container_of(t, struct process, itimer_real);
    spin_lock(&p->signal_lock);
    struct interval_timer *c = &p->timers[0];
    nsec_t now = clock_now();
    if (c->expiry && c->expiry <= now) { /* else it was set anew meanwhile */
        timer_signal(p, SIGALRM);
        c->expiry = c->interval ? max(c->expiry + c->interval, now + ITIMER_STEP_MIN) : 0;
    }
    if (c->expiry) timer_start(t, c->expiry);
    spin_unlock(&p->signal_lock);
}

void process_timers_init(struct process *p) {
    timer_init(&p->itimer_real, itimer_fire);
    timer_init(&p->cpu_timer, cpu_timer_fire);
}

void process_timers_stop(struct process *p) {
    spin_lock(&p->signal_lock);
    for (unsigned i = 0; i < array_size(p->timers); i++) p->timers[i] = (struct interval_timer){};
    p->limits[LIMIT_CPU].soft = LIMIT_INFINITE;
    spin_unlock(&p->signal_lock);
    timer_stop(&p->itimer_real);
    timer_stop(&p->cpu_timer);
}

static int64_t timer_now(struct process *p, uint32_t index) REQUIRES(p -> signal_lock) {
    return index ? (int64_t)cpu_time_locked(p) : clock_now();
}

int itimer_get(struct process *p, struct process_itimer *out) {
    if (out->index > 2) return -EINVAL;
    spin_lock(&p->signal_lock);
    const struct interval_timer *c = &p->timers[out->index];
    out->interval_ns = c->interval;
    out->value_ns = c->expiry ? max(c->expiry - timer_now(p, out->index), 1) : 0;
    spin_unlock(&p->signal_lock);
    return 0;
}

int itimer_set(struct process *p, const struct process_itimer *in) {
    if (in->index > 2 || in->value_ns < 0 || in->interval_ns < 0) return -EINVAL;
    spin_lock(&p->signal_lock);
    nsec_t now = timer_now(p, in->index);
    nsec_t expiry = in->value_ns < DEADLINE_NEVER - now ? now + in->value_ns : DEADLINE_NEVER;
    if (!in->value_ns) expiry = 0;
    p->timers[in->index] = (struct interval_timer){expiry, min(in->interval_ns, DEADLINE_NEVER / 4)};
    if (in->index) cpu_timer_arm(p);
    else if (expiry) timer_start(&p->itimer_real, expiry);
    spin_unlock(&p->signal_lock);
    return 0;
}
