// SPDX-License-Identifier: MIT
/* Dates and times of entries (§6): years since 1980, seconds in twos, and hundredths beside them. */
#include "internal.h"

#include <time.h>

#define SECOND 1000000000ll
#define TICK (SECOND / 100)
#define FIRST 315532800ll /* 1980-01-01 */
#define LAST 4354819199ll /* 2107-12-31 */

int64_t time_decode(uint16_t date, uint16_t time, uint8_t hundredths) {
    struct tm t = {.tm_year = 80 + (date >> 9),
                   .tm_mon = (date >> 5 & 15) - 1,
                   .tm_mday = date & 31,
                   .tm_hour = time >> 11,
                   .tm_min = time >> 5 & 63,
                   .tm_sec = (time & 31) * 2};
    if (t.tm_mon < 0 || t.tm_mon > 11 || !t.tm_mday) return 0; /* none was set */
    return timegm(&t) * SECOND + hundredths % 200 * TICK;
}

void time_encode(int64_t ns, uint16_t *date, uint16_t *time, uint8_t *hundredths) {
    struct tm t;
    time_t seconds = ns / SECOND < FIRST ? FIRST : ns / SECOND > LAST ? LAST : ns / SECOND;
    gmtime_r(&seconds, &t);
    *date = (uint16_t)((t.tm_year - 80) << 9 | (t.tm_mon + 1) << 5 | t.tm_mday);
    *time = (uint16_t)(t.tm_hour << 11 | t.tm_min << 5 | t.tm_sec / 2);
    *hundredths = (uint8_t)(t.tm_sec % 2 * 100 + (ns < 0 ? 0 : ns % SECOND / TICK));
}
