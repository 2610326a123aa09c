/* The SDK's answers: each verb's body arrives in struct loyal_answer; nonsense does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "sdk_answer_fixture.h"

static Loyal__V1__Balance balance;

static int begin_balance(void **state)
{
    loyal__v1__balance__init(&balance);
    balance.available = 70;
    balance.debt = 7;
    balance.as_of_us = 1893456000000000;
    return begin(state);
}

static void assert_balance(void)
{
    assert_int_equal(box.answer.available, 70);
    assert_int_equal(box.answer.debt, 7);
    assert_true(box.answer.as_of_us == balance.as_of_us);
    assert_memory_equal(box.answer.ref, REF, sizeof REF);
}

static void earn(void **state)
{
    (void)state;
    BODY(earn, EARN, Earn);
    body.ref = data_of(REF, sizeof REF);
    body.points = 12;
    body.debt_repaid = 3;
    body.balance = &balance;
    body.expires_at_us = 99;
    body.entry_key = data_of(KEY, sizeof KEY);
    outcome.recorded = true;
    assert_true(arrives(LOYAL_EARN));
    assert_int_equal(box.answer.kind, LOYAL_OK);
    assert_string_equal(box.answer.code_name, "OK");
    assert_true(box.answer.recorded && box.answer.has_body);
    assert_int_equal(box.answer.points, 12);
    assert_int_equal(box.answer.debt_repaid, 3);
    assert_int_equal(box.answer.expires_at_us, 99);
    assert_memory_equal(box.answer.entry_key, KEY, sizeof KEY);
    assert_balance();
}

static void redeem(void **state)
{
    (void)state;
    BODY(redeem, REDEEM, Redeem);
    body.ref = data_of(REF, sizeof REF);
    body.points = -5;
    body.balance = &balance;
    body.entry_key = data_of(KEY, sizeof KEY);
    assert_true(arrives(LOYAL_REDEEM));
    assert_int_equal(box.answer.points, -5);
    assert_balance();
}

static void reverse(void **state)
{
    (void)state;
    BODY(reverse, REVERSE, Reverse);
    body.ref = data_of(REF, sizeof REF);
    body.points = 5;
    body.debt_made = 4;
    body.expired = 3;
    body.before_original = 1;
    body.balance = &balance;
    assert_true(arrives(LOYAL_REVERSE));
    assert_int_equal(box.answer.debt_made, 4);
    assert_int_equal(box.answer.expired, 3);
    assert_true(box.answer.before_original);
    assert_balance();
}

static void members(void **state)
{
    (void)state;
    {
        BODY(enrol_member, ENROL_MEMBER, EnrolMember);
        body.ref = data_of(REF, sizeof REF);
        body.balance = &balance;
        assert_true(arrives(LOYAL_ENROL_MEMBER));
        assert_balance();
    }
    {
        BODY(get_balance, GET_BALANCE, GetBalance);
        body.ref = data_of(REF, sizeof REF);
        body.balance = &balance;
        assert_true(arrives(LOYAL_GET_BALANCE));
        assert_balance();
    }
    BODY(find_member, FIND_MEMBER, FindMember);
    body.ref = data_of(REF, sizeof REF);
    assert_true(arrives(LOYAL_FIND_MEMBER));
    assert_memory_equal(box.answer.ref, REF, sizeof REF);
    assert_int_equal(box.answer.available, 0);
}

static void lists(void **state)
{
    Loyal__V1__Merchant merchant = LOYAL__V1__MERCHANT__INIT;
    Loyal__V1__Merchant *merchants[] = {&merchant, &merchant};
    Loyal__V1__Store store = LOYAL__V1__STORE__INIT;
    Loyal__V1__Store *stores[] = {&store};
    Loyal__V1__EarnRate rate = LOYAL__V1__EARN_RATE__INIT;
    Loyal__V1__EarnRate *rates[] = {&rate};
    (void)state;
    merchant.code = (char *)"acme";
    merchant.currency = (char *)"EUR";
    merchant.standing = LOYAL__V1__STANDING__STANDING_REVOKED;
    {
        BODY(list_merchants, LIST_MERCHANTS, ListMerchants);
        body.n_merchants = 2;
        body.merchants = merchants;
        body.more = 1;
        assert_true(arrives(LOYAL_LIST_MERCHANTS));
        assert_int_equal(box.answer.list_count, 2);
        assert_true(box.answer.more);
        assert_string_equal(box.answer.merchants[1].code, "acme");
        assert_string_equal(box.answer.merchants[1].currency, "EUR");
        assert_int_equal(box.answer.merchants[1].standing, LOYAL_REVOKED);
    }
    {
        store.merchant = (char *)"acme";
        store.code = (char *)"n";
        store.standing = LOYAL__V1__STANDING__STANDING_ACTIVE;
        BODY(list_stores, LIST_STORES, ListStores);
        body.n_stores = 1;
        body.stores = stores;
        assert_true(arrives(LOYAL_LIST_STORES));
        assert_string_equal(box.answer.stores[0].code, "n");
        assert_int_equal(box.answer.stores[0].standing, LOYAL_ACTIVE);
        assert_false(box.answer.more);
    }
    rate.merchant = (char *)"acme";
    rate.denominator = 100;
    BODY(list_earn_rates, LIST_EARN_RATES, ListEarnRates);
    body.n_rates = 1;
    body.rates = rates;
    assert_true(arrives(LOYAL_LIST_EARN_RATES));
    assert_int_equal(box.answer.rates[0].denominator, 100);
}

static void terminals(void **state)
{
    uint8_t digest[33] = {1};
    Loyal__V1__Terminal terminal = LOYAL__V1__TERMINAL__INIT;
    Loyal__V1__Terminal *list[] = {&terminal};
    (void)state;
    terminal.merchant = (char *)"acme";
    terminal.code = (char *)"t1";
    terminal.channel = LOYAL__V1__CHANNEL__CHANNEL_WEB;
    terminal.standing = LOYAL__V1__STANDING__STANDING_SUSPENDED;
    terminal.certificate_sha256 = (ProtobufCBinaryData){32, digest};
    BODY(list_terminals, LIST_TERMINALS, ListTerminals);
    body.n_terminals = 1;
    body.terminals = list;
    assert_true(arrives(LOYAL_LIST_TERMINALS));
    assert_int_equal(box.answer.terminals[0].channel, LOYAL_WEB);
    assert_int_equal(box.answer.terminals[0].standing, LOYAL_SUSPENDED);
    assert_memory_equal(box.answer.terminals[0].certificate_sha256, digest, 32);
}

static void small_ones(void **state)
{
    (void)state;
    {
        BODY(ping, PING, Ping);
        body.server_time_us = 1234;
        assert_true(arrives(LOYAL_PING));
        assert_int_equal(box.answer.as_of_us, 1234);
    }
    {
        BODY(add_merchant, ADD_MERCHANT, AddMerchant);
        assert_true(arrives(LOYAL_ADD_MERCHANT));
    }
    {
        BODY(add_terminal, ADD_TERMINAL, AddTerminal);
        assert_true(arrives(LOYAL_ADD_TERMINAL));
    }
    {
        BODY(add_stores, ADD_STORES, AddStores);
        body.added = 4;
        assert_true(arrives(LOYAL_ADD_STORES));
        assert_int_equal(box.answer.added, 4);
    }
    BODY(set_earn_rate, SET_EARN_RATE, SetEarnRate);
    body.rule_version = 6;
    assert_true(arrives(LOYAL_SET_EARN_RATE));
    assert_int_equal(box.answer.rule_version, 6);
}

static void status_and_books(void **state)
{
    Loyal__V1__WorkerStatus worker = LOYAL__V1__WORKER_STATUS__INIT;
    Loyal__V1__WorkerStatus *workers[] = {&worker};
    Loyal__V1__OwedPoints owed = LOYAL__V1__OWED_POINTS__INIT;
    Loyal__V1__OwedPoints *all_owed[] = {&owed};
    Loyal__V1__IssuerSums sums = LOYAL__V1__ISSUER_SUMS__INIT;
    Loyal__V1__IssuerSums *all_sums[] = {&sums};
    Loyal__V1__Finding finding = LOYAL__V1__FINDING__INIT;
    Loyal__V1__Finding *findings[] = {&finding};
    (void)state;
    {
        worker.pid = 77;
        worker.postings = 1000;
        BODY(get_status, GET_STATUS, GetStatus);
        body.network = (char *)"town";
        body.ready = 1;
        body.n_workers = 1;
        body.workers = workers;
        assert_true(arrives(LOYAL_GET_STATUS));
        assert_string_equal(box.answer.status.network, "town");
        assert_string_equal(box.answer.status.schema, "");
        assert_int_equal(box.answer.workers[0].pid, 77);
        assert_int_equal(box.answer.workers[0].postings, 1000);
    }
    {
        owed.issuer = (char *)"acme";
        owed.points = 50;
        BODY(list_owed_points, LIST_OWED_POINTS, ListOwedPoints);
        body.n_owed = 1;
        body.owed = all_owed;
        assert_true(arrives(LOYAL_LIST_OWED_POINTS));
        assert_int_equal(box.answer.owed[0].points, 50);
    }
    sums.issued = 10;
    sums.forfeited = 4;
    finding.text = (char *)"wrong";
    BODY(check_conservation, CHECK_CONSERVATION, CheckConservation);
    body.n_sums = 1;
    body.sums = all_sums;
    body.n_findings = 1;
    body.findings = findings;
    body.members = 3;
    assert_true(arrives(LOYAL_CHECK_CONSERVATION));
    assert_int_equal(box.answer.sums[0].issued, 10);
    assert_int_equal(box.answer.sums[0].forfeited, 4);
    assert_string_equal(box.answer.findings[0].text, "wrong");
    assert_int_equal(box.answer.members_checked, 3);
}

static void refusals(void **state)
{
    (void)state;
    outcome.kind = OUTCOME_KIND(REFUSED);
    outcome.code = OUTCOME_CODE(NOT_ENOUGH_POINTS);
    outcome.text = (char *)"not enough";
    outcome.field = (char *)"redeem.points";
    assert_true(arrives(LOYAL_REDEEM));
    assert_string_equal(box.answer.code_name, "NOT_ENOUGH_POINTS");
    assert_string_equal(box.answer.text, "not enough");
    assert_string_equal(box.answer.field, "redeem.points");
    assert_false(box.answer.has_body);
    outcome.code = (Loyal__V1__ResultCode)500; /* of a newer server */
    assert_true(arrives(LOYAL_REDEEM));
    assert_int_equal(box.answer.code, 500);
    assert_string_equal(box.answer.code_name, "UNRECOGNISED");
}

static void nonsense(void **state)
{
    uint64_t id = 0;
    (void)state;
    assert_false(arrives(LOYAL_EARN)); /* OK without a body */
    {
        BODY(ping, PING, Ping);
        assert_false(arrives(LOYAL_EARN));
    }
    BODY(find_member, FIND_MEMBER, FindMember);
    body.ref = (ProtobufCBinaryData){3, REF};
    size = loyal__v1__response__pack(&response, bytes);
    const Loyal__V1__Response *got = sdk_answer_unpack(&box, bytes, size, &id, &failure);
    assert_true(got == NULL || !sdk_answer_fill(&box, LOYAL_FIND_MEMBER, got));
    outcome.kind = (Loyal__V1__OutcomeKind)9;
    size = loyal__v1__response__pack(&response, bytes);
    assert_null(sdk_answer_unpack(&box, bytes, size, &id, &failure));
    assert_int_equal(failure.code, LOYAL_CODE_PROTOCOL);
    response.outcome = NULL;
    size = loyal__v1__response__pack(&response, bytes);
    assert_null(sdk_answer_unpack(&box, bytes, size, &id, &failure));
}

static void every_truncation_is_survived(void **state)
{
    (void)state;
    uint64_t id = 0;
    BODY(earn, EARN, Earn);
    body.ref = data_of(REF, sizeof REF);
    body.balance = &balance;
    body.entry_key = data_of(KEY, sizeof KEY);
    assert_true(arrives(LOYAL_EARN));
    for (size_t n = 0; n < size; n++) {
        uint8_t *part = malloc(n + 1); /* its own block: a sanitizer sees a read past it */
        assert_non_null(part);
        memcpy(part, bytes, n);
        const Loyal__V1__Response *got = sdk_answer_unpack(&box, part, n, &id, &failure);
        if (got != NULL)
            (void)sdk_answer_fill(&box, LOYAL_EARN, got);
        free(part);
    }
    for (size_t bit = 0; bit < 8 * size; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        const Loyal__V1__Response *got = sdk_answer_unpack(&box, bytes, size, &id, &failure);
        if (got != NULL)
            (void)sdk_answer_fill(&box, LOYAL_EARN, got);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(earn, begin_balance),
        cmocka_unit_test_setup(redeem, begin_balance),
        cmocka_unit_test_setup(reverse, begin_balance),
        cmocka_unit_test_setup(members, begin_balance),
        TEST(lists),
        TEST(terminals),
        TEST(small_ones),
        TEST(status_and_books),
        TEST(refusals),
        TEST(nonsense),
        cmocka_unit_test_setup(every_truncation_is_survived, begin_balance),
    };
    sdk_answer_init(&box);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    sdk_answer_free(&box);
    return failed;
}
