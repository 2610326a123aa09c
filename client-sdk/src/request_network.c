/* The encoding of the verbs about grants, purchases elsewhere, records and standing.
 *
 * Called through the table in request.c. As there: it must never judge what a request says. */
#include "request_parts.h"

/* A bit of enum loyal_fields and its group on the wire. */
static const struct {
    unsigned bit;
    Loyal__V1__FieldGroup group;
} FIELD_GROUPS[] = {
    {LOYAL_MERCHANT_AND_DATE, LOYAL__V1__FIELD_GROUP__FIELD_GROUP_MERCHANT_AND_DATE},
    {LOYAL_AMOUNT, LOYAL__V1__FIELD_GROUP__FIELD_GROUP_AMOUNT},
    {LOYAL_BASKET, LOYAL__V1__FIELD_GROUP__FIELD_GROUP_BASKET},
};

enum { FIELD_GROUP_COUNT = sizeof FIELD_GROUPS / sizeof FIELD_GROUPS[0] };

static ProtobufCBinaryData key_of(const struct parts *parts)
{
    return bytes_of(parts->from->key, sizeof parts->from->key);
}

static ProtobufCBinaryData cursor_of(const struct parts *parts)
{
    return bytes_of(parts->from->cursor.bytes, parts->from->cursor.size);
}

/* ---- grants ---- */

bool sdk_build_set_grant(struct parts *parts)
{
    const struct loyal_grant *from = &parts->from->grant;
    Loyal__V1__SetGrantRequest *out = BODY(parts, set_grant, SET_GRANT);
    Loyal__V1__Grant *grant = &parts->grant;
    loyal__v1__grant__init(grant);
    grant->fields = sdk_arena_array(parts->scratch, FIELD_GROUP_COUNT, sizeof *grant->fields);
    if (grant->fields == NULL)
        return false;
    for (size_t i = 0; i < FIELD_GROUP_COUNT; i++)
        if ((from->fields & FIELD_GROUPS[i].bit) != 0)
            grant->fields[grant->n_fields++] = FIELD_GROUPS[i].group;
    grant->recipient = text_of(from->recipient);
    grant->source = text_of(from->source);
    grant->purpose = (Loyal__V1__Purpose)from->purpose;
    grant->last_day = from->last_day;
    grant->text_version = text_of(from->text_version);
    grant->channel = (Loyal__V1__Channel)from->channel;
    out->key = key_of(parts);
    out->member = sdk_request_member(parts);
    out->grant = grant;
    return true;
}

bool sdk_build_revoke_grant(struct parts *parts)
{
    const struct loyal_grant *from = &parts->from->grant;
    Loyal__V1__RevokeGrantRequest *out = BODY(parts, revoke_grant, REVOKE_GRANT);
    out->member = sdk_request_member(parts);
    if (from->recipient != NULL && from->recipient[0] != '\0') {
        out->which_case = LOYAL__V1__REVOKE_GRANT_REQUEST__WHICH_RECIPIENT;
        out->recipient = text_of(from->recipient);
    } else {
        loyal__v1__all_grants__init(&parts->all_grants);
        out->which_case = LOYAL__V1__REVOKE_GRANT_REQUEST__WHICH_ALL;
        out->all = &parts->all_grants;
    }
    out->purpose = (Loyal__V1__Purpose)from->purpose;
    return true;
}

bool sdk_build_list_grants(struct parts *parts)
{
    Loyal__V1__ListGrantsRequest *out = BODY(parts, list_grants, LIST_GRANTS);
    out->member = sdk_request_member(parts);
    out->cursor = cursor_of(parts);
    return true;
}

bool sdk_build_translate_refs(struct parts *parts)
{
    const struct loyal_request *from = parts->from;
    Loyal__V1__TranslateRefsRequest *out = BODY(parts, translate_refs, TRANSLATE_REFS);
    out->refs = sdk_arena_array(parts->scratch, from->ref_count, sizeof *out->refs);
    if (out->refs == NULL)
        return false;
    for (size_t i = 0; i < from->ref_count; i++)
        out->refs[i] = bytes_of(from->refs[i], sizeof from->refs[i]);
    out->n_refs = from->ref_count;
    return true;
}

/* ---- purchases elsewhere ---- */

/* protobuf-c has no const strings. NULL: no memory. */
static char **texts_of(struct parts *parts, const char *const *texts, size_t n)
{
    char **out = sdk_arena_array(parts->scratch, n, sizeof *out);
    for (size_t i = 0; out != NULL && i < n; i++)
        out[i] = text_of(texts[i]);
    return out;
}

/* NULL: no memory. */
static Loyal__V1__PurchaseFilter *filter_of(struct parts *parts)
{
    const struct loyal_filter *from = &parts->from->filter;
    Loyal__V1__PurchaseFilter *out = &parts->filter;
    loyal__v1__purchase_filter__init(out);
    out->n_merchants = from->merchant_count;
    out->merchants = texts_of(parts, from->merchants, from->merchant_count);
    out->n_categories = from->category_count;
    out->categories = texts_of(parts, from->categories, from->category_count);
    out->n_channels = from->channel_count;
    out->channels = sdk_arena_array(parts->scratch, from->channel_count, sizeof *out->channels);
    if (out->merchants == NULL || out->categories == NULL || out->channels == NULL)
        return NULL;
    for (size_t i = 0; i < from->channel_count; i++)
        out->channels[i] = (Loyal__V1__Channel)from->channels[i];
    out->date_first = from->date_first;
    out->date_last = from->date_last;
    out->amount_minor_min = from->amount_minor_min;
    out->amount_minor_max = from->amount_minor_max;
    return out;
}

bool sdk_build_query_purchases(struct parts *parts)
{
    Loyal__V1__QueryPurchasesRequest *out = BODY(parts, query_purchases, QUERY_PURCHASES);
    out->member = sdk_request_member(parts);
    out->purpose = (Loyal__V1__Purpose)parts->from->purpose;
    out->page_rows = parts->from->page_rows;
    out->cursor = cursor_of(parts);
    out->filter = filter_of(parts);
    return out->filter != NULL;
}

bool sdk_build_list_members_never_met(struct parts *parts)
{
    Loyal__V1__ListMembersNeverMetRequest *out =
        BODY(parts, list_members_never_met, LIST_MEMBERS_NEVER_MET);
    out->purpose = (Loyal__V1__Purpose)parts->from->purpose;
    out->page_rows = parts->from->page_rows;
    out->cursor = cursor_of(parts);
    out->filter = filter_of(parts);
    return out->filter != NULL;
}

bool sdk_build_count_members(struct parts *parts)
{
    Loyal__V1__CountMembersRequest *out = BODY(parts, count_members, COUNT_MEMBERS);
    out->purpose = (Loyal__V1__Purpose)parts->from->purpose;
    out->k = parts->from->k;
    out->filter = filter_of(parts);
    return out->filter != NULL;
}

/* ---- records ---- */

bool sdk_build_list_entries(struct parts *parts)
{
    const struct loyal_request *from = parts->from;
    Loyal__V1__ListEntriesRequest *out = BODY(parts, list_entries, LIST_ENTRIES);
    if (from->has_period) {
        loyal__v1__entry_period__init(&parts->period);
        parts->period.from_us = from->from_us;
        parts->period.until_us = from->until_us;
        out->of_case = LOYAL__V1__LIST_ENTRIES_REQUEST__OF_PERIOD;
        out->period = &parts->period;
    } else {
        out->of_case = LOYAL__V1__LIST_ENTRIES_REQUEST__OF_MEMBER;
        out->member = sdk_request_member(parts);
    }
    out->page_rows = from->page_rows;
    out->cursor = cursor_of(parts);
    out->reason = text_of(from->reason);
    return true;
}

bool sdk_build_list_disclosures(struct parts *parts)
{
    Loyal__V1__ListDisclosuresRequest *out = BODY(parts, list_disclosures, LIST_DISCLOSURES);
    out->member = sdk_request_member(parts);
    out->cursor = cursor_of(parts);
    return true;
}

bool sdk_build_erase_member(struct parts *parts)
{
    Loyal__V1__EraseMemberRequest *out = BODY(parts, erase_member, ERASE_MEMBER);
    out->key = key_of(parts);
    out->member = sdk_request_member(parts);
    out->reason = text_of(parts->from->reason);
    return true;
}

bool sdk_build_export_member(struct parts *parts)
{
    Loyal__V1__ExportMemberRequest *out = BODY(parts, export_member, EXPORT_MEMBER);
    out->member = sdk_request_member(parts);
    out->reason = text_of(parts->from->reason);
    out->cursor = cursor_of(parts);
    return true;
}

/* ---- standing ---- */

static void certificate_fill(struct parts *parts, Loyal__V1__SetStandingRequest *out)
{
    const struct loyal_terminal *from = &parts->from->terminal;
    loyal__v1__terminal_certificate__init(&parts->terminal_certificate);
    parts->terminal_certificate.merchant = text_of(from->merchant);
    parts->terminal_certificate.code = text_of(from->code);
    parts->terminal_certificate.certificate_sha256 =
        bytes_of(from->certificate_sha256, sizeof from->certificate_sha256);
    out->subject_case = LOYAL__V1__SET_STANDING_REQUEST__SUBJECT_CERTIFICATE;
    out->certificate = &parts->terminal_certificate;
}

/* A subject that is none leaves the message without one, which the server refuses. */
static void subject_fill(struct parts *parts, Loyal__V1__SetStandingRequest *out)
{
    const struct loyal_request *from = parts->from;
    switch (from->subject) {
    case LOYAL_SUBJECT_MEMBER:
        out->subject_case = LOYAL__V1__SET_STANDING_REQUEST__SUBJECT_MEMBER;
        out->member = sdk_request_member(parts);
        break;
    case LOYAL_SUBJECT_MERCHANT:
        out->subject_case = LOYAL__V1__SET_STANDING_REQUEST__SUBJECT_MERCHANT;
        out->merchant = text_of(from->merchant.code);
        break;
    case LOYAL_SUBJECT_STORE:
        if (from->store_count == 0)
            break;
        loyal__v1__store_name__init(&parts->store_name);
        parts->store_name.merchant = text_of(from->stores[0].merchant);
        parts->store_name.code = text_of(from->stores[0].code);
        out->subject_case = LOYAL__V1__SET_STANDING_REQUEST__SUBJECT_STORE;
        out->store = &parts->store_name;
        break;
    case LOYAL_SUBJECT_TERMINAL:
        loyal__v1__terminal_name__init(&parts->terminal_name);
        parts->terminal_name.merchant = text_of(from->terminal.merchant);
        parts->terminal_name.code = text_of(from->terminal.code);
        out->subject_case = LOYAL__V1__SET_STANDING_REQUEST__SUBJECT_TERMINAL;
        out->terminal = &parts->terminal_name;
        break;
    case LOYAL_SUBJECT_CERTIFICATE: certificate_fill(parts, out); break;
    case LOYAL_SUBJECT_OPERATOR:
        out->subject_case = LOYAL__V1__SET_STANDING_REQUEST__SUBJECT_OPERATOR;
        out->operator_ = text_of(from->operator_name);
        break;
    }
}

bool sdk_build_set_standing(struct parts *parts)
{
    Loyal__V1__SetStandingRequest *out = BODY(parts, set_standing, SET_STANDING);
    subject_fill(parts, out);
    out->standing = (Loyal__V1__Standing)parts->from->standing;
    out->reason = text_of(parts->from->reason);
    return true;
}
