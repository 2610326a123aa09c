/* The values that people type to loyalctl: each is read whole or refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../client-sdk/cli/values.c"

static void amounts_are_minor_units(void **state)
{
    static const struct {
        const char *text, *currency;
        int64_t minor;
    } good[] = {{"21.90", "GBP", 2190},
                {"21.9", NULL, 2190},
                {"7", "EUR", 700},
                {"500", "JPY", 500},
                {"1.234", "KWD", 1234},
                {"0", "GBP", 0},
                {"10000000000000", "GBP", 1000000000000000}};
    static const char *const bad[] = {"",    "-1",  "1.234", "1.",     ".5",
                                      "1,5", "1e3", "1.2.3", "12 GBP", "10000000000001"};
    int64_t minor;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(value_amount(good[i].text, good[i].currency, &minor));
        assert_int_equal(minor, good[i].minor);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(value_amount(bad[i], "GBP", &minor));
    assert_false(value_amount("1.5", "JPY", &minor));
}

static void dates_are_days_of_the_calendar(void **state)
{
    static const char *const bad[] = {
        "2023-02-29", "2024-2-29", "2024-13-01", "2024-00-10", "20240229", "2024-02-29x", ""};
    uint32_t date;

    (void)state;
    assert_true(value_date("2024-02-29", &date));
    assert_int_equal(date, 20240229);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(value_date(bad[i], &date));
}

static void times_are_utc(void **state)
{
    char text[TIME_TEXT_SIZE];
    int64_t us;

    (void)state;
    assert_true(value_time_utc("2014-04-01T09:50:02Z", &us));
    assert_int_equal(us, INT64_C(1396345802000000));
    assert_true(value_time_utc("2014-04-01 09:50:02.25Z", &us));
    assert_int_equal(us, INT64_C(1396345802250000));
    value_time_text(us, text);
    assert_string_equal(text, "2014-04-01T09:50:02Z");
    assert_false(value_time_utc("2014-04-01T09:50:02", &us));
    assert_false(value_time_utc("2014-04-01T24:00:00Z", &us));
    assert_false(value_time_utc("2014-04-01", &us));
}

static void keys_read_back_as_written(void **state)
{
    static const char text[] = "0145d0a1-b2c3-7000-8000-0123456789ab";
    uint8_t key[16];
    char again[UUID_TEXT_SIZE];

    (void)state;
    assert_true(value_uuid(text, key));
    value_uuid_text(key, again);
    assert_string_equal(again, text);
    assert_true(value_uuid("0145D0A1B2C3700080000123456789AB", key));
    assert_false(value_uuid("0145d0a1-b2c3-7000-8000-0123456789a", key));
    assert_false(value_uuid("0145d0a1-b2c3-7000-8000-0123456789ag", key));
}

static void ratios_have_two_parts(void **state)
{
    uint32_t n, d;

    (void)state;
    assert_true(value_ratio("1/100", &n, &d));
    assert_int_equal(n, 1);
    assert_int_equal(d, 100);
    assert_false(value_ratio("1", &n, &d));
    assert_false(value_ratio("1/0", &n, &d));
    assert_false(value_ratio("-1/100", &n, &d));
    assert_false(value_ratio("1/100 ", &n, &d));
}

static void groups_of_fields_are_a_list_of_words(void **state)
{
    static const char *const bad[] = {
        "", "date,", ",date", "date,date", "dates", "date, amount", "date,amount,basket,date"};
    char text[FIELDS_TEXT_SIZE];
    unsigned fields;

    (void)state;
    assert_true(value_fields("basket,date", &fields));
    assert_int_equal(fields, LOYAL_MERCHANT_AND_DATE | LOYAL_BASKET);
    value_fields_text(fields, text);
    assert_string_equal(text, "date,basket");
    assert_true(value_fields("amount", &fields));
    assert_int_equal(fields, LOYAL_AMOUNT);
    value_fields_text(7, text);
    assert_string_equal(text, "date,amount,basket");
    value_fields_text(0, text);
    assert_string_equal(text, "");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(value_fields(bad[i], &fields));
}

static void words_of_enumerations(void **state)
{
    enum loyal_channel channel;
    enum loyal_purpose purpose;

    (void)state;
    for (int i = LOYAL_POS; i <= LOYAL_KIOSK; i++) {
        assert_true(value_channel(value_channel_text((enum loyal_channel)i), &channel));
        assert_int_equal(channel, i);
    }
    for (int i = LOYAL_SERVICE; i <= LOYAL_ANALYSIS; i++) {
        assert_true(value_purpose(value_purpose_text((enum loyal_purpose)i), &purpose));
        assert_int_equal(purpose, i);
    }
    assert_false(value_channel("POS", &channel));
    assert_false(value_channel("", &channel));
    assert_false(value_purpose("offers", &purpose));
    assert_string_equal(value_standing_text(LOYAL_SUSPENDED), "suspended");
    assert_string_equal(value_grant_state_text(LOYAL_GRANT_ERASED), "erased");
    assert_string_equal(value_entry_kind_text(LOYAL_ENTRY_FORFEIT), "forfeit");
    assert_string_equal(value_entry_kind_text((enum loyal_entry_kind)8), "?"); /* of a newer one */
    assert_string_equal(value_standing_text((enum loyal_standing)0), "");
}

static void lists_have_no_empty_part(void **state)
{
    static const char *const bad[] = {"", ",", "a,,b", "a,b,", "a,b,c,d"};
    const char *parts[3];
    char copy[16] = "a,b c,d";
    size_t count;

    (void)state;
    assert_true(value_split(copy, parts, 3, &count));
    assert_int_equal(count, 3);
    assert_string_equal(parts[0], "a");
    assert_string_equal(parts[1], "b c");
    assert_string_equal(parts[2], "d");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        strcpy(copy, bad[i]);
        assert_false(value_split(copy, parts, 3, &count));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(amounts_are_minor_units),
        cmocka_unit_test(dates_are_days_of_the_calendar),
        cmocka_unit_test(times_are_utc),
        cmocka_unit_test(keys_read_back_as_written),
        cmocka_unit_test(ratios_have_two_parts),
        cmocka_unit_test(groups_of_fields_are_a_list_of_words),
        cmocka_unit_test(words_of_enumerations),
        cmocka_unit_test(lists_have_no_empty_part),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
