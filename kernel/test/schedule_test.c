// SPDX-License-Identifier: MIT
/*
 * What the scheduler promises, by the guest's own accounts: shares of CPU time, priorities, no idle CPU
 * beside waiting threads, and queues that stay whole whatever is changed at once.  Under emulation a
 * busy host stops CPUs for long, so nothing here depends on how long anything takes.
 */
#include "../sched/sched.h"
#include <kernel/clock.h>
#include <kernel/lib.h>
#include <kernel/mm.h>
#include <kernel/test.h>

#define MS 1000000LL
#define GIVE_UP (60000 * MS) /* only if something is broken */
#define TEAM_MAX (2 * CPU_MAX)

/* Threads that are started together, known by their numbers, and end together. */
struct team {
    void (*run)(struct team *, unsigned number);
    unsigned count;
    _Atomic unsigned next, ended;
    _Atomic bool stop;
    struct thread *threads[TEAM_MAX];
};
static struct team team; /* one at a time */

static void nap(nsec_t ns) {
    for (nsec_t deadline = clock_now() + ns; clock_now() < deadline;) {
        thread_block_prepare(nullptr, false);
        (void)thread_block(deadline);
    }
}
static void team_member(void *) {
    team.run(&team, atomic_fetch_add(&team.next, 1));
    atomic_fetch_add(&team.ended, 1);
}
static void team_start(void (*run)(struct team *, unsigned), unsigned count) {
    team = (struct team){.run = run, .count = count};
    for (unsigned i = 0; i < count; i++) {
        struct thread *t = team.threads[i] = thread_create(nullptr, "team", team_member, nullptr);
        ASSERT(t);
        thread_get(t);
        thread_start(t);
    }
}
static void team_end(void) {
    atomic_store(&team.stop, true);
    for (nsec_t limit = clock_now() + GIVE_UP; atomic_load(&team.ended) < team.count && clock_now() < limit;) nap(MS);
    EXPECT(atomic_load(&team.ended) == team.count);
    for (unsigned i = 0; i < team.count; i++) thread_put(team.threads[i]);
    nap(5 * MS); /* their stacks go back */
}

static uint64_t counter(enum counter c) {
    uint64_t n = 0;
    for (uint32_t i = 0; i < cpu_online(); i++) n += cpu_get(i)->counters[c];
    return n;
}

/* Goes to one CPU and stays there. */
static void pin(uint32_t cpu) {
    thread_set_affinity(thread_current(), 1ULL << cpu);
    preempt_point();
    EXPECT(cpu_current()->id == cpu);
}

/* Of the whole team; result: the CPUs they were on. */
static uint64_t affinity_of_all(uint64_t mask) {
    uint64_t cpus = 0;
    for (unsigned i = 0; i < team.count; i++) {
        thread_set_affinity(team.threads[i], mask);
        cpus |= 1ULL << team.threads[i]->cpu;
    }
    return cpus;
}

/* --- shares ------------------------------------------------------------------------------------- */

static void spin(struct team *t, unsigned) {
    while (!atomic_load(&t->stop)) preempt_point();
}

/* The spread of CPU time used since `before`, in percent of the mean. */
static uint64_t spread(const uint64_t *before) {
    uint64_t least = UINT64_MAX, most = 0, sum = 0;
    for (unsigned i = 0; i < team.count; i++) {
        uint64_t used = thread_run_ns(team.threads[i]) - before[i];
        least = min(least, used);
        most = max(most, used);
        sum += used;
    }
    return (most - least) * 100 / (sum / team.count + 1);
}

/* Spinners of each CPU get as many slices as each other, and each CPU has as many spinners as the next. */
static bool slices_even(const uint64_t *before) {
    for (uint32_t cpu = 0; cpu < cpu_online(); cpu++) {
        uint64_t least = UINT64_MAX, most = 0;
        unsigned here = 0;
        for (unsigned i = 0; i < team.count; i++) {
            if (team.threads[i]->cpu != cpu) continue;
            uint64_t slices = team.threads[i]->switches_forced - before[i];
            least = min(least, slices);
            most = max(most, slices);
            here++;
        }
        if (here != team.count / cpu_online() || least < 20 || (most - least) * 100 > most * 15) return false;
    }
    return true;
}

/*
 * Within 15 %.  A host that is busy charges a spinner for the time that its CPU was stopped, which takes
 * long to even out: then the slices are counted that the scheduler gave.
 */
KTEST(schedule_spinners_share_evenly) {
    uint64_t time[TEAM_MAX], slices[TEAM_MAX], percent = 100;
    uint64_t idle_waits = counter(COUNT_IDLE_WAIT);
    bool even = false;
    team_start(spin, 2 * cpu_online());
    thread_set_priority(thread_current(), 40); /* measures, and is gone again */
    nap(100 * MS);
    for (unsigned i = 0; i < team.count; i++) {
        time[i] = thread_run_ns(team.threads[i]);
        slices[i] = team.threads[i]->switches_forced;
    }
    nsec_t start = clock_now();
    while (percent > 15 && !even && clock_now() < start + GIVE_UP) {
        nap(400 * MS);
        percent = spread(time);
        even = clock_now() > start + 1500 * MS && slices_even(slices);
    }
    ktest_note("%u spinners on %u CPUs: %lu %% apart", team.count, cpu_online(), percent);
    EXPECT(percent <= 15 || even);
    team_end();
    thread_set_priority(thread_current(), PRIORITY_DEFAULT);
    EXPECT(counter(COUNT_IDLE_WAIT) == idle_waits);
}

/* One naps a millisecond at a time, above the spinners: who is interrupted keeps what is left of its slice. */
static void spin_or_interrupt(struct team *t, unsigned number) {
    if (number == 0) thread_set_priority(thread_current(), 40);
    while (!atomic_load(&t->stop))
        if (number == 0) nap(MS);
        else preempt_point();
}
KTEST(schedule_slices_end_though_interrupted) {
    struct thread *self = thread_current();
    uint64_t affinity = self->affinity;
    unsigned have_run = 0;
    pin(0);
    team_start(spin_or_interrupt, 4);
    affinity_of_all(1);
    thread_set_priority(self, 41);
    for (nsec_t limit = clock_now() + 10000 * MS; have_run < 3 && clock_now() < limit;) {
        nap(50 * MS);
        have_run = 0;
        for (unsigned i = 0; i < team.count; i++) have_run += thread_run_ns(team.threads[i]) >= 20 * MS;
    }
    EXPECT(have_run >= 3);
    team_end();
    thread_set_priority(self, PRIORITY_DEFAULT);
    thread_set_affinity(self, affinity);
}

/* --- priorities --------------------------------------------------------------------------------- */

#define WAKES 40
#define URGENT_TURNS 100 /* were a CPU not interrupted at once, some 1,000 would pass */

static struct {
    _Atomic uint64_t turns; /* of the spinners' loops on the last CPU */
    _Atomic uint64_t at_wake, at_run;
    struct thread *_Atomic high;
    _Atomic unsigned woken, late;
} urgent;

static void timer_wakes(struct timer *) {
    atomic_store(&urgent.at_wake, atomic_load(&urgent.turns));
    thread_wake(atomic_load(&urgent.high), 0);
}

/* Number 0 has the high priority and is woken by a timer of its own CPU, or by number 1 on the first CPU; the
 * others spin below it. */
static void high_runs(struct team *t, bool by_timer) {
    struct timer timer;
    timer_init(&timer, timer_wakes);
    atomic_store(&urgent.high, thread_current());
    for (unsigned i = 0; i < WAKES; i++) {
        thread_block_prepare(nullptr, false);
        if (by_timer) timer_start(&timer, clock_now() + MS);
        else atomic_store(&urgent.woken, i);
        (void)thread_block(DEADLINE_NEVER);
        atomic_store(&urgent.at_run, atomic_load(&urgent.turns));
        if (by_timer && atomic_load(&urgent.at_run) - atomic_load(&urgent.at_wake) > 1)
            atomic_fetch_add(&urgent.late, 1);
    }
    timer_stop(&timer);
    atomic_store(&t->stop, true);
}
static void low_spins(struct team *t, unsigned number, bool by_timer) {
    bool waker = number == 1 && !by_timer;
    uint32_t last = cpu_online() - 1;
    pin(waker ? 0 : last);
    for (unsigned next = 0; !atomic_load(&t->stop);) {
        preempt_point();
        if (!waker) {
            atomic_fetch_add(&urgent.turns, 1);
        } else if (atomic_load(&urgent.woken) == next && atomic_load(&urgent.high)) {
            nap(3 * MS);
            uint64_t before = atomic_load(&urgent.turns);
            if (!thread_wake(atomic_load(&urgent.high), 0)) continue;
            /* A busy host can stop this CPU for long before its interrupt has been sent: such turns don't count. */
            bool slow = atomic_load(&urgent.turns) - before > URGENT_TURNS;
            next++;
            while (atomic_load(&urgent.woken) != next && !atomic_load(&t->stop)) preempt_point();
            if (!slow && atomic_load(&urgent.at_run) - before > URGENT_TURNS) atomic_fetch_add(&urgent.late, 1);
        }
    }
}
static void urgent_run(struct team *t, unsigned number, bool by_timer) {
    thread_set_priority(thread_current(), number ? 10 + number % 3 : 45);
    if (number) {
        low_spins(t, number, by_timer);
    } else {
        pin(cpu_online() - 1);
        high_runs(t, by_timer);
    }
}
static void urgent_by_timer(struct team *t, unsigned number) { urgent_run(t, number, true); }
static void urgent_by_thread(struct team *t, unsigned number) { urgent_run(t, number, false); }

static void urgent_test(void (*run)(struct team *, unsigned), unsigned may_be_late) {
    atomic_store(&urgent.late, 0);
    atomic_store(&urgent.woken, UINT32_MAX);
    atomic_store(&urgent.high, nullptr);
    team_start(run, 5);
    for (nsec_t limit = clock_now() + GIVE_UP; !atomic_load(&team.stop) && clock_now() < limit;) nap(5 * MS);
    EXPECT(atomic_load(&team.stop) && atomic_load(&urgent.late) <= may_be_late);
    team_end();
}
/* All on one CPU: at the next instruction boundary, so no host can get between. */
KTEST(schedule_urgent_first_after_interrupt) { urgent_test(urgent_by_timer, 0); }
/* Here it can, also before the urgent one looks. */
KTEST(schedule_urgent_first_from_elsewhere) {
    if (cpu_online() > 1) urgent_test(urgent_by_thread, WAKES / 8);
}

/* --- no CPU idles while threads wait ---------------------------------------------------------------- */

/* Bursts of work, of unequal length, with naps; now and then on one CPU only. */
static void burst(struct team *t, unsigned number) {
    uint64_t random = number * 0x9e3779b97f4a7c15 + 1;
    while (!atomic_load(&t->stop)) {
        random = random * 6364136223846793005 + 1442695040888963407;
        nsec_t work = (nsec_t)(random >> 33) % (8 * MS);
        for (nsec_t end = clock_now() + work; clock_now() < end && !atomic_load(&t->stop);) preempt_point();
        if (random >> 32 & 1) nap((nsec_t)(random >> 40) % (3 * MS));
        uint64_t cpu = (random >> 50) % (4 * cpu_online());
        thread_set_affinity(thread_current(), cpu < cpu_online() ? 1ULL << cpu : UINT64_MAX);
    }
}
KTEST(schedule_no_idle_beside_waiting) {
    uint64_t before = counter(COUNT_IDLE_WAIT);
    team_start(burst, 2 * cpu_online());
    nap(500 * MS);
    team_end();
    EXPECT(counter(COUNT_IDLE_WAIT) == before);
    team_start(spin, 4); /* crowded on one CPU, then free: they spread at the next slices */
    affinity_of_all(1);
    nap(50 * MS);
    uint64_t used = affinity_of_all(UINT64_MAX);
    for (nsec_t limit = clock_now() + GIVE_UP; (unsigned)__builtin_popcountll(used) < min(4, cpu_online()) &&
                                               counter(COUNT_IDLE_WAIT) == before && clock_now() < limit;) {
        nap(5 * MS);
        used = affinity_of_all(UINT64_MAX);
    }
    EXPECT((unsigned)__builtin_popcountll(used) == min(4, cpu_online()));
    EXPECT(counter(COUNT_IDLE_WAIT) == before);
    team_end();
}

/* --- everything at once --------------------------------------------------------------------------- */

/* A queue with its lock held: bitmap, count and lists agree, and so does what the threads know. */
static bool queue_whole(struct run_queue *q) REQUIRES(q -> lock) {
    uint32_t count = 0;
    bool good = true;
    for (unsigned p = 0; p < PRIORITY_COUNT; p++) {
        good &= list_empty(&q->lists[p]) == !(q->bitmap >> p & 1);
        list_for_each (l, &q->lists[p]) {
            const struct thread *t = list_entry(l, struct thread, run_link);
            good &= t->priority == p && t->cpu == q->cpu && l->next->prev == l;
            if (++count > 1000) return false;
        }
    }
    return good && count == q->count;
}
static bool queues_whole(void) UNCHECKED {
    bool good = true;
    for (uint32_t i = 0; i < cpu_online(); i++) {
        struct run_queue *q = &run_queues[i];
        spin_lock(&q->lock);
        good &= queue_whole(q);
        spin_unlock(&q->lock);
    }
    return good;
}

#define VICTIMS 4
/* On a CPU alone each wait is idle time, which lasts until the host's next tick: up to 12 ms in place of 50 us. */
static unsigned torment_steps(void) { return cpu_online() > 1 ? 40000 : 4000; }

/* The victims sleep and wake; the others change them, wake them and take over their waits. */
static void torment_step(struct thread *victim, uint64_t random) {
    unsigned value = (unsigned)(random >> 16);
    switch (random >> 8 & 7) {
    case 0:
    case 1: thread_set_priority(victim, 20 + value % 20); break;
    case 2: thread_lend_priority(victim, value % 40); break;
    case 3: thread_set_affinity(victim, value & 1 ? UINT64_MAX : 1ULL << value / 2 % cpu_online()); break;
    case 4:
        thread_block_prepare(nullptr, true);
        if (thread_claim(victim)) (void)thread_block_switch_to(victim, clock_now() + value % 50000);
        else thread_block_cancel();
        break;
    default: thread_wake(victim, 0); break;
    }
}
static void torment(struct team *t, unsigned number) {
    uint64_t random = number * 0x9e3779b97f4a7c15 + 7;
    while (atomic_load(&t->next) < t->count) preempt_point(); /* all are known */
    while (number < VICTIMS && !atomic_load(&t->stop)) {
        thread_block_prepare(nullptr, false);
        (void)thread_block(clock_now() + MS);
    }
    for (unsigned i = 0; number >= VICTIMS && i < torment_steps() && !atomic_load(&t->stop); i++) {
        random = random * 6364136223846793005 + 1442695040888963407;
        torment_step(t->threads[(random >> 20) % VICTIMS], random >> 24);
        preempt_point();
    }
}
KTEST(schedule_survives_all_changes_at_once) {
    struct thread *self = thread_current();
    team_start(torment, VICTIMS + cpu_online());
    thread_set_priority(self, 50);
    for (nsec_t limit = clock_now() + GIVE_UP; atomic_load(&team.ended) < cpu_online() && clock_now() < limit;) {
        nap(MS);
        if (queues_whole()) continue;
        EXPECT(!"a run queue is corrupt");
        break;
    }
    team_end();
    thread_set_priority(self, PRIORITY_DEFAULT);
    EXPECT(queues_whole());
}

/* Two threads change places at one instant: neither may wait for the other's CPU. */
static void swap_places(struct team *t, unsigned number) {
    for (unsigned i = 0; i < 60; i++) {
        atomic_fetch_add(&t->next, 1); /* a barrier: both are here */
        while (atomic_load(&t->next) < t->count * (i + 2)) preempt_point();
        pin((number + i) % 2);
    }
}
KTEST(schedule_threads_change_places) {
    if (cpu_online() < 2) return;
    team_start(swap_places, 2);
    team_end();
}
