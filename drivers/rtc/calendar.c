// SPDX-License-Identifier: MIT
/*
 * Calendar arithmetic (proleptic Gregorian; days counted from 1 March, so that the leap day is the
 * last of its year) and the chip's formats: BCD or binary, 12 or 24 hours (MC146818A, table 3).
 */
#include "calendar.h"

#define DAY_SECONDS 86400
#define DAYS_400_YEARS 146097
#define DAYS_TO_1970 719468 /* from 0000-03-01 */
#define HOUR_PM 0x80
#define CENTURY_PIVOT 70 /* two-digit years from here on are 19xx */

static uint8_t from_chip(uint8_t value, uint8_t format) {
    return format & CMOS_BINARY ? value : (uint8_t)((value >> 4) * 10 + (value & 15));
}
static uint8_t to_chip(int32_t value, uint8_t format) {
    return (uint8_t)(format & CMOS_BINARY ? value : value / 10 << 4 | value % 10);
}

static bool is_leap(int32_t year) { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0); }

bool calendar_valid(const struct calendar *c) {
    static const int8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (c->month < 0 || c->month > 11 || c->year < 70 || c->year > 8099 || c->second < 0 || c->second > 59 ||
        c->minute < 0 || c->minute > 59 || c->hour < 0 || c->hour > 23)
        return false;
    int32_t last = days[c->month] + (c->month == 1 && is_leap(c->year + 1900));
    return c->day >= 1 && c->day <= last;
}

bool calendar_decode(struct calendar *c, const struct cmos_time *t, uint8_t format) {
    int32_t hour = from_chip(t->hour & (uint8_t)~HOUR_PM, format);
    if (!(format & CMOS_24_HOURS)) /* 12 AM is 0, 12 PM is 12 */
        hour = hour % 12 + (t->hour & HOUR_PM ? 12 : 0);
    int32_t year = from_chip(t->year, format);
    *c = (struct calendar){
        .second = from_chip(t->second, format),
        .minute = from_chip(t->minute, format),
        .hour = hour,
        .day = from_chip(t->day, format),
        .month = from_chip(t->month, format) - 1,
        .year = year < CENTURY_PIVOT ? year + 100 : year,
    };
    if (!calendar_valid(c)) return false;
    calendar_from_seconds(c, calendar_to_seconds(c)); /* fills in week_day and year_day */
    return true;
}

void calendar_encode(struct cmos_time *t, const struct calendar *c, uint8_t format) {
    int32_t hour = c->hour;
    uint8_t pm = 0;
    if (!(format & CMOS_24_HOURS)) {
        pm = hour >= 12 ? HOUR_PM : 0;
        hour = hour % 12 ? hour % 12 : 12;
    }
    *t = (struct cmos_time){
        .second = to_chip(c->second, format),
        .minute = to_chip(c->minute, format),
        .hour = to_chip(hour, format) | pm,
        .day = to_chip(c->day, format),
        .month = to_chip(c->month + 1, format),
        .year = to_chip(c->year % 100, format),
    };
}

int64_t calendar_to_seconds(const struct calendar *c) {
    int64_t month = (c->month + 10) % 12; /* March is 0 */
    int64_t year = c->year + 1900 - (c->month < 2);
    int64_t days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + c->day - 1 - DAYS_TO_1970;
    return ((days * 24 + c->hour) * 60 + c->minute) * 60 + c->second;
}

void calendar_from_seconds(struct calendar *c, int64_t seconds) {
    int64_t days = seconds / DAY_SECONDS, rest = seconds % DAY_SECONDS;
    if (rest < 0) {
        rest += DAY_SECONDS;
        days--;
    }
    *c = (struct calendar){
        .second = (int32_t)(rest % 60),
        .minute = (int32_t)(rest / 60 % 60),
        .hour = (int32_t)(rest / 3600),
        .week_day = (int32_t)((days % 7 + 11) % 7), /* 1970-01-01 was a Thursday */
    };
    days += DAYS_TO_1970;
    int64_t era = days / DAYS_400_YEARS, day = days % DAYS_400_YEARS;
    int64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    day -= year * 365 + year / 4 - year / 100;
    int64_t month = (day * 5 + 2) / 153; /* March is 0 */
    year += era * 400 + (month >= 10);
    c->day = (int32_t)(day - (month * 153 + 2) / 5 + 1);
    c->month = (int32_t)((month + 2) % 12);
    c->year = (int32_t)year - 1900;
    c->year_day = (int32_t)(month >= 10 ? day - 306 : day + 59 + is_leap((int32_t)year));
}
