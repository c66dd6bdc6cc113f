// SPDX-License-Identifier: MIT
/*
 * Namespaces: what names mean for a process.  A child has its parent's or a smaller one (CLONE, then
 * UNBIND); a name that is not bound cannot be opened, guessed or reached.
 */
#include <kernel/mm.h>
#include <kernel/namespace.h>

struct binding {
    struct list link;
    struct scheme *scheme; /* reference */
    char name[NAMESPACE_NAME_MAX];
};
struct namespace {
    struct object object;
    struct spinlock lock;
    struct list bindings;
};

static struct binding *binding_find(struct namespace *n, const char *name) REQUIRES(n -> lock) {
    list_for_each (l, &n->bindings) {
        struct binding *b = list_entry(l, struct binding, link);
        if (!strcmp(b->name, name)) return b;
    }
    return nullptr;
}

static void binding_free(struct binding *b) {
    object_put(&b->scheme->object);
    kfree(b);
}

static void namespace_destroy(struct object *o) {
    struct namespace *n = object_as(namespace, o);
    struct list *l;
    while ((l = list_pop_front(&n->bindings)) != nullptr) binding_free(list_entry(l, struct binding, link));
    kfree(n);
}

static const struct object_ops namespace_ops = {
    .type = OBJECT_NAMESPACE, .name = "namespace", .destroy = namespace_destroy};

struct namespace *namespace_create(void) {
    struct namespace *n = kzalloc(sizeof(*n));
    if (!n) return nullptr;
    object_init(&n->object, &namespace_ops);
    spin_init(&n->lock, RANK_OBJECT);
    list_init(&n->bindings);
    return n;
}

struct object *namespace_object(struct namespace *n) { return &n->object; }
struct namespace *namespace_of(struct object *o) { return object_as(namespace, o); }

struct scheme *namespace_find(struct namespace *n, const char *name) {
    spin_lock(&n->lock);
    struct binding *b = binding_find(n, name);
    if (b) object_get(&b->scheme->object);
    spin_unlock(&n->lock);
    return b ? b->scheme : nullptr;
}

int namespace_bind(struct namespace *n, const char *name, struct scheme *s) {
    struct binding *b = kzalloc(sizeof(*b));
    if (!b) return -ENOMEM;
    for (size_t i = 0; i < sizeof(b->name) - 1 && name[i]; i++) b->name[i] = name[i];
    object_get(&s->object);
    b->scheme = s;
    spin_lock(&n->lock);
    bool exists = binding_find(n, name);
    if (!exists) list_push_back(&n->bindings, &b->link);
    spin_unlock(&n->lock);
    if (exists) binding_free(b);
    return exists ? -EEXIST : 0;
}

int namespace_unbind(struct namespace *n, const char *name) {
    spin_lock(&n->lock);
    struct binding *b = binding_find(n, name);
    if (b) list_remove(&b->link);
    spin_unlock(&n->lock);
    if (!b) return -ENOENT;
    binding_free(b);
    return 0;
}

/* The n-th binding: its name, and a reference to its scheme in *scheme. Null: there are no more. */
static bool binding_at(struct namespace *n, size_t index, char *name, struct scheme **scheme) {
    bool found = false;
    spin_lock(&n->lock);
    list_for_each (l, &n->bindings) {
        struct binding *b = list_entry(l, struct binding, link);
        if (index--) continue;
        for (size_t i = 0; i < sizeof(b->name); i++) name[i] = b->name[i];
        object_get(&b->scheme->object);
        *scheme = b->scheme;
        found = true;
        break;
    }
    spin_unlock(&n->lock);
    return found;
}

int namespace_clone(struct namespace *from, struct namespace **out) {
    struct namespace *n = namespace_create();
    char name[NAMESPACE_NAME_MAX];
    struct scheme *s;
    int e = n ? 0 : -ENOMEM;
    for (size_t i = 0; !e && binding_at(from, i, name, &s); i++) {
        e = namespace_bind(n, name, s);
        object_put(&s->object);
    }
    if (e && n) object_put(&n->object);
    if (!e) *out = n;
    return e;
}

size_t namespace_list(struct namespace *n, char *out, size_t size) {
    char name[NAMESPACE_NAME_MAX];
    struct scheme *s;
    size_t used = 0;
    for (size_t i = 0; binding_at(n, i, name, &s); i++) {
        object_put(&s->object);
        for (size_t c = 0; used < size; c++) {
            out[used++] = name[c];
            if (!name[c]) break;
        }
    }
    return used;
}
