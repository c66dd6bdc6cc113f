// SPDX-License-Identifier: MIT
/*
 * Futexes: waiters in hashed buckets, keyed by address space and address, or by memory object and
 * offset.  The word is compared under the bucket's lock, by which every waker passes:
 *
 *   waiter                                  waker (user code)
 *   1 prepares to block                     a changes the word
 *   2 locks the bucket                      b locks the bucket, takes waiters off, wakes them
 *   3 word still as expected? queues, unlocks
 *   4 blocks
 *
 * If b comes before 2, 3 sees the new word.  Words are read without taking faults; a page that is
 * missing is touched with no lock held, and all starts again.
 *
 * Priority-inheriting words hold the owner's tid, FUTEX_WAITERS and FUTEX_OWNER_DIED, the protocol
 * of Linux's FUTEX_LOCK_PI; unlocking hands the lock to the first waiter of the highest priority.
 */
#include <kernel/event.h>
#include <kernel/process.h>

#define BUCKET_COUNT 256
#define FUTEX_WAITERS 0x80000000u
#define FUTEX_OWNER_DIED 0x40000000u
#define FUTEX_TID 0x3fffffffu
#define ROBUST_MAX 2048 /* entries of a robust list, as on Linux */
#define WAKE_STEP 16U /* threads woken between two preemption points */
#define WOKEN 1 /* result of thread_wake here: this waiter is off its bucket */

enum pi_state { PI_WAITED = 1, PI_EXITING = 2 }; /* thread->pi_state */
enum pi_op { PI_LOCK, PI_UNLOCK, PI_TRY };

struct bucket {
    struct spinlock lock;
    struct list waiters;
};
struct waiter {
    struct list link;
    struct futex_key key;
    struct thread *thread;
    struct bucket *bucket; /* changed by requeue with both locks held */
    bool queued; /* under the bucket's lock */
    uint32_t owner; /* priority inheriting: the owner's tid */
};

static struct bucket buckets[BUCKET_COUNT] = {[0 ... BUCKET_COUNT - 1] = {.lock = SPINLOCK_INIT(RANK_WAIT)}};

static struct bucket *bucket_of(struct futex_key k) {
    uint64_t hash = (k.a * 31 + (k.b >> 2)) * 0x9e3779b97f4a7c15;
    return &buckets[hash >> 56];
}

static bool same(struct futex_key a, struct futex_key b) { return a.a == b.a && a.b == b.b; }

static struct list *list_of(struct bucket *b) REQUIRES(b -> lock) {
    if (unlikely(!b->waiters.next)) list_init(&b->waiters);
    return &b->waiters;
}

static int key_of(uaddr_t at, uint32_t flags, struct futex_key *key) {
    return space_futex_key(space_current(), at, flags & FUTEX_SHARED, key);
}

/* Makes the word's page present and writable if it can be. */
static int touch(uaddr_t at, bool write) {
    uint32_t word;
    int e = copy_from_user(&word, at, sizeof(word));
    while (!e && write) { /* writes back what is there, atomically */
        e = user_cmpxchg32_nofault(at, &word, word);
        if (e != -EFAULT) return e;
        e = space_fault(space_current(), at, FAULT_WRITE | FAULT_USER);
    }
    return e;
}

static void enqueue(struct waiter *w, struct bucket *b) REQUIRES(b -> lock) {
    w->bucket = b;
    w->queued = true;
    list_push_back(list_of(b), &w->link);
}

/* Off the bucket and woken, with its lock held: after this w may be gone. */
static void release(struct waiter *w) {
    w->queued = false;
    list_remove(&w->link);
    thread_wake(w->thread, WOKEN);
}

/* After a wait that ended otherwise: false if a waker has taken w off. */
static bool withdraw(struct waiter *w) UNCHECKED {
    for (;;) {
        struct bucket *b = __atomic_load_n(&w->bucket, __ATOMIC_ACQUIRE);
        spin_lock(&b->lock);
        bool here = w->bucket == b, queued = w->queued;
        if (here && queued) list_remove(&w->link);
        spin_unlock(&b->lock);
        if (here) return queued;
    }
}

static long finish_wait(struct waiter *w, int woke) { return woke == WOKEN || !withdraw(w) ? 0 : woke; }

long futex_wait(uaddr_t at, uint32_t expected, uint32_t flags, nsec_t deadline) {
    struct waiter w = {.thread = thread_current()};
    int e = key_of(at, flags, &w.key);
    if (e) return e;
    struct bucket *b = bucket_of(w.key);
    for (;;) {
        uint32_t word = 0;
        thread_block_prepare(b, true);
        spin_lock(&b->lock);
        e = user_load32_nofault(&word, at);
        if (likely(!e && word == expected && deadline)) break;
        spin_unlock(&b->lock);
        thread_block_cancel();
        if (!e) return word != expected ? -EAGAIN : -ETIMEDOUT;
        e = touch(at, false);
        if (e) return e;
    }
    enqueue(&w, b);
    spin_unlock(&b->lock);
    return finish_wait(&w, thread_block(deadline));
}

/* Wakes `wake` waiters of a key and moves `move` others, with both buckets locked. */
static long release_key(struct bucket *from, struct futex_key key, uint32_t wake, uint32_t move, struct bucket *to,
                        struct futex_key to_key) UNCHECKED {
    long done = 0;
    list_for_each_safe (l, list_of(from)) {
        struct waiter *w = list_entry(l, struct waiter, link);
        if (!wake && !move) break;
        if (!same(w->key, key) || w->owner) continue;
        done++;
        if (wake) {
            wake--;
            release(w);
        } else {
            move--;
            list_remove(&w->link);
            w->key = to_key;
            enqueue(w, to);
        }
    }
    return done;
}

long futex_wake(uaddr_t at, uint32_t count, uint32_t flags) {
    struct futex_key key;
    int e = key_of(at, flags, &key);
    if (e) return e;
    struct bucket *b = bucket_of(key);
    spin_lock(&b->lock);
    uint32_t waiting = 0; /* now: who comes to wait between two steps is not woken */
    for (struct list *l = list_of(b)->next; l != &b->waiters && waiting < count; l = l->next)
        waiting += same(list_entry(l, struct waiter, link)->key, key);
    long woken = 0, step;
    do {
        step = release_key(b, key, min(waiting - (uint32_t)woken, WAKE_STEP), 0, b, key);
        woken += step;
        spin_unlock(&b->lock);
        if (step < WAKE_STEP) return woken;
        preempt_point();
        spin_lock(&b->lock);
    } while (true);
}

UNCHECKED long futex_requeue(uaddr_t at, uint32_t expected, uint32_t wake, uint32_t move, uaddr_t to, uint32_t flags) {
    struct futex_key key, to_key;
    int e = key_of(at, flags, &key);
    if (!e) e = key_of(to, flags, &to_key);
    if (e) return e;
    struct bucket *a = bucket_of(key), *b = bucket_of(to_key);
    if (same(key, to_key)) move = 0; /* they are there */
    for (;;) {
        uint32_t word = 0;
        spin_lock_pair(&a->lock, &b->lock);
        e = user_load32_nofault(&word, at);
        long n = e ? e : word != expected ? -EAGAIN : release_key(a, key, wake, move, b, to_key);
        spin_unlock_pair(&a->lock, &b->lock);
        if (!e) return n;
        e = touch(at, false);
        if (e) return e;
    }
}

/* --- priority inheritance ----------------------------------------------------------------------- */

static struct waiter *pi_best(struct bucket *b, struct futex_key key) REQUIRES(b -> lock) {
    struct waiter *best = nullptr;
    list_for_each (l, list_of(b)) {
        struct waiter *w = list_entry(l, struct waiter, link);
        if (w->owner && same(w->key, key) && (!best || w->thread->priority > best->thread->priority)) best = w;
    }
    return best;
}

/* The lock goes to the best waiter, or becomes free; `died` is FUTEX_OWNER_DIED or 0. */
static int pi_pass(struct bucket *b, struct futex_key key, uaddr_t at, uint32_t died) REQUIRES(b -> lock) {
    struct waiter *w = pi_best(b, key), *second = nullptr;
    uint32_t word, owner = w ? w->thread->tid : 0;
    if (w) {
        list_remove(&w->link);
        second = pi_best(b, key);
    }
    int e = user_load32_nofault(&word, at);
    uint32_t want = owner | died | (second ? FUTEX_WAITERS : 0);
    while (!e) {
        uint32_t seen = word;
        e = user_cmpxchg32_nofault(at, &seen, want);
        if (seen == word) break;
        word = seen;
    }
    if (e || !w) {
        if (w) list_push_front(list_of(b), &w->link);
        return e;
    }
    list_for_each (l, list_of(b)) {
        struct waiter *other = list_entry(l, struct waiter, link);
        if (other->owner && same(other->key, key)) other->owner = owner;
    }
    if (second) {
        atomic_fetch_or(&w->thread->pi_state, PI_WAITED);
        thread_lend_priority(w->thread, second->thread->priority);
    }
    release(w);
    return 0;
}

/* Takes the lock (1), or queues behind its owner (0), with the bucket locked. */
static int pi_take_or_queue(struct waiter *w, struct bucket *b, uaddr_t at, bool try) REQUIRES(b -> lock) {
    uint32_t word;
    int e = user_load32_nofault(&word, at);
    while (!e) {
        uint32_t owner = word & FUTEX_TID, seen = word, want = word | FUTEX_WAITERS;
        if (owner == w->thread->tid)
            return w->owner ? 1 : -EDEADLK; /* passed on by its former owner; or locked twice */
        if (owner && try) return -EAGAIN;
        if (!owner) want = w->thread->tid | (word & FUTEX_OWNER_DIED) | (pi_best(b, w->key) ? FUTEX_WAITERS : 0);
        e = user_cmpxchg32_nofault(at, &seen, want);
        if (e || seen != word) {
            word = seen;
            continue;
        }
        if (!owner) return 1;
        struct thread *t = thread_find(owner);
        if (!t) return -ESRCH;
        bool exiting = atomic_fetch_or(&t->pi_state, PI_WAITED) & PI_EXITING;
        if (!exiting) {
            w->owner = owner;
            enqueue(w, b);
            if (w->thread->priority > t->priority) thread_lend_priority(t, w->thread->priority);
        }
        thread_put(t);
        return exiting ? -ESRCH : 0;
    }
    return e;
}

static long pi_lock(struct waiter *w, uaddr_t at, bool try, nsec_t deadline) {
    struct bucket *b = bucket_of(w->key);
    for (;;) {
        thread_block_prepare(b, true);
        spin_lock(&b->lock);
        int got = pi_take_or_queue(w, b, at, try);
        spin_unlock(&b->lock);
        if (!got) {
            long e = finish_wait(w, thread_block(deadline));
            if (e) return e;
            continue; /* finds itself the owner, if its waker could pass the lock on */
        }
        thread_block_cancel();
        if (got != -EFAULT) return got < 0 ? got : 0;
        got = touch(at, true);
        if (got) return got;
    }
}

static long pi_unlock(struct waiter *w, uaddr_t at) {
    struct bucket *b = bucket_of(w->key);
    for (;;) {
        uint32_t word = 0;
        spin_lock(&b->lock);
        int e = user_load32_nofault(&word, at);
        if (!e) e = (word & FUTEX_TID) != w->thread->tid ? -EPERM : pi_pass(b, w->key, at, 0);
        spin_unlock(&b->lock);
        if (e == -EFAULT) e = touch(at, true);
        else if (e) return e;
        else {
            thread_lend_priority(w->thread, 0);
            return 0;
        }
        if (e) return e;
    }
}

long futex_pi(uaddr_t at, uint32_t op, uint32_t flags, nsec_t deadline) {
    struct waiter w = {.thread = thread_current()};
    int e = key_of(at, flags, &w.key);
    if (e) return e;
    return op == PI_UNLOCK ? pi_unlock(&w, at) : pi_lock(&w, at, op == PI_TRY, deadline);
}

/* --- the end of a thread ------------------------------------------------------------------------ */

/* Waiters behind a thread that ends without unlocking: each lock passes on, marked. */
static void pi_abandon(struct thread *t) {
    for (unsigned i = 0; i < BUCKET_COUNT; i++) {
        struct bucket *b = &buckets[i];
        spin_lock(&b->lock);
    again:
        list_for_each (l, list_of(b)) {
            struct waiter *w = list_entry(l, struct waiter, link);
            if (w->owner != t->tid) continue;
            /* Words of other address spaces can't be written from here: their waiters look again. */
            struct futex_key key;
            uaddr_t at = w->key.a == space_current()->id ? w->key.b : 0;
            key = w->key;
            if (!at || pi_pass(b, key, at, FUTEX_OWNER_DIED)) release(w);
            goto again;
        }
        spin_unlock(&b->lock);
    }
}

/* One entry of the robust list: a word the thread owns is marked and its first waiter woken. */
static int robust_release(struct thread *t, uaddr_t at, bool pi) {
    uint32_t word;
    if (at % sizeof(word) || touch(at, true) || copy_from_user(&word, at, sizeof(word))) return -EFAULT;
    while ((word & FUTEX_TID) == t->tid) {
        uint32_t seen = word;
        int e = user_cmpxchg32_nofault(at, &seen, (word & FUTEX_WAITERS) | FUTEX_OWNER_DIED);
        if (e) return e;
        if (seen == word) {
            bool wake = (word & FUTEX_WAITERS) && !pi;
            /* The mutex may be private or shared. */
            if (wake && futex_wake(at, 1, 0) <= 0) (void)!futex_wake(at, 1, FUTEX_SHARED);
            return 0;
        }
        word = seen;
    }
    return 0;
}

static void robust_walk(struct thread *t) {
    struct {
        uaddr_t next, offset, pending;
    } head;
    if (copy_from_user(&head, t->robust_list, sizeof(head))) return;
    uaddr_t entry = head.next, pending = head.pending & ~1UL;
    for (unsigned n = 0; n < ROBUST_MAX && (entry & ~1UL) != t->robust_list; n++) {
        uaddr_t at = entry & ~1UL, next;
        if (copy_from_user(&next, at, sizeof(next))) return;
        if (at != pending && robust_release(t, at + head.offset, entry & 1)) return;
        entry = next;
        preempt_point();
    }
    if (pending) (void)robust_release(t, pending + head.offset, head.pending & 1);
}

void futex_thread_exit(struct thread *t) {
    if (t->robust_list) robust_walk(t);
    if (atomic_fetch_or(&t->pi_state, PI_EXITING) & PI_WAITED) pi_abandon(t);
    uint32_t zero = 0;
    if (t->clear_tid && !copy_to_user(t->clear_tid, &zero, sizeof(zero)))
        (void)!futex_wake(t->clear_tid, 1, FUTEX_SHARED);
    t->clear_tid = t->robust_list = 0;
}
