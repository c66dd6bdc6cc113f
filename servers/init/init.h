// SPDX-License-Identifier: MIT
/*
 * init: the first process.  Brings up the root file system from the boot module, starts and
 * restarts the services that /lib/services describes, one instance of a driver for each device that
 * the PCI server reports; reaps orphans, shuts down.  It holds the handles to all schemes, so that a
 * service that died gets its scheme back and waiting callers don't notice.
 */
#pragma once
#include <manifest.h>
#include <scheme.h>
#include <service.h>
#include <stdbool.h>
#include <sys/types.h>

#define SERVICES_MAX 64
#define MANIFESTS_MAX 48
#define SERVICE_NAME_MAX 32
#define PROGRAM_PATH_MAX 128
#define SECOND_NS 1000000000LL

enum service_state {
    SERVICE_STOPPED, /* not started, or ended for good */
    SERVICE_RUNNING,
    SERVICE_WAITING, /* to be started at start_ns */
    SERVICE_QUARANTINED, /* died too often */
    SERVICE_REMOVED, /* a mount that ended, a driver whose device has gone: its place is free */
};
struct function { /* of a device, as the PCI server reported it */
    char name[16];
    uint16_t vendor, device;
    uint32_t class_code;
    handle_t file;
    struct service *driver; /* null: none matches */
};
struct service {
    char name[SERVICE_NAME_MAX];
    const struct manifest *manifest;
    char scheme_names[MANIFEST_SCHEMES][MANIFEST_NAME_MAX + 1];
    handle_t schemes[MANIFEST_SCHEMES];
    handle_t hardware[MANIFEST_HARDWARE];
    struct function *function; /* of a driver */
    enum service_state state;
    pid_t pid;
    unsigned deaths; /* in a row */
    int64_t start_ns; /* when it was, or is to be, started */
    handle_t channel; /* to it (struct service_message), or HANDLE_NONE */
    handle_t disk; /* of a file system on one, or HANDLE_NONE */
    char *mount_point; /* of it; null: of no such */
    bool read_only;
    int failure; /* errno that it told last, or ended with */
    struct scheme_queue waiting; /* who mounts or unmounts it */
    handle_t kept[SERVICE_KEPT_MAX]; /* for its next instances, or HANDLE_NONE */
    bool ready; /* it said so */
    bool held; /* a session: waits for the devices */
    bool root; /* the root file system on a disk */
    handle_t image; /* of a program on the disk: a copy of it, or HANDLE_NONE */
    bool stop, again; /* asked to end; and then to be started again */
};

extern struct service services[SERVICES_MAX];
extern unsigned service_count;
extern char command_line[2048]; /* the kernel's */

int64_t time_ns(void);

/* --- root.c --- */
/* Starts ramfs out of boot module 0, as file: or, with the root on a disk, initfs:, and goes there. 0 or -errno. */
[[nodiscard]] int root_start(void);
/* Makes the root of a scheme HANDLE_ROOT and HANDLE_CWD. 0 or -errno. */
[[nodiscard]] int root_open(const char *scheme);
/* What the archives don't hold: nodes and links in /dev. */
void dev_populate(void);
int dev_null(void); /* an open file, or -1 */
/* /dev for init's own use, which must not wait for a disk. */
const char *dev_folder(void);
void hostname_set(void);
bool root_is_process(pid_t pid); /* of the root file system's server */

/* --- disk_root.c --- */
#define INITFS "/scheme/initfs"
bool root_on_disk(void); /* as the command line says */
bool root_ready(void); /* or it isn't to be on one */
/* Goes on, if what it waited for is there. */
void disk_root_step(void);
/* A child has ended: true if it was one of the above. */
bool disk_root_child(pid_t pid, int status);

/* --- service.c --- */
/* Reads /lib/services, without those that are known, makes and binds all schemes; they are due. */
void services_read(void);
/* The path of its program, for init's own use. */
const char *service_program(const struct manifest *m, char path[PROGRAM_PATH_MAX]);
/* It is on the disk that has the root: not in the boot module. */
bool service_on_disk(const struct manifest *m);
/* The instance of ext4 that serves file:. It takes the disk over, also if the result is null. */
struct service *service_add_root(handle_t disk, bool read_only);
/* Mounts the service at its manifest's path. */
void service_mount(const struct service *s);
/* Another instance of the driver in /lib/services/NAME, for the function. */
void service_add_driver(const char *name, const struct manifest *m, struct function *f);
/* An instance of the file system for a disk, which it takes over if it is not null. */
struct service *service_add_mount(const char *name, const struct manifest *m, handle_t disk, const char *mount_point,
                                  bool read_only);
/* A child has ended. */
void service_ended(pid_t pid, int status);
/* Starts what is due; the time of the next start, or DEADLINE_NEVER. */
int64_t services_restart_due(void);
/* That process is a service with a scheme. */
bool service_is_server(pid_t pid);
/* By hand: `start` or not, end it or not. 0 or -errno. */
int service_control(struct service *s, bool end, bool start);
/* Ends it for good; its names are withdrawn. */
void service_remove(struct service *s);

/* --- device.c --- */
/* A driver's manifest that was read. */
void driver_add(const char *name, const struct manifest *m);
/* Of functions that none was known for. */
void drivers_start(void);
/* What came on the service's channel. */
void device_news(struct service *s);
/* Tells the service; nothing if it has no channel. */
void device_tell(const struct service *s, const struct service_message *m);
/* The first unit or partition that is wanted, in their order: its path. is_wanted gets the name in /dev, too. */
bool node_find(bool (*is_wanted)(const char *path, const char *name), char path[64]);
/* Tells a service that `uses` units, and has just begun, of those that there are. */
void units_tell(const struct service *s);
/* Links in /dev for all of them. */
void nodes_link(void);
/* The driver of a function has ended. */
void device_driver_ended(const struct service *s);
/* All devices that were there at the start have drivers that are ready, or never will. */
bool devices_ready(void);
/* They are, or it has been waited for long enough. Names the units, once. */
bool devices_settled(void);

/* --- mount.c: file systems on disks --- */
void mount_add(const char *name, const struct manifest *m);
int64_t mount_start(struct scheme *s, struct port_buffer *call);
int64_t mount_end(struct scheme *s, struct port_buffer *call);
/* It told something, or has ended. */
void mount_news(struct service *s);

int64_t mount_note(const struct port_buffer *call); /* MOUNT_NOTE */

/* --- mount_table.c --- */
void mount_table_add(const char *source, const char *place, const char *type, bool read_only);
void mount_table_remove(const char *place);
int64_t mount_table_read(struct port_buffer *call); /* OP_READ */

/* --- spawn.c --- */
/* A scheme made and bound in init's own namespace: its handle, or -errno. */
[[nodiscard]] int scheme_make(const char *name, uint32_t rank, uint32_t flags);
/* 0, or -errno; s->pid, s->channel. */
[[nodiscard]] int service_spawn(struct service *s);
/* A program with init's namespace, output to the log: pid or -errno. */
[[nodiscard]] int program_spawn(const char *const *arguments);
/* The same for a program in a memory object, with these handles only: pid or -errno. */
[[nodiscard]] int image_spawn(handle_t image, const char *path, const struct handle_transfer *handles, uint32_t count);

/* --- control.c: the scheme `service:`, and init's loop --- */
#define KEY_SIGNALS SERVICES_MAX /* keys of events: services' channels, then the signals */
int control_init(void);
[[nodiscard]] int control_watch(handle_t h, uint64_t key);
void control_wake(struct scheme_queue *q);
[[noreturn]] void control_serve(void (*signal)(void));

[[noreturn]] void boot_failed(void);

/* --- power.c --- */
enum power { POWER_ON, POWER_OFF, POWER_REBOOT, POWER_HALT };
/* Ends all processes, then all services, then the machine. */
[[noreturn]] void power_down(enum power how);
