/* The encoding of each verb, in one table; the builders of those about grants, purchases elsewhere
 * and records lie in request_network.c.
 *
 * Called by client.c and exchange.c. It must never judge what a request says: ranges, forms and
 * identifiers are the server's business, and one place that knows them is enough. */
#include "request.h"

#include <assert.h>
#include <stdlib.h>

#include "frame.h"
#include "request_parts.h"

static void identifier_fill(Loyal__V1__Identifier *out, const struct loyal_identifier *from)
{
    loyal__v1__identifier__init(out);
    out->kind = (Loyal__V1__IdentifierKind)from->kind;
    out->value = text_of(from->value);
}

Loyal__V1__Member *sdk_request_member(struct parts *parts)
{
    const struct loyal_member *from = &parts->from->member;
    loyal__v1__member__init(&parts->member);
    if (from->has_ref) {
        parts->member.by_case = LOYAL__V1__MEMBER__BY_REF;
        parts->member.ref = bytes_of(from->ref, sizeof from->ref);
    } else {
        identifier_fill(&parts->identifier, &from->identifier);
        parts->member.by_case = LOYAL__V1__MEMBER__BY_IDENTIFIER;
        parts->member.identifier = &parts->identifier;
    }
    return &parts->member;
}

static Loyal__V1__Occasion *occasion_of(struct parts *parts)
{
    const struct loyal_occasion *from = &parts->from->occasion;
    Loyal__V1__Occasion *out = &parts->occasion;
    loyal__v1__occasion__init(out);
    out->store = text_of(from->store);
    out->till = text_of(from->till);
    out->receipt = text_of(from->receipt);
    out->part = from->part;
    out->business_date = from->business_date;
    out->occurred_at_us = from->occurred_at_us;
    return out;
}

static bool build_ping(struct parts *parts)
{
    BODY(parts, ping, PING);
    return true;
}

static bool build_enrol_member(struct parts *parts)
{
    const struct loyal_request *from = parts->from;
    Loyal__V1__EnrolMemberRequest *out = BODY(parts, enrol_member, ENROL_MEMBER);
    size_t n = from->identifier_count;
    Loyal__V1__Identifier *items = sdk_arena_array(parts->scratch, n, sizeof *items);
    out->identifiers = sdk_arena_array(parts->scratch, n, sizeof(void *));
    if (items == NULL || out->identifiers == NULL)
        return false;
    for (size_t i = 0; i < n; i++) {
        identifier_fill(&items[i], &from->identifiers[i]);
        out->identifiers[i] = &items[i];
    }
    out->n_identifiers = n;
    out->key = bytes_of(from->key, sizeof from->key);
    out->store = text_of(from->occasion.store);
    return true;
}

static bool build_find_member(struct parts *parts)
{
    Loyal__V1__FindMemberRequest *out = BODY(parts, find_member, FIND_MEMBER);
    identifier_fill(&parts->identifier, &parts->from->member.identifier);
    out->identifier = &parts->identifier;
    return true;
}

static bool build_get_balance(struct parts *parts)
{
    Loyal__V1__GetBalanceRequest *out = BODY(parts, get_balance, GET_BALANCE);
    out->member = sdk_request_member(parts);
    return true;
}

static bool lines_fill(struct parts *parts)
{
    const struct loyal_request *from = parts->from;
    size_t n = from->line_count;
    Loyal__V1__BasketLine *items = sdk_arena_array(parts->scratch, n, sizeof *items);
    Loyal__V1__BasketLine **lines = sdk_arena_array(parts->scratch, n, sizeof(void *));
    if (items == NULL || lines == NULL)
        return false;
    for (size_t i = 0; i < n; i++) {
        loyal__v1__basket_line__init(&items[i]);
        items[i].product = text_of(from->lines[i].product);
        items[i].category = text_of(from->lines[i].category);
        items[i].quantity_milli = from->lines[i].quantity_milli;
        items[i].amount_minor = from->lines[i].amount_minor;
        lines[i] = &items[i];
    }
    parts->purchase.n_lines = n;
    parts->purchase.lines = lines;
    return true;
}

static bool build_earn(struct parts *parts)
{
    const struct loyal_request *from = parts->from;
    Loyal__V1__EarnRequest *out = BODY(parts, earn, EARN);
    out->key = bytes_of(from->key, sizeof from->key);
    out->member = sdk_request_member(parts);
    loyal__v1__purchase__init(&parts->purchase);
    parts->purchase.occasion = occasion_of(parts);
    parts->purchase.amount_minor = from->amount_minor;
    parts->purchase.currency = text_of(from->currency);
    parts->purchase.paid_in_points_minor = from->paid_in_points_minor;
    out->purchase = &parts->purchase;
    return from->line_count == 0 || lines_fill(parts);
}

static bool build_redeem(struct parts *parts)
{
    Loyal__V1__RedeemRequest *out = BODY(parts, redeem, REDEEM);
    out->key = bytes_of(parts->from->key, sizeof parts->from->key);
    out->member = sdk_request_member(parts);
    out->points = parts->from->points;
    out->occasion = occasion_of(parts);
    return true;
}

static bool build_reverse(struct parts *parts)
{
    const struct loyal_request *from = parts->from;
    Loyal__V1__ReverseRequest *out = BODY(parts, reverse, REVERSE);
    out->key = bytes_of(from->key, sizeof from->key);
    out->member = sdk_request_member(parts);
    if (from->has_original)
        out->original_key = bytes_of(from->original_key, sizeof from->original_key);
    out->original_kind = (Loyal__V1__OriginalKind)from->original_kind;
    if (from->whole) {
        loyal__v1__whole_extent__init(&parts->whole);
        out->extent_case = LOYAL__V1__REVERSE_REQUEST__EXTENT_WHOLE;
        out->whole = &parts->whole;
    } else {
        out->extent_case = LOYAL__V1__REVERSE_REQUEST__EXTENT_AMOUNT_MINOR;
        out->amount_minor = from->amount_minor;
    }
    out->occasion = occasion_of(parts);
    return true;
}

static bool build_add_merchant(struct parts *parts)
{
    const struct loyal_merchant *from = &parts->from->merchant;
    Loyal__V1__AddMerchantRequest *out = BODY(parts, add_merchant, ADD_MERCHANT);
    loyal__v1__merchant__init(&parts->merchant);
    parts->merchant.code = text_of(from->code);
    parts->merchant.name = text_of(from->name);
    parts->merchant.currency = text_of(from->currency);
    out->merchant = &parts->merchant;
    return true;
}

static bool build_list_merchants(struct parts *parts)
{
    Loyal__V1__ListMerchantsRequest *out = BODY(parts, list_merchants, LIST_MERCHANTS);
    out->after = text_of(parts->from->list_after);
    return true;
}

static bool build_add_stores(struct parts *parts)
{
    const struct loyal_request *from = parts->from;
    Loyal__V1__AddStoresRequest *out = BODY(parts, add_stores, ADD_STORES);
    size_t n = from->store_count;
    Loyal__V1__Store *items = sdk_arena_array(parts->scratch, n, sizeof *items);
    out->stores = sdk_arena_array(parts->scratch, n, sizeof(void *));
    if (items == NULL || out->stores == NULL)
        return false;
    for (size_t i = 0; i < n; i++) {
        loyal__v1__store__init(&items[i]);
        items[i].merchant = text_of(from->stores[i].merchant);
        items[i].code = text_of(from->stores[i].code);
        items[i].name = text_of(from->stores[i].name);
        out->stores[i] = &items[i];
    }
    out->n_stores = n;
    return true;
}

static bool build_list_stores(struct parts *parts)
{
    Loyal__V1__ListStoresRequest *out = BODY(parts, list_stores, LIST_STORES);
    out->merchant = text_of(parts->from->list_merchant);
    out->after = text_of(parts->from->list_after);
    return true;
}

static bool build_add_terminal(struct parts *parts)
{
    const struct loyal_terminal *from = &parts->from->terminal;
    Loyal__V1__AddTerminalRequest *out = BODY(parts, add_terminal, ADD_TERMINAL);
    loyal__v1__terminal__init(&parts->terminal);
    parts->terminal.merchant = text_of(from->merchant);
    parts->terminal.code = text_of(from->code);
    parts->terminal.store = text_of(from->store);
    parts->terminal.channel = (Loyal__V1__Channel)from->channel;
    parts->terminal.certificate_sha256 =
        bytes_of(from->certificate_sha256, sizeof from->certificate_sha256);
    out->terminal = &parts->terminal;
    return true;
}

static bool build_list_terminals(struct parts *parts)
{
    Loyal__V1__ListTerminalsRequest *out = BODY(parts, list_terminals, LIST_TERMINALS);
    out->merchant = text_of(parts->from->list_merchant);
    out->after = text_of(parts->from->list_after);
    return true;
}

static bool build_set_earn_rate(struct parts *parts)
{
    const struct loyal_rate *from = &parts->from->rate;
    Loyal__V1__SetEarnRateRequest *out = BODY(parts, set_earn_rate, SET_EARN_RATE);
    loyal__v1__earn_rate__init(&parts->rate);
    parts->rate.merchant = text_of(from->merchant);
    parts->rate.numerator = from->numerator;
    parts->rate.denominator = from->denominator;
    parts->rate.lifetime_months = from->lifetime_months;
    parts->rate.valid_from = from->valid_from;
    out->rate = &parts->rate;
    return true;
}

static bool build_list_earn_rates(struct parts *parts)
{
    Loyal__V1__ListEarnRatesRequest *out = BODY(parts, list_earn_rates, LIST_EARN_RATES);
    out->merchant = text_of(parts->from->list_merchant);
    return true;
}

static bool build_get_status(struct parts *parts)
{
    BODY(parts, get_status, GET_STATUS);
    return true;
}

static bool build_list_owed_points(struct parts *parts)
{
    BODY(parts, list_owed_points, LIST_OWED_POINTS);
    return true;
}

static bool build_check_conservation(struct parts *parts)
{
    Loyal__V1__CheckConservationRequest *out = BODY(parts, check_conservation, CHECK_CONSERVATION);
    out->bucket_first = parts->from->bucket_first;
    out->bucket_last = parts->from->bucket_last;
    return true;
}

static builder *const builders[] = {
    [LOYAL_PING] = build_ping,
    [LOYAL_ENROL_MEMBER] = build_enrol_member,
    [LOYAL_FIND_MEMBER] = build_find_member,
    [LOYAL_GET_BALANCE] = build_get_balance,
    [LOYAL_EARN] = build_earn,
    [LOYAL_REDEEM] = build_redeem,
    [LOYAL_REVERSE] = build_reverse,
    [LOYAL_ADD_MERCHANT] = build_add_merchant,
    [LOYAL_LIST_MERCHANTS] = build_list_merchants,
    [LOYAL_ADD_STORES] = build_add_stores,
    [LOYAL_LIST_STORES] = build_list_stores,
    [LOYAL_ADD_TERMINAL] = build_add_terminal,
    [LOYAL_LIST_TERMINALS] = build_list_terminals,
    [LOYAL_SET_EARN_RATE] = build_set_earn_rate,
    [LOYAL_LIST_EARN_RATES] = build_list_earn_rates,
    [LOYAL_GET_STATUS] = build_get_status,
    [LOYAL_LIST_OWED_POINTS] = build_list_owed_points,
    [LOYAL_CHECK_CONSERVATION] = build_check_conservation,
    [LOYAL_SET_GRANT] = sdk_build_set_grant,
    [LOYAL_REVOKE_GRANT] = sdk_build_revoke_grant,
    [LOYAL_LIST_GRANTS] = sdk_build_list_grants,
    [LOYAL_TRANSLATE_REFS] = sdk_build_translate_refs,
    [LOYAL_QUERY_PURCHASES] = sdk_build_query_purchases,
    [LOYAL_LIST_MEMBERS_NEVER_MET] = sdk_build_list_members_never_met,
    [LOYAL_COUNT_MEMBERS] = sdk_build_count_members,
    [LOYAL_LIST_ENTRIES] = sdk_build_list_entries,
    [LOYAL_LIST_DISCLOSURES] = sdk_build_list_disclosures,
    [LOYAL_SET_STANDING] = sdk_build_set_standing,
    [LOYAL_ERASE_MEMBER] = sdk_build_erase_member,
    [LOYAL_EXPORT_MEMBER] = sdk_build_export_member,
};

static enum loyal_code pack(const Loyal__V1__Request *request, struct message *out)
{
    size_t size = loyal__v1__request__get_packed_size(request);
    if (size > FRAME_REQUEST_BYTES_MAX - REQUEST_HEAD_BYTES_MAX)
        return LOYAL_CODE_INVALID_FIELD;
    if (size > out->capacity) {
        size_t capacity = size < 512 ? 512 : size;
        uint8_t *bytes = realloc(out->bytes, capacity);
        if (bytes == NULL)
            return LOYAL_CODE_MEMORY;
        out->bytes = bytes;
        out->capacity = capacity;
    }
    out->size = loyal__v1__request__pack(request, out->bytes);
    assert(out->size == size);
    return LOYAL_CODE_OK;
}

/* The member of the request that the library cannot read, or "". */
static const char *unreadable(const struct loyal_request *request)
{
    size_t verb = (size_t)request->verb;
    if (verb >= sizeof builders / sizeof builders[0] || builders[verb] == NULL)
        return "verb";
    if (request->cursor.size > sizeof request->cursor.bytes)
        return "cursor.size";
    if (request->filter.channel_count >
        sizeof request->filter.channels / sizeof request->filter.channels[0])
        return "filter.channel_count";
    return "";
}

enum loyal_code sdk_request_encode(const struct loyal_request *request, struct arena *scratch,
                                   struct message *out, const char **field_out)
{
    *field_out = unreadable(request);
    out->size = 0;
    if (**field_out != '\0')
        return LOYAL_CODE_INVALID_FIELD;
    sdk_arena_reset(scratch);
    struct parts parts;
    parts.from = request;
    parts.scratch = scratch;
    loyal__v1__request__init(&parts.request);
    if (!builders[request->verb](&parts))
        return LOYAL_CODE_MEMORY;
    return pack(&parts.request, out);
}

enum loyal_code sdk_request_encode_hello(const struct hello *hello, struct message *out)
{
    Loyal__V1__Request request = LOYAL__V1__REQUEST__INIT;
    Loyal__V1__HelloRequest body = LOYAL__V1__HELLO_REQUEST__INIT;
    body.version_min = REQUEST_PROTOCOL_VERSION;
    body.version_max = REQUEST_PROTOCOL_VERSION;
    body.merchant = text_of(hello->merchant);
    body.software = text_of(hello->software);
    request.body_case = LOYAL__V1__REQUEST__BODY_HELLO;
    request.hello = &body;
    return pack(&request, out);
}

static uint8_t *varint_put(uint8_t *out, uint64_t value)
{
    while (value >= 0x80) {
        *out++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *out++ = (uint8_t)value;
    return out;
}

size_t sdk_request_head(uint8_t *out, size_t message_size, uint64_t id, uint32_t deadline_ms)
{
    enum { TAG_ID = 1 << 3, TAG_DEADLINE_MS = 2 << 3 };
    uint8_t *at = out + FRAME_HEADER_BYTES;
    *at++ = TAG_ID;
    at = varint_put(at, id);
    if (deadline_ms != 0) {
        *at++ = TAG_DEADLINE_MS;
        at = varint_put(at, deadline_ms);
    }
    size_t size = (size_t)(at - out);
    frame_put_header(out, (uint32_t)(size - FRAME_HEADER_BYTES + message_size));
    return size;
}

bool sdk_request_has_key(enum loyal_verb verb)
{
    switch (verb) {
    case LOYAL_ENROL_MEMBER:
    case LOYAL_EARN:
    case LOYAL_REDEEM:
    case LOYAL_REVERSE:
    case LOYAL_SET_GRANT:
    case LOYAL_ERASE_MEMBER: return true;
    default: return false;
    }
}
