// SPDX-License-Identifier: MIT
/* The clock driver's calendar: against the C library for 200 years, and the chip's formats. */
#include "calendar.h"
#include <time.h>
#include <unit.h>

TEST(seconds_round_trip) {
    for (int64_t t = 0; t < 200LL * 365 * 86400; t += 86399 * 3 + 7) {
        struct calendar c;
        time_t seconds = t;
        struct tm tm;
        gmtime_r(&seconds, &tm);
        calendar_from_seconds(&c, t);
        CHECK(c.second == tm.tm_sec && c.minute == tm.tm_min && c.hour == tm.tm_hour);
        CHECK(c.day == tm.tm_mday && c.month == tm.tm_mon && c.year == tm.tm_year);
        CHECK(c.week_day == tm.tm_wday && c.year_day == tm.tm_yday);
        CHECK(calendar_valid(&c) && calendar_to_seconds(&c) == t);
    }
}

TEST(leap_days) {
    struct calendar c = {.year = 124, .month = 1, .day = 29};
    CHECK(calendar_valid(&c) && calendar_to_seconds(&c) == 1709164800);
    c.year = 125;
    CHECK(!calendar_valid(&c));
    c.year = 100; /* 2000 is a leap year, 2100 isn't */
    CHECK(calendar_valid(&c));
    c.year = 200;
    CHECK(!calendar_valid(&c));
}

TEST(chip_formats) {
    static const uint8_t formats[] = {0, CMOS_24_HOURS, CMOS_BINARY, CMOS_24_HOURS | CMOS_BINARY};
    for (unsigned f = 0; f < 4; f++) {
        for (int32_t hour = 0; hour < 24; hour++) {
            struct calendar in = {59, 7, hour, 31, 11, 126, 0, 0, 0}, out;
            struct cmos_time t;
            calendar_encode(&t, &in, formats[f]);
            CHECK(calendar_decode(&out, &t, formats[f]));
            CHECK(out.second == 59 && out.minute == 7 && out.hour == hour && out.day == 31);
            CHECK(out.month == 11 && out.year == 126);
        }
    }
    struct cmos_time noon = {.second = 0x59, .hour = 0x92, .day = 1, .month = 1, .year = 0x99};
    struct calendar c;
    CHECK(calendar_decode(&c, &noon, 0) && c.hour == 12 && c.second == 59 && c.year == 99);
    struct cmos_time wrong = {.second = 0xff, .day = 0xff};
    CHECK(!calendar_decode(&c, &wrong, CMOS_24_HOURS));
}

UNIT_MAIN
