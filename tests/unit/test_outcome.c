/* Owns the tests of the table of results: each code, what the client must do, and which field of a
 * request it names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "outcome.h"

static void R36_every_code_has_one_row_in_order_of_precedence(void **state)
{
    (void)state;
    size_t n;
    const struct outcome *rows = outcome_all(&n);
    const ProtobufCEnumDescriptor *codes = &loyal__v1__result_code__descriptor;
    assert_int_equal(n + 1, codes->n_values); /* all but UNSPECIFIED */
    for (size_t i = 0; i < n; i++) {
        char name[80];
        snprintf(name, sizeof(name), "RESULT_CODE_%s", rows[i].name);
        assert_int_equal(rows[i].code, codes->values[i + 1].value);
        assert_string_equal(name, codes->values[i + 1].name);
        assert_ptr_equal(outcome_of(rows[i].code), &rows[i]);
        assert_ptr_equal(outcome_by_name(rows[i].name), &rows[i]);
        assert_non_null(outcome_kind_name(rows[i].kind));
        assert_in_range(strlen(rows[i].text), 5, 300);
    }
    assert_null(outcome_of(OUTCOME_CODE(UNSPECIFIED)));
    assert_null(outcome_of((Loyal__V1__ResultCode)9999));
    assert_null(outcome_by_name("NO_SUCH"));
    assert_null(outcome_kind_name(OUTCOME_KIND(UNSPECIFIED)));
}

static void R36_kinds_are_what_the_client_must_do(void **state)
{
    (void)state;
    size_t n;
    const struct outcome *rows = outcome_all(&n);
    for (size_t i = 0; i < n; i++) {
        Loyal__V1__ResultCode code = rows[i].code;
        Loyal__V1__OutcomeKind expected = OUTCOME_KIND(REFUSED);
        if (code == OUTCOME_CODE(OK))
            expected = OUTCOME_KIND(OK);
        else if (code == OUTCOME_CODE(OUTCOME_UNKNOWN))
            expected = OUTCOME_KIND(UNKNOWN);
        else if (code == OUTCOME_CODE(OVERLOADED) || code == OUTCOME_CODE(NOT_READY) ||
                 code == OUTCOME_CODE(DEADLINE_EXCEEDED) || code == OUTCOME_CODE(TRANSIENT))
            expected = OUTCOME_KIND(RETRY);
        assert_int_equal(rows[i].kind, expected);
        assert_int_equal(rows[i].closes, code == OUTCOME_CODE(MALFORMED) ||
                                             code == OUTCOME_CODE(NOT_IDENTIFIED) ||
                                             code == OUTCOME_CODE(WRONG_MERCHANT));
    }
}

static void R33_what_depends_on_a_member_s_state_is_recorded(void **state)
{
    (void)state;
    static const char *RECORDED[] = {"REVERSED_BEFORE",  "DUPLICATE_RECEIPT", "NO_ORIGINAL",
                                     "ALREADY_REVERSED", "EXCEEDS_ORIGINAL",  "NOT_ENOUGH_POINTS",
                                     "BALANCE_LIMIT",    "MEMBER_SUSPENDED"};
    size_t n, n_recorded = 0;
    const struct outcome *rows = outcome_all(&n);
    for (size_t i = 0; i < n; i++) {
        n_recorded += rows[i].recorded;
        assert_true(!rows[i].recorded || rows[i].kind == OUTCOME_KIND(REFUSED));
    }
    for (size_t i = 0; i < sizeof(RECORDED) / sizeof(RECORDED[0]); i++)
        assert_true(outcome_by_name(RECORDED[i])->recorded);
    assert_int_equal(n_recorded, sizeof(RECORDED) / sizeof(RECORDED[0]));
}

static bool type_has_path(const ProtobufCMessageDescriptor *type, const char *path)
{
    for (size_t size; type; path += size + 1) {
        char name[64] = "";
        size = strcspn(path, ".");
        memcpy(name, path, size);
        const ProtobufCFieldDescriptor *field =
            protobuf_c_message_descriptor_get_field_by_name(type, name);
        if (!field || path[size] == '\0')
            return field != NULL;
        type = field->type == PROTOBUF_C_TYPE_MESSAGE ? field->descriptor : NULL;
    }
    return false;
}

/* Each path of the table is one of some request, so none is spelled wrong. */
static void each_field_of_the_table_is_one_of_a_request(void **state)
{
    (void)state;
    size_t n;
    const struct outcome *rows = outcome_all(&n);
    for (size_t i = 0; i < n; i++) {
        char fields[OUTCOME_TEXT_BYTES_MAX], *rest = NULL;
        snprintf(fields, sizeof fields, "%s", rows[i].fields);
        for (char *path = strtok_r(fields, " ", &rest); path; path = strtok_r(NULL, " ", &rest)) {
            bool is_known = strcmp(path, ".") == 0;
            for (unsigned k = 0; k < loyal__v1__request__descriptor.n_fields; k++)
                is_known = is_known ||
                           type_has_path(loyal__v1__request__descriptor.fields[k].descriptor, path);
            if (!is_known)
                fail_msg("%s: no request has %s", rows[i].name, path);
        }
    }
}

static void expect_field(const Loyal__V1__Request *request, const char *code, const char *field)
{
    char found[OUTCOME_FIELD_BYTES_MAX + 1] = "";
    assert_int_equal(outcome_field(outcome_by_name(code), request, found), *field != '\0');
    if (*field)
        assert_string_equal(found, field);
}

static void a_refusal_names_the_field_that_this_request_has(void **state)
{
    (void)state;
    Loyal__V1__Occasion occasion = LOYAL__V1__OCCASION__INIT;
    Loyal__V1__Purchase purchase = LOYAL__V1__PURCHASE__INIT;
    Loyal__V1__EarnRequest earn = LOYAL__V1__EARN_REQUEST__INIT;
    Loyal__V1__ReverseRequest reverse = LOYAL__V1__REVERSE_REQUEST__INIT;
    Loyal__V1__Request request = LOYAL__V1__REQUEST__INIT;
    earn.purchase = &purchase;
    purchase.occasion = reverse.occasion = &occasion;
    expect_field(&request, "KEY_REUSED", "");

    request.body_case = LOYAL__V1__REQUEST__BODY_EARN;
    request.earn = &earn;
    expect_field(&request, "WRONG_CURRENCY", "earn.purchase.currency");
    expect_field(&request, "UNKNOWN_STORE", "earn.purchase.occasion.store");
    expect_field(&request, "KEY_REUSED", "earn.key");
    expect_field(&request, "NOT_ALLOWED", "earn");
    expect_field(&request, "CURSOR_INVALID", "");
    expect_field(&request, "OVERLOADED", "");
    expect_field(&request, "NO_SUCH", "");

    request.body_case = LOYAL__V1__REQUEST__BODY_REVERSE;
    request.reverse = &reverse;
    expect_field(&request, "UNKNOWN_STORE", "reverse.occasion.store");
    reverse.extent_case = LOYAL__V1__REVERSE_REQUEST__EXTENT_AMOUNT_MINOR;
    expect_field(&request, "BALANCE_LIMIT", "reverse.amount_minor");
    reverse.extent_case = LOYAL__V1__REVERSE_REQUEST__EXTENT_WHOLE;
    expect_field(&request, "BALANCE_LIMIT", "reverse.original_key");
}

static void a_standing_refused_names_the_subject_that_is_set(void **state)
{
    (void)state;
    Loyal__V1__StoreName store = LOYAL__V1__STORE_NAME__INIT;
    Loyal__V1__SetStandingRequest standing = LOYAL__V1__SET_STANDING_REQUEST__INIT;
    Loyal__V1__Request request = LOYAL__V1__REQUEST__INIT;
    request.body_case = LOYAL__V1__REQUEST__BODY_SET_STANDING;
    request.set_standing = &standing;
    standing.subject_case = LOYAL__V1__SET_STANDING_REQUEST__SUBJECT_STORE;
    standing.store = &store;
    expect_field(&request, "REVOKED", "set_standing.store");
    expect_field(&request, "UNKNOWN_STORE", "set_standing.store");
    expect_field(&request, "UNKNOWN_MERCHANT", "set_standing.store.merchant");
    standing.subject_case = LOYAL__V1__SET_STANDING_REQUEST__SUBJECT_MERCHANT;
    standing.merchant = (char *)"acme";
    expect_field(&request, "UNKNOWN_MERCHANT", "set_standing.merchant");
    expect_field(&request, "ALREADY_EXISTS", "");
    standing.subject_case = LOYAL__V1__SET_STANDING_REQUEST__SUBJECT_OPERATOR;
    standing.operator_ = (char *)"ann";
    expect_field(&request, "UNKNOWN_SUBJECT", "set_standing.operator");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(R36_every_code_has_one_row_in_order_of_precedence),
        cmocka_unit_test(R36_kinds_are_what_the_client_must_do),
        cmocka_unit_test(R33_what_depends_on_a_member_s_state_is_recorded),
        cmocka_unit_test(each_field_of_the_table_is_one_of_a_request),
        cmocka_unit_test(a_refusal_names_the_field_that_this_request_has),
        cmocka_unit_test(a_standing_refused_names_the_subject_that_is_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
