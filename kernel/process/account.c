// SPDX-License-Identifier: MIT
/*
 * Credentials records and user accounts.
 *
 * A record is immutable and has an id that is never used again; servers ask for it by id.  A
 * process's pointer to its record is read without a lock: who replaces it waits until every other
 * CPU has left the stretch of kernel code it was in (arch_ipi_call is served only outside of such
 * stretches, since the kernel runs with interrupts off), then drops the old record.  Accounts stay for
 * good: there are as many as user ids ever seen, and only privilege makes a new id appear.
 */
#include "process_impl.h"

/* Three quarters of the memory are for any one user's private pages (services not counted). */
static int64_t quota_pages(void) { return (int64_t)(frame_total_count() / 4 * 3); }

static struct spinlock cred_lock = SPINLOCK_INIT(RANK_OBJECT);
static struct tree records GUARDED_BY(cred_lock);
static uint64_t last_id GUARDED_BY(cred_lock);
static struct list accounts GUARDED_BY(cred_lock) = {&accounts, &accounts};

static struct account *account_find(uint32_t uid) REQUIRES(cred_lock) {
    list_for_each (n, &accounts) {
        struct account *a = list_entry(n, struct account, link);
        if (a->uid == uid) return a;
    }
    return nullptr;
}

struct cred *cred_create(const struct credentials *c) {
    struct cred *cred = kzalloc(sizeof(*cred));
    struct account *fresh = kzalloc(sizeof(*fresh));
    if (!cred || !fresh) {
        kfree(cred);
        kfree(fresh);
        return nullptr;
    }
    cred->c = *c;
    atomic_init(&cred->refs, 1);
    spin_lock(&cred_lock);
    struct account *a = account_find(c->uid);
    if (!a) {
        a = fresh;
        fresh = nullptr;
        a->uid = c->uid;
        atomic_init(&a->quota.limit, quota_pages());
        list_push_back(&accounts, &a->link);
    }
    cred->account = a;
    cred->c.id = cred->node.key = ++last_id;
    tree_insert(&records, &cred->node);
    spin_unlock(&cred_lock);
    kfree(fresh);
    return cred;
}

struct cred *cred_get(struct process *p) {
    struct cred *c = atomic_load_explicit(&p->cred, memory_order_acquire);
    atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
    return c;
}

void cred_put(struct cred *c) {
    if (atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1) return;
    spin_lock(&cred_lock);
    tree_remove(&records, &c->node);
    spin_unlock(&cred_lock);
    kfree(c);
}

struct cred *cred_find(uint64_t id) {
    spin_lock(&cred_lock);
    struct tree_node *n = tree_find_le(&records, id);
    struct cred *c = n && n->key == id ? container_of(n, struct cred, node) : nullptr;
    /* One whose last reference has just gone still waits for the lock to leave the tree. */
    uint32_t refs = c ? atomic_load(&c->refs) : 0;
    while (refs && !atomic_compare_exchange_weak(&c->refs, &refs, refs + 1)) {
    }
    spin_unlock(&cred_lock);
    return refs ? c : nullptr;
}

static void quiesce_done(void *) {}

int process_set_credentials(struct process *p, const struct credentials *wish) {
    struct cred *old = cred_get(p), *new = nullptr;
    struct credentials c = {};
    int e = credentials_change(&old->c, wish, &c);
    if (!e && !credentials_equal(&old->c, &c)) {
        new = cred_create(&c);
        e = new ? 0 : -ENOMEM;
    }
    cred_put(old);
    if (new) process_replace_cred(p, new);
    return e;
}

/* Consumes the reference `new`. Called by a thread of p. */
void process_replace_cred(struct process *p, struct cred *new) {
    spin_lock(&process_lock); /* two threads at once */
    struct cred *old = atomic_exchange(&p->cred, new);
    if (old->c.euid != new->c.euid || old->c.egid != new->c.egid) {
        p->dumpable = false;
        p->parent_signal = 0;
    }
    spin_unlock(&process_lock);
    if (p->space && p->space->quota) space_set_quota(p->space, &new->account->quota);
    uint32_t tasks = max(p->thread_count, 1U); /* not published yet: one */
    atomic_fetch_add(&new->account->tasks, tasks);
    atomic_fetch_sub(&old->account->tasks, tasks);
    arch_ipi_call(~0ULL, quiesce_done, nullptr);
    cred_put(old);
}

/* --- accounts ------------------------------------------------------------------------------------ */

bool account_charge_task(struct process *p) {
    struct account *a = atomic_load(&p->cred)->account;
    if (atomic_fetch_add(&a->tasks, 1) < p->limits[LIMIT_TASKS].soft) return true;
    atomic_fetch_sub(&a->tasks, 1);
    return false;
}

void account_uncharge_task(struct process *p) { atomic_fetch_sub(&atomic_load(&p->cred)->account->tasks, 1); }
