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
#define REASON        1, RULE_REASON_BYTES_MAX, RULE_ANY
#define CURSOR        1, RULE_CURSOR_BYTES_MAX, RULE_ANY, OPTIONAL
#define PAGE_ROWS     1, RULE_PAGE_ROWS_MAX, RULE_ANY, OPTIONAL
#define DAY           19700101, 99991231, RULE_DATE
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
    {M(request), "set_grant", FREE},
    {M(request), "revoke_grant", FREE},
    {M(request), "list_grants", FREE},
    {M(request), "translate_refs", FREE},
    {M(request), "earn", FREE},
    {M(request), "redeem", FREE},
    {M(request), "reverse", FREE},
    {M(request), "query_purchases", FREE},
    {M(request), "list_members_never_met", FREE},
    {M(request), "count_members", FREE},
    {M(request), "list_entries", FREE},
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
    {M(request), "list_disclosures", FREE},
    {M(request), "set_standing", FREE},
    {M(request), "erase_member", FREE},
    {M(request), "export_member", FREE},

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
    {M(merchant), "standing", FREE},

    {M(store), "merchant", CODE, REQUIRED},
    {M(store), "code", STORE, REQUIRED},
    {M(store), "name", 0, 100, RULE_ANY, OPTIONAL},
    {M(store), "standing", FREE},

    {M(terminal), "merchant", CODE, REQUIRED},
    {M(terminal), "code", CODE, REQUIRED},
    {M(terminal), "store", STORE, OPTIONAL},
    {M(terminal), "channel", NEEDED},
    {M(terminal), "certificate_sha256", 32, 32, RULE_ANY, REQUIRED},
    {M(terminal), "standing", FREE},
    {M(terminal), "older_certificate_sha256", 0, 32, RULE_ANY, OPTIONAL},

    {M(store_name), "merchant", CODE, REQUIRED},
    {M(store_name), "code", STORE, REQUIRED},
    {M(terminal_name), "merchant", CODE, REQUIRED},
    {M(terminal_name), "code", CODE, REQUIRED},
    {M(terminal_certificate), "merchant", CODE, REQUIRED},
    {M(terminal_certificate), "code", CODE, REQUIRED},
    {M(terminal_certificate), "certificate_sha256", 32, 32, RULE_ANY, REQUIRED},

    {M(set_standing_request), "member", FREE},
    {M(set_standing_request), "merchant", CODE, OPTIONAL},
    {M(set_standing_request), "store", FREE},
    {M(set_standing_request), "terminal", FREE},
    {M(set_standing_request), "operator", CODE, OPTIONAL},
    {M(set_standing_request), "standing", NEEDED},
    {M(set_standing_request), "reason", REASON, REQUIRED},
    {M(set_standing_request), "certificate", FREE},

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

    {M(grant), "recipient", CODE, OPTIONAL},
    {M(grant), "source", CODE, OPTIONAL},
    {M(grant), "purpose", NEEDED},
    {M(grant), "fields", 1, RULE_FIELD_GROUPS_MAX, RULE_ANY, REQUIRED},
    {M(grant), "last_day", DAY, REQUIRED},
    {M(grant), "text_version", 1, 32, RULE_ANY, REQUIRED},
    {M(grant), "channel", FREE},

    {M(set_grant_request), "key", KEY, REQUIRED},
    {M(set_grant_request), "member", NEEDED},
    {M(set_grant_request), "grant", NEEDED},
    {M(revoke_grant_request), "member", NEEDED},
    {M(revoke_grant_request), "recipient", CODE, OPTIONAL},
    {M(revoke_grant_request), "all", FREE},
    {M(revoke_grant_request), "purpose", FREE},
    {M(list_grants_request), "member", NEEDED},
    {M(list_grants_request), "cursor", CURSOR},
    {M(translate_refs_request), "refs", 1, RULE_REFS_MAX, RULE_ANY, REQUIRED},

    {M(purchase_filter), "merchants", 0, RULE_FILTER_VALUES_MAX, RULE_ANY, OPTIONAL},
    {M(purchase_filter), "categories", 0, RULE_FILTER_VALUES_MAX, RULE_ANY, OPTIONAL},
    {M(purchase_filter), "date_first", DAY, OPTIONAL},
    {M(purchase_filter), "date_last", DAY, OPTIONAL},
    {M(purchase_filter), "amount_minor_min", 1, AMOUNT_MAX, RULE_ANY, OPTIONAL},
    {M(purchase_filter), "amount_minor_max", 1, AMOUNT_MAX, RULE_ANY, OPTIONAL},
    {M(purchase_filter), "channels", 0, 5, RULE_ANY, OPTIONAL},

    {M(query_purchases_request), "member", NEEDED},
    {M(query_purchases_request), "purpose", NEEDED},
    {M(query_purchases_request), "filter", FREE},
    {M(query_purchases_request), "page_rows", PAGE_ROWS},
    {M(query_purchases_request), "cursor", CURSOR},
    {M(list_members_never_met_request), "purpose", NEEDED},
    {M(list_members_never_met_request), "filter", FREE},
    {M(list_members_never_met_request), "page_rows", PAGE_ROWS},
    {M(list_members_never_met_request), "cursor", CURSOR},
    {M(count_members_request), "purpose", NEEDED},
    {M(count_members_request), "filter", FREE},
    {M(count_members_request), "k", 1, 1000000, RULE_ANY, OPTIONAL},

    {M(entry_period), "from_us", 0, RULE_TIME_US_MAX, RULE_ANY, OPTIONAL},
    {M(entry_period), "until_us", 1, RULE_TIME_US_MAX, RULE_ANY, REQUIRED},
    {M(list_entries_request), "member", FREE},
    {M(list_entries_request), "period", FREE},
    {M(list_entries_request), "page_rows", PAGE_ROWS},
    {M(list_entries_request), "cursor", CURSOR},
    {M(list_entries_request), "reason", REASON, OPTIONAL},
    {M(list_disclosures_request), "member", NEEDED},
    {M(list_disclosures_request), "cursor", CURSOR},
    {M(erase_member_request), "key", KEY, REQUIRED},
    {M(erase_member_request), "member", NEEDED},
    {M(erase_member_request), "reason", REASON, REQUIRED},
    {M(export_member_request), "member", NEEDED},
    {M(export_member_request), "reason", REASON, REQUIRED},
    {M(export_member_request), "cursor", CURSOR},

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
    {M(set_grant_response), "ref", REF},
    {M(set_grant_response), "until_us", FREE},
    {M(list_grants_response), "ref", REF},
    {M(list_grants_response), "grants", FREE},
    {M(list_grants_response), "cursor", CURSOR},
    {M(grant_record), "grant_key", ENTRY_KEY},
    {M(grant_record), "grant", FREE},
    {M(grant_record), "state", FREE},
    {M(grant_record), "granted_at_us", FREE},
    {M(grant_record), "until_us", FREE},
    {M(grant_record), "ended_at_us", FREE},
    {M(grant_record), "terminal", FREE},
    {M(grant_record), "operator", FREE},
    {M(query_purchases_response), "ref", REF},
    {M(query_purchases_response), "purchases", FREE},
    {M(query_purchases_response), "cursor", CURSOR},
    {M(query_purchases_response), "as_of_us", FREE},
    {M(network_purchase), "purchase_id", REF},
    {M(network_purchase), "kind", FREE},
    {M(network_purchase), "fields", 0, RULE_FIELD_GROUPS_MAX, RULE_ANY, OPTIONAL},
    {M(network_purchase), "merchant", FREE},
    {M(network_purchase), "business_date", FREE},
    {M(network_purchase), "channel", FREE},
    {M(network_purchase), "amount_minor", FREE},
    {M(network_purchase), "currency", FREE},
    {M(network_purchase), "points", FREE},
    {M(network_purchase), "lines", 0, RULE_BASKET_LINES_MAX, RULE_ANY, OPTIONAL},
    {M(list_members_never_met_response), "members", FREE},
    {M(list_members_never_met_response), "cursor", CURSOR},
    {M(list_members_never_met_response), "as_of_us", FREE},
    {M(member_never_met), "ref", REF},
    {M(member_never_met), "purchases", FREE},
    {M(member_never_met), "more", FREE},
    {M(list_entries_response), "entries", FREE},
    {M(list_entries_response), "cursor", CURSOR},
    {M(list_disclosures_response), "ref", REF},
    {M(list_disclosures_response), "disclosures", FREE},
    {M(list_disclosures_response), "cursor", CURSOR},
    {M(disclosed_row), "entry_key", ENTRY_KEY},
    {M(disclosed_row), "merchant", FREE},
    {M(disclosed_row), "business_date", FREE},
    {M(disclosed_row), "fields", 0, RULE_FIELD_GROUPS_MAX, RULE_ANY, OPTIONAL},
    {M(erase_member_response), "points", FREE},
    {M(erase_member_response), "entry_key", ENTRY_KEY},
    {M(erase_member_response), "entries", FREE},
    {M(export_member_response), "ref", REF},
    {M(export_member_response), "rows", FREE},
    {M(export_member_response), "cursor", CURSOR},
};

static const struct rule_relation RELATIONS[] = {
    {M(purchase), "paid_in_points_minor", RULE_AT_MOST, "amount_minor", 0},
    {M(hello_request), "version_min", RULE_AT_MOST, "version_max", 0},
    {M(check_conservation_request), "bucket_first", RULE_AT_MOST, "bucket_last", 0},
    {M(reverse_request), "amount_minor", RULE_ONLY_WITH, "original_kind",
     LOYAL__V1__ORIGINAL_KIND__ORIGINAL_KIND_EARN},
    {M(entry_period), "from_us", RULE_AT_MOST, "until_us", 0},
};

static const struct rule_oneof ONEOFS[] = {
    {M(request), "body", "hello"},
    {M(member), "by", "ref"},
    {M(reverse_request), "extent", "whole"},
    {M(revoke_grant_request), "which", "all"},
    {M(set_standing_request), "subject", "member"},
    {M(list_entries_request), "of", "member"},
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
