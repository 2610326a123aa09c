/* Loyalctl's shared options, its way along a cursor, and its tables: each against doubles of the
 * daemon and of the command line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../client-sdk/cli/arguments.c"
#include "../../client-sdk/cli/cells.c"
#include "../../client-sdk/cli/listing.c"
#include "../../client-sdk/cli/output.c"
#include "../../client-sdk/cli/values.c"

/* ---- doubles ---- */

static char said[256];
static bool takes_limit, takes_ref;
static char *owned[8];
static size_t owned_count;

int cli_usage(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(said, sizeof said, format, args);
    va_end(args);
    return EXIT_USAGE;
}

bool cli_takes(const struct cli *cli, enum option option)
{
    (void)cli;
    return option == OPT_LIMIT ? takes_limit : option == OPT_REF && takes_ref;
}

const char *cli_own(struct cli *cli, char *text)
{
    (void)cli;
    assert_true(owned_count < sizeof owned / sizeof *owned);
    return owned[owned_count++] = text;
}

struct loyal_client *cli_client(struct cli *cli)
{
    (void)cli;
    return NULL;
}

/* A daemon with so many rows, so many to a page; page 2 is empty and not the last. */
static struct {
    size_t rows, sent, calls;
    uint32_t page_rows;
    int fails_at;
} daemon_double;

int cli_call(struct loyal_client *client, const struct loyal_request *request,
             const struct loyal_answer **answer_out)
{
    static struct loyal_answer answer;
    size_t left = daemon_double.rows - daemon_double.sent;

    (void)client;
    assert_int_equal(request->cursor.size, daemon_double.calls > 0 ? 1 : 0);
    if (request->cursor.size > 0)
        assert_int_equal(request->cursor.bytes[0], daemon_double.calls);
    daemon_double.page_rows = request->page_rows;
    if (++daemon_double.calls == (size_t)daemon_double.fails_at)
        return EXIT_AGAIN;
    answer =
        (struct loyal_answer){.list_count = left < request->page_rows ? left : request->page_rows};
    if (daemon_double.calls == 2)
        answer.list_count = 0;
    daemon_double.sent += answer.list_count;
    answer.cursor.size = daemon_double.sent < daemon_double.rows;
    answer.cursor.bytes[0] = (uint8_t)daemon_double.calls;
    *answer_out = &answer;
    return EXIT_FINE;
}

static int begin(void **state)
{
    (void)state;
    memset(&daemon_double, 0, sizeof daemon_double);
    said[0] = '\0';
    takes_limit = takes_ref = true;
    return 0;
}

static int end(void **state)
{
    (void)state;
    while (owned_count > 0)
        free(owned[--owned_count]);
    return 0;
}

/* ---- the cursor ---- */

static void count_rows(void *context, const struct loyal_answer *answer, size_t row_count)
{
    assert_true(row_count <= answer->list_count);
    *(size_t *)context += row_count;
}

static void pages_are_followed_to_the_last(void **state)
{
    struct loyal_request request = {.verb = LOYAL_QUERY_PURCHASES};
    size_t seen = 0;

    (void)state;
    daemon_double.rows = 450;
    assert_int_equal(listing_pages(NULL, &request, 0, count_rows, &seen), EXIT_FINE);
    assert_int_equal(seen, 450);
    assert_int_equal(daemon_double.calls, 4); /* 200, none, 200, 50 */
    assert_int_equal(daemon_double.page_rows, 200);
}

static void a_limit_ends_the_list(void **state)
{
    struct loyal_request request = {.verb = LOYAL_QUERY_PURCHASES};
    size_t seen = 0;

    (void)state;
    daemon_double.rows = 1000;
    assert_int_equal(listing_pages(NULL, &request, 50, count_rows, &seen), EXIT_FINE);
    assert_int_equal(seen, 50);
    assert_int_equal(daemon_double.calls, 1);
    assert_int_equal(daemon_double.page_rows, 50);
    begin(state);
    request.cursor.size = 0;
    seen = 0;
    daemon_double.rows = 1000;
    assert_int_equal(listing_pages(NULL, &request, 350, count_rows, &seen), EXIT_FINE);
    assert_int_equal(seen, 350);
    assert_int_equal(daemon_double.sent, 400); /* the page is the same: so is the question */
}

static void a_failure_on_the_way_ends_it_too(void **state)
{
    struct loyal_request request = {.verb = LOYAL_QUERY_PURCHASES};
    size_t seen = 0;

    (void)state;
    daemon_double.rows = 1000;
    daemon_double.fails_at = 2;
    assert_int_equal(listing_pages(NULL, &request, 0, count_rows, &seen), EXIT_AGAIN);
    assert_int_equal(seen, 200);
}

/* ---- options ---- */

static void limits(void **state)
{
    struct cli cli = {0};
    int64_t limit;

    (void)state;
    assert_int_equal(args_limit(&cli, &limit), EXIT_FINE);
    assert_int_equal(limit, LIMIT_DEFAULT);
    takes_limit = false;
    assert_int_equal(args_limit(&cli, &limit), EXIT_FINE);
    assert_int_equal(limit, 0);
    cli.values[OPT_LIMIT] = "0";
    assert_int_equal(args_limit(&cli, &limit), EXIT_FINE);
    assert_int_equal(limit, 0);
    cli.values[OPT_LIMIT] = "-1";
    assert_int_equal(args_limit(&cli, &limit), EXIT_USAGE);
    assert_non_null(strstr(said, "--limit"));
}

static void a_member_is_named_once(void **state)
{
    struct cli cli = {0};
    struct loyal_member member = {0};

    (void)state;
    assert_int_equal(args_member(&cli, &member), EXIT_USAGE);
    assert_non_null(strstr(said, "--ref"));
    takes_ref = false;
    assert_int_equal(args_member(&cli, &member), EXIT_USAGE);
    assert_null(strstr(said, "--ref"));
    cli.values[OPT_REF] = "0102030405060708090a0b0c0d0e0f1011";
    assert_int_equal(args_member(&cli, &member), EXIT_FINE);
    assert_true(member.has_ref);
    assert_int_equal(member.ref[16], 0x11);
    cli.identifier_count = 1;
    assert_int_equal(args_member(&cli, &member), EXIT_USAGE);
}

static void filters_are_read_whole(void **state)
{
    struct cli cli = {0};
    struct filter_values values;
    struct loyal_filter filter;

    (void)state;
    assert_int_equal(args_filter(&cli, &values, &filter), EXIT_FINE);
    assert_int_equal(filter.merchant_count + filter.category_count + filter.channel_count, 0);
    cli.values[OPT_MERCHANTS] = "corner,mall";
    cli.values[OPT_CATEGORIES] = "tea";
    cli.values[OPT_CHANNELS] = "web,call-centre";
    cli.values[OPT_FIRST_DAY] = "2030-01-01";
    cli.values[OPT_LAST_DAY] = "2030-01-31";
    cli.values[OPT_AMOUNT_MIN] = "500";
    cli.values[OPT_AMOUNT_MAX] = "600";
    cli.values[OPT_CURRENCY] = "JPY";
    assert_int_equal(args_filter(&cli, &values, &filter), EXIT_FINE);
    assert_int_equal(filter.merchant_count, 2);
    assert_string_equal(filter.merchants[1], "mall");
    assert_string_equal(filter.categories[0], "tea");
    assert_int_equal(filter.channel_count, 2);
    assert_int_equal(filter.channels[1], LOYAL_CALL_CENTRE);
    assert_int_equal(filter.date_first, 20300101);
    assert_int_equal(filter.date_last, 20300131);
    assert_int_equal(filter.amount_minor_min, 500);
    assert_int_equal(filter.amount_minor_max, 600);
}

static void a_filter_that_is_not_understood_is_named(void **state)
{
    static const struct {
        enum option option;
        const char *value, *name;
    } bad[] = {
        {OPT_MERCHANTS, "a,,b", "--merchants"},
        {OPT_CATEGORIES, "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21", "--categories"},
        {OPT_CHANNELS, "web,shop", "--channels"},
        {OPT_FIRST_DAY, "2030-02-30", "--first-day"},
        {OPT_LAST_DAY, "20300201", "--last-day"},
        {OPT_AMOUNT_MIN, "0", "--amount-min"},
        {OPT_AMOUNT_MAX, "-1", "--amount-max"},
    };
    struct filter_values values;
    struct loyal_filter filter;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct cli cli = {0};

        cli.values[bad[i].option] = bad[i].value;
        assert_int_equal(args_filter(&cli, &values, &filter), EXIT_USAGE);
        assert_non_null(strstr(said, bad[i].name));
    }
    struct cli cli = {.values = {[OPT_FIRST_DAY] = "2030-02-02", [OPT_LAST_DAY] = "2030-02-01"}};

    assert_int_equal(args_filter(&cli, &values, &filter), EXIT_USAGE);
}

/* ---- tables ---- */

static struct table *purchase_table(void)
{
    static const char *const columns[] = {PURCHASE_COLUMNS, NULL};
    static const struct loyal_line lines[] = {{"4006", "pens", 2000, 398}, {"", "flour", 250, 100}};
    struct loyal_purchase purchase = {.fields = LOYAL_MERCHANT_AND_DATE | LOYAL_BASKET,
                                      .merchant = "corner",
                                      .business_date = 20300115,
                                      .channel = LOYAL_WEB,
                                      .currency = "",
                                      .lines = lines,
                                      .line_count = 2};
    struct table *table = table_create(columns);

    cell_purchase(table, &purchase);
    return table;
}

static void what_is_not_granted_is_null(void **state)
{
    struct table *table = purchase_table();
    json_t *row = row_json(table, 0), *line;

    (void)state;
    assert_string_equal(json_string_value(json_object_get(row, "merchant")), "corner");
    assert_string_equal(json_string_value(json_object_get(row, "business_date")), "2030-01-15");
    assert_true(json_is_null(json_object_get(row, "amount_minor")));
    assert_true(json_is_null(json_object_get(row, "currency")));
    assert_true(json_is_null(json_object_get(row, "points")));
    assert_string_equal(json_string_value(json_object_get(row, "fields")), "date,basket");
    assert_null(json_object_get(row, ".fields"));
    line = json_array_get(json_object_get(row, "basket"), 1);
    assert_true(json_is_null(json_object_get(line, "product")));
    assert_int_equal(json_integer_value(json_object_get(line, "quantity_milli")), 250);
    assert_true(json_is_null(json_object_get(line, "amount_minor")));
    json_decref(row);
    table_destroy(&table);
}

static void people_read_less(void **state)
{
    struct table *table = purchase_table();
    size_t basket = 7;

    (void)state;
    assert_string_equal(table->columns[basket], "basket");
    assert_string_equal(table->cells[basket].text, "2 x pens/4006, 0.25 x flour");
    assert_true(is_for_people(table, basket));
    assert_false(is_for_people(table, basket + 1));
    assert_true(is_last(table, basket)); /* what follows is for programs */
    assert_false(is_last(table, 0));
    table_destroy(&table);
}

static void a_meaning_is_for_people_alone(void **state)
{
    static const char *const columns[] = {"with_grant", NULL};
    struct table *table = table_create(columns);
    json_t *row;

    (void)state;
    table_means(table, "fewer than 20");
    row = row_json(table, 0);
    assert_true(json_is_null(json_object_get(row, "with_grant")));
    assert_string_equal(table->cells[0].text, "fewer than 20");
    json_decref(row);
    table_destroy(&table);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(pages_are_followed_to_the_last),
        TEST(a_limit_ends_the_list),
        TEST(a_failure_on_the_way_ends_it_too),
        TEST(limits),
        TEST(a_member_is_named_once),
        TEST(filters_are_read_whole),
        TEST(a_filter_that_is_not_understood_is_named),
        TEST(what_is_not_granted_is_null),
        TEST(people_read_less),
        TEST(a_meaning_is_for_people_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
