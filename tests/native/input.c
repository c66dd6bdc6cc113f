// SPDX-License-Identifier: MIT
/*
 * Input devices as files: who may open them, grabs, lights, garbage that is written to them, a driver that is killed.
 * What is typed comes from outside: boot/screen_test.py. Needs a virtio keyboard and a virtio tablet.
 */
#include "native.h"
#include <input.h>
#include <poll.h>

static int device_open(const char *path) { return (int)OK(open(path, O_RDWR | O_CLOEXEC)); }

static struct input_info info_of(int fd) {
    struct input_info info = {};
    struct call_args args = {.request = {.op = INPUT_INFO},
                             .out = &info,
                             .out_size = sizeof(info),
                             .carry = HANDLE_NONE,
                             .deadline = deadline_in(CALL_TIMEOUT_NS)};
    GIVES(0, sys_call(fd, &args));
    EQUAL(args.reply.length, sizeof(info));
    return info;
}

static int grab(int fd, int wanted) { return (int)client_call(fd, INPUT_GRAB, (uint64_t)wanted, 0); }

TEST(two_devices) {
    int keyboard = device_open("/dev/input0"), tablet = device_open("/dev/input1");
    struct input_info k = info_of(keyboard), t = info_of(tablet);
    CHECK(strstr(k.name, "Keyboard") && k.kinds == INPUT_KEYBOARD);
    EQUAL(k.lights, INPUT_LED_NUM | INPUT_LED_CAPS | INPUT_LED_SCROLL);
    CHECK(strstr(t.name, "Tablet") && t.kinds & INPUT_TABLET && !(t.kinds & INPUT_KEYBOARD) && t.lights == 0);
    FAILS(ENOENT, open("/dev/input2", O_RDWR));
    FAILS(ENOENT, open("/scheme/input.virtio0/1", O_RDWR));
    struct stat s;
    OK(stat("/dev/input0", &s));
    CHECK(S_ISCHR(s.st_mode) && (s.st_mode & 0777) == 0600);
}

static int open_as_user(void *unused) {
    if (setgid(1000) != 0 || setuid(1000) != 0) return 2;
    return open("/dev/input0", O_RDONLY) < 0 && errno == EACCES ? 0 : 1;
}
TEST(only_root) { EQUAL(child_run(open_as_user, nullptr), 0); }

TEST(nothing_comes_by_itself) {
    int fd = device_open("/dev/input0");
    struct pollfd p = {.fd = fd, .events = POLLIN};
    EQUAL(poll(&p, 1, 100), 0);
}

TEST(a_grab_is_ones_own) {
    int first = device_open("/dev/input0"), second = device_open("/dev/input0");
    struct input_event e;
    EQUAL(grab(first, 1), 0);
    EQUAL(grab(first, 1), 0);
    EQUAL(grab(second, 1), -EBUSY);
    EQUAL(grab(second, 0), -EBUSY);
    EQUAL(read(second, &e, sizeof(e)), sizeof(e)); /* nobody will tell of keys let go */
    CHECK(e.type == INPUT_SYN && e.code == SYN_DROPPED);
    struct pollfd p = {.fd = first, .events = POLLIN};
    EQUAL(poll(&p, 1, 0), 0);
    close(first); /* ends it */
    int e2 = -EBUSY;
    for (int i = 0; i < 200 && (e2 = grab(second, 1)) == -EBUSY; i++) sleep_ms(10);
    EQUAL(e2, 0);
    EQUAL(grab(second, 0), 0);
}

TEST(many_opens) {
    for (int round = 0; round < 20; round++) {
        int fds[16];
        for (int i = 0; i < 16; i++) fds[i] = device_open(i % 2 ? "/dev/input0" : "/dev/input1");
        for (int i = 0; i < 16; i++) close(fds[i]);
    }
}

static char driver_word[16];
static int driver_pid(const char *service) {
    char path[64];
    int pid = 0;
    snprintf(path, sizeof(path), "/scheme/service/%s", service);
    FILE *f = fopen(path, "r");
    CHECK(f && fscanf(f, "%*s %15s %d", driver_word, &pid) >= 1);
    fclose(f);
    return pid;
}

/* Lights, and what is none: the driver goes on. */
TEST(garbage_is_written) {
    int fd = device_open("/dev/input0"), pid = driver_pid("virtio-input.0");
    uint8_t bytes[4096];
    srand(1);
    for (int i = 0; i < 300; i++) {
        for (size_t j = 0; j < sizeof(bytes); j++) bytes[j] = (uint8_t)rand();
        struct input_event light = {0, INPUT_LED, (uint16_t)(rand() % 5), rand() % 2};
        size_t size = i % 3 == 0 ? (size_t)rand() % sizeof(bytes) : sizeof(light);
        if (size == sizeof(light)) memcpy(bytes, &light, size);
        if (write(fd, bytes, size) < 0) CHECK(errno == EAGAIN);
    }
    struct input_source source = {.file = fd};
    for (unsigned i = 0; i < 100; i++) input_lights(&source, i % 8);
    CHECK(info_of(fd).kinds == INPUT_KEYBOARD);
    EQUAL(driver_pid("virtio-input.0"), pid);
}

static unsigned taken;
static void take(void *context, const struct input_event *e) {
    CHECK(e->type == INPUT_KEY && e->value == 0 && (e->code == 30 || e->code == BTN_LEFT));
    taken++;
}

/* The stream ends, what was down counts as let go, and the name leads to the next instance. */
TEST(driver_killed) {
    int fd = device_open("/dev/input0"), pid = driver_pid("virtio-input.0");
    struct input_source source = {.file = fd};
    source.down[30 / 8] |= 1 << 30 % 8;
    source.down[BTN_LEFT / 8] |= 1 << BTN_LEFT % 8;
    EQUAL(input_take(&source, take, nullptr), -EAGAIN);
    OK(kill(pid, SIGKILL));
    struct pollfd p = {.fd = fd, .events = POLLIN};
    EQUAL(poll(&p, 1, 20000), 1);
    CHECK(input_take(&source, take, nullptr) != -EAGAIN);
    EQUAL(taken, 2);
    int again = device_open("/dev/input0"); /* waits for it */
    CHECK(info_of(again).kinds == INPUT_KEYBOARD);
    CHECK(driver_pid("virtio-input.0") != pid);
    input_lights(&(struct input_source){.file = again}, 7);
    EQUAL(grab(again, 1), 0);
}
