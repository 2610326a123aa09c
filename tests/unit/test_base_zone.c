/* Days of the network's time zone: R19. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "base/zone.h"

static int64_t utc(int year, int month, int day, int hour, int minute)
{
    struct tm parts = {.tm_year = year - 1900,
                       .tm_mon = month - 1,
                       .tm_mday = day,
                       .tm_hour = hour,
                       .tm_min = minute};
    return (int64_t)timegm(&parts) * 1000000;
}

static void in_zone(const char *name)
{
    assert_true(zone_init(name, NULL));
}

static void r19_month_ends_clamp(void **state)
{
    (void)state;
    in_zone("Europe/London");
    int64_t at_us = utc(2026, 1, 31, 10, 0);
    assert_int_equal(zone_end_of_day_after_months(at_us, 1), utc(2026, 3, 1, 0, 0));
    assert_int_equal(zone_end_of_day_after_months(at_us, 25), utc(2028, 3, 1, 0, 0));
    assert_int_equal(zone_end_of_day_after_months(utc(2028, 1, 30, 10, 0), 1),
                     utc(2028, 3, 1, 0, 0));
    assert_int_equal(zone_end_of_day_after_months(utc(2028, 1, 28, 10, 0), 1),
                     utc(2028, 2, 29, 0, 0));
    assert_int_equal(zone_end_of_day_after_months(utc(2026, 12, 31, 10, 0), 0),
                     utc(2027, 1, 1, 0, 0));
    assert_int_equal(zone_end_of_day_after_months(utc(2028, 2, 29, 10, 0), 12),
                     utc(2029, 3, 1, 0, 0));
}

static void r19_expiry_is_the_end_of_a_local_day(void **state)
{
    (void)state;
    in_zone("Europe/London");
    /* Summer: the day ends at 23:00 UTC, and 23:30 UTC belongs to the next one. */
    assert_int_equal(zone_end_of_day_after_months(utc(2026, 3, 10, 12, 0), 4),
                     utc(2026, 7, 10, 23, 0));
    assert_int_equal(zone_end_of_day_after_months(utc(2026, 7, 10, 23, 30), 0),
                     utc(2026, 7, 11, 23, 0));
    assert_int_equal(zone_day(utc(2026, 7, 10, 22, 59)), 20260710);
    assert_int_equal(zone_day(utc(2026, 7, 10, 23, 0) - 1), 20260710);
    assert_int_equal(zone_day(utc(2026, 7, 10, 23, 0)), 20260711);
    assert_int_equal(zone_day(utc(2026, 12, 31, 23, 59)), 20261231);
    assert_int_equal(zone_day_begin(20260711), utc(2026, 7, 10, 23, 0));
    assert_int_equal(zone_day_begin(20260101), utc(2026, 1, 1, 0, 0));
}

static void r19_the_days_on_which_clocks_change(void **state)
{
    (void)state;
    in_zone("Europe/London"); /* forward on 29 Mar 2026, back on 25 Oct */
    assert_int_equal(zone_day_begin(20260329), utc(2026, 3, 29, 0, 0));
    assert_int_equal(zone_end_of_day_after_months(utc(2026, 3, 29, 12, 0), 0),
                     utc(2026, 3, 29, 23, 0));
    assert_int_equal(zone_day_begin(20261025), utc(2026, 10, 24, 23, 0));
    assert_int_equal(zone_end_of_day_after_months(utc(2026, 9, 25, 12, 0), 1),
                     utc(2026, 10, 26, 0, 0));
}

static void r19_days_without_midnight_begin_at_one(void **state)
{
    (void)state;
    in_zone("America/Sao_Paulo"); /* forward at midnight of 4 Nov 2018, back at that of 18 Feb */
    assert_int_equal(zone_day_begin(20181104), utc(2018, 11, 4, 3, 0));
    assert_int_equal(zone_day_begin(20180218), utc(2018, 2, 18, 3, 0));
    assert_int_equal(zone_end_of_day_after_months(utc(2018, 10, 3, 15, 0), 1),
                     utc(2018, 11, 4, 3, 0));
}

static void what_is_remembered_equals_what_is_computed(void **state)
{
    (void)state;
    in_zone("Europe/London");
    for (int64_t at_us = utc(2026, 1, 1, 0, 0); at_us < utc(2027, 1, 1, 0, 0);
         at_us += INT64_C(3600000000)) {
        time_t second = at_us / 1000000;
        struct tm parts;
        localtime_r(&second, &parts);
        int32_t day = (parts.tm_year + 1900) * 10000 + (parts.tm_mon + 1) * 100 + parts.tm_mday;
        assert_int_equal(zone_day(at_us), day);
        assert_true(zone_day_begin(day) <= at_us);
        int64_t end_us = zone_end_of_day_after_months(at_us, 0);
        assert_true(at_us < end_us);
        assert_int_equal(zone_day(end_us - 1), day);
        assert_int_equal(zone_end_of_day_after_months(at_us, 0), end_us);
        assert_int_equal(zone_end_of_day_after_months(at_us, 8),
                         zone_end_of_day_after_months(end_us - 1, 8));
    }
}

static void days_that_share_a_place_in_memory_are_told_apart(void **state)
{
    (void)state;
    in_zone("Europe/London");
    for (int day = 1; day < 28; day++)
        for (int other = 1; other < 28; other++) {
            assert_int_equal(zone_end_of_day_after_months(utc(2026, 1, day, 12, 0), 1),
                             utc(2026, 2, day + 1, 0, 0));
            assert_int_equal(zone_end_of_day_after_months(utc(2026, 1, other, 12, 0), 1),
                             utc(2026, 2, other + 1, 0, 0));
        }
}

static void a_zone_must_be_known(void **state)
{
    (void)state;
    const char *const wrong[] = {
        "",       "Europe/Nowhere", "/etc/passwd", "../zoneinfo/UTC", ":Europe/London",
        "Europe", "zone.tab"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct err err;
        assert_false(zone_init(wrong[i], &err));
        assert_string_not_equal(err.text, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(r19_month_ends_clamp),
        cmocka_unit_test(r19_expiry_is_the_end_of_a_local_day),
        cmocka_unit_test(r19_the_days_on_which_clocks_change),
        cmocka_unit_test(r19_days_without_midnight_begin_at_one),
        cmocka_unit_test(what_is_remembered_equals_what_is_computed),
        cmocka_unit_test(days_that_share_a_place_in_memory_are_told_apart),
        cmocka_unit_test(a_zone_must_be_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
