// SPDX-License-Identifier: MIT
/*
 * What programs can do to a screen: draw outside of their surface, unmap it or die in the middle, ask for nonsense,
 * take all they can get; a driver that is killed while they draw.  The console is there, too, and must go on.
 */
#include "native.h"
#include <display.h>
#include <dirent.h>
#include <poll.h>
#include <sys/mman.h>

static int driver_pid(void) {
    char line[300];
    int pid = 0;
    DIR *folder = opendir("/scheme/service");
    CHECK(folder);
    for (struct dirent *e; (e = readdir(folder));) {
        if (strncmp(e->d_name, "framebuffer.", 12) != 0 && strncmp(e->d_name, "virtio-gpu.", 11) != 0) continue;
        snprintf(line, sizeof(line), "/scheme/service/%s", e->d_name);
        FILE *f = fopen(line, "r");
        CHECK(f && fscanf(f, "%*s %*s %d", &pid) == 1);
        fclose(f);
        break;
    }
    closedir(folder);
    return pid;
}

static void screen_use(struct display *d, uint32_t width, uint32_t height) {
    GIVES(0, display_open(d, "display0"));
    GIVES(0, display_surface(d, width ?: d->info.width, height ?: d->info.height));
    GIVES(0, display_show(d, true));
}

/* It lives, and is the same instance. */
static void expect_alive(int pid) {
    struct display d;
    GIVES(0, display_open(&d, "display0"));
    CHECK(d.info.width >= 320 && d.info.height >= 160);
    display_close(&d);
    EQUAL(driver_pid(), pid);
}

TEST(damage_outside_of_the_surface) {
    struct display d;
    int pid = driver_pid();
    screen_use(&d, 300, 200);
    static const int32_t edges[] = {INT32_MIN, INT32_MIN + 1, -100000, -1,  0,      1,        199,
                                    200,       299,           300,     301, 100000, INT32_MAX};
    const size_t n = sizeof(edges) / sizeof(edges[0]);
    srand(1);
    for (int i = 0; i < 2000; i++) {
        struct rect r[DISPLAY_RECTS_MAX];
        for (int j = 0; j < DISPLAY_RECTS_MAX; j++)
            r[j] = (struct rect){edges[(size_t)rand() % n], edges[(size_t)rand() % n], edges[(size_t)rand() % n],
                                 edges[(size_t)rand() % n]};
        GIVES(0, display_damage(&d, r, 1 + (size_t)rand() % DISPLAY_RECTS_MAX));
    }
    expect_alive(pid);
}

/* Behind its last page there is nothing of the driver's. */
TEST(no_more_memory_than_the_surface) {
    struct display d;
    int pid = driver_pid();
    screen_use(&d, 64, 64);
    d.pixels[63 * d.stride + 63] = 0xffffff;
    struct call_args args = {.request = {.op = DISPLAY_SURFACE, .args = {64, 64}},
                             .carry = HANDLE_NONE,
                             .deadline = deadline_in(CALL_TIMEOUT_NS)};
    GIVES(0, sys_call(d.file, &args));
    handle_t memory = args.reply.handle;
    CHECK(sys_memory_control(memory, MEMORY_RESIZE, 4096, 0, 0) < 0); /* so it can't be made to fault */
    sys_handle_close(memory);
    expect_alive(pid);
}

static int draw_for_ever(void *unused) {
    struct display d;
    if (display_open(&d, "display0") != 0 || display_surface(&d, 640, 480) != 0) return 1;
    if (display_show(&d, true) != 0) return 1;
    for (uint32_t colour = 0;; colour++) {
        for (uint32_t i = 0; i < 640; i++) d.pixels[colour % 480 * d.stride + i] = colour * 77;
        if (display_damage(&d, &(struct rect){0, 0, 640, 480}, 1) != 0) return 2;
    }
}

TEST(killed_in_the_middle) {
    int pid = driver_pid();
    for (int i = 0; i < 20; i++) {
        pid_t child = child_start(draw_for_ever, nullptr);
        sleep_ms(10 + i);
        OK(kill(child, SIGKILL));
        CHECK(WIFSIGNALED(child_wait(child)));
    }
    expect_alive(pid);
}

static int draw_unmapped(void *unused) {
    struct display d;
    screen_use(&d, 640, 480);
    GIVES(0, display_damage(&d, &(struct rect){0, 0, 640, 480}, 1));
    munmap(d.pixels, d.size);
    for (int i = 0; i < 20; i++) GIVES(0, display_damage(&d, &(struct rect){0, 0, 640, 480}, 1));
    d.pixels[5] = 1; /* its own fault */
    return 0;
}
TEST(unmapped_in_the_middle) {
    int pid = driver_pid();
    EQUAL(child_wait(child_start(draw_unmapped, nullptr)) & 0x7f, SIGSEGV);
    expect_alive(pid);
}

TEST(cursors_anywhere) {
    static struct display_cursor image = {.hot_x = DISPLAY_CURSOR_SIDE - 1, .hot_y = DISPLAY_CURSOR_SIDE - 1};
    struct display d;
    int pid = driver_pid();
    screen_use(&d, 0, 0);
    const uint32_t places[] = {0, 1, d.width / 2, d.width - 1, d.width, DISPLAY_SIDE_MAX - 1};
    const size_t n = sizeof(places) / sizeof(places[0]);
    for (size_t i = 0; i < DISPLAY_CURSOR_SIDE * DISPLAY_CURSOR_SIDE; i++) image.pixels[i] = (uint32_t)i * 1000003;
    for (size_t i = 0; i < n * n; i++) {
        GIVES(0, display_cursor(&d, i % 3 ? &image : nullptr));
        GIVES(0, display_cursor_move(&d, places[i % n], places[i / n]));
        GIVES(0, display_damage(&d, &(struct rect){0, 0, INT32_MAX, INT32_MAX}, 1));
        image.hot_x = image.hot_y = i % 2 ? 0 : DISPLAY_CURSOR_SIDE - 1;
    }
    image.hot_y = DISPLAY_CURSOR_SIDE;
    GIVES(-EINVAL, display_cursor(&d, &image));
    GIVES(-EINVAL, display_cursor_move(&d, DISPLAY_SIDE_MAX, 0));
    image.hot_y = 5;
    GIVES(0, display_cursor(&d, &image));
    GIVES(0, display_surface(&d, 7, 5)); /* smaller than the cursor */
    GIVES(0, display_cursor_move(&d, 3, 3));
    GIVES(0, display_show(&d, false));
    GIVES(0, display_show(&d, true));
    display_close(&d);
    expect_alive(pid);
}

TEST(nonsense) {
    struct display d;
    int pid = driver_pid();
    uint8_t bytes[5000];
    GIVES(0, display_open(&d, "display0"));
    GIVES(-ENXIO, display_damage(&d, &(struct rect){0, 0, 5, 5}, 1)); /* no surface yet */
    static const uint32_t sides[] = {0, 1, DISPLAY_SIDE_MAX, DISPLAY_SIDE_MAX + 1, UINT32_MAX};
    GIVES(-EINVAL, display_surface(&d, 0, 5));
    GIVES(-EINVAL, display_surface(&d, DISPLAY_SIDE_MAX + 1, 5));
    GIVES(-ENOMEM, display_surface(&d, DISPLAY_SIDE_MAX, DISPLAY_SIDE_MAX));
    for (size_t i = 0; i < 5; i++) {
        CHECK(display_mode(&d, sides[i], sides[4 - i], 32) < 0);
        CHECK(display_cursor_move(&d, sides[i], UINT32_MAX) < 0);
    }
    srand(2);
    for (int i = 0; i < 3000; i++) {
        for (size_t j = 0; j < sizeof(bytes); j++) bytes[j] = (uint8_t)rand();
        uint16_t op = (uint16_t)(DISPLAY_INFO + (unsigned)rand() % 10);
        if (op == DISPLAY_SURFACE || op == DISPLAY_MODE) continue;
        struct call_args args = {.request = {.op = op,
                                             .args = {(uint64_t)rand() << 33, (uint64_t)rand(), (uint64_t)rand()},
                                             .length = (uint32_t)rand() % sizeof(bytes)},
                                 .in = bytes,
                                 .carry = HANDLE_NONE,
                                 .deadline = deadline_in(CALL_TIMEOUT_NS)};
        CHECK(sys_call(d.file, &args) != -ETIMEDOUT);
    }
    display_close(&d);
    expect_alive(pid);
}

/* Many at a time, shown and hidden, the next one's surface made while another's is seen. */
TEST(many_programs) {
    static struct display d[40];
    int pid = driver_pid();
    for (int i = 0; i < 40; i++) screen_use(&d[i], 100 + 10 * (uint32_t)i, 100);
    for (int i = 0; i < 200; i++) {
        struct display *one = &d[i * 7 % 40];
        GIVES(0, display_show(one, i % 3));
        GIVES(0, display_damage(one, &(struct rect){0, 0, 50, 50}, 1));
    }
    GIVES(0, display_show(&d[3], true));
    GIVES(0, display_info(&d[3]));
    CHECK(d[3].info.in_front);
    for (int i = 0; i < 40; i++) display_close(&d[i * 7 % 40]);
    expect_alive(pid);
}

static int open_as_user(void *unused) {
    if (setgid(1000) != 0 || setuid(1000) != 0) return 2;
    return open("/scheme/display0/screen", O_RDWR) < 0 && errno == EACCES ? 0 : 1;
}
TEST(only_root) { EQUAL(child_run(open_as_user, nullptr), 0); }

static int ready_within(handle_t file, int ms) {
    struct pollfd p = {.fd = (int)GOOD(sys_handle_duplicate(file, 3, 0, RIGHT_READ | RIGHT_WRITE | RIGHT_WAIT)),
                       .events = POLLIN};
    int n = (int)OK(poll(&p, 1, ms));
    close(p.fd);
    return n;
}

/* Who watches its file is told of a mode that another one has set. */
TEST(another_mode) {
    struct display d, other;
    GIVES(0, display_open(&d, "display0"));
    if (!d.info.can_set_mode) SKIP("this screen has one mode");
    screen_use(&other, 0, 0);
    const uint32_t width = other.info.width, height = other.info.height;
    EQUAL(ready_within(other.file, 50), 0);
    GIVES(0, display_mode(&d, 800, 600, 32));
    EQUAL(ready_within(other.file, 20000), 1);
    GIVES(0, display_info(&other));
    CHECK(other.info.width == 800 && other.info.height == 600 && other.info.generation == d.info.generation);
    EQUAL(ready_within(other.file, 50), 0);
    GIVES(0, display_damage(&other, &(struct rect){0, 0, (int32_t)width, (int32_t)height}, 1)); /* larger than it */
    CHECK(display_mode(&d, 800, 600, 15) < 0 && display_mode(&d, 8193, 600, 32) < 0);
    GIVES(0, display_mode(&d, width, height, 32));
    GIVES(0, display_info(&other));
    EQUAL(other.info.width, width);
}

/* Each time: ESTALE, and another instance draws. */
TEST(driver_killed_while_drawing) {
    for (int i = 0; i < 3; i++) {
        struct display d;
        screen_use(&d, 640, 480);
        int pid = driver_pid(), e = 0;
        for (int n = 0; n < 20; n++) GIVES(0, display_damage(&d, &(struct rect){0, 0, 640, 480}, 1));
        OK(kill(pid, SIGKILL));
        for (int n = 0; n < 1000 && !e; n++) e = display_damage(&d, &(struct rect){0, 0, 640, 480}, 1);
        CHECK(e == -ESTALE || e == -ENOLINK);
        display_close(&d);
        screen_use(&d, 640, 480);
        GIVES(0, display_damage(&d, &(struct rect){0, 0, 640, 480}, 1));
        CHECK(driver_pid() != pid);
        display_close(&d);
    }
}
