/* The SDK's answers about records: entries, disclosures, erasure and export arrive whole, or not at
 * all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "sdk_answer_fixture.h"

static uint8_t ORIGINAL[LOYAL_KEY_BYTES] = {8, [6] = 0x70, [8] = 0x80};
static uint8_t CURSOR[] = {0xc1, 0xc2, 0xc3};

static Loyal__V1__Occasion occasion;
static Loyal__V1__BasketLine line;
static Loyal__V1__BasketLine *LINES[] = {&line};

static Loyal__V1__Entry entry_make(void)
{
    Loyal__V1__Entry entry = LOYAL__V1__ENTRY__INIT;
    loyal__v1__occasion__init(&occasion);
    loyal__v1__basket_line__init(&line);
    occasion.store = (char *)"north";
    occasion.receipt = (char *)"R-17";
    occasion.part = 2;
    occasion.business_date = 20300115;
    occasion.occurred_at_us = 44;
    line.product = (char *)"4006";
    line.amount_minor = -50;
    entry.ref = data_of(REF, sizeof REF);
    entry.entry_key = data_of(KEY, sizeof KEY);
    entry.original_key = data_of(ORIGINAL, sizeof ORIGINAL);
    entry.kind = LOYAL__V1__ENTRY_KIND__ENTRY_KIND_REVERSE_EARN;
    entry.decided_at_us = 55;
    entry.merchant = (char *)"acme";
    entry.points = -5;
    entry.balance = 60;
    entry.debt = 6;
    entry.occasion = &occasion;
    entry.terminal = (char *)"till-1";
    entry.channel = LOYAL__V1__CHANNEL__CHANNEL_KIOSK;
    entry.amount_minor = 449;
    entry.paid_in_points_minor = 9;
    entry.currency = (char *)"GBP";
    entry.n_lines = 1;
    entry.lines = LINES;
    return entry;
}

static void assert_entry(const struct loyal_entry *got)
{
    assert_memory_equal(got->ref, REF, sizeof REF);
    assert_memory_equal(got->entry_key, KEY, sizeof KEY);
    assert_memory_equal(got->original_key, ORIGINAL, sizeof ORIGINAL);
    assert_int_equal(got->kind, LOYAL_ENTRY_REVERSE_EARN);
    assert_int_equal(got->decided_at_us, 55);
    assert_string_equal(got->merchant, "acme");
    assert_int_equal(got->points, -5);
    assert_int_equal(got->balance, 60);
    assert_int_equal(got->debt, 6);
    assert_false(got->erased);
    assert_string_equal(got->occasion.store, "north");
    assert_string_equal(got->occasion.till, "");
    assert_string_equal(got->occasion.receipt, "R-17");
    assert_int_equal(got->occasion.part, 2);
    assert_int_equal(got->occasion.business_date, 20300115);
    assert_int_equal(got->occasion.occurred_at_us, 44);
    assert_string_equal(got->terminal, "till-1");
    assert_int_equal(got->channel, LOYAL_KIOSK);
    assert_int_equal(got->amount_minor, 449);
    assert_int_equal(got->paid_in_points_minor, 9);
    assert_string_equal(got->currency, "GBP");
    assert_int_equal(got->line_count, 1);
    assert_string_equal(got->lines[0].product, "4006");
    assert_int_equal(got->lines[0].amount_minor, -50);
}

static void entries(void **state)
{
    Loyal__V1__Entry full = entry_make();
    Loyal__V1__Entry erased = LOYAL__V1__ENTRY__INIT;
    Loyal__V1__Entry *list[] = {&full, &erased};
    (void)state;
    erased.kind = LOYAL__V1__ENTRY_KIND__ENTRY_KIND_FORFEIT;
    erased.erased = 1;
    BODY(list_entries, LIST_ENTRIES, ListEntries);
    body.n_entries = 2;
    body.entries = list;
    body.cursor = data_of(CURSOR, sizeof CURSOR);
    assert_true(arrives(LOYAL_LIST_ENTRIES));
    assert_int_equal(box.answer.list_count, 2);
    assert_int_equal(box.answer.cursor.size, sizeof CURSOR);
    assert_memory_equal(box.answer.cursor.bytes, CURSOR, sizeof CURSOR);
    assert_entry(&box.answer.entries[0]);
    assert_true(box.answer.entries[1].erased);
    assert_int_equal(box.answer.entries[1].kind, LOYAL_ENTRY_FORFEIT);
    assert_string_equal(box.answer.entries[1].occasion.store, "");
    assert_string_equal(box.answer.entries[1].merchant, "");
    full.entry_key.len = 15;
    assert_false(arrives(LOYAL_LIST_ENTRIES));
    full.entry_key.len = 16;
    full.original_key.len = 1;
    assert_false(arrives(LOYAL_LIST_ENTRIES));
    full.original_key.len = 0;
    full.ref.len = 16;
    assert_false(arrives(LOYAL_LIST_ENTRIES));
}

static void disclosures(void **state)
{
    Loyal__V1__FieldGroup groups[] = {LOYAL__V1__FIELD_GROUP__FIELD_GROUP_AMOUNT,
                                      (Loyal__V1__FieldGroup)77};
    Loyal__V1__DisclosedRow row = LOYAL__V1__DISCLOSED_ROW__INIT;
    Loyal__V1__DisclosedRow *rows[] = {&row};
    Loyal__V1__Disclosure shown = LOYAL__V1__DISCLOSURE__INIT;
    Loyal__V1__Disclosure looked = LOYAL__V1__DISCLOSURE__INIT;
    Loyal__V1__Disclosure *list[] = {&shown, &looked};
    (void)state;
    row.entry_key = data_of(KEY, sizeof KEY);
    row.merchant = (char *)"corner";
    row.business_date = 20300115;
    row.n_fields = 2;
    row.fields = groups;
    shown.disclosed_at_us = 66;
    shown.merchant = (char *)"acme";
    shown.terminal = (char *)"till-1";
    shown.verb = (char *)"query_purchases";
    shown.purpose = LOYAL__V1__PURPOSE__PURPOSE_SERVICE;
    shown.n_rows = 1;
    shown.rows = rows;
    looked.operator_ = (char *)"anna";
    looked.reason = (char *)"a complaint";
    BODY(list_disclosures, LIST_DISCLOSURES, ListDisclosures);
    body.ref = data_of(REF, sizeof REF);
    body.n_disclosures = 2;
    body.disclosures = list;
    assert_true(arrives(LOYAL_LIST_DISCLOSURES));
    const struct loyal_disclosure *got = box.answer.disclosures;
    assert_int_equal(box.answer.list_count, 2);
    assert_memory_equal(box.answer.ref, REF, sizeof REF);
    assert_int_equal(box.answer.cursor.size, 0);
    assert_int_equal(got[0].disclosed_at_us, 66);
    assert_string_equal(got[0].merchant, "acme");
    assert_string_equal(got[0].terminal, "till-1");
    assert_string_equal(got[0].operator_name, "");
    assert_string_equal(got[0].verb, "query_purchases");
    assert_int_equal(got[0].purpose, LOYAL_SERVICE);
    assert_int_equal(got[0].row_count, 1);
    assert_memory_equal(got[0].rows[0].entry_key, KEY, sizeof KEY);
    assert_string_equal(got[0].rows[0].merchant, "corner");
    assert_int_equal(got[0].rows[0].business_date, 20300115);
    assert_int_equal(got[0].rows[0].fields, LOYAL_AMOUNT);
    assert_string_equal(got[1].operator_name, "anna");
    assert_string_equal(got[1].reason, "a complaint");
    assert_int_equal(got[1].row_count, 0);
    row.entry_key.len = 3;
    assert_false(arrives(LOYAL_LIST_DISCLOSURES));
}

static void erasure(void **state)
{
    (void)state;
    BODY(erase_member, ERASE_MEMBER, EraseMember);
    body.points = 70;
    body.entry_key = data_of(KEY, sizeof KEY);
    body.entries = 12;
    assert_true(arrives(LOYAL_ERASE_MEMBER));
    assert_int_equal(box.answer.points, 70);
    assert_int_equal(box.answer.entries_blanked, 12);
    assert_memory_equal(box.answer.entry_key, KEY, sizeof KEY);
    body.entry_key = data_of(REF, sizeof REF);
    assert_false(arrives(LOYAL_ERASE_MEMBER));
}

static void export(void **state)
{
    Loyal__V1__ExportedRow row = LOYAL__V1__EXPORTED_ROW__INIT;
    Loyal__V1__ExportedRow *rows[] = {&row};
    (void)state;
    row.table = (char *)"entry";
    row.json = (char *)"{\"points\":1}";
    BODY(export_member, EXPORT_MEMBER, ExportMember);
    body.ref = data_of(REF, sizeof REF);
    body.n_rows = 1;
    body.rows = rows;
    body.cursor = data_of(CURSOR, 1);
    assert_true(arrives(LOYAL_EXPORT_MEMBER));
    assert_memory_equal(box.answer.ref, REF, sizeof REF);
    assert_int_equal(box.answer.list_count, 1);
    assert_string_equal(box.answer.exported[0].table, "entry");
    assert_string_equal(box.answer.exported[0].json, "{\"points\":1}");
    assert_int_equal(box.answer.cursor.size, 1);
}

static void refusals_have_their_names(void **state)
{
    static const struct {
        Loyal__V1__ResultCode code;
        const char *name;
    } codes[] = {{OUTCOME_CODE(MEMBER_SUSPENDED), "MEMBER_SUSPENDED"},
                 {OUTCOME_CODE(NOT_PRESENT), "NOT_PRESENT"},
                 {OUTCOME_CODE(CURSOR_INVALID), "CURSOR_INVALID"},
                 {OUTCOME_CODE(BUDGET_EXHAUSTED), "BUDGET_EXHAUSTED"},
                 {OUTCOME_CODE(UNKNOWN_SUBJECT), "UNKNOWN_SUBJECT"},
                 {OUTCOME_CODE(REVOKED), "REVOKED"}};
    (void)state;
    outcome.kind = OUTCOME_KIND(REFUSED);
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        outcome.code = codes[i].code;
        assert_true(arrives(LOYAL_SET_GRANT));
        assert_int_equal(box.answer.code, LOYAL_CODE_MEMBER_SUSPENDED + i);
        assert_string_equal(box.answer.code_name, codes[i].name);
    }
}

/* Cut anywhere, any bit turned: read or refused, never a crash. */
static void every_damage_is_survived(void **state)
{
    Loyal__V1__Entry full = entry_make();
    Loyal__V1__Entry *list[] = {&full};
    uint64_t id = 0;
    (void)state;
    BODY(list_entries, LIST_ENTRIES, ListEntries);
    body.n_entries = 1;
    body.entries = list;
    body.cursor = data_of(CURSOR, sizeof CURSOR);
    assert_true(arrives(LOYAL_LIST_ENTRIES));
    for (size_t n = 0; n < size; n++) {
        uint8_t *part = malloc(n + 1); /* its own block: a sanitizer sees a read past it */
        assert_non_null(part);
        memcpy(part, bytes, n);
        const Loyal__V1__Response *got = sdk_answer_unpack(&box, part, n, &id, &failure);
        if (got != NULL)
            (void)sdk_answer_fill(&box, LOYAL_LIST_ENTRIES, got);
        free(part);
    }
    for (size_t bit = 0; bit < 8 * size; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        const Loyal__V1__Response *got = sdk_answer_unpack(&box, bytes, size, &id, &failure);
        if (got != NULL)
            (void)sdk_answer_fill(&box, LOYAL_LIST_ENTRIES, got);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(entries),
        TEST(disclosures),
        TEST(erasure),
        TEST(export),
        TEST(refusals_have_their_names),
        TEST(every_damage_is_survived),
    };
    sdk_answer_init(&box);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    sdk_answer_free(&box);
    return failed;
}
