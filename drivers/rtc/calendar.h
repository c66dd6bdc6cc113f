// SPDX-License-Identifier: MIT
/* Dates in UTC and the forms in which the clock chip keeps them. Pure. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct calendar { /* struct rtc_time of Linux, as RTC_RD_TIME moves it */
    int32_t second, minute, hour;
    int32_t day; /* 1 … 31 */
    int32_t month; /* 0 … 11 */
    int32_t year; /* since 1900 */
    int32_t week_day, year_day, daylight; /* not used when a time is set */
};
_Static_assert(sizeof(struct calendar) == 36, "struct rtc_time");

/* The time registers as the chip has them. */
struct cmos_time {
    uint8_t second, minute, hour, day, month, year;
};
enum cmos_format { CMOS_24_HOURS = 2, CMOS_BINARY = 4 }; /* bits of status register B */

/* false: fields out of range. */
bool calendar_decode(struct calendar *c, const struct cmos_time *t, uint8_t format);
void calendar_encode(struct cmos_time *t, const struct calendar *c, uint8_t format);
bool calendar_valid(const struct calendar *c);

/* Seconds since 1970; the calendar must be valid. */
int64_t calendar_to_seconds(const struct calendar *c);
void calendar_from_seconds(struct calendar *c, int64_t seconds);
