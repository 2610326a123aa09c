/* Handles grants: SetGrant, RevokeGrant, ListGrants (R38). A terminal records grants towards its
 * own merchant, of members whose identifier was presented on its connection; any terminal revokes;
 * an operator does both. */
#include <string.h>

#include "base/zone.h"
#include "outcome.h"
#include "session/cursor.h"
#include "session/shown.h"
#include "session/verb.h"

#define LENGTH(array) ((int)(sizeof(array) / sizeof(array)[0]))
#define SECOND_US     INT64_C(1000000)
#define DAY_US        (INT64_C(86400) * SECOND_US)

static bool is_operator(const struct request *request)
{
    return request->session->identity.role == IDENTITY_OPERATOR;
}

static void refuse_field(struct request *request, const char *field, const char *text)
{
    struct answer answer = answer_invalid(field, text);
    request_answer(request, &answer);
}

static const struct reference *reference_of(const struct request *request)
{
    return engine_reference(request->session->worker->engine);
}

/* -1: there is no such merchant. */
static int32_t merchant_of(const struct request *request, const char *code)
{
    const struct reference_merchant *merchant =
        reference_merchant_by_code(reference_of(request), code);
    return merchant ? merchant->merchant_id : -1;
}

/* ---- SetGrant ---- */

#define LAST_DAY       "set_grant.grant.last_day"
#define LAST_DAY_RANGE "must be today or later, at most 24 months ahead"

/* What is asked, once it makes sense; in the request's arena. */
struct granting {
    int32_t recipient, source; /* source 0: all */
    int fields;
    int64_t until_us;
};

bool check_set_grant(struct request *request, struct answer *answer_out)
{
    return target_check(request, request->message->set_grant->member,
                        "set_grant.member.identifier.value", answer_out);
}

/* False after a refusal, as with those that follow. */
static bool recipient_read(struct request *request, const Loyal__V1__Grant *grant,
                           int32_t *recipient_out)
{
    const struct session *session = request->session;
    if (is_operator(request)) {
        if (!*grant->recipient) {
            refuse_field(request, "set_grant.grant.recipient", "an operator names the recipient");
            return false;
        }
        *recipient_out = merchant_of(request, grant->recipient);
        if (*recipient_out >= 0)
            return true;
        request_answer_code(request, OUTCOME_CODE(UNKNOWN_MERCHANT));
        return false;
    }
    *recipient_out = session->merchant_id;
    if (!*grant->recipient || !strcmp(grant->recipient, session->identity.merchant))
        return true;
    struct answer answer = answer_of(OUTCOME_CODE(NOT_ALLOWED));
    answer.field = "set_grant.grant.recipient";
    answer.text = "A terminal records grants towards its own merchant only.";
    request_answer(request, &answer);
    return false;
}

/* Ends with the last day, 24 months ahead at most. Whether it is over already is asked once its key
 * is known to be new. */
static bool until_read(struct request *request, const Loyal__V1__Grant *grant, int64_t *until_out)
{
    int64_t now_us = domain_clock_us(request->session->worker->clock);
    *until_out = zone_end_of_day_after_months(zone_day_begin((int32_t)grant->last_day), 0);
    if (*until_out <= zone_end_of_day_after_months(now_us, GRANT_MONTHS_MAX))
        return true;
    refuse_field(request, LAST_DAY, LAST_DAY_RANGE);
    return false;
}

static bool fields_read(struct request *request, const Loyal__V1__Grant *grant, int *bits_out)
{
    *bits_out = field_bits(grant->fields, grant->n_fields);
    if (__builtin_popcount((unsigned)*bits_out) == (int)grant->n_fields)
        return true;
    refuse_field(request, "set_grant.grant.fields", "must be groups of fields, none twice");
    return false;
}

static bool source_read(struct request *request, const Loyal__V1__Grant *grant,
                        struct granting *granting)
{
    granting->source = *grant->source ? merchant_of(request, grant->source) : 0;
    if (granting->source >= 0 && granting->source != granting->recipient)
        return true;
    if (granting->source < 0) {
        struct answer answer = answer_of(OUTCOME_CODE(UNKNOWN_MERCHANT));
        answer.field = "set_grant.grant.source";
        request_answer(request, &answer);
    } else {
        refuse_field(request, "set_grant.grant.source",
                     "must be another merchant than the recipient");
    }
    return false; /* and what was read is gone with the request */
}

static bool granting_read(struct request *request, struct granting *granting)
{
    const Loyal__V1__Grant *grant = request->message->set_grant->grant;
    bool has_channel = grant->channel != LOYAL__V1__CHANNEL__CHANNEL_UNSPECIFIED;
    if (!recipient_read(request, grant, &granting->recipient) ||
        !fields_read(request, grant, &granting->fields) ||
        !until_read(request, grant, &granting->until_us))
        return false;
    if (has_channel != is_operator(request)) {
        refuse_field(request, "set_grant.grant.channel",
                     "an operator says how the member agreed; a terminal leaves it empty");
        return false;
    }
    return source_read(request, grant, granting);
}

/* Where the member stands in the recipient's lists: of both, so that no two lists run alike. */
static int64_t place_of(const struct worker *worker, int32_t recipient, int64_t member_id)
{
    uint8_t bytes[12], hash[HASH_BYTES];
    put_u64(put_u32(bytes, (uint32_t)recipient), (uint64_t)member_id);
    hash_hmac(keyring_place_key(worker->keyring), bytes, sizeof bytes, hash);
    return (int64_t)(get_u64(hash) & INT64_MAX);
}

/* What is wrong with the request if its key is new, in order of precedence; "": nothing. */
static const char *fault_of(const struct request *request, const struct uuid *key)
{
    const struct session *session = request->session;
    const struct granting *granting = request->progress;
    int64_t now_us = domain_clock_us(session->worker->clock);
    int64_t ahead_us = uuid_time_us(key) - now_us;
    if (granting->until_us <= now_us)
        return "over";
    if (ahead_us > KEY_AHEAD_S_MAX * SECOND_US)
        return "future";
    if (-ahead_us > KEY_AGE_DAYS_MAX * DAY_US)
        return "old";
    bool is_present =
        is_operator(request) || presence_has(session->presences, request->member_id, now_us);
    return is_present ? "" : "absent";
}

static int code_of_word(const char *word)
{
    static const struct {
        const char *word;
        int code;
    } words[] = {
        {"added", OUTCOME_CODE(OK)},           {"recorded", OUTCOME_CODE(OK)},
        {"reused", OUTCOME_CODE(KEY_REUSED)},  {"future", OUTCOME_CODE(KEY_IN_FUTURE)},
        {"old", OUTCOME_CODE(TOO_OLD)},        {"suspended", OUTCOME_CODE(MEMBER_SUSPENDED)},
        {"absent", OUTCOME_CODE(NOT_PRESENT)}, {"unknown", OUTCOME_CODE(UNKNOWN_MEMBER)},
    };
    for (int i = 0; i < LENGTH(words); i++)
        if (strcmp(words[i].word, word) == 0)
            return words[i].code;
    return OUTCOME_CODE(INTERNAL);
}

static void on_set(struct query *query, int code, const struct query_rows *rows)
{
    struct request *request = query->ctx;
    Loyal__V1__SetGrantResponse body = LOYAL__V1__SET_GRANT_RESPONSE__INIT;
    if (code == OUTCOME_CODE(OK) && !strcmp(query_rows_value(rows, 0, 0), "over")) {
        refuse_field(request, LAST_DAY, LAST_DAY_RANGE);
        return;
    }
    if (code == OUTCOME_CODE(OK))
        code = code_of_word(query_rows_value(rows, 0, 0));
    struct answer answer = answer_of(code);
    if (code == OUTCOME_CODE(OK)) {
        answer.recorded = !strcmp(query_rows_value(rows, 0, 0), "recorded");
        body.until_us = query_number(rows, 0, 1);
        if (!target_ref(request, &body.ref)) /* it is committed */
            answer = answer_of(OUTCOME_CODE(OUTCOME_UNKNOWN));
        answer.response.body_case = LOYAL__V1__RESPONSE__BODY_SET_GRANT;
        answer.response.set_grant = &body;
    }
    request_answer(request, &answer);
}

static void on_grantor(struct request *request, const struct lookup *lookup)
{
    const Loyal__V1__SetGrantRequest *ask = request->message->set_grant;
    const struct granting *granting = request->progress;
    const struct session *session = request->session;
    const struct worker *worker = session->worker;
    uint8_t hash[LEDGER_BODY_HASH_BYTES];
    struct uuid key;
    request->member_id = lookup->member_id;
    memcpy(key.bytes, ask->key.data, UUID_BYTES);
    posting_body_hash(worker, &ask->base, hash);
    const char *values[] = {
        number_text(request, request->member_id),
        uuid_as_text(request, &key),
        number_text(request, granting->recipient),
        number_text(request, granting->source),
        number_text(request, ask->grant->purpose),
        number_text(request, granting->fields),
        number_text(request, domain_clock_us(worker->clock)),
        number_text(request, granting->until_us),
        ask->grant->text_version,
        number_text(request, is_operator(request) ? (int)ask->grant->channel : session->channel),
        number_text(request, session->terminal_id),
        number_text(request, session->operator_id),
        number_text(request, place_of(worker, granting->recipient, request->member_id)),
        query_hex(request, hash, sizeof hash),
        fault_of(request, &key),
        number_text(request, session->merchant_id),
    };
    struct query_call call = {STATEMENT_GRANT_SET, values, LENGTH(values), on_set,
                              .is_writing = true};
    query_begin(request, &call);
}

void handle_set_grant(struct request *request)
{
    struct granting *granting = arena_alloc(&request->arena, sizeof *granting);
    request->progress = granting;
    if (!granting)
        request_answer_code(request, OUTCOME_CODE(OVERLOADED));
    else if (granting_read(request, granting))
        target_find(request, request->message->set_grant->member, on_grantor);
}

/* ---- RevokeGrant ---- */

bool check_revoke_grant(struct request *request, struct answer *answer_out)
{
    return target_check(request, request->message->revoke_grant->member,
                        "revoke_grant.member.identifier.value", answer_out);
}

/* How many there were is not told: others' grants are not the asker's business. */
static void on_revoked(struct query *query, int code, const struct query_rows *rows)
{
    Loyal__V1__RevokeGrantResponse body = LOYAL__V1__REVOKE_GRANT_RESPONSE__INIT;
    struct answer answer = answer_of(code);
    (void)rows;
    if (code == OUTCOME_CODE(OK)) {
        answer.response.body_case = LOYAL__V1__RESPONSE__BODY_REVOKE_GRANT;
        answer.response.revoke_grant = &body;
    }
    request_answer(query->ctx, &answer);
}

static void on_revoker(struct request *request, const struct lookup *lookup)
{
    const Loyal__V1__RevokeGrantRequest *ask = request->message->revoke_grant;
    const struct session *session = request->session;
    bool is_one = ask->which_case == LOYAL__V1__REVOKE_GRANT_REQUEST__WHICH_RECIPIENT;
    int32_t recipient = is_one ? merchant_of(request, ask->recipient) : 0;
    request->member_id = lookup->member_id;
    if (recipient < 0) {
        request_answer_code(request, OUTCOME_CODE(UNKNOWN_MERCHANT));
        return;
    }
    const char *values[] = {number_text(request, request->member_id),
                            number_text(request, recipient),
                            number_text(request, (int64_t)ask->purpose),
                            number_text(request, domain_clock_us(session->worker->clock)),
                            number_text(request, session->terminal_id),
                            number_text(request, session->operator_id)};
    struct query_call call = {STATEMENT_GRANTS_REVOKE, values, LENGTH(values), on_revoked,
                              .is_writing = true};
    query_begin(request, &call);
}

void handle_revoke_grant(struct request *request)
{
    target_find(request, request->message->revoke_grant->member, on_revoker);
}

/* ---- ListGrants ---- */

/* Columns of STATEMENT_GRANTS_LIST. */
enum {
    GRANT_KEY,
    GRANT_RECIPIENT,
    GRANT_SOURCE,
    GRANT_PURPOSE,
    GRANT_FIELDS,
    GRANT_TEXT,
    GRANT_CHANNEL,
    GRANT_AT,
    GRANT_UNTIL,
    GRANT_ENDED,
    GRANT_END_KIND,
    GRANT_TERMINAL,
    GRANT_OPERATOR,
};

bool check_list_grants(struct request *request, struct answer *answer_out)
{
    return target_check(request, request->message->list_grants->member,
                        "list_grants.member.identifier.value", answer_out);
}

static Loyal__V1__GrantState state_of(const struct query_rows *rows, int row, int64_t now_us)
{
    static const Loyal__V1__GrantState ends[] = {
        LOYAL__V1__GRANT_STATE__GRANT_STATE_ACTIVE, LOYAL__V1__GRANT_STATE__GRANT_STATE_REVOKED,
        LOYAL__V1__GRANT_STATE__GRANT_STATE_REPLACED, LOYAL__V1__GRANT_STATE__GRANT_STATE_ERASED,
        LOYAL__V1__GRANT_STATE__GRANT_STATE_OVER};
    int64_t kind = query_number(rows, row, GRANT_END_KIND);
    if (kind == 0 && query_number(rows, row, GRANT_UNTIL) <= now_us)
        return LOYAL__V1__GRANT_STATE__GRANT_STATE_OVER;
    return kind >= 0 && kind < LENGTH(ends) ? ends[kind] : ends[0];
}

static bool grant_fill(struct request *request, const struct query_rows *rows, int row,
                       Loyal__V1__GrantRecord *out)
{
    Loyal__V1__Grant *grant = arena_alloc(&request->arena, sizeof *grant);
    struct uuid key = query_uuid(rows, row, GRANT_KEY);
    uint8_t *bytes = arena_copy(&request->arena, key.bytes, UUID_BYTES);
    if (!grant || !bytes)
        return false;
    loyal__v1__grant_record__init(out);
    loyal__v1__grant__init(grant);
    grant->recipient = merchant_code(request, query_number(rows, row, GRANT_RECIPIENT));
    grant->source = merchant_code(request, query_number(rows, row, GRANT_SOURCE));
    grant->purpose = (Loyal__V1__Purpose)query_number(rows, row, GRANT_PURPOSE);
    grant->text_version = query_text(request, rows, row, GRANT_TEXT);
    grant->channel = (Loyal__V1__Channel)query_number(rows, row, GRANT_CHANNEL);
    out->grant = grant;
    out->grant_key = (ProtobufCBinaryData){.len = UUID_BYTES, .data = bytes};
    out->granted_at_us = query_number(rows, row, GRANT_AT);
    out->until_us = query_number(rows, row, GRANT_UNTIL);
    out->ended_at_us = query_number(rows, row, GRANT_ENDED);
    out->state = state_of(rows, row, domain_clock_us(request->session->worker->clock));
    out->terminal = query_text(request, rows, row, GRANT_TERMINAL);
    if (is_operator(request))
        out->operator_ = query_text(request, rows, row, GRANT_OPERATOR);
    grant->last_day = (uint32_t)zone_day(out->until_us > 0 ? out->until_us - 1 : 0);
    return shown_fields(request, (int)query_number(rows, row, GRANT_FIELDS), &grant->n_fields,
                        &grant->fields);
}

static bool grants_fill(struct request *request, const struct query_rows *rows,
                        Loyal__V1__ListGrantsResponse *body)
{
    int count = query_rows_count(rows);
    bool has_more = count > PAGE_ROWS_DEFAULT;
    count = has_more ? PAGE_ROWS_DEFAULT : count;
    Loyal__V1__GrantRecord *items =
        query_messages(request, count, sizeof *items, (void **)&body->grants);
    bool is_whole = items != NULL && target_ref(request, &body->ref);
    for (int i = 0; is_whole && i < count; i++)
        is_whole = grant_fill(request, rows, i, &items[i]);
    body->n_grants = (size_t)count;
    if (!is_whole || !has_more)
        return is_whole;
    struct uuid key = query_uuid(rows, count - 1, GRANT_KEY);
    uint8_t place[8 + UUID_BYTES];
    put_bytes(put_u64(place, (uint64_t)query_number(rows, count - 1, GRANT_AT)), key.bytes,
              UUID_BYTES);
    return page_seal(request, &request->message->list_grants->base,
                     &(struct page_end){place, sizeof place}, &body->cursor);
}

static void on_grants(struct query *query, int code, const struct query_rows *rows)
{
    struct request *request = query->ctx;
    Loyal__V1__ListGrantsResponse body = LOYAL__V1__LIST_GRANTS_RESPONSE__INIT;
    if (code == OUTCOME_CODE(OK) && !grants_fill(request, rows, &body))
        code = OUTCOME_CODE(OVERLOADED);
    struct answer answer = answer_of(code);
    if (code == OUTCOME_CODE(OK)) {
        answer.response.body_case = LOYAL__V1__RESPONSE__BODY_LIST_GRANTS;
        answer.response.list_grants = &body;
    }
    request_answer(request, &answer);
}

static void on_holder(struct request *request, const struct lookup *lookup)
{
    const Loyal__V1__ListGrantsRequest *ask = request->message->list_grants;
    struct page page;
    struct uuid before;
    memset(&before, 0xff, sizeof before);
    request->member_id = lookup->member_id;
    if (!page_open(request, &ask->base, &page))
        return;
    int64_t before_us = zone_day_begin(99991231);
    if (page.size == 8 + UUID_BYTES) {
        before_us = (int64_t)get_u64(page.place);
        memcpy(before.bytes, page.place + 8, UUID_BYTES);
    }
    const char *values[] = {number_text(request, request->member_id),
                            number_text(request, request->session->merchant_id),
                            number_text(request, before_us), uuid_as_text(request, &before),
                            number_text(request, PAGE_ROWS_DEFAULT + 1)};
    struct query_call call = {STATEMENT_GRANTS_LIST, values, LENGTH(values), on_grants,
                              .desk = DESK_COUNTER};
    query_begin(request, &call);
}

void handle_list_grants(struct request *request)
{
    target_find(request, request->message->list_grants->member, on_holder);
}
