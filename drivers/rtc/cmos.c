// SPDX-License-Identifier: MIT
/*
 * MC146818A, "Update cycle": once a second, for up to 2 ms, the time registers are undefined; the
 * flag UIP rises 244 us before.  A reading between two readings of UIP as 0 that finds the same
 * twice is sound even if this process was delayed meanwhile.
 */
#include "cmos.h"
#include <abi/errno.h>
#include <port_io.h>
#include <string.h>

#define PORT_INDEX 0x70
#define PORT_DATA 0x71
enum { REG_SECOND, REG_MINUTE = 2, REG_HOUR = 4, REG_DAY = 7, REG_MONTH, REG_YEAR, REG_A, REG_B };
#define A_UPDATING 0x80
#define B_SET 0x80 /* stops updates while the time is written */
#define ATTEMPTS 10000

static uint8_t cmos_get(handle_t ports, uint8_t reg) {
    port_write8(ports, PORT_INDEX, reg);
    return port_read8(ports, PORT_DATA);
}
static void cmos_set(handle_t ports, uint8_t reg, uint8_t value) {
    port_write8(ports, PORT_INDEX, reg);
    port_write8(ports, PORT_DATA, value);
}

static bool cmos_sample(handle_t ports, struct cmos_time *t) {
    if (cmos_get(ports, REG_A) & A_UPDATING) return false;
    *t = (struct cmos_time){
        .second = cmos_get(ports, REG_SECOND),
        .minute = cmos_get(ports, REG_MINUTE),
        .hour = cmos_get(ports, REG_HOUR),
        .day = cmos_get(ports, REG_DAY),
        .month = cmos_get(ports, REG_MONTH),
        .year = cmos_get(ports, REG_YEAR),
    };
    return !(cmos_get(ports, REG_A) & A_UPDATING);
}

int cmos_read(handle_t ports, struct calendar *c) {
    struct cmos_time first, second;
    for (int i = 0; i < ATTEMPTS; i++) {
        if (cmos_sample(ports, &first) && cmos_sample(ports, &second) && memcmp(&first, &second, sizeof(first)) == 0)
            return calendar_decode(c, &first, cmos_get(ports, REG_B)) ? 0 : -EIO;
    }
    return -EIO;
}

void cmos_write(handle_t ports, const struct calendar *c) {
    struct cmos_time t;
    uint8_t status = cmos_get(ports, REG_B);
    calendar_encode(&t, c, status);
    cmos_set(ports, REG_B, status | B_SET);
    cmos_set(ports, REG_SECOND, t.second);
    cmos_set(ports, REG_MINUTE, t.minute);
    cmos_set(ports, REG_HOUR, t.hour);
    cmos_set(ports, REG_DAY, t.day);
    cmos_set(ports, REG_MONTH, t.month);
    cmos_set(ports, REG_YEAR, t.year);
    cmos_set(ports, REG_B, status);
}
