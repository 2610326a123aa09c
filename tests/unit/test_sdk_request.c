/* The SDK's requests: each verb's message unpacks to what was given. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "frame.h"
#include "loyal/v1/envelope.pb-c.h"
#include "request.h"
#include "validate.h"

static struct arena scratch;
static struct message message;
static Loyal__V1__Request *decoded;

static const struct loyal_occasion OCCASION = {.store = "north",
                                               .till = "3",
                                               .receipt = "R-17",
                                               .part = 2,
                                               .business_date = 20300115,
                                               .occurred_at_us = 1893456000000001};
static const uint8_t KEY[LOYAL_KEY_BYTES] = {1,    2,  3,  4,  5,  6,  0x77, 8,
                                             0x89, 10, 11, 12, 13, 14, 15,   16};

/* Encodes, puts the head before it, and reads the frame as a server does. */
static const Loyal__V1__Request *sent(const struct loyal_request *request)
{
    uint8_t frame[REQUEST_HEAD_BYTES_MAX + 65536];
    const char *field = NULL;
    uint32_t length = 0;
    assert_int_equal(sdk_request_encode(request, &scratch, &message, &field), LOYAL_CODE_OK);
    size_t head = sdk_request_head(frame, message.size, UINT64_C(1) << 40, 2500);
    assert_in_range(head, 1, REQUEST_HEAD_BYTES_MAX);
    memcpy(frame + head, message.bytes, message.size);
    assert_int_equal(frame_peek(frame, head + message.size, FRAME_REQUEST_BYTES_MAX, &length),
                     FRAME_READY);
    assert_int_equal(FRAME_HEADER_BYTES + length, head + message.size);
    if (decoded != NULL)
        loyal__v1__request__free_unpacked(decoded, NULL);
    decoded = loyal__v1__request__unpack(NULL, length, frame + FRAME_HEADER_BYTES);
    assert_non_null(decoded);
    assert_true(decoded->id == UINT64_C(1) << 40);
    assert_int_equal(decoded->deadline_ms, 2500);
    return decoded;
}

static void assert_key(const ProtobufCBinaryData *key)
{
    assert_int_equal(key->len, sizeof KEY);
    assert_memory_equal(key->data, KEY, sizeof KEY);
}

static void assert_occasion(const Loyal__V1__Occasion *occasion)
{
    assert_non_null(occasion);
    assert_string_equal(occasion->store, "north");
    assert_string_equal(occasion->till, "3");
    assert_string_equal(occasion->receipt, "R-17");
    assert_int_equal(occasion->part, 2);
    assert_int_equal(occasion->business_date, 20300115);
    assert_true(occasion->occurred_at_us == OCCASION.occurred_at_us);
}

static struct loyal_request make(enum loyal_verb verb)
{
    struct loyal_request request = {.verb = verb, .occasion = OCCASION};
    memcpy(request.key, KEY, sizeof KEY);
    request.member.identifier = (struct loyal_identifier){LOYAL_CARD, "4000 1234"};
    return request;
}

static void empty_verbs(void **state)
{
    struct loyal_request request = make(LOYAL_PING);
    (void)state;
    assert_int_equal(sent(&request)->body_case, LOYAL__V1__REQUEST__BODY_PING);
    request.verb = LOYAL_GET_STATUS;
    assert_int_equal(sent(&request)->body_case, LOYAL__V1__REQUEST__BODY_GET_STATUS);
    request.verb = LOYAL_LIST_OWED_POINTS;
    assert_int_equal(sent(&request)->body_case, LOYAL__V1__REQUEST__BODY_LIST_OWED_POINTS);
}

static void members(void **state)
{
    const struct loyal_identifier identifiers[] = {{LOYAL_CARD, "1234"}, {LOYAL_EMAIL, "a@b.org"}};
    struct loyal_request request = make(LOYAL_ENROL_MEMBER);
    (void)state;
    request.identifiers = identifiers;
    request.identifier_count = 2;
    const Loyal__V1__Request *got = sent(&request);
    assert_int_equal(got->body_case, LOYAL__V1__REQUEST__BODY_ENROL_MEMBER);
    assert_key(&got->enrol_member->key);
    assert_int_equal(got->enrol_member->n_identifiers, 2);
    assert_int_equal(got->enrol_member->identifiers[1]->kind, LOYAL_EMAIL);
    assert_string_equal(got->enrol_member->identifiers[1]->value, "a@b.org");
    assert_string_equal(got->enrol_member->store, "north");

    request = make(LOYAL_FIND_MEMBER);
    got = sent(&request);
    assert_int_equal(got->body_case, LOYAL__V1__REQUEST__BODY_FIND_MEMBER);
    assert_string_equal(got->find_member->identifier->value, "4000 1234");

    request = make(LOYAL_GET_BALANCE);
    request.member.has_ref = true;
    memset(request.member.ref, 0xa5, LOYAL_REF_BYTES);
    got = sent(&request);
    assert_int_equal(got->get_balance->member->by_case, LOYAL__V1__MEMBER__BY_REF);
    assert_int_equal(got->get_balance->member->ref.len, LOYAL_REF_BYTES);
    assert_int_equal(got->get_balance->member->ref.data[16], 0xa5);
}

static void earn(void **state)
{
    const struct loyal_line lines[] = {{"tea", "food", 1000, 499}, {NULL, NULL, 250, -50}};
    struct loyal_request request = make(LOYAL_EARN);
    struct validation validation;
    (void)state;
    request.amount_minor = 449;
    request.currency = "GBP";
    request.paid_in_points_minor = 9;
    request.lines = lines;
    request.line_count = 2;
    const Loyal__V1__EarnRequest *got = sent(&request)->earn;
    assert_key(&got->key);
    assert_int_equal(got->member->by_case, LOYAL__V1__MEMBER__BY_IDENTIFIER);
    assert_occasion(got->purchase->occasion);
    assert_int_equal(got->purchase->amount_minor, 449);
    assert_string_equal(got->purchase->currency, "GBP");
    assert_int_equal(got->purchase->paid_in_points_minor, 9);
    assert_int_equal(got->purchase->n_lines, 2);
    assert_string_equal(got->purchase->lines[0]->product, "tea");
    assert_string_equal(got->purchase->lines[1]->category, "");
    assert_int_equal(got->purchase->lines[1]->quantity_milli, 250);
    assert_int_equal(got->purchase->lines[1]->amount_minor, -50);
    /* The message lacks an id, which the head brings: hence the tolerant flag. */
    assert_true(validate_message(&loyal__v1__request__descriptor, message.bytes, message.size,
                                 VALIDATE_ALLOW_UNKNOWN, &validation));
}

static void redeem_and_reverse(void **state)
{
    struct loyal_request request = make(LOYAL_REDEEM);
    (void)state;
    request.points = INT64_C(1000000000000000);
    const Loyal__V1__Request *got = sent(&request);
    assert_key(&got->redeem->key);
    assert_true(got->redeem->points == request.points);
    assert_occasion(got->redeem->occasion);

    request = make(LOYAL_REVERSE);
    request.whole = true;
    request.has_original = true;
    memset(request.original_key, 9, LOYAL_KEY_BYTES);
    request.original_kind = LOYAL_ORIGINAL_REDEMPTION;
    got = sent(&request);
    assert_int_equal(got->reverse->extent_case, LOYAL__V1__REVERSE_REQUEST__EXTENT_WHOLE);
    assert_int_equal(got->reverse->original_key.len, LOYAL_KEY_BYTES);
    assert_int_equal(got->reverse->original_kind, LOYAL_ORIGINAL_REDEMPTION);
    assert_occasion(got->reverse->occasion);

    request.whole = request.has_original = false;
    request.amount_minor = 250;
    got = sent(&request);
    assert_int_equal(got->reverse->extent_case, LOYAL__V1__REVERSE_REQUEST__EXTENT_AMOUNT_MINOR);
    assert_int_equal(got->reverse->amount_minor, 250);
    assert_int_equal(got->reverse->original_key.len, 0);
}

static void operators_add(void **state)
{
    const struct loyal_store stores[] = {{.merchant = "acme", .code = "n", .name = "North"},
                                         {.merchant = "acme", .code = "s"}};
    struct loyal_request request = {.verb = LOYAL_ADD_MERCHANT,
                                    .merchant = {"acme", "Acme", "EUR"}};
    (void)state;
    const Loyal__V1__Request *got = sent(&request);
    assert_string_equal(got->add_merchant->merchant->code, "acme");
    assert_string_equal(got->add_merchant->merchant->name, "Acme");
    assert_string_equal(got->add_merchant->merchant->currency, "EUR");

    request = (struct loyal_request){.verb = LOYAL_ADD_STORES, .stores = stores, .store_count = 2};
    got = sent(&request);
    assert_int_equal(got->add_stores->n_stores, 2);
    assert_string_equal(got->add_stores->stores[0]->name, "North");
    assert_string_equal(got->add_stores->stores[1]->code, "s");

    request = (struct loyal_request){.verb = LOYAL_ADD_TERMINAL,
                                     .terminal = {"acme", "t1", "n", LOYAL_KIOSK, {1, 2, 3}}};
    got = sent(&request);
    assert_string_equal(got->add_terminal->terminal->store, "n");
    assert_int_equal(got->add_terminal->terminal->channel, LOYAL_KIOSK);
    assert_int_equal(got->add_terminal->terminal->certificate_sha256.len, 32);
    assert_int_equal(got->add_terminal->terminal->certificate_sha256.data[2], 3);

    request =
        (struct loyal_request){.verb = LOYAL_SET_EARN_RATE, .rate = {"acme", 1, 100, 24, 20300101}};
    got = sent(&request);
    assert_string_equal(got->set_earn_rate->rate->merchant, "acme");
    assert_int_equal(got->set_earn_rate->rate->denominator, 100);
    assert_int_equal(got->set_earn_rate->rate->lifetime_months, 24);
    assert_int_equal(got->set_earn_rate->rate->valid_from, 20300101);
}

static void operators_list(void **state)
{
    struct loyal_request request = {.list_merchant = "acme", .list_after = "k"};
    (void)state;
    request.verb = LOYAL_LIST_MERCHANTS;
    assert_string_equal(sent(&request)->list_merchants->after, "k");
    request.verb = LOYAL_LIST_STORES;
    assert_string_equal(sent(&request)->list_stores->merchant, "acme");
    assert_string_equal(decoded->list_stores->after, "k");
    request.verb = LOYAL_LIST_TERMINALS;
    assert_string_equal(sent(&request)->list_terminals->merchant, "acme");
    assert_string_equal(decoded->list_terminals->after, "k");
    request.verb = LOYAL_LIST_EARN_RATES;
    assert_string_equal(sent(&request)->list_earn_rates->merchant, "acme");
    request = (struct loyal_request){
        .verb = LOYAL_CHECK_CONSERVATION, .bucket_first = 0, .bucket_last = 255};
    assert_int_equal(sent(&request)->check_conservation->bucket_last, 255);
}

static void same_request_same_bytes(void **state)
{
    struct loyal_request request = make(LOYAL_EARN);
    uint8_t first[1024];
    const char *field = NULL;
    (void)state;
    request.currency = "EUR";
    (void)sent(&request);
    size_t size = message.size;
    assert_in_range(size, 1, sizeof first);
    memcpy(first, message.bytes, size);
    assert_int_equal(sdk_request_encode(&request, &scratch, &message, &field), LOYAL_CODE_OK);
    assert_int_equal(message.size, size);
    assert_memory_equal(message.bytes, first, size);
}

static void what_cannot_be_sent(void **state)
{
    struct loyal_request request = make((enum loyal_verb)0);
    const char *field = NULL;
    (void)state;
    assert_int_equal(sdk_request_encode(&request, &scratch, &message, &field),
                     LOYAL_CODE_INVALID_FIELD);
    assert_string_equal(field, "verb");
    request.verb = (enum loyal_verb)1000;
    assert_int_equal(sdk_request_encode(&request, &scratch, &message, &field),
                     LOYAL_CODE_INVALID_FIELD);
    char *huge = malloc(70000);
    assert_non_null(huge);
    memset(huge, 'x', 69999);
    huge[69999] = '\0';
    request = make(LOYAL_EARN);
    request.occasion.receipt = huge;
    assert_int_equal(sdk_request_encode(&request, &scratch, &message, &field),
                     LOYAL_CODE_INVALID_FIELD);
    assert_string_equal(field, "");
    free(huge);
}

static void hello(void **state)
{
    const struct hello from = {"acme", "till 1.0"};
    (void)state;
    assert_int_equal(sdk_request_encode_hello(&from, &message), LOYAL_CODE_OK);
    Loyal__V1__Request *got = loyal__v1__request__unpack(NULL, message.size, message.bytes);
    assert_non_null(got);
    assert_int_equal(got->body_case, LOYAL__V1__REQUEST__BODY_HELLO);
    assert_int_equal(got->hello->version_min, 1);
    assert_int_equal(got->hello->version_max, 1);
    assert_string_equal(got->hello->merchant, "acme");
    assert_string_equal(got->hello->software, "till 1.0");
    loyal__v1__request__free_unpacked(got, NULL);
}

static int finish(void **state)
{
    (void)state;
    if (decoded != NULL)
        loyal__v1__request__free_unpacked(decoded, NULL);
    free(message.bytes);
    sdk_arena_free(&scratch);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_verbs),
        cmocka_unit_test(members),
        cmocka_unit_test(earn),
        cmocka_unit_test(redeem_and_reverse),
        cmocka_unit_test(operators_add),
        cmocka_unit_test(operators_list),
        cmocka_unit_test(same_request_same_bytes),
        cmocka_unit_test(what_cannot_be_sent),
        cmocka_unit_test(hello),
    };
    sdk_arena_init(&scratch);
    return cmocka_run_group_tests(tests, NULL, finish);
}
