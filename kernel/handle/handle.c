// SPDX-License-Identifier: MIT
/*
 * Handle tables.  Each range is a growing array of chunks of HANDLE_CHUNK slots; a bitmap of full
 * chunks makes "lowest free" quick.  Nothing is called with the table's lock held: objects that
 * leave the table are put down after it is released.
 */
#include <kernel/event.h>
#include <kernel/handle.h>
#include <kernel/mm.h>
#include <kernel/process.h>

#define FULL_WORD(c) ((c) / 64)
#define FULL_BIT(c) (1ULL << ((c) % 64))

static struct handle_range *range_of(struct handle_table *t, handle_t h) UNCHECKED {
    return &t->ranges[h >= HANDLE_UPPER];
}
static handle_t range_base(handle_t h) { return h >= HANDLE_UPPER ? HANDLE_UPPER : 0; }
static uint32_t range_limit(struct handle_table *t, bool upper) {
    return upper ? HANDLE_UPPER_END - HANDLE_UPPER : t->limit;
}

/* The slot of h if its chunk exists, else null. */
static inline struct handle_slot *slot_find(struct handle_table *t, handle_t h) REQUIRES(t -> lock) {
    const struct handle_range *r = range_of(t, h);
    uint32_t n = (uint32_t)(h - range_base(h)); /* of a negative h: beyond all chunks */
    if (unlikely(n / HANDLE_CHUNK >= r->chunk_count)) return nullptr;
    struct handle_slot *chunk = r->chunks[n / HANDLE_CHUNK];
    return likely(chunk) ? &chunk[n % HANDLE_CHUNK] : nullptr;
}
struct handle_slot *handle_slot_find(struct handle_table *t, handle_t h) { return slot_find(t, h); }

void handle_table_init(struct handle_table *t) {
    *t = (struct handle_table){.limit = 1024, .generation = 1};
    spin_init(&t->lock, RANK_HANDLES);
}

/* Makes room for chunk index c: grows the arrays and allocates the chunk. */
static int range_grow(struct handle_range *r, uint32_t c) {
    if (c >= r->chunk_count) {
        uint32_t count = max(c + 1, r->chunk_count * 2);
        struct handle_slot **chunks = kzalloc((count + 1) * sizeof(*chunks));
        uint64_t *full = kzalloc((count + 63) / 64 * sizeof(*full));
        if (!chunks || !full) {
            kfree(chunks);
            kfree(full);
            return -ENOMEM;
        }
        *chunks++ = (struct handle_slot *)r->chunks; /* kept for handle_borrow(), which takes no lock */
        for (uint32_t i = 0; i < r->chunk_count; i++) chunks[i] = r->chunks[i];
        for (uint32_t i = 0; i < (r->chunk_count + 63) / 64; i++) full[i] = r->full[i];
        kfree(r->full);
        __atomic_store_n(&r->chunks, chunks, __ATOMIC_RELEASE);
        r->full = full;
        __atomic_store_n(&r->chunk_count, count, __ATOMIC_RELEASE);
    }
    if (!r->chunks[c]) r->chunks[c] = kzalloc(HANDLE_CHUNK * sizeof(struct handle_slot));
    return r->chunks[c] ? 0 : -ENOMEM;
}

static bool chunk_is_full(const struct handle_slot *chunk) {
    for (unsigned i = 0; i < HANDLE_CHUNK; i++)
        if (!chunk[i].object) return false;
    return true;
}

/* Lowest free slot ≥ at below limit, as a slot number in the range. -EMFILE, -ENOMEM. */
static long range_take(struct handle_range *r, uint32_t at, uint32_t limit) {
    uint32_t from = max(at, r->first_free_hint);
    for (uint32_t c = from / HANDLE_CHUNK; c * HANDLE_CHUNK < limit; c++) {
        if (c < r->chunk_count && (r->full[FULL_WORD(c)] & FULL_BIT(c))) continue;
        int e = likely(c < r->chunk_count && r->chunks[c]) ? 0 : range_grow(r, c);
        if (e) return e;
        struct handle_slot *chunk = r->chunks[c];
        for (uint32_t i = c == from / HANDLE_CHUNK ? from % HANDLE_CHUNK : 0; i < HANDLE_CHUNK; i++) {
            uint32_t n = c * HANDLE_CHUNK + i;
            if (chunk[i].object) continue;
            if (n >= limit) return -EMFILE;
            chunk[i] = (struct handle_slot){.object = HANDLE_RESERVED};
            if (at <= r->first_free_hint) r->first_free_hint = n + 1;
            return n;
        }
        if (chunk_is_full(chunk)) r->full[FULL_WORD(c)] |= FULL_BIT(c);
    }
    return -EMFILE;
}

/* Empties a slot; the caller puts the object down after unlocking. */
static struct object *slot_clear(struct handle_table *t, handle_t h, struct handle_slot *s)
    REQUIRES(t -> lock) UNCHECKED {
    struct handle_range *r = range_of(t, h);
    uint32_t n = (uint32_t)(h - range_base(h));
    struct object *o = s->object;
    *s = (struct handle_slot){};
    handle_table_changed(t);
    r->full[FULL_WORD(n / HANDLE_CHUNK)] &= ~FULL_BIT(n / HANDLE_CHUNK);
    if (n < r->first_free_hint) r->first_free_hint = n;
    if (o && o != HANDLE_RESERVED) t->open_count--;
    return o == HANDLE_RESERVED ? nullptr : o;
}

/* as_handle: a handle reference, counted while the slot still holds its own. */
static inline int lookup(handle_t h, enum object_type type, uint32_t need, bool as_handle, struct object **out,
                         uint32_t *rights) {
    struct handle_table *t = &process_current()->handles;
    spin_lock(&t->lock);
    const struct handle_slot *s = slot_find(t, h);
    struct object *o = likely(s) ? s->object : nullptr;
    uint32_t have = likely(s) ? s->rights : 0;
    int e = 0;
    if (unlikely((uintptr_t)o <= (uintptr_t)HANDLE_RESERVED)) e = -EBADF;
    else if (unlikely(type && o->ops->type != type)) e = -EINVAL;
    else if (unlikely(need & ~have)) e = -EACCES;
    else if (as_handle) object_handle_get(o);
    else object_get(o);
    spin_unlock(&t->lock);
    if (likely(!e)) {
        *out = o;
        if (rights) *rights = have;
    }
    return e;
}

int handle_lookup(handle_t h, enum object_type type, uint32_t need, struct object **out, uint32_t *rights) {
    return lookup(h, type, need, false, out, rights);
}

struct borrowed handle_borrow_counted(handle_t h, enum object_type type) {
    struct borrowed b = {.counted = true};
    int e = lookup(h, type, 0, false, &b.object, &b.rights);
    if (e) b.object = err_ptr(e);
    return b;
}

int handle_lookup_as_handle(handle_t h, uint32_t need, struct object **out, uint32_t *rights) {
    return lookup(h, 0, need, true, out, rights);
}

static handle_t table_reserve(struct handle_table *t, handle_t at, uint32_t flags) {
    bool upper = (flags & HANDLE_IN_UPPER) || at >= HANDLE_UPPER;
    handle_t base = upper ? HANDLE_UPPER : 0;
    uint32_t from = upper ? (uint32_t)(max(at, HANDLE_FREE) - HANDLE_UPPER) : (uint32_t)at;
    if (at < 0) return -EINVAL;
    spin_lock(&t->lock);
    long n = range_take(&t->ranges[upper], from, range_limit(t, upper));
    spin_unlock(&t->lock);
    return n < 0 ? (handle_t)n : base + (handle_t)n;
}

static void table_publish(struct handle_table *t, handle_t h, struct object *o, uint32_t rights,
                          uint32_t flags) UNCHECKED {
    spin_lock(&t->lock);
    struct handle_slot *s = handle_slot_find(t, h);
    ASSERT(s);
    /* An upper slot may be closed again by the same process's other threads while reserved. */
    struct object *old = s->object == HANDLE_RESERVED ? nullptr : s->object;
    *s = (struct handle_slot){o, (uint16_t)rights, flags & (HANDLE_CLOEXEC | HANDLE_KEEP)};
    if (old) handle_table_changed(t);
    else t->open_count++;
    spin_unlock(&t->lock);
    if (old) object_handle_put(old);
}

handle_t handle_reserve(handle_t at, uint32_t flags) { return table_reserve(&process_current()->handles, at, flags); }

void handle_publish(handle_t h, struct object *o, uint32_t rights, uint32_t flags) {
    table_publish(&process_current()->handles, h, o, rights, flags);
}

void handle_unreserve(handle_t h) {
    struct handle_table *t = &process_current()->handles;
    spin_lock(&t->lock);
    struct handle_slot *s = handle_slot_find(t, h);
    if (s && s->object == HANDLE_RESERVED) slot_clear(t, h, s);
    spin_unlock(&t->lock);
}

handle_t handle_install_in(struct handle_table *t, struct object *o, uint32_t rights, uint32_t flags) {
    handle_t h = table_reserve(t, 0, flags);
    if (h < 0) object_handle_put(o);
    else table_publish(t, h, o, rights, flags);
    return h;
}

handle_t handle_install(struct object *o, uint32_t rights, uint32_t flags) {
    return handle_install_in(&process_current()->handles, o, rights, flags);
}

/* What names mean for a process: exec heeds set-id files only if a privileged process has set it. */
static uint32_t slot_flags(handle_t at, uint32_t flags) {
    struct process *p = process_current(); /* none while the first process is made */
    bool view = at == HANDLE_NAMESPACE || at == HANDLE_ROOT;
    bool privileged = view && (!p || cred_privileged(atomic_load(&p->cred)));
    return (flags & (HANDLE_CLOEXEC | HANDLE_KEEP)) | (privileged ? HANDLE_PRIVILEGED : 0);
}

int handle_install_at(struct handle_table *t, handle_t at, struct object *o, uint32_t rights,
                      uint32_t flags) UNCHECKED {
    bool upper = at >= HANDLE_UPPER;
    uint32_t n = (uint32_t)(at - range_base(at));
    int e = -EBADF;
    spin_lock(&t->lock);
    if (at >= 0 && n < range_limit(t, upper)) e = range_grow(range_of(t, at), n / HANDLE_CHUNK);
    struct handle_slot *s = e ? nullptr : handle_slot_find(t, at);
    if (s && s->object == HANDLE_RESERVED) e = -EBUSY; /* as Linux's dup2 racing with open */
    if (e) {
        spin_unlock(&t->lock);
        object_handle_put(o);
        return e;
    }
    struct object *old = s->object;
    *s = (struct handle_slot){o, (uint16_t)rights, (uint8_t)slot_flags(at, flags)};
    if (old) handle_table_changed(t);
    else t->open_count++;
    spin_unlock(&t->lock);
    if (old) object_handle_put(old);
    return 0;
}

/* Descriptions that asked for it hear of each process that drops a handle (POSIX record locks). A table that is not
 * the current process's is that of a child which is yet to start: it never had a lock. */
static void object_dropped(struct handle_table *t, struct object *o) {
    if (t == &process_current()->handles) file_dropped(o);
    object_handle_put(o);
}

int handle_close_in(struct handle_table *t, handle_t h) UNCHECKED {
    spin_lock(&t->lock);
    struct handle_slot *s = handle_slot_find(t, h);
    struct object *o = s && s->object != HANDLE_RESERVED ? s->object : nullptr;
    if (o) slot_clear(t, h, s);
    spin_unlock(&t->lock);
    if (!o) return -EBADF;
    object_dropped(t, o);
    return 0;
}

int handle_close(handle_t h) { return handle_close_in(&process_current()->handles, h); }

/* Applies `drop` to each open slot from *at on; returns the next object to put down, advances *at. */
static struct object *range_drop_next(struct handle_table *t, handle_t *at, handle_t last,
                                      bool (*drop)(const struct handle_slot *)) {
    struct object *o = nullptr;
    spin_lock(&t->lock);
    struct handle_range *r = range_of(t, *at);
    handle_t base = range_base(*at);
    uint32_t n = (uint32_t)(*at - base), end = min((uint32_t)(last - base) + 1, r->chunk_count * HANDLE_CHUNK);
    for (; !o && n < end; n++) {
        struct handle_slot *chunk = r->chunks[n / HANDLE_CHUNK], *s = chunk ? &chunk[n % HANDLE_CHUNK] : nullptr;
        if (!s) n |= HANDLE_CHUNK - 1;
        else if ((uintptr_t)s->object > (uintptr_t)HANDLE_RESERVED && drop(s)) o = slot_clear(t, base + (handle_t)n, s);
    }
    *at = base + (handle_t)n;
    spin_unlock(&t->lock);
    return o;
}

static bool drop_all(const struct handle_slot *) { return true; }
static bool drop_cloexec(const struct handle_slot *s) { return s->flags & HANDLE_CLOEXEC; }
static bool drop_unkept(const struct handle_slot *s) { return !(s->flags & HANDLE_KEEP); }

static void table_drop(struct handle_table *t, handle_t first, handle_t last,
                       bool (*drop)(const struct handle_slot *)) {
    struct object *o;
    while ((o = range_drop_next(t, &first, last, drop)) != nullptr) {
        object_dropped(t, o);
        preempt_point();
    }
}

int handle_close_range(handle_t first, handle_t last) {
    last = min(last, first >= HANDLE_UPPER ? HANDLE_UPPER_END - 1 : HANDLE_UPPER - 1);
    table_drop(&process_current()->handles, first, last, drop_all);
    return 0;
}

void handle_table_exec(struct handle_table *t) {
    table_drop(t, 0, HANDLE_UPPER - 1, drop_cloexec);
    table_drop(t, HANDLE_UPPER, HANDLE_UPPER_END - 1, drop_unkept);
}

void handle_table_fini(struct handle_table *t) UNCHECKED {
    table_drop(t, 0, HANDLE_UPPER - 1, drop_all);
    table_drop(t, HANDLE_UPPER, HANDLE_UPPER_END - 1, drop_all);
    for (unsigned i = 0; i < array_size(t->ranges); i++) {
        spin_lock(&t->lock); /* others may look into it: handle_describe */
        struct handle_range old = t->ranges[i];
        t->ranges[i] = (struct handle_range){};
        spin_unlock(&t->lock);
        for (uint32_t c = 0; c < old.chunk_count; c++) kfree(old.chunks[c]);
        for (struct handle_slot **chunks = old.chunks; chunks;) {
            struct handle_slot **older = (struct handle_slot **)chunks[-1];
            kfree(chunks - 1);
            chunks = older;
        }
        kfree(old.full);
    }
}

/* `to` is not visible to anyone yet, so only `from` is locked, and not all the time. */
static int range_copy(struct handle_table *to, struct handle_table *from, bool upper, bool for_exec)
    REQUIRES(from -> lock) UNCHECKED {
    struct handle_range *r = &from->ranges[upper], *w = &to->ranges[upper];
    for (uint32_t c = 0; c < r->chunk_count; c++) {
        if (c) {
            spin_unlock(&from->lock);
            preempt_point();
            spin_lock(&from->lock);
        }
        if (!r->chunks[c]) continue;
        int e = range_grow(w, c);
        if (e) return e;
        for (unsigned i = 0; i < HANDLE_CHUNK; i++) {
            struct handle_slot *s = &r->chunks[c][i];
            bool skip = for_exec && (upper ? drop_unkept(s) : drop_cloexec(s));
            if ((uintptr_t)s->object <= (uintptr_t)HANDLE_RESERVED || skip) continue;
            enum object_type type = s->object->ops->type;
            if (type == OBJECT_PORT || (type == OBJECT_TIMER && timer_object_own(s->object)))
                continue; /* its process's own */
            object_handle_get(s->object);
            w->chunks[c][i] = *s;
            to->open_count++;
        }
    }
    return 0;
}

int handle_table_copy(struct handle_table *to, struct handle_table *from, bool for_exec) {
    to->limit = from->limit;
    spin_lock(&from->lock);
    int e = range_copy(to, from, false, for_exec);
    if (!e) e = range_copy(to, from, true, for_exec);
    spin_unlock(&from->lock);
    return e;
}

int handle_describe(struct handle_table *t, handle_t h, struct object **out, uint32_t *rights, uint32_t *flags) {
    spin_lock(&t->lock);
    struct handle_slot *s = handle_slot_find(t, h);
    bool open = s && (uintptr_t)s->object > (uintptr_t)HANDLE_RESERVED;
    if (open) {
        *out = s->object;
        object_get(s->object);
        *rights = s->rights;
        *flags = s->flags;
    }
    spin_unlock(&t->lock);
    return open ? 0 : -EBADF;
}

int handle_set_flags(handle_t first, handle_t last, uint32_t mask, uint32_t flags) {
    struct handle_table *t = &process_current()->handles;
    int found = -EBADF;
    spin_lock(&t->lock);
    struct handle_range *r = range_of(t, first);
    handle_t end = range_base(first) + (handle_t)(r->chunk_count * HANDLE_CHUNK);
    for (handle_t h = first; h >= 0 && h <= last && h < end; h++) {
        struct handle_slot *s = handle_slot_find(t, h);
        if (!s || (uintptr_t)s->object <= (uintptr_t)HANDLE_RESERVED) continue;
        s->flags = (uint8_t)((s->flags & ~mask) | (flags & mask));
        found = 0;
    }
    spin_unlock(&t->lock);
    return found;
}
