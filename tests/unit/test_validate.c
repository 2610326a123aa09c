/* Owns the tests of the table of what each field may hold (rules, as the validator applies them).
 * Run by tests/run; needs no daemon and no database. What hostile bytes can do is in test_frame.c,
 * what each result means in test_outcome.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "frame.h"
#include "loyal/v1/envelope.pb-c.h"
#include "rules.h"
#include "validate.h"

#define REQUEST       (&loyal__v1__request__descriptor)
#define LENGTH(array) (sizeof(array) / sizeof(array)[0])

/* --- a request of each kind that passes, built from structs --- */

struct fixture {
    Loyal__V1__Request request;
    Loyal__V1__EarnRequest earn;
    Loyal__V1__RedeemRequest redeem;
    Loyal__V1__ReverseRequest reverse;
    Loyal__V1__EnrolMemberRequest enrol;
    Loyal__V1__HelloRequest hello;
    Loyal__V1__AddTerminalRequest add_terminal;
    Loyal__V1__SetEarnRateRequest set_earn_rate;
    Loyal__V1__CheckConservationRequest check;
    Loyal__V1__Member member;
    Loyal__V1__Purchase purchase;
    Loyal__V1__Occasion occasion;
    Loyal__V1__Identifier identifier;
    Loyal__V1__Terminal terminal;
    Loyal__V1__EarnRate rate;
    Loyal__V1__BasketLine line;
    Loyal__V1__BasketLine *lines[600];
    Loyal__V1__Identifier *identifiers[10];
    uint8_t key[16];
    uint8_t ref[40];
    char text[300];
    uint8_t bytes[FRAME_REQUEST_BYTES_MAX];
    size_t n;
    struct validation result;
};

static void prepare_parts(struct fixture *f)
{
    loyal__v1__member__init(&f->member);
    f->member.by_case = LOYAL__V1__MEMBER__BY_REF;
    f->member.ref = (ProtobufCBinaryData){17, f->ref};
    loyal__v1__occasion__init(&f->occasion);
    f->occasion.store = (char *)"s1";
    f->occasion.business_date = 20240229;
    loyal__v1__purchase__init(&f->purchase);
    f->purchase.occasion = &f->occasion;
    f->purchase.amount_minor = 1000;
    f->purchase.currency = (char *)"EUR";
    loyal__v1__basket_line__init(&f->line);
    f->line.quantity_milli = 1000;
    for (size_t i = 0; i < LENGTH(f->lines); i++)
        f->lines[i] = &f->line;
    f->purchase.lines = f->lines;
    loyal__v1__identifier__init(&f->identifier);
    f->identifier.kind = LOYAL__V1__IDENTIFIER_KIND__IDENTIFIER_KIND_CARD;
    f->identifier.value = (char *)"4006381333931";
    for (size_t i = 0; i < LENGTH(f->identifiers); i++)
        f->identifiers[i] = &f->identifier;
    loyal__v1__terminal__init(&f->terminal);
    f->terminal.merchant = (char *)"acme";
    f->terminal.code = (char *)"t1";
    f->terminal.channel = LOYAL__V1__CHANNEL__CHANNEL_POS;
    f->terminal.certificate_sha256 = (ProtobufCBinaryData){32, f->ref};
    loyal__v1__earn_rate__init(&f->rate);
    f->rate.merchant = (char *)"acme";
    f->rate.numerator = 1;
    f->rate.denominator = 100;
    f->rate.valid_from = 20240101;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    if (!f)
        return -1;
    f->key[6] = 0x70;
    f->key[8] = 0x80;
    ProtobufCBinaryData key = {16, f->key};
    memset(f->text, 'x', sizeof(f->text) - 1);
    prepare_parts(f);
    loyal__v1__earn_request__init(&f->earn);
    f->earn.key = key;
    f->earn.member = &f->member;
    f->earn.purchase = &f->purchase;
    loyal__v1__redeem_request__init(&f->redeem);
    f->redeem.key = key;
    f->redeem.member = &f->member;
    f->redeem.points = 1;
    f->redeem.occasion = &f->occasion;
    loyal__v1__reverse_request__init(&f->reverse);
    f->reverse.key = f->reverse.original_key = key;
    f->reverse.member = &f->member;
    f->reverse.original_kind = LOYAL__V1__ORIGINAL_KIND__ORIGINAL_KIND_EARN;
    f->reverse.extent_case = LOYAL__V1__REVERSE_REQUEST__EXTENT_AMOUNT_MINOR;
    f->reverse.amount_minor = 1;
    f->reverse.occasion = &f->occasion;
    loyal__v1__enrol_member_request__init(&f->enrol);
    f->enrol.key = key;
    f->enrol.identifiers = f->identifiers;
    f->enrol.n_identifiers = 1;
    f->enrol.store = (char *)"s1";
    loyal__v1__hello_request__init(&f->hello);
    f->hello.version_min = f->hello.version_max = 1;
    f->hello.merchant = (char *)"acme";
    loyal__v1__add_terminal_request__init(&f->add_terminal);
    f->add_terminal.terminal = &f->terminal;
    loyal__v1__set_earn_rate_request__init(&f->set_earn_rate);
    f->set_earn_rate.rate = &f->rate;
    loyal__v1__check_conservation_request__init(&f->check);
    loyal__v1__request__init(&f->request);
    f->request.id = 1;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

/* Makes body the request's; case and pointer share the union. */
#define BODY(f, which, pointer)                                 \
    ((f)->request.body_case = LOYAL__V1__REQUEST__BODY_##which, \
     (f)->request.hello = (void *)(pointer))

static bool check(struct fixture *f)
{
    /* a copy of exact size: a sanitizer sees one byte read too far */
    uint8_t *exact = malloc(f->n > 0 ? f->n : 1);
    assert_non_null(exact);
    memcpy(exact, f->bytes, f->n);
    bool ok = validate_message(&loyal__v1__request__descriptor, exact, f->n, 0, &f->result);
    free(exact);
    assert_int_equal(ok, f->result.ok);
    assert_int_equal(ok, f->result.text[0] == '\0');
    return ok;
}

static void pack(struct fixture *f)
{
    assert_true(loyal__v1__request__get_packed_size(&f->request) <= sizeof(f->bytes));
    f->n = loyal__v1__request__pack(&f->request, f->bytes);
}

static void expect(struct fixture *f, enum validation_fault fault, const char *field)
{
    pack(f);
    check(f);
    if (f->result.fault != fault || strcmp(f->result.field, field) != 0)
        fail_msg("expected fault %d at \"%s\", got %d at \"%s\": %s", fault, field, f->result.fault,
                 f->result.field, f->result.text);
}

static void expect_ok(struct fixture *f)
{
    expect(f, VALIDATION_NONE, "");
}

static void expect_invalid(struct fixture *f, const char *field)
{
    expect(f, VALIDATION_INVALID_FIELD, field);
}

/* Sets a place to a value that must be refused at that path, and back. */
#define REFUSES(f, place, value, path)     \
    do {                                   \
        __typeof__(place) before_ = place; \
        place = value;                     \
        expect_invalid(f, path);           \
        place = before_;                   \
        expect_ok(f);                      \
    } while (0)
#define ACCEPTS(f, place, value)           \
    do {                                   \
        __typeof__(place) before_ = place; \
        place = value;                     \
        expect_ok(f);                      \
        place = before_;                   \
    } while (0)
/* A string of n bytes: the tail of f->text. */
#define STRING(f, n) ((f)->text + sizeof((f)->text) - 1 - (n))

/* --- the rules, field by field --- */

static void envelope_rules(void **state)
{
    struct fixture *f = *state;
    expect_invalid(f, "body");
    Loyal__V1__PingRequest ping = LOYAL__V1__PING_REQUEST__INIT;
    BODY(f, PING, &ping);
    expect_ok(f);
    REFUSES(f, f->request.id, 0, "id");
    ACCEPTS(f, f->request.id, UINT64_MAX);
    ACCEPTS(f, f->request.deadline_ms, UINT32_MAX);
}

static void hello_rules(void **state)
{
    struct fixture *f = *state;
    BODY(f, HELLO, &f->hello);
    expect_ok(f);
    REFUSES(f, f->hello.version_min, 0, "hello.version_min");
    REFUSES(f, f->hello.version_max, 0, "hello.version_max");
    REFUSES(f, f->hello.version_max, 65536, "hello.version_max");
    REFUSES(f, f->hello.version_min, 2, "hello.version_min");
    ACCEPTS(f, f->hello.merchant, (char *)"");
    REFUSES(f, f->hello.merchant, (char *)"Acme", "hello.merchant");
    REFUSES(f, f->hello.merchant, (char *)"-acme", "hello.merchant");
    REFUSES(f, f->hello.merchant, STRING(f, 33), "hello.merchant");
    ACCEPTS(f, f->hello.merchant, (char *)"a-b_9");
    ACCEPTS(f, f->hello.software, STRING(f, 64));
    REFUSES(f, f->hello.software, STRING(f, 65), "hello.software");
}

static void R32_key_is_a_uuid7(void **state)
{
    struct fixture *f = *state;
    BODY(f, EARN, &f->earn);
    expect_ok(f);
    REFUSES(f, f->key[6], 0x40, "earn.key");
    REFUSES(f, f->key[8], 0xc0, "earn.key");
    REFUSES(f, f->earn.key.len, 15, "earn.key");
    REFUSES(f, f->earn.key.len, 0, "earn.key");
    f->earn.key = (ProtobufCBinaryData){17, f->ref};
    expect_invalid(f, "earn.key");
}

static void occasion_rules(void **state)
{
    struct fixture *f = *state;
    static const uint32_t BAD_DATES[] = {0,        20230229, 20240230, 20240431, 20241301, 20240001,
                                         20240100, 20240132, 19691231, 2024,     100000101};
    Loyal__V1__Occasion *occasion = &f->occasion;
    BODY(f, EARN, &f->earn);
    REFUSES(f, occasion->store, (char *)"", "earn.purchase.occasion.store");
    REFUSES(f, occasion->store, STRING(f, 33), "earn.purchase.occasion.store");
    ACCEPTS(f, occasion->store, STRING(f, 32));
    REFUSES(f, occasion->till, STRING(f, 33), "earn.purchase.occasion.till");
    REFUSES(f, occasion->receipt, STRING(f, 65), "earn.purchase.occasion.receipt");
    REFUSES(f, occasion->part, UINT32_C(1) << 31, "earn.purchase.occasion.part");
    for (size_t i = 0; i < LENGTH(BAD_DATES); i++)
        REFUSES(f, occasion->business_date, BAD_DATES[i], "earn.purchase.occasion.business_date");
    ACCEPTS(f, occasion->business_date, 19700101);
    ACCEPTS(f, occasion->business_date, 20000229);
    ACCEPTS(f, occasion->business_date, 99991231);
    REFUSES(f, occasion->occurred_at_us, -1, "earn.purchase.occasion.occurred_at_us");
    REFUSES(f, occasion->occurred_at_us, RULE_TIME_US_MAX + 1,
            "earn.purchase.occasion.occurred_at_us");
    ACCEPTS(f, occasion->occurred_at_us, RULE_TIME_US_MAX);
    REFUSES(f, f->purchase.occasion, NULL, "earn.purchase.occasion");
}

static void purchase_rules(void **state)
{
    struct fixture *f = *state;
    Loyal__V1__Purchase *purchase = &f->purchase;
    BODY(f, EARN, &f->earn);
    REFUSES(f, f->earn.purchase, NULL, "earn.purchase");
    ACCEPTS(f, purchase->amount_minor, 0);
    ACCEPTS(f, purchase->amount_minor, RULE_AMOUNT_MAX);
    REFUSES(f, purchase->amount_minor, -1, "earn.purchase.amount_minor");
    REFUSES(f, purchase->amount_minor, RULE_AMOUNT_MAX + 1, "earn.purchase.amount_minor");
    REFUSES(f, purchase->currency, (char *)"eur", "earn.purchase.currency");
    REFUSES(f, purchase->currency, (char *)"EURO", "earn.purchase.currency");
    REFUSES(f, purchase->currency, (char *)"", "earn.purchase.currency");
    ACCEPTS(f, purchase->paid_in_points_minor, 1000);
    REFUSES(f, purchase->paid_in_points_minor, 1001, "earn.purchase.paid_in_points_minor");
    REFUSES(f, purchase->paid_in_points_minor, -1, "earn.purchase.paid_in_points_minor");
    ACCEPTS(f, purchase->n_lines, 200);
    REFUSES(f, purchase->n_lines, 201, "earn.purchase.lines");
    Loyal__V1__BasketLine bad = f->line;
    bad.amount_minor = RULE_AMOUNT_MAX + 1;
    purchase->n_lines = 5;
    REFUSES(f, f->lines[3], &bad, "earn.purchase.lines[3].amount_minor");
    bad.amount_minor = -RULE_AMOUNT_MAX;
    ACCEPTS(f, f->lines[3], &bad);
    bad.quantity_milli = 0;
    REFUSES(f, f->lines[4], &bad, "earn.purchase.lines[4].quantity_milli");
    bad.quantity_milli = INT64_C(1000000000001);
    REFUSES(f, f->lines[0], &bad, "earn.purchase.lines[0].quantity_milli");
    REFUSES(f, f->line.product, STRING(f, 65), "earn.purchase.lines[0].product");
    REFUSES(f, f->line.category, STRING(f, 65), "earn.purchase.lines[0].category");
}

static void member_rules(void **state)
{
    struct fixture *f = *state;
    BODY(f, REDEEM, &f->redeem);
    expect_ok(f);
    REFUSES(f, f->redeem.member, NULL, "redeem.member");
    REFUSES(f, f->member.ref.len, 16, "redeem.member.ref");
    REFUSES(f, f->member.ref.len, 18, "redeem.member.ref");
    REFUSES(f, f->member.ref.len, 0, "redeem.member.ref");
    f->member.by_case = LOYAL__V1__MEMBER__BY_IDENTIFIER;
    f->member.identifier = &f->identifier;
    expect_ok(f);
    REFUSES(f, f->identifier.kind, 0, "redeem.member.identifier.kind");
    REFUSES(f, f->identifier.kind, 4, "redeem.member.identifier.kind");
    REFUSES(f, f->identifier.value, (char *)"", "redeem.member.identifier.value");
    REFUSES(f, f->identifier.value, STRING(f, 255), "redeem.member.identifier.value");
    ACCEPTS(f, f->identifier.value, STRING(f, 254));
    f->member.by_case = LOYAL__V1__MEMBER__BY__NOT_SET;
    expect_invalid(f, "redeem.member.by");
}

static void redeem_and_enrol_rules(void **state)
{
    struct fixture *f = *state;
    BODY(f, REDEEM, &f->redeem);
    REFUSES(f, f->redeem.points, 0, "redeem.points");
    REFUSES(f, f->redeem.points, -5, "redeem.points");
    REFUSES(f, f->redeem.points, RULE_AMOUNT_MAX + 1, "redeem.points");
    REFUSES(f, f->redeem.occasion, NULL, "redeem.occasion");
    BODY(f, ENROL_MEMBER, &f->enrol);
    ACCEPTS(f, f->enrol.n_identifiers, 8);
    REFUSES(f, f->enrol.n_identifiers, 9, "enrol_member.identifiers");
    REFUSES(f, f->enrol.n_identifiers, 0, "enrol_member.identifiers");
    REFUSES(f, f->enrol.store, (char *)"", "enrol_member.store");
}

static void R16_reversal_rules(void **state)
{
    struct fixture *f = *state;
    BODY(f, REVERSE, &f->reverse);
    expect_ok(f);
    ACCEPTS(f, f->reverse.original_key.len, 0);
    REFUSES(f, f->reverse.original_key.len, 15, "reverse.original_key");
    REFUSES(f, f->reverse.original_kind, 0, "reverse.original_kind");
    REFUSES(f, f->reverse.original_kind, 2, "reverse.amount_minor");
    REFUSES(f, f->reverse.amount_minor, 0, "reverse.amount_minor");
    REFUSES(f, f->reverse.amount_minor, -1, "reverse.amount_minor");
    REFUSES(f, f->reverse.extent_case, 0, "reverse.extent");
    Loyal__V1__WholeExtent whole = LOYAL__V1__WHOLE_EXTENT__INIT;
    f->reverse.extent_case = LOYAL__V1__REVERSE_REQUEST__EXTENT_WHOLE;
    f->reverse.whole = &whole;
    expect_ok(f);
    ACCEPTS(f, f->reverse.original_kind, 2);
}

static void operator_rules(void **state)
{
    struct fixture *f = *state;
    BODY(f, ADD_TERMINAL, &f->add_terminal);
    expect_ok(f);
    REFUSES(f, f->terminal.code, (char *)"T 1", "add_terminal.terminal.code");
    REFUSES(f, f->terminal.channel, 0, "add_terminal.terminal.channel");
    REFUSES(f, f->terminal.certificate_sha256.len, 31, "add_terminal.terminal.certificate_sha256");
    BODY(f, SET_EARN_RATE, &f->set_earn_rate);
    expect_ok(f);
    ACCEPTS(f, f->rate.numerator, 0);
    REFUSES(f, f->rate.numerator, 1000001, "set_earn_rate.rate.numerator");
    REFUSES(f, f->rate.denominator, 0, "set_earn_rate.rate.denominator");
    REFUSES(f, f->rate.denominator, 1000000001, "set_earn_rate.rate.denominator");
    ACCEPTS(f, f->rate.lifetime_months, 1200);
    REFUSES(f, f->rate.lifetime_months, 1201, "set_earn_rate.rate.lifetime_months");
    REFUSES(f, f->rate.valid_from, 20230229, "set_earn_rate.rate.valid_from");
    BODY(f, CHECK_CONSERVATION, &f->check);
    expect_ok(f);
    ACCEPTS(f, f->check.bucket_last, 255);
    REFUSES(f, f->check.bucket_last, 256, "check_conservation.bucket_last");
    REFUSES(f, f->check.bucket_first, 1, "check_conservation.bucket_first");
}

/* --- a good request, damaged --- */

static void each_truncation_is_refused_and_each_prefix_read_in_bounds(void **state)
{
    struct fixture *f = *state;
    f->purchase.n_lines = 3;
    BODY(f, EARN, &f->earn);
    expect_ok(f);
    size_t whole = f->n;
    for (f->n = 0; f->n < whole; f->n++)
        assert_false(check(f));
    assert_true(check(f));
}

static void each_flipped_bit_is_refused_or_safe_to_unpack(void **state)
{
    struct fixture *f = *state;
    f->purchase.n_lines = 2;
    BODY(f, EARN, &f->earn);
    pack(f);
    for (size_t bit = 0; bit < f->n * 8; bit++) {
        f->bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (check(f)) {
            Loyal__V1__Request *request = loyal__v1__request__unpack(NULL, f->n, f->bytes);
            assert_non_null(request);
            assert_int_equal(request->base.n_unknown_fields, 0);
            loyal__v1__request__free_unpacked(request, NULL);
        }
        f->bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

/* --- the table is complete --- */

static void assert_rules_cover(const ProtobufCMessageDescriptor *type)
{
    const struct rule *rules = rules_of(type);
    if (type->n_fields > 0 && !rules)
        fail_msg("no rules for %s", type->name);
    for (unsigned i = 0; i < type->n_fields; i++) {
        assert_ptr_equal(rules[i].message, type);
        assert_string_equal(rules[i].field, type->fields[i].name);
        assert_true(rules[i].min <= rules[i].max);
        if (type->fields[i].type == PROTOBUF_C_TYPE_MESSAGE)
            assert_rules_cover(type->fields[i].descriptor);
    }
}

static void the_table_has_a_row_for_each_field_of_each_request(void **state)
{
    (void)state;
    size_t n, others;
    const struct rule *rules = rules_all(&n);
    assert_rules_cover(&loyal__v1__request__descriptor);
    for (size_t i = 0; i < n; i += rules[i].message->n_fields) {
        for (unsigned k = 0; k < rules[i].message->n_fields; k++) {
            assert_ptr_equal(rules[i + k].message, rules[i].message);
            assert_string_equal(rules[i + k].field, rules[i].message->fields[k].name);
        }
    }
    const struct rule_oneof *oneofs = rule_oneofs(&others);
    for (size_t i = 0; i < others; i++)
        assert_non_null(
            protobuf_c_message_descriptor_get_field_by_name(oneofs[i].message, oneofs[i].member));
    const struct rule_relation *relations = rule_relations(&others);
    for (size_t i = 0; i < others; i++) {
        const ProtobufCMessageDescriptor *type = relations[i].message;
        assert_non_null(protobuf_c_message_descriptor_get_field_by_name(type, relations[i].field));
        assert_non_null(protobuf_c_message_descriptor_get_field_by_name(type, relations[i].other));
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(envelope_rules),
        TEST(hello_rules),
        TEST(R32_key_is_a_uuid7),
        TEST(occasion_rules),
        TEST(purchase_rules),
        TEST(member_rules),
        TEST(redeem_and_enrol_rules),
        TEST(R16_reversal_rules),
        TEST(operator_rules),
        TEST(each_truncation_is_refused_and_each_prefix_read_in_bounds),
        TEST(each_flipped_bit_is_refused_or_safe_to_unpack),
        TEST(the_table_has_a_row_for_each_field_of_each_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
