/* Handles what moves points: Earn, Redeem, Reverse. Turns the message into the ledger's request and
 * the decision into the answer; the rules themselves are the ledger's. */
#include <string.h>

#include "outcome.h"
#include "session/verb.h"

/* The parts that the three answers share. */
struct parts {
    uint8_t ref[REF_BYTES];
    ProtobufCBinaryData ref_data;
    ProtobufCBinaryData entry_key;
    Loyal__V1__Balance balance;
};

/* Whether the answer has a body: the result, or that of the receipt's first request (R34). */
static bool has_body(int code)
{
    return code == OUTCOME_CODE(OK) || code == OUTCOME_CODE(DUPLICATE_RECEIPT);
}

/* False after INTERNAL was answered. */
static bool fill_parts(struct posting *posting, const struct decision *decision,
                       struct parts *parts)
{
    struct request *request = posting->ctx;
    struct session *session = request->session;
    memset(parts, 0, sizeof *parts);
    loyal__v1__balance__init(&parts->balance);
    if (!ref_make(session->worker->refs, session->merchant_id, posting->member_id, parts->ref)) {
        request_answer_code(request, OUTCOME_CODE(OUTCOME_UNKNOWN)); /* it is committed */
        return false;
    }
    parts->ref_data = (ProtobufCBinaryData){.len = REF_BYTES, .data = parts->ref};
    if (decision->entry)
        parts->entry_key = (ProtobufCBinaryData){
            .len = UUID_BYTES, .data = (uint8_t *)(uintptr_t)decision->entry->id.bytes};
    parts->balance.available = decision->balance;
    parts->balance.debt = decision->debt;
    parts->balance.as_of_us = decision->decided_at_us;
    return true;
}

static void answer_refusal(struct request *request, int code, const struct decision *decision)
{
    struct answer answer = answer_of(code);
    answer.recorded = decision && decision->recorded;
    request_answer(request, &answer);
}

/* ---- Earn ---- */

bool check_earn(struct request *request, struct answer *answer_out)
{
    return target_check(request, request->message->earn->member, "earn.member.identifier.value",
                        answer_out) &&
           posting_check(request, request->message->earn->purchase->occasion,
                         "earn.purchase.occasion.occurred_at_us", answer_out);
}

static void on_earned(struct posting *posting, int code, const struct decision *decision)
{
    struct request *request = posting->ctx;
    Loyal__V1__EarnResponse body = LOYAL__V1__EARN_RESPONSE__INIT;
    struct answer answer = answer_of(code);
    struct parts parts;
    posting_note(request, code, decision);
    if (!has_body(code)) {
        answer_refusal(request, code, decision);
        return;
    }
    if (!fill_parts(posting, decision, &parts))
        return;
    body.ref = parts.ref_data;
    body.points = decision->points;
    body.debt_repaid = decision->debt_repaid;
    body.balance = &parts.balance;
    body.expires_at_us = decision->expires_at_us;
    body.entry_key = parts.entry_key;
    answer.recorded = decision->recorded;
    answer.response.body_case = LOYAL__V1__RESPONSE__BODY_EARN;
    answer.response.earn = &body;
    request_answer(request, &answer);
}

static struct text text_of(const char *string)
{
    return (struct text){.bytes = string, .size = strlen(string)};
}

static bool fill_purchase(struct request *request, const Loyal__V1__Purchase *purchase)
{
    struct facts *facts = &request->posting.request.facts;
    posting_occasion(request, purchase->occasion);
    facts->amount_minor = purchase->amount_minor;
    facts->paid_in_points_minor = purchase->paid_in_points_minor;
    facts->currency = text_of(purchase->currency);
    request->currency = purchase->currency;
    facts->line_count = purchase->n_lines;
    if (purchase->n_lines == 0)
        return true;
    facts->lines = arena_alloc(&request->arena, purchase->n_lines * sizeof *facts->lines);
    for (size_t i = 0; facts->lines && i < purchase->n_lines; i++) {
        const Loyal__V1__BasketLine *line = purchase->lines[i];
        facts->lines[i] = (struct basket_line){
            .product = text_of(line->product),
            .category = text_of(line->category),
            .quantity_milli = line->quantity_milli,
            .amount_minor = line->amount_minor,
        };
    }
    return facts->lines != NULL;
}

void handle_earn(struct request *request)
{
    const Loyal__V1__EarnRequest *earn = request->message->earn;
    struct posting *posting = &request->posting;
    posting_begin(request, ENTRY_EARN, &earn->key, &earn->base);
    if (!fill_purchase(request, earn->purchase)) {
        request_answer_code(request, OUTCOME_CODE(OVERLOADED));
        return;
    }
    posting->member_id = target_of(request, earn->member);
    posting->done = on_earned;
    posting_send(request);
}

/* ---- Redeem ---- */

bool check_redeem(struct request *request, struct answer *answer_out)
{
    return target_check(request, request->message->redeem->member, "redeem.member.identifier.value",
                        answer_out) &&
           posting_check(request, request->message->redeem->occasion,
                         "redeem.occasion.occurred_at_us", answer_out);
}

static void on_redeemed(struct posting *posting, int code, const struct decision *decision)
{
    struct request *request = posting->ctx;
    Loyal__V1__RedeemResponse body = LOYAL__V1__REDEEM_RESPONSE__INIT;
    struct answer answer = answer_of(code);
    struct parts parts;
    posting_note(request, code, decision);
    if (!has_body(code)) {
        answer_refusal(request, code, decision);
        return;
    }
    if (!fill_parts(posting, decision, &parts))
        return;
    body.ref = parts.ref_data;
    body.points = decision->points;
    body.balance = &parts.balance;
    body.entry_key = parts.entry_key;
    answer.recorded = decision->recorded;
    answer.response.body_case = LOYAL__V1__RESPONSE__BODY_REDEEM;
    answer.response.redeem = &body;
    request_answer(request, &answer);
}

void handle_redeem(struct request *request)
{
    const Loyal__V1__RedeemRequest *redeem = request->message->redeem;
    struct posting *posting = &request->posting;
    posting_begin(request, ENTRY_REDEEM, &redeem->key, &redeem->base);
    posting_occasion(request, redeem->occasion);
    posting->request.points = redeem->points;
    posting->member_id = target_of(request, redeem->member);
    posting->done = on_redeemed;
    posting_send(request);
}

/* ---- Reverse ---- */

bool check_reverse(struct request *request, struct answer *answer_out)
{
    return target_check(request, request->message->reverse->member,
                        "reverse.member.identifier.value", answer_out) &&
           posting_check(request, request->message->reverse->occasion,
                         "reverse.occasion.occurred_at_us", answer_out);
}

static void on_reversed(struct posting *posting, int code, const struct decision *decision)
{
    struct request *request = posting->ctx;
    Loyal__V1__ReverseResponse body = LOYAL__V1__REVERSE_RESPONSE__INIT;
    struct answer answer = answer_of(code);
    struct parts parts;
    posting_note(request, code, decision);
    if (!has_body(code)) {
        answer_refusal(request, code, decision);
        return;
    }
    if (!fill_parts(posting, decision, &parts))
        return;
    body.ref = parts.ref_data;
    body.points = decision->points;
    body.debt_made = decision->debt_made;
    body.expired = decision->expired;
    body.balance = &parts.balance;
    body.entry_key = parts.entry_key;
    body.before_original = decision->before_original;
    answer.recorded = decision->recorded;
    answer.response.body_case = LOYAL__V1__RESPONSE__BODY_REVERSE;
    answer.response.reverse = &body;
    request_answer(request, &answer);
}

void handle_reverse(struct request *request)
{
    const Loyal__V1__ReverseRequest *reverse = request->message->reverse;
    struct posting *posting = &request->posting;
    bool of_earn = reverse->original_kind == LOYAL__V1__ORIGINAL_KIND__ORIGINAL_KIND_EARN;
    posting_begin(request, of_earn ? ENTRY_REVERSE_EARN : ENTRY_REVERSE_REDEEM, &reverse->key,
                  &reverse->base);
    struct ledger_request *ledger = &posting->request;
    posting_occasion(request, reverse->occasion);
    ledger->is_whole = reverse->extent_case == LOYAL__V1__REVERSE_REQUEST__EXTENT_WHOLE;
    if (!ledger->is_whole)
        ledger->facts.amount_minor = reverse->amount_minor;
    ledger->has_original = reverse->original_key.len == UUID_BYTES;
    if (ledger->has_original)
        memcpy(ledger->original.bytes, reverse->original_key.data, UUID_BYTES);
    posting->member_id = target_of(request, reverse->member);
    posting->done = on_reversed;
    posting_send(request);
}
