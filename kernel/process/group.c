// SPDX-License-Identifier: MIT
/*
 * Process groups, sessions, and the terminal object through which a tty server holds a session.
 *
 * All under process_lock.  A group lives while it has members (zombies included), a session while
 * it has member processes or terminal objects.  The foreground group belongs to the session: the
 * kernel needs nothing of the terminal itself.  POSIX.1-2017 §2.4, §11.1.
 */
#include <kernel/sanitizer.h>
#include <kernel/syscall.h>

#include "process_impl.h"

struct terminal {
    struct object object;
    struct session *session; /* counted */
    struct list link; /* session->terminals */
};

static struct tree groups GUARDED_BY(process_lock);

struct group *group_at(uint32_t id) {
    struct tree_node *n = tree_find_le(&groups, id);
    return n && n->key == id ? container_of(n, struct group, node) : nullptr;
}

static void group_init(struct group *g, uint32_t id, struct session *s) REQUIRES(process_lock) {
    g->node.key = id;
    g->session = s;
    list_init(&g->members);
    tree_insert(&groups, &g->node);
}

static void session_put(struct session *s) REQUIRES(process_lock) {
    if (--s->members == 0) kfree(s);
}

void group_join(struct process *p, struct group *g) {
    list_push_back(&g->members, &p->group_link);
    p->group_of = g;
    p->group = (uint32_t)g->node.key;
    p->session = g->session;
    p->session->members++;
}

void group_leave(struct process *p) {
    struct group *g = p->group_of;
    list_remove(&p->group_link);
    if (list_empty(&g->members)) {
        tree_remove(&groups, &g->node);
        kfree(g);
    }
    session_put(p->session);
}

long process_set_session(struct process *p) {
    struct group *g = kzalloc(sizeof(*g));
    struct session *s = kzalloc(sizeof(*s));
    long result = g && s ? p->pid : -ENOMEM;
    spin_lock(&process_lock);
    if (result > 0 && group_at(p->pid)) result = -EPERM;
    if (result > 0) {
        if (p->group_of) group_leave(p);
        *s = (struct session){.id = p->pid, .leader = p};
        list_init(&s->terminals);
        group_init(g, p->pid, s);
        group_join(p, g);
    }
    spin_unlock(&process_lock);
    if (result > 0) return result;
    kfree(g);
    kfree(s);
    return result;
}

/* setpgid(): who may be moved where. `fresh` is used if the group must be made; then *used. */
static int group_move(struct process *caller, struct process *p, uint32_t id, struct group *fresh, bool *used)
    REQUIRES(process_lock) {
    if (!p || (p != caller && p->parent != caller) || p->state != PROCESS_ALIVE) return -ESRCH;
    if (p->session != caller->session || p->session->leader == p) return -EPERM;
    if (p != caller && p->executed) return -EACCES;
    struct group *g = group_at(id);
    if (g ? g->session != p->session : id != p->pid) return -EPERM;
    if (g == p->group_of) return 0;
    if (!g) {
        group_init(fresh, id, p->session);
        g = fresh;
        *used = true;
    }
    g->session->members++; /* stays through leaving */
    group_leave(p);
    group_join(p, g);
    g->session->members--;
    return 0;
}

int process_set_group(struct process *caller, int32_t pid, int32_t group) {
    if (pid < 0 || group < 0) return -EINVAL;
    struct group *fresh = kzalloc(sizeof(*fresh));
    if (!fresh) return -ENOMEM;
    bool used = false;
    spin_lock(&process_lock);
    struct process *p = pid ? process_at((uint32_t)pid) : caller;
    int e = p ? group_move(caller, p, group ? (uint32_t)group : p->pid, fresh, &used) : -ESRCH;
    spin_unlock(&process_lock);
    if (!used) kfree(fresh);
    return e;
}

void group_signal(struct group *g, int signal) {
    list_for_each (n, &g->members) signal_send_process(list_entry(n, struct process, group_link), signal, nullptr);
}

/* Its parent, in the same session but another group, can continue what stops in its group. */
static bool is_watched(const struct process *p) {
    return p->parent && p->parent->group_of != p->group_of && p->parent->session == p->session;
}

/* No living member is watched (POSIX "orphaned"). */
bool group_orphaned(struct group *g) {
    list_for_each (n, &g->members) {
        struct process *p = list_entry(n, struct process, group_link);
        if (p->state == PROCESS_ALIVE && is_watched(p)) return false;
    }
    return true;
}

/* Stopped members of a group that nobody could continue any more: SIGHUP, SIGCONT. */
void group_hang_up_if_orphaned(struct group *g) {
    bool stopped = false;
    list_for_each (n, &g->members) stopped |= list_entry(n, struct process, group_link)->stopped;
    if (!stopped || !group_orphaned(g)) return;
    group_signal(g, SIGHUP);
    group_signal(g, SIGCONT);
}

void group_member_exit(struct process *p) {
    if (is_watched(p)) group_hang_up_if_orphaned(p->group_of); /* it was orphaned before else */
}

void session_leader_exit(struct process *p) {
    struct session *s = p->session;
    s->leader = nullptr;
    struct group *g = s->terminal || !list_empty(&s->terminals) ? group_at(s->foreground) : nullptr;
    if (g && g->session == s) group_signal(g, SIGHUP);
    s->foreground = 0;
    list_for_each (n, &s->terminals)
        object_notify(&list_entry(n, struct terminal, link)->object, EVENT_IN | EVENT_HANGUP);
}

/* --- terminal objects ---------------------------------------------------------------------------- */

RACE_INTENDED static uint32_t terminal_poll(struct object *o) {
    struct terminal *t = object_as(terminal, o);
    return t->session->leader ? 0 : EVENT_IN | EVENT_HANGUP;
}

static void terminal_destroy(struct object *o) {
    struct terminal *t = object_as(terminal, o);
    spin_lock(&process_lock);
    list_remove(&t->link);
    session_put(t->session);
    spin_unlock(&process_lock);
    kfree(t);
}

const struct object_ops terminal_ops = {
    .type = OBJECT_TERMINAL,
    .name = "terminal",
    .destroy = terminal_destroy,
    .poll = terminal_poll,
};

int terminal_create(struct process *p, struct object **out) {
    struct terminal *t = kzalloc(sizeof(*t));
    if (!t) return -ENOMEM;
    spin_lock(&process_lock);
    struct session *s = p->session;
    if (s->leader != p) {
        spin_unlock(&process_lock);
        kfree(t);
        return -EPERM;
    }
    object_init(&t->object, &terminal_ops);
    if (!s->foreground) s->foreground = p->group;
    t->session = s;
    s->members++;
    list_push_back(&s->terminals, &t->link);
    spin_unlock(&process_lock);
    *out = &t->object;
    return 0;
}

static long terminal_signal(struct session *s, int signal, uint32_t id) REQUIRES(process_lock) {
    struct group *g = group_at(id ? id : s->foreground);
    if (!g) return -ESRCH;
    if (g->session != s) return -EPERM;
    if (signal) group_signal(g, signal);
    return 0;
}

static long terminal_foreground(struct session *s, uint32_t id) REQUIRES(process_lock) {
    struct group *g = group_at(id);
    if (id && (!g || g->session != s)) return -EPERM;
    if (id) s->foreground = id;
    return s->foreground;
}

long sys_terminal_control(struct object *o, uint32_t op, uint64_t a, uint64_t b) {
    struct session *s = object_as(terminal, o)->session;
    if (op == TERMINAL_SIGNAL && a > SIGNAL_COUNT) return -EINVAL;
    long result = 0;
    spin_lock(&process_lock);
    switch (op) {
    case TERMINAL_SIGNAL: result = terminal_signal(s, (int)a, (uint32_t)b); break;
    case TERMINAL_SESSION: result = s->id; break;
    case TERMINAL_DEVICE: s->terminal = (uint32_t)a; break;
    case TERMINAL_HANG_UP:
        if (s->leader) {
            signal_send_process(s->leader, SIGHUP, nullptr);
            signal_send_process(s->leader, SIGCONT, nullptr);
        }
        (void)terminal_signal(s, SIGHUP, 0);
        (void)terminal_signal(s, SIGCONT, 0);
        break;
    case TERMINAL_FOREGROUND: result = terminal_foreground(s, (uint32_t)a); break;
    default: result = -EINVAL;
    }
    spin_unlock(&process_lock);
    return result;
}
