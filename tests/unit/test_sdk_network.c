/* The SDK's verbs about grants, purchases elsewhere, records and standing: each request's message
 * unpacks to what was given, each answer's body arrives, and nonsense does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "request.h"
#include "sdk_answer_fixture.h"

static void assert_bytes(const ProtobufCBinaryData *got, const uint8_t *from, size_t n)
{
    assert_int_equal(got->len, n);
    assert_memory_equal(got->data, from, n);
}

/* ---- requests ---- */

static struct arena scratch;
static struct message message;
static Loyal__V1__Request *decoded;

static const Loyal__V1__Request *sent(const struct loyal_request *request)
{
    const char *field = NULL;
    assert_int_equal(sdk_request_encode(request, &scratch, &message, &field), LOYAL_CODE_OK);
    assert_string_equal(field, "");
    if (decoded != NULL)
        loyal__v1__request__free_unpacked(decoded, NULL);
    decoded = loyal__v1__request__unpack(NULL, message.size, message.bytes);
    assert_non_null(decoded);
    return decoded;
}

static struct loyal_request make(enum loyal_verb verb)
{
    struct loyal_request request = {.verb = verb, .page_rows = 7, .cursor = {{0xc1, 0xc2}, 2}};
    memcpy(request.key, KEY, sizeof KEY);
    request.member.identifier = (struct loyal_identifier){LOYAL_CARD, "4000 1234"};
    return request;
}

static void assert_member(const Loyal__V1__Member *member)
{
    assert_non_null(member);
    assert_int_equal(member->by_case, LOYAL__V1__MEMBER__BY_IDENTIFIER);
    assert_string_equal(member->identifier->value, "4000 1234");
}

static void assert_cursor(const ProtobufCBinaryData *cursor)
{
    assert_bytes(cursor, (const uint8_t[]){0xc1, 0xc2}, 2);
}

static void grants_are_sent(void **state)
{
    struct loyal_request request = make(LOYAL_SET_GRANT);
    (void)state;
    request.grant = (struct loyal_grant){.recipient = "acme",
                                         .source = "corner",
                                         .purpose = LOYAL_OFFER,
                                         .fields = LOYAL_MERCHANT_AND_DATE | LOYAL_BASKET,
                                         .last_day = 20310630,
                                         .text_version = "v3",
                                         .channel = LOYAL_CALL_CENTRE};
    const Loyal__V1__SetGrantRequest *set = sent(&request)->set_grant;
    assert_int_equal(decoded->body_case, LOYAL__V1__REQUEST__BODY_SET_GRANT);
    assert_bytes(&set->key, KEY, sizeof KEY);
    assert_member(set->member);
    assert_string_equal(set->grant->recipient, "acme");
    assert_string_equal(set->grant->source, "corner");
    assert_int_equal(set->grant->purpose, LOYAL__V1__PURPOSE__PURPOSE_OFFER);
    assert_int_equal(set->grant->n_fields, 2);
    assert_int_equal(set->grant->fields[0], LOYAL__V1__FIELD_GROUP__FIELD_GROUP_MERCHANT_AND_DATE);
    assert_int_equal(set->grant->fields[1], LOYAL__V1__FIELD_GROUP__FIELD_GROUP_BASKET);
    assert_int_equal(set->grant->last_day, 20310630);
    assert_string_equal(set->grant->text_version, "v3");
    assert_int_equal(set->grant->channel, LOYAL__V1__CHANNEL__CHANNEL_CALL_CENTRE);

    request.grant = (struct loyal_grant){.fields = 7};
    set = sent(&request)->set_grant;
    assert_string_equal(set->grant->recipient, "");
    assert_string_equal(set->grant->source, "");
    assert_int_equal(set->grant->n_fields, 3);
    assert_int_equal(set->grant->fields[1], LOYAL__V1__FIELD_GROUP__FIELD_GROUP_AMOUNT);

    request = make(LOYAL_LIST_GRANTS);
    assert_member(sent(&request)->list_grants->member);
    assert_cursor(&decoded->list_grants->cursor);
}

static void one_recipients_grants_or_all_are_revoked(void **state)
{
    struct loyal_request request = make(LOYAL_REVOKE_GRANT);
    (void)state;
    request.grant.recipient = "acme";
    request.grant.purpose = LOYAL_SERVICE;
    const Loyal__V1__RevokeGrantRequest *got = sent(&request)->revoke_grant;
    assert_member(got->member);
    assert_int_equal(got->which_case, LOYAL__V1__REVOKE_GRANT_REQUEST__WHICH_RECIPIENT);
    assert_string_equal(got->recipient, "acme");
    assert_int_equal(got->purpose, LOYAL__V1__PURPOSE__PURPOSE_SERVICE);
    request.grant = (struct loyal_grant){0};
    got = sent(&request)->revoke_grant;
    assert_int_equal(got->which_case, LOYAL__V1__REVOKE_GRANT_REQUEST__WHICH_ALL);
    assert_int_equal(got->purpose, LOYAL__V1__PURPOSE__PURPOSE_UNSPECIFIED);
    request.grant.recipient = "";
    got = sent(&request)->revoke_grant;
    assert_int_equal(got->which_case, LOYAL__V1__REVOKE_GRANT_REQUEST__WHICH_ALL);
}

static void refs_are_sent(void **state)
{
    static uint8_t refs[500][LOYAL_REF_BYTES];
    struct loyal_request request = make(LOYAL_TRANSLATE_REFS);
    (void)state;
    refs[499][16] = 0x99;
    request.refs = (const uint8_t(*)[LOYAL_REF_BYTES])refs;
    request.ref_count = 500;
    const Loyal__V1__TranslateRefsRequest *got = sent(&request)->translate_refs;
    assert_int_equal(got->n_refs, 500);
    assert_bytes(&got->refs[499], refs[499], LOYAL_REF_BYTES);
}

static const char *const MERCHANTS[] = {"corner", "mall"};
static const char *const CATEGORIES[] = {"tea"};
static const struct loyal_filter FILTER = {.merchants = MERCHANTS,
                                           .merchant_count = 2,
                                           .categories = CATEGORIES,
                                           .category_count = 1,
                                           .date_first = 20300101,
                                           .date_last = 20300131,
                                           .amount_minor_min = 100,
                                           .amount_minor_max = INT64_C(1000000000000000),
                                           .channels = {LOYAL_WEB, LOYAL_KIOSK},
                                           .channel_count = 2};

static void assert_filter(const Loyal__V1__PurchaseFilter *filter)
{
    assert_non_null(filter);
    assert_int_equal(filter->n_merchants, 2);
    assert_string_equal(filter->merchants[1], "mall");
    assert_int_equal(filter->n_categories, 1);
    assert_string_equal(filter->categories[0], "tea");
    assert_int_equal(filter->date_first, 20300101);
    assert_int_equal(filter->date_last, 20300131);
    assert_int_equal(filter->amount_minor_min, 100);
    assert_true(filter->amount_minor_max == FILTER.amount_minor_max);
    assert_int_equal(filter->n_channels, 2);
    assert_int_equal(filter->channels[1], LOYAL__V1__CHANNEL__CHANNEL_KIOSK);
}

static void questions_are_sent(void **state)
{
    struct loyal_request request = make(LOYAL_QUERY_PURCHASES);
    (void)state;
    request.purpose = LOYAL_ANALYSIS;
    request.filter = FILTER;
    const Loyal__V1__QueryPurchasesRequest *query = sent(&request)->query_purchases;
    assert_member(query->member);
    assert_int_equal(query->purpose, LOYAL__V1__PURPOSE__PURPOSE_ANALYSIS);
    assert_filter(query->filter);
    assert_int_equal(query->page_rows, 7);
    assert_cursor(&query->cursor);

    request.verb = LOYAL_LIST_MEMBERS_NEVER_MET;
    const Loyal__V1__ListMembersNeverMetRequest *list = sent(&request)->list_members_never_met;
    assert_int_equal(list->purpose, LOYAL__V1__PURPOSE__PURPOSE_ANALYSIS);
    assert_filter(list->filter);
    assert_int_equal(list->page_rows, 7);
    assert_cursor(&list->cursor);

    request.verb = LOYAL_COUNT_MEMBERS;
    request.k = 30;
    const Loyal__V1__CountMembersRequest *count = sent(&request)->count_members;
    assert_int_equal(count->purpose, LOYAL__V1__PURPOSE__PURPOSE_ANALYSIS);
    assert_filter(count->filter);
    assert_int_equal(count->k, 30);

    request.filter = (struct loyal_filter){0};
    assert_int_equal(sent(&request)->count_members->filter->n_merchants, 0);
}

static void record_requests(void **state)
{
    struct loyal_request request = make(LOYAL_LIST_ENTRIES);
    (void)state;
    request.reason = "a complaint";
    const Loyal__V1__ListEntriesRequest *entries = sent(&request)->list_entries;
    assert_int_equal(entries->of_case, LOYAL__V1__LIST_ENTRIES_REQUEST__OF_MEMBER);
    assert_member(entries->member);
    assert_string_equal(entries->reason, "a complaint");
    assert_int_equal(entries->page_rows, 7);
    assert_cursor(&entries->cursor);
    request.has_period = true;
    request.until_us = 86400000000;
    entries = sent(&request)->list_entries;
    assert_int_equal(entries->of_case, LOYAL__V1__LIST_ENTRIES_REQUEST__OF_PERIOD);
    assert_int_equal(entries->period->from_us, 0);
    assert_true(entries->period->until_us == 86400000000);

    request = make(LOYAL_LIST_DISCLOSURES);
    assert_member(sent(&request)->list_disclosures->member);
    assert_cursor(&decoded->list_disclosures->cursor);

    request.verb = LOYAL_ERASE_MEMBER;
    request.reason = "he asked for it";
    assert_member(sent(&request)->erase_member->member);
    assert_bytes(&decoded->erase_member->key, KEY, sizeof KEY);
    assert_string_equal(decoded->erase_member->reason, "he asked for it");

    request.verb = LOYAL_EXPORT_MEMBER;
    assert_member(sent(&request)->export_member->member);
    assert_string_equal(decoded->export_member->reason, "he asked for it");
    assert_cursor(&decoded->export_member->cursor);
}

static void standing_of_each_subject(void **state)
{
    const struct loyal_store store = {.merchant = "corner", .code = "north"};
    struct loyal_request request = make(LOYAL_SET_STANDING);
    (void)state;
    request.standing = LOYAL_SUSPENDED;
    request.reason = "stolen";
    request.merchant.code = "mall";
    request.terminal = (struct loyal_terminal){.merchant = "acme", .code = "till-1"};
    request.operator_name = "anna";
    request.subject = LOYAL_SUBJECT_MEMBER;
    const Loyal__V1__SetStandingRequest *got = sent(&request)->set_standing;
    assert_int_equal(got->subject_case, LOYAL__V1__SET_STANDING_REQUEST__SUBJECT_MEMBER);
    assert_member(got->member);
    assert_int_equal(got->standing, LOYAL__V1__STANDING__STANDING_SUSPENDED);
    assert_string_equal(got->reason, "stolen");
    request.subject = LOYAL_SUBJECT_MERCHANT;
    got = sent(&request)->set_standing;
    assert_int_equal(got->subject_case, LOYAL__V1__SET_STANDING_REQUEST__SUBJECT_MERCHANT);
    assert_string_equal(got->merchant, "mall");
    request.subject = LOYAL_SUBJECT_TERMINAL;
    got = sent(&request)->set_standing;
    assert_int_equal(got->subject_case, LOYAL__V1__SET_STANDING_REQUEST__SUBJECT_TERMINAL);
    assert_string_equal(got->terminal->merchant, "acme");
    assert_string_equal(got->terminal->code, "till-1");
    request.subject = LOYAL_SUBJECT_CERTIFICATE;
    request.terminal.certificate_sha256[31] = 7;
    got = sent(&request)->set_standing;
    assert_int_equal(got->subject_case, LOYAL__V1__SET_STANDING_REQUEST__SUBJECT_CERTIFICATE);
    assert_string_equal(got->certificate->merchant, "acme");
    assert_string_equal(got->certificate->code, "till-1");
    assert_int_equal(got->certificate->certificate_sha256.len, 32);
    assert_int_equal(got->certificate->certificate_sha256.data[31], 7);
    request.subject = LOYAL_SUBJECT_OPERATOR;
    got = sent(&request)->set_standing;
    assert_int_equal(got->subject_case, LOYAL__V1__SET_STANDING_REQUEST__SUBJECT_OPERATOR);
    assert_string_equal(got->operator_, "anna");
    request.subject = LOYAL_SUBJECT_STORE; /* of which none is given */
    got = sent(&request)->set_standing;
    assert_int_equal(got->subject_case, LOYAL__V1__SET_STANDING_REQUEST__SUBJECT__NOT_SET);
    request.stores = &store;
    request.store_count = 1;
    got = sent(&request)->set_standing;
    assert_int_equal(got->subject_case, LOYAL__V1__SET_STANDING_REQUEST__SUBJECT_STORE);
    assert_string_equal(got->store->merchant, "corner");
    assert_string_equal(got->store->code, "north");
}

static void what_does_not_fit_its_array_is_refused(void **state)
{
    struct loyal_request request = make(LOYAL_QUERY_PURCHASES);
    const char *field;
    (void)state;
    request.cursor.size = LOYAL_CURSOR_BYTES_MAX;
    assert_int_equal(sent(&request)->query_purchases->cursor.len, LOYAL_CURSOR_BYTES_MAX);
    request.cursor.size++;
    assert_int_equal(sdk_request_encode(&request, &scratch, &message, &field),
                     LOYAL_CODE_INVALID_FIELD);
    assert_string_equal(field, "cursor.size");
    request = make(LOYAL_COUNT_MEMBERS);
    request.filter.channel_count = 6;
    assert_int_equal(sdk_request_encode(&request, &scratch, &message, &field),
                     LOYAL_CODE_INVALID_FIELD);
    assert_string_equal(field, "filter.channel_count");
}

static void two_more_verbs_have_a_key(void **state)
{
    (void)state;
    for (int verb = LOYAL_SET_GRANT; verb <= LOYAL_EXPORT_MEMBER; verb++)
        assert_int_equal(sdk_request_has_key((enum loyal_verb)verb),
                         verb == LOYAL_SET_GRANT || verb == LOYAL_ERASE_MEMBER);
}

/* ---- answers ---- */

static uint8_t CURSOR[LOYAL_CURSOR_BYTES_MAX + 1] = {0xc1, 0xc2};

static Loyal__V1__FieldGroup GROUPS[] = {
    LOYAL__V1__FIELD_GROUP__FIELD_GROUP_MERCHANT_AND_DATE,
    LOYAL__V1__FIELD_GROUP__FIELD_GROUP_BASKET, (Loyal__V1__FieldGroup)77, /* of a newer server */
};

static void grants_arrive(void **state)
{
    Loyal__V1__Grant grant = LOYAL__V1__GRANT__INIT;
    Loyal__V1__GrantRecord full = LOYAL__V1__GRANT_RECORD__INIT;
    Loyal__V1__GrantRecord empty = LOYAL__V1__GRANT_RECORD__INIT;
    Loyal__V1__GrantRecord *records[] = {&full, &empty};
    (void)state;
    grant.recipient = (char *)"acme";
    grant.purpose = LOYAL__V1__PURPOSE__PURPOSE_SERVICE;
    grant.n_fields = 3;
    grant.fields = GROUPS;
    grant.last_day = 20310630;
    grant.text_version = (char *)"v3";
    grant.channel = LOYAL__V1__CHANNEL__CHANNEL_POS;
    full.grant_key = data_of(KEY, sizeof KEY);
    full.grant = &grant;
    full.state = LOYAL__V1__GRANT_STATE__GRANT_STATE_REPLACED;
    full.granted_at_us = 11;
    full.until_us = 22;
    full.ended_at_us = 33;
    full.operator_ = (char *)"anna";
    BODY(list_grants, LIST_GRANTS, ListGrants);
    body.ref = data_of(REF, sizeof REF);
    body.n_grants = 2;
    body.grants = records;
    body.cursor = data_of(CURSOR, 2);
    assert_true(arrives(LOYAL_LIST_GRANTS));
    const struct loyal_grant_record *got = box.answer.grants;
    assert_int_equal(box.answer.list_count, 2);
    assert_memory_equal(box.answer.ref, REF, sizeof REF);
    assert_int_equal(box.answer.cursor.size, 2);
    assert_int_equal(box.answer.cursor.bytes[1], 0xc2);
    assert_memory_equal(got[0].grant_key, KEY, sizeof KEY);
    assert_string_equal(got[0].grant.recipient, "acme");
    assert_string_equal(got[0].grant.source, "");
    assert_int_equal(got[0].grant.fields, LOYAL_MERCHANT_AND_DATE | LOYAL_BASKET);
    assert_int_equal(got[0].grant.last_day, 20310630);
    assert_int_equal(got[0].state, LOYAL_GRANT_REPLACED);
    assert_int_equal(got[0].granted_at_us + got[0].until_us + got[0].ended_at_us, 66);
    assert_string_equal(got[0].operator_name, "anna");
    assert_string_equal(got[1].grant.text_version, "");
    full.grant_key.len = 15;
    assert_false(arrives(LOYAL_LIST_GRANTS));
}

static void set_and_revoked(void **state)
{
    (void)state;
    {
        BODY(set_grant, SET_GRANT, SetGrant);
        body.ref = data_of(REF, sizeof REF);
        body.until_us = 99;
        assert_true(arrives(LOYAL_SET_GRANT));
        assert_int_equal(box.answer.until_us, 99);
        assert_memory_equal(box.answer.ref, REF, sizeof REF);
        assert_false(arrives(LOYAL_REVOKE_GRANT)); /* another verb's body */
    }
    {
        BODY(revoke_grant, REVOKE_GRANT, RevokeGrant);
        assert_true(arrives(LOYAL_REVOKE_GRANT));
    }
    BODY(set_standing, SET_STANDING, SetStanding);
    assert_true(arrives(LOYAL_SET_STANDING));
}

static void refs_arrive(void **state)
{
    static const uint8_t none[LOYAL_REF_BYTES];
    ProtobufCBinaryData refs[] = {{sizeof REF, REF}, {0, NULL}};
    (void)state;
    BODY(translate_refs, TRANSLATE_REFS, TranslateRefs);
    body.n_refs = 2;
    body.refs = refs;
    assert_true(arrives(LOYAL_TRANSLATE_REFS));
    assert_int_equal(box.answer.list_count, 2);
    assert_memory_equal(box.answer.refs[0], REF, sizeof REF);
    assert_memory_equal(box.answer.refs[1], none, sizeof none);
    refs[0].len = 16;
    assert_false(arrives(LOYAL_TRANSLATE_REFS));
}

static Loyal__V1__BasketLine line;
static Loyal__V1__BasketLine *LINES[] = {&line};

static Loyal__V1__NetworkPurchase purchase_make(void)
{
    Loyal__V1__NetworkPurchase purchase = LOYAL__V1__NETWORK_PURCHASE__INIT;
    loyal__v1__basket_line__init(&line);
    line.category = (char *)"tea";
    line.quantity_milli = 250;
    purchase.purchase_id = data_of(REF, sizeof REF);
    purchase.kind = LOYAL__V1__PURCHASE_KIND__PURCHASE_KIND_REFUND;
    purchase.n_fields = 3;
    purchase.fields = GROUPS;
    purchase.merchant = (char *)"corner";
    purchase.business_date = 20300115;
    purchase.channel = LOYAL__V1__CHANNEL__CHANNEL_WEB;
    purchase.n_lines = 1;
    purchase.lines = LINES;
    return purchase;
}

static void assert_purchase(const struct loyal_purchase *got)
{
    assert_memory_equal(got->purchase_id, REF, sizeof REF);
    assert_true(got->is_refund);
    assert_int_equal(got->fields, LOYAL_MERCHANT_AND_DATE | LOYAL_BASKET);
    assert_string_equal(got->merchant, "corner");
    assert_int_equal(got->business_date, 20300115);
    assert_int_equal(got->channel, LOYAL_WEB);
    assert_int_equal(got->amount_minor, 0);
    assert_string_equal(got->currency, "");
    assert_int_equal(got->line_count, 1);
    assert_string_equal(got->lines[0].category, "tea");
    assert_string_equal(got->lines[0].product, "");
    assert_int_equal(got->lines[0].quantity_milli, 250);
}

static void purchases_arrive_masked(void **state)
{
    Loyal__V1__NetworkPurchase purchase = purchase_make();
    Loyal__V1__NetworkPurchase whole = LOYAL__V1__NETWORK_PURCHASE__INIT;
    Loyal__V1__NetworkPurchase *purchases[] = {&purchase, &whole};
    Loyal__V1__FieldGroup amount[] = {LOYAL__V1__FIELD_GROUP__FIELD_GROUP_AMOUNT};
    (void)state;
    whole.n_fields = 1;
    whole.fields = amount;
    whole.amount_minor = INT64_C(1000000000000000);
    whole.currency = (char *)"EUR";
    whole.points = -3;
    BODY(query_purchases, QUERY_PURCHASES, QueryPurchases);
    body.ref = data_of(REF, sizeof REF);
    body.n_purchases = 2;
    body.purchases = purchases;
    body.as_of_us = 77;
    assert_true(arrives(LOYAL_QUERY_PURCHASES));
    assert_int_equal(box.answer.list_count, 2);
    assert_int_equal(box.answer.cursor.size, 0); /* the last page */
    assert_int_equal(box.answer.as_of_us, 77);
    assert_purchase(&box.answer.purchases[0]);
    assert_false(box.answer.purchases[1].is_refund);
    assert_int_equal(box.answer.purchases[1].fields, LOYAL_AMOUNT);
    assert_true(box.answer.purchases[1].amount_minor == whole.amount_minor);
    assert_int_equal(box.answer.purchases[1].points, -3);
    assert_string_equal(box.answer.purchases[1].merchant, "");
    purchase.purchase_id.len = 3;
    assert_false(arrives(LOYAL_QUERY_PURCHASES));
}

static void a_cursor_has_its_limit(void **state)
{
    (void)state;
    BODY(query_purchases, QUERY_PURCHASES, QueryPurchases);
    body.cursor = data_of(CURSOR, LOYAL_CURSOR_BYTES_MAX);
    assert_true(arrives(LOYAL_QUERY_PURCHASES));
    assert_int_equal(box.answer.cursor.size, LOYAL_CURSOR_BYTES_MAX);
    body.cursor = data_of(CURSOR, LOYAL_CURSOR_BYTES_MAX + 1);
    assert_false(arrives(LOYAL_QUERY_PURCHASES));
    response.query_purchases->cursor.len = 0;
    assert_true(arrives(LOYAL_QUERY_PURCHASES));
    assert_int_equal(box.answer.cursor.size, 0);
}

static void members_never_met_arrive(void **state)
{
    Loyal__V1__NetworkPurchase purchase = purchase_make();
    Loyal__V1__NetworkPurchase *purchases[] = {&purchase};
    Loyal__V1__MemberNeverMet member = LOYAL__V1__MEMBER_NEVER_MET__INIT;
    Loyal__V1__MemberNeverMet *members[] = {&member};
    (void)state;
    member.ref = data_of(REF, sizeof REF);
    member.n_purchases = 1;
    member.purchases = purchases;
    member.more = 1;
    BODY(list_members_never_met, LIST_MEMBERS_NEVER_MET, ListMembersNeverMet);
    body.n_members = 1;
    body.members = members;
    body.cursor = data_of(CURSOR, 1);
    assert_true(arrives(LOYAL_LIST_MEMBERS_NEVER_MET));
    assert_int_equal(box.answer.list_count, 1);
    assert_memory_equal(box.answer.members_never_met[0].ref, REF, sizeof REF);
    assert_true(box.answer.members_never_met[0].more);
    assert_int_equal(box.answer.members_never_met[0].purchase_count, 1);
    assert_purchase(&box.answer.members_never_met[0].purchases[0]);
    assert_int_equal(box.answer.cursor.size, 1);
    body.n_members = 0; /* an empty page that is not the last */
    assert_true(arrives(LOYAL_LIST_MEMBERS_NEVER_MET));
    assert_int_equal(box.answer.list_count, 0);
    assert_int_equal(box.answer.cursor.size, 1);
}

static void small_groups_are_not_told(void **state)
{
    Loyal__V1__GroupCount with = LOYAL__V1__GROUP_COUNT__INIT;
    (void)state;
    with.members = 45;
    BODY(count_members, COUNT_MEMBERS, CountMembers);
    body.with_grant = &with; /* without_grant is missing: never taken for 0 */
    body.k = 20;
    body.counted_at_us = 88;
    body.released_before = 1;
    body.questions_left = 9;
    assert_true(arrives(LOYAL_COUNT_MEMBERS));
    assert_false(box.answer.count.with_grant_fewer);
    assert_int_equal(box.answer.count.with_grant, 45);
    assert_true(box.answer.count.without_grant_fewer);
    assert_int_equal(box.answer.count.without_grant, 0);
    assert_int_equal(box.answer.count.k, 20);
    assert_int_equal(box.answer.count.counted_at_us, 88);
    assert_true(box.answer.count.released_before);
    assert_int_equal(box.answer.count.questions_left, 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(grants_are_sent),
        TEST(one_recipients_grants_or_all_are_revoked),
        TEST(refs_are_sent),
        TEST(questions_are_sent),
        TEST(record_requests),
        TEST(standing_of_each_subject),
        TEST(what_does_not_fit_its_array_is_refused),
        TEST(two_more_verbs_have_a_key),
        TEST(grants_arrive),
        TEST(set_and_revoked),
        TEST(refs_arrive),
        TEST(purchases_arrive_masked),
        TEST(a_cursor_has_its_limit),
        TEST(members_never_met_arrive),
        TEST(small_groups_are_not_told),
    };
    sdk_arena_init(&scratch);
    sdk_answer_init(&box);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (decoded != NULL)
        loyal__v1__request__free_unpacked(decoded, NULL);
    sdk_answer_free(&box);
    sdk_arena_free(&scratch);
    free(message.bytes);
    return failed;
}
