/* Owns the ranges of all fields; see rules.h. Called by the validator. Constant data: a limit that
 * is written here is written nowhere else in code.
 *
 * A message has either a row for each field, in the order of field numbers, or none at all. Rows of
 * responses bound what the SDK copies into fields of fixed size.
 */
#include "rules.h"

#include "loyal/v1/envelope.pb-c.h"

#define M(name)       &loyal__v1__##name##__descriptor
#define LENGTH(array) (sizeof(array) / sizeof(array)[0])
#define REQUIRED      true
#define OPTIONAL      false
#define FREE          INT64_MIN, INT64_MAX, RULE_ANY, OPTIONAL
#define NEEDED        INT64_MIN, INT64_MAX, RULE_ANY, REQUIRED
#define KEY           RULE_KEY_BYTES, RULE_KEY_BYTES, RULE_UUID7
#define REF           RULE_REF_BYTES, RULE_REF_BYTES, RULE_ANY, OPTIONAL
#define ENTRY_KEY     RULE_KEY_BYTES, RULE_KEY_BYTES, RULE_ANY, OPTIONAL
#define CODE          1, RULE_CODE_BYTES_MAX, RULE_CODE
#define STORE         1, RULE_CODE_BYTES_MAX, RULE_ANY
#define AMOUNT_MAX    RULE_AMOUNT_MAX

/* The most frequent messages first. */
static const struct rule RULES[] = {
    {M(basket_line), "product", 0, 64, RULE_ANY, OPTIONAL},
    {M(basket_line), "category", 0, 64, RULE_ANY, OPTIONAL},
    {M(basket_line), "quantity_milli", 1, INT64_C(1000000000000), RULE_ANY, REQUIRED},
    {M(basket_line), "amount_minor", -AMOUNT_MAX, AMOUNT_MAX, RULE_ANY, OPTIONAL},

    {M(request), "id", 1, INT64_MAX, RULE_ANY, REQUIRED}, /* all 64 bits: see the validator */
    {M(request), "deadline_ms", FREE},                    /* the server takes its own maximum */
    {M(request), "hello", FREE},
    {M(request), "ping", FREE},
    {M(request), "enrol_member", FREE},
    {M(request), "find_member", FREE},
    {M(request), "get_balance", FREE},
    {M(request), "earn", FREE},
    {M(request), "redeem", FREE},
    {M(request), "reverse", FREE},
    {M(request), "add_merchant", FREE},
    {M(request), "list_merchants", FREE},
    {M(request), "add_stores", FREE},
    {M(request), "list_stores", FREE},
    {M(request), "add_terminal", FREE},
    {M(request), "list_terminals", FREE},
    {M(request), "set_earn_rate", FREE},
    {M(request), "list_earn_rates", FREE},
    {M(request), "get_status", FREE},
    {M(request), "list_owed_points", FREE},
    {M(request), "check_conservation", FREE},

    {M(identifier), "kind", NEEDED},
    {M(identifier), "value", 1, 254, RULE_ANY, REQUIRED},

    {M(member), "ref", REF},
    {M(member), "identifier", FREE},

    {M(occasion), "store", STORE, REQUIRED},
    {M(occasion), "till", 0, 32, RULE_ANY, OPTIONAL},
    {M(occasion), "receipt", 0, 64, RULE_ANY, OPTIONAL},
    {M(occasion), "part", 0, INT32_MAX, RULE_ANY, OPTIONAL},
    {M(occasion), "business_date", 19700101, 99991231, RULE_DATE, REQUIRED},
    {M(occasion), "occurred_at_us", 0, RULE_TIME_US_MAX, RULE_ANY, OPTIONAL},

    {M(purchase), "occasion", NEEDED},
    {M(purchase), "amount_minor", 0, AMOUNT_MAX, RULE_ANY, OPTIONAL},
    {M(purchase), "currency", 3, 3, RULE_CURRENCY, REQUIRED},
    {M(purchase), "paid_in_points_minor", 0, AMOUNT_MAX, RULE_ANY, OPTIONAL},
    {M(purchase), "lines", 0, RULE_BASKET_LINES_MAX, RULE_ANY, OPTIONAL},

    {M(earn_request), "key", KEY, REQUIRED},
    {M(earn_request), "member", NEEDED},
    {M(earn_request), "purchase", NEEDED},

    {M(redeem_request), "key", KEY, REQUIRED},
    {M(redeem_request), "member", NEEDED},
    {M(redeem_request), "points", 1, AMOUNT_MAX, RULE_ANY, REQUIRED},
    {M(redeem_request), "occasion", NEEDED},

    {M(reverse_request), "key", KEY, REQUIRED},
    {M(reverse_request), "member", NEEDED},
    {M(reverse_request), "original_key", KEY, OPTIONAL}, /* empty: NO_ORIGINAL */
    {M(reverse_request), "original_kind", NEEDED},
    {M(reverse_request), "whole", FREE},
    {M(reverse_request), "amount_minor", 1, AMOUNT_MAX, RULE_ANY, OPTIONAL},
    {M(reverse_request), "occasion", NEEDED},

    {M(get_balance_request), "member", NEEDED},

    {M(find_member_request), "identifier", NEEDED},

    {M(enrol_member_request), "key", KEY, REQUIRED},
    {M(enrol_member_request), "identifiers", 1, RULE_IDENTIFIERS_MAX, RULE_ANY, REQUIRED},
    {M(enrol_member_request), "store", STORE, REQUIRED},

    {M(hello_request), "version_min", 1, 65535, RULE_ANY, REQUIRED},
    {M(hello_request), "version_max", 1, 65535, RULE_ANY, REQUIRED},
    {M(hello_request), "merchant", CODE, OPTIONAL},
    {M(hello_request), "software", 0, 64, RULE_ANY, OPTIONAL},

    {M(merchant), "code", CODE, REQUIRED},
    {M(merchant), "name", 1, 100, RULE_ANY, REQUIRED},
    {M(merchant), "currency", 3, 3, RULE_CURRENCY, REQUIRED},

    {M(store), "merchant", CODE, REQUIRED},
    {M(store), "code", STORE, REQUIRED},
    {M(store), "name", 0, 100, RULE_ANY, OPTIONAL},

    {M(terminal), "merchant", CODE, REQUIRED},
    {M(terminal), "code", CODE, REQUIRED},
    {M(terminal), "store", STORE, OPTIONAL},
    {M(terminal), "channel", NEEDED},
    {M(terminal), "certificate_sha256", 32, 32, RULE_ANY, REQUIRED},

    {M(earn_rate), "merchant", CODE, REQUIRED},
    {M(earn_rate), "numerator", 0, 1000000, RULE_ANY, OPTIONAL},
    {M(earn_rate), "denominator", 1, 1000000000, RULE_ANY, REQUIRED},
    {M(earn_rate), "lifetime_months", 0, 1200, RULE_ANY, OPTIONAL},
    {M(earn_rate), "valid_from", 19700101, 99991231, RULE_DATE, REQUIRED},

    {M(add_merchant_request), "merchant", NEEDED},
    {M(list_merchants_request), "after", 0, RULE_CODE_BYTES_MAX, RULE_ANY, OPTIONAL},
    {M(add_stores_request), "stores", 1, RULE_STORES_MAX, RULE_ANY, REQUIRED},
    {M(list_stores_request), "merchant", CODE, REQUIRED},
    {M(list_stores_request), "after", 0, RULE_CODE_BYTES_MAX, RULE_ANY, OPTIONAL},
    {M(add_terminal_request), "terminal", NEEDED},
    {M(list_terminals_request), "merchant", CODE, REQUIRED},
    {M(list_terminals_request), "after", 0, RULE_CODE_BYTES_MAX, RULE_ANY, OPTIONAL},
    {M(set_earn_rate_request), "rate", NEEDED},
    {M(list_earn_rates_request), "merchant", CODE, REQUIRED},
    {M(check_conservation_request), "bucket_first", 0, 255, RULE_ANY, OPTIONAL},
    {M(check_conservation_request), "bucket_last", 0, 255, RULE_ANY, OPTIONAL},

    {M(earn_response), "ref", REF},
    {M(earn_response), "points", FREE},
    {M(earn_response), "debt_repaid", FREE},
    {M(earn_response), "balance", FREE},
    {M(earn_response), "expires_at_us", FREE},
    {M(earn_response), "entry_key", ENTRY_KEY},

    {M(redeem_response), "ref", REF},
    {M(redeem_response), "points", FREE},
    {M(redeem_response), "balance", FREE},
    {M(redeem_response), "entry_key", ENTRY_KEY},

    {M(reverse_response), "ref", REF},
    {M(reverse_response), "points", FREE},
    {M(reverse_response), "debt_made", FREE},
    {M(reverse_response), "expired", FREE},
    {M(reverse_response), "balance", FREE},
    {M(reverse_response), "entry_key", ENTRY_KEY},
    {M(reverse_response), "before_original", FREE},

    {M(get_balance_response), "ref", REF},
    {M(get_balance_response), "balance", FREE},
    {M(find_member_response), "ref", REF},
    {M(enrol_member_response), "ref", REF},
    {M(enrol_member_response), "balance", FREE},
};

static const struct rule_relation RELATIONS[] = {
    {M(purchase), "paid_in_points_minor", RULE_AT_MOST, "amount_minor", 0},
    {M(hello_request), "version_min", RULE_AT_MOST, "version_max", 0},
    {M(check_conservation_request), "bucket_first", RULE_AT_MOST, "bucket_last", 0},
    {M(reverse_request), "amount_minor", RULE_ONLY_WITH, "original_kind",
     LOYAL__V1__ORIGINAL_KIND__ORIGINAL_KIND_EARN},
};

static const struct rule_oneof ONEOFS[] = {
    {M(request), "body", "hello"},
    {M(member), "by", "ref"},
    {M(reverse_request), "extent", "whole"},
};

const struct rule *rules_of(const ProtobufCMessageDescriptor *message)
{
    for (size_t i = 0; i < LENGTH(RULES); i += RULES[i].message->n_fields) {
        if (RULES[i].message == message)
            return &RULES[i];
    }
    return NULL;
}

const struct rule *rules_all(size_t *n_out)
{
    *n_out = LENGTH(RULES);
    return RULES;
}

const struct rule_relation *rule_relations(size_t *n_out)
{
    *n_out = LENGTH(RELATIONS);
    return RELATIONS;
}

const struct rule_oneof *rule_oneofs(size_t *n_out)
{
    *n_out = LENGTH(ONEOFS);
    return ONEOFS;
}
