/* Turns a writing request into a posting and the ledger's decision into its answer's parts. Called
 * by the handlers of members and points. Decides nothing about points. */
#include <string.h>

#include "body_hash.h"
#include "outcome.h"
#include "session/verb.h"

static struct text text_of(const char *string)
{
    return (struct text){.bytes = string, .size = strlen(string)};
}

/* A terminal that stands in a store posts for that store only: elsewhere is nowhere. */
static int32_t store_of(const struct request *request, const struct reference *reference)
{
    const struct session *session = request->session;
    int32_t store_id = reference_store_id(reference, session->merchant_id, request->store_code,
                                          strlen(request->store_code));
    return session->store_id == 0 || session->store_id == store_id ? store_id : 0;
}

static struct earn_rule rule_of(const struct request *request, const struct reference *reference)
{
    const struct session *session = request->session;
    int32_t day = worker_day(session->worker, request->posting.request.facts.occurred_at_us);
    const struct reference_rule *row = reference_rule_of(reference, session->merchant_id, day);
    if (!row) /* a merchant without a rule gives nothing */
        return (struct earn_rule){.denominator = 1};
    return (struct earn_rule){
        .version = row->version,
        .numerator = row->numerator,
        .denominator = row->denominator,
        .lifetime_months = row->lifetime_months,
    };
}

static bool prepare(struct posting *posting, struct reference *reference)
{
    struct request *request = posting->ctx;
    struct session *session = request->session;
    if (!session_is_known(session, reference, true))
        return false;
    posting->request.facts.store_id = store_of(request, reference);
    if (posting->request.kind == ENTRY_EARN)
        posting->request.rule = rule_of(request, reference);
    posting->request.wrong_currency =
        request->currency && strcmp(request->currency, session->currency) != 0;
    return true;
}

void posting_begin(struct request *request, enum entry_kind kind, const ProtobufCBinaryData *key,
                   const ProtobufCMessage *body)
{
    struct session *session = request->session;
    struct posting *posting = &request->posting;
    request->is_posting = true;
    *posting = (struct posting){
        .by_identifier = request->by_identifier,
        .key_version = (int16_t)keyring_oldest(session->worker->keyring),
        .deadline_us = request->deadline_us,
        .prepare = prepare,
        .ctx = request,
    };
    memcpy(posting->identifier_hash, request->identifier_hash, HASH_BYTES);
    posting->request.kind = kind;
    posting->request.merchant_id = session->merchant_id;
    memcpy(posting->request.key.bytes, key->data, UUID_BYTES);
    struct facts *facts = &posting->request.facts;
    hash_random(facts->salt, sizeof facts->salt);
    facts->terminal_id = session->terminal_id;
    facts->channel = session->channel;
    facts->till = facts->receipt = facts->currency = text_of("");
    request->store_code = "";
    request->currency = NULL;
    posting_body_hash(session->worker, body, posting->request.body_hash);
}

void posting_body_hash(const struct worker *worker, const ProtobufCMessage *body,
                       uint8_t hash_out[LEDGER_BODY_HASH_BYTES])
{
    uint8_t plain[BODY_HASH_BYTES], keyed[HASH_BYTES];
    body_hash(body, plain);
    hash_hmac(keyring_body_key(worker->keyring), plain, sizeof plain, keyed);
    memcpy(hash_out, keyed, LEDGER_BODY_HASH_BYTES);
}

bool posting_check(const struct request *request, const Loyal__V1__Occasion *occasion,
                   const char *field, struct answer *answer_out)
{
    int64_t now_us = domain_clock_us(request->session->worker->clock);
    if (occasion->occurred_at_us <= now_us + KEY_AHEAD_S_MAX * INT64_C(1000000))
        return true;
    *answer_out = answer_invalid(field, "is later than the server's time: set the till's clock, or "
                                        "leave it out");
    return false;
}

void posting_occasion(struct request *request, const Loyal__V1__Occasion *occasion)
{
    struct facts *facts = &request->posting.request.facts;
    request->store_code = occasion->store;
    facts->till = text_of(occasion->till);
    facts->receipt = text_of(occasion->receipt);
    facts->part = (int32_t)occasion->part;
    facts->business_date = (int32_t)occasion->business_date;
    facts->occurred_at_us = occasion->occurred_at_us
                                ? occasion->occurred_at_us
                                : domain_clock_us(request->session->worker->clock);
}

void posting_send(struct request *request)
{
    const struct session *session = request->session;
    struct worker *worker = session->worker;
    bool may_miss = !session->terminal_id || quota_has(worker->quota, session->terminal_id,
                                                       QUOTA_MISSES, clock_monotonic_us());
    if (may_miss)
        engine_post(worker->engine, &request->posting);
    else
        request_answer_code(request, OUTCOME_CODE(OVERLOADED));
}

void posting_note(struct request *request, int code, const struct decision *decision)
{
    const struct session *session = request->session;
    request->retry_after_ms = request->posting.retry_after_ms;
    bool is_miss = code == OUTCOME_CODE(UNKNOWN_MEMBER) || code == OUTCOME_CODE(UNKNOWN_STORE) ||
                   code == OUTCOME_CODE(WRONG_CURRENCY) || code == OUTCOME_CODE(ALREADY_ENROLLED) ||
                   code == OUTCOME_CODE(KEY_IN_FUTURE) || code == OUTCOME_CODE(TOO_OLD);
    if (is_miss && session->terminal_id &&
        !quota_take(session->worker->quota, session->terminal_id, QUOTA_MISSES,
                    clock_monotonic_us()))
        return; /* others of the same moment took the last ones */
    if (decision && code != OUTCOME_CODE(UNKNOWN_MEMBER) && request->posting.member_id >= 0)
        target_presented(request, request->posting.member_id);
}
