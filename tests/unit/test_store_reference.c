/* The snapshot of the reference tables, from rows as the database gives them: in no order. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "store/reference_load.h"

#define COLUMNS 8

static void put(PGresult *rows, const char *const values[COLUMNS])
{
    int row = PQntuples(rows);
    for (int column = 0; column < COLUMNS; column++)
        if (values[column])
            PQsetvalue(rows, row, column, (char *)values[column], (int)strlen(values[column]));
        else
            PQsetvalue(rows, row, column, NULL, -1);
}

static struct reference *load(const char *const (*values)[COLUMNS], size_t count)
{
    static PGresAttDesc names[COLUMNS];
    for (int column = 0; column < COLUMNS; column++)
        names[column] = (PGresAttDesc){.name = "c", .typid = 25, .typlen = -1};
    PGresult *rows = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    PQsetResultAttrs(rows, COLUMNS, names);
    for (size_t i = 0; i < count; i++)
        put(rows, values[i]);
    struct reference *reference = reference_load(rows);
    PQclear(rows);
    return reference;
}

#define HEX32_2 "ff112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define HEX32   "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static const char *const rows[][COLUMNS] = {
    {"r", "10", "2", "20260201", "2", "100", "12", NULL},
    {"r", "1", "1", "20260101", "1", "100", "24", NULL},
    {"r", "9", "2", "20260101", "1", "100", "24", NULL},
    {"r", "2", "2", "20260101", "3", "100", "24", NULL},
    {"e", "7", NULL, NULL, NULL, NULL, NULL, NULL},
    {"m", "1", "alba", "Alba", "EUR", NULL, NULL, NULL},
    {"m", "2", "bora", "Bora", "GBP", NULL, NULL, NULL},
    {"s", "5", "1", "main", "Main", NULL, NULL, NULL},
    {"s", "6", "2", "main", "Main", NULL, NULL, NULL},
    {"t", "3", "1", "till-1", "5", "1", HEX32, "1"},
    {"t", "4", "1", "till-2", "0", "2", HEX32, "0"},
    {"o", "1", "admin", HEX32, "1", NULL, NULL, NULL},
};

/* R4 needs an original's rule by version: they stand ascending, however many digits they have. */
static void test_rules_ascend_by_number(void **state)
{
    (void)state;
    struct reference *reference = load(rows, sizeof rows / sizeof *rows);
    size_t count;
    const struct reference_rule *rules = reference_rules(reference, &count);
    assert_int_equal(count, 4);
    assert_int_equal(rules[0].version, 1);
    assert_int_equal(rules[1].version, 2);
    assert_int_equal(rules[2].version, 9);
    assert_int_equal(rules[3].version, 10);
    reference_release(&reference);
    assert_null(reference);
}

/* The last version that begins no later than the day, of several of one day the newest. */
static void test_rule_of_a_day(void **state)
{
    (void)state;
    struct reference *reference = load(rows, sizeof rows / sizeof *rows);
    assert_null(reference_rule_of(reference, 2, 20251231));
    assert_int_equal(reference_rule_of(reference, 2, 20260131)->version, 9);
    assert_int_equal(reference_rule_of(reference, 2, 20260201)->version, 10);
    assert_null(reference_rule_of(reference, 3, 20260201));
    reference_release(&reference);
}

static void test_found_by_code_within_their_merchant(void **state)
{
    (void)state;
    struct reference *reference = load(rows, sizeof rows / sizeof *rows);
    assert_int_equal(reference_epoch(reference), 7);
    assert_int_equal(reference_merchant_by_code(reference, "bora")->merchant_id, 2);
    assert_string_equal(reference_merchant_by_id(reference, 1)->currency, "EUR");
    assert_null(reference_merchant_by_code(reference, "nobody"));
    assert_int_equal(reference_store_id(reference, 1, "main", 4), 5);
    assert_int_equal(reference_store_id(reference, 2, "main", 4), 6);
    assert_int_equal(reference_store_id(reference, 2, "mai", 3), 0);
    const struct reference_terminal *till = reference_terminal_by_code(reference, 1, "till-2");
    assert_false(till->active);
    assert_int_equal(till->certificate_count, 1);
    assert_int_equal(till->certificates_sha256[0][31], 0xff);
    assert_null(reference_terminal_by_code(reference, 2, "till-2"));
    assert_int_equal(reference_operator_by_name(reference, "admin")->operator_id, 1);
    reference_release(&reference);
}

/* The second one is good as well; none, or what is not two hashes, is not. */
static void test_certificates_of_a_terminal(void **state)
{
    static const struct {
        const char *text;
        int count; /* -1: no reference holds it */
    } cases[] = {{"", 0},
                 {HEX32, 1},
                 {HEX32_2 " " HEX32, 2},
                 {"00", -1},
                 {HEX32 "00", -1},
                 {HEX32 " 00", -1},
                 {HEX32 "  " HEX32, -1},
                 {" ", -1},
                 {HEX32 " x", -1},
                 {HEX32 " " HEX32 " " HEX32, -1}};
    uint8_t older[32] = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa,
                         0xbb, 0xcc, 0xdd, 0xee, 0xff, 0x00, 0x11, 0x22, 0x33, 0x44, 0x55,
                         0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *const row[1][COLUMNS] = {{"t", "1", "1", "t", "0", "1", cases[i].text, "1"}};
        struct reference *reference = load(row, 1);
        assert_int_equal(reference != NULL, cases[i].count >= 0);
        if (!reference)
            continue;
        const struct reference_terminal *till = reference_terminal_by_code(reference, 1, "t");
        assert_int_equal(till->certificate_count, cases[i].count);
        assert_int_equal(reference_terminal_has(till, older), cases[i].count > 0);
        older[31] ^= 1;
        assert_false(reference_terminal_has(till, older));
        older[31] ^= 1;
        reference_release(&reference);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules_ascend_by_number),
        cmocka_unit_test(test_rule_of_a_day),
        cmocka_unit_test(test_found_by_code_within_their_merchant),
        cmocka_unit_test(test_certificates_of_a_terminal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
