/* Days of the network's time zone, computed by the C library and remembered: postings ask for the
 * same few days again and again. What is remembered is a pure function's result; nothing but speed
 * depends on it. Called by one thread. */
#include "base/zone.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SECOND_US INT64_C(1000000)
#define HOUR_S    ((time_t)3600)
#define DAY_US    (86400 * SECOND_US)
#define SLOTS     8 /* of each cache; a power of two */

struct day_span {
    int64_t begin_us;
    int64_t end_us; /* begin and end equal: empty slot */
    int32_t day;
};

struct day_end {
    int64_t begin_us; /* of the day asked for */
    int months;
    int64_t end_us; /* 0: empty slot */
};

struct zone_cache {
    struct day_span days[SLOTS];
    struct day_end ends[SLOTS];
};

static struct zone_cache *cache(void)
{
    static struct zone_cache remembered;
    return &remembered;
}

/* A name of the data base is a compiled zone file below its folder; the C library would take an
 * unknown one for UTC. */
static bool is_known(const char *name)
{
    const char *folder = getenv("TZDIR");
    char path[512];
    int length =
        snprintf(path, sizeof path, "%s/%s", folder ? folder : "/usr/share/zoneinfo", name);
    if (length < 0 || (size_t)length >= sizeof path)
        return false;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return false;
    char magic[4] = "";
    bool is_zone = read(file, magic, sizeof magic) == sizeof magic && memcmp(magic, "TZif", 4) == 0;
    close(file);
    return is_zone;
}

bool zone_init(const char *name, struct err *err)
{
    if (name[0] == '\0' || name[0] == '/' || name[0] == ':' || strstr(name, "..") ||
        !is_known(name))
        return err_set(err, "time zone \"%s\" is not known to this system", name);
    if (setenv("TZ", name, 1) != 0)
        return err_set_errno(err, errno, "time zone \"%s\"", name);
    tzset();
    *cache() = (struct zone_cache){0};
    return true;
}

static int32_t day_number(int year, int month, int day)
{
    return year * 10000 + month * 100 + day;
}

static int32_t day_of_second(time_t at)
{
    struct tm parts;
    struct tm *converted = localtime_r(&at, &parts);
    assert(converted);
    return day_number(converted->tm_year + 1900, converted->tm_mon + 1, converted->tm_mday);
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* A day's midnight may be skipped or come twice, its noon never is: the first second that shows the
 * day is searched before it. */
static int64_t begin_of(int year, int month, int day)
{
    struct tm noon = {
        .tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day, .tm_hour = 12, .tm_isdst = -1};
    time_t inside = mktime(&noon);
    int32_t wanted = day_number(noon.tm_year + 1900, noon.tm_mon + 1, noon.tm_mday);
    time_t before = inside - 36 * HOUR_S;
    while (inside - before > 1) {
        time_t middle = before + (inside - before) / 2;
        if (day_of_second(middle) >= wanted)
            inside = middle;
        else
            before = middle;
    }
    return (int64_t)inside * SECOND_US;
}

/* Years 1 to 9999; what lies beyond them is their first or last day. */
static int64_t in_calendar(int64_t at_us)
{
    static const int64_t first_us = INT64_C(-62133048000) * SECOND_US;
    static const int64_t last_us = INT64_C(253402128000) * SECOND_US;
    return at_us < first_us ? first_us : at_us > last_us ? last_us : at_us;
}

static const struct day_span *span_of(int64_t any_us)
{
    int64_t at_us = in_calendar(any_us);
    int64_t utc_day = floor_div(at_us, DAY_US);
    struct day_span *span = &cache()->days[(uint64_t)utc_day % SLOTS];
    if (at_us >= span->begin_us && at_us < span->end_us)
        return span;
    span->day = day_of_second((time_t)floor_div(at_us, SECOND_US));
    int year = span->day / 10000, month = span->day / 100 % 100, day = span->day % 100;
    span->begin_us = begin_of(year, month, day);
    span->end_us = begin_of(year, month, day + 1);
    return span;
}

int32_t zone_day(int64_t at_us)
{
    return span_of(at_us)->day;
}

int64_t zone_day_begin(int32_t day)
{
    for (int i = 0; i < SLOTS; i++) {
        const struct day_span *span = &cache()->days[i];
        if (span->day == day && span->begin_us < span->end_us)
            return span->begin_us;
    }
    return begin_of(day / 10000, day / 100 % 100, day % 100);
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && is_leap ? 29 : days[month - 1];
}

int64_t zone_end_of_day_after_months(int64_t at_us, int months)
{
    assert(months >= 0);
    const struct day_span *span = span_of(at_us);
    uint64_t number = (uint64_t)floor_div(span->begin_us, DAY_US) + (uint64_t)months;
    struct day_end *end = &cache()->ends[number % SLOTS];
    if (end->end_us != 0 && end->begin_us == span->begin_us && end->months == months)
        return end->end_us;
    int months_after = span->day / 100 % 100 - 1 + months;
    int year = span->day / 10000 + months_after / 12, month = months_after % 12 + 1;
    int day = span->day % 100, last = days_in_month(year, month);
    end->begin_us = span->begin_us;
    end->months = months;
    end->end_us = begin_of(year, month, (day < last ? day : last) + 1);
    return end->end_us;
}
