/* Owns what a row asks for and which answers it may get. Called by replay.c; it neither sends nor
 * waits. */
#include "replay.h"
#include "values.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Which rows are sent twice, and cut, is a matter of their seq alone, so that a second replay does
 * the same. */
enum { TWICE_EVERY = 50, TWICE_AT = 3, CUT_EVERY = 200, CUT_AT = 7 };

static const char *const STEP_NAMES[] = {"enrolment", "redemption before", ""};

bool replay_is_twice(const struct replay_row *row)
{
    return row->seq % TWICE_EVERY == TWICE_AT;
}

/* Half of them meet on the server, the other half comes after the answer. */
bool replay_is_twice_at_once(const struct replay_row *row)
{
    return replay_is_twice(row) && row->seq / TWICE_EVERY % 2 == 0;
}

bool replay_is_cut(const struct replay_row *row)
{
    return row->seq % CUT_EVERY == CUT_AT;
}

enum replay_step replay_first_step(const struct replay_member *member, const struct replay_row *row)
{
    return member->enrolled ? replay_next_step(member, row) : REPLAY_ENROL;
}

enum replay_step replay_next_step(const struct replay_member *member, const struct replay_row *row)
{
    if (!row->refund && member->step != REPLAY_REDEEM && member->available >= REPLAY_REDEEM_POINTS)
        return REPLAY_REDEEM;
    return REPLAY_MAIN;
}

static void fill_occasion(const struct replay *replay, const struct replay_row *row,
                          struct loyal_occasion *occasion_out)
{
    occasion_out->store = replay->data->stores[row->store].code;
    occasion_out->receipt = row->txn_id;
    occasion_out->business_date = row->date;
    occasion_out->occurred_at_us = row->event_us;
}

static void fill_earn(const struct replay_row *row, struct loyal_request *request,
                      struct loyal_line *line)
{
    request->verb = LOYAL_EARN;
    request->amount_minor = row->amount_minor;
    request->currency = "GBP";
    if (row->category[0] == '\0')
        return;
    *line = (struct loyal_line){.product = "",
                                .category = row->category,
                                .quantity_milli = 1000,
                                .amount_minor = row->amount_minor};
    request->lines = line;
    request->line_count = 1;
}

static void fill_reverse(const struct replay *replay, const struct replay_row *row,
                         struct loyal_request *request)
{
    request->verb = LOYAL_REVERSE;
    request->original_kind = LOYAL_ORIGINAL_EARN;
    request->amount_minor = row->amount_minor;
    request->has_original = row->has_original;
    if (row->has_original) {
        const struct replay_row *original = &replay->data->rows[row->original];

        replay_key(REPLAY_MAIN, original->event_us, original->seq, original->txn_id,
                   request->original_key);
    }
}

void replay_request(const struct replay *replay, const struct replay_member *member,
                    struct loyal_request *request_out, struct loyal_line *line_out)
{
    const struct replay_row *row = &replay->data->rows[member->row];

    memset(request_out, 0, sizeof *request_out);
    request_out->member.identifier =
        (struct loyal_identifier){.kind = LOYAL_CARD, .value = member->card};
    replay_key(member->step, row->event_us, row->seq, row->txn_id, request_out->key);
    fill_occasion(replay, row, &request_out->occasion);
    if (member->step == REPLAY_ENROL) {
        request_out->verb = LOYAL_ENROL_MEMBER;
        request_out->identifiers = &request_out->member.identifier;
        request_out->identifier_count = 1;
    } else if (member->step == REPLAY_REDEEM) {
        request_out->verb = LOYAL_REDEEM;
        request_out->points = REPLAY_REDEEM_POINTS;
        request_out->occasion.receipt = NULL; /* a voucher beside the receipt */
    } else if (row->refund) {
        fill_reverse(replay, row, request_out);
    } else {
        fill_earn(row, request_out, line_out);
    }
}

/* ---- answers ---- */

static enum replay_verb verb_of(enum replay_step step, const struct replay_row *row)
{
    if (step == REPLAY_ENROL)
        return COUNT_ENROL;
    if (step == REPLAY_REDEEM)
        return COUNT_REDEEM;
    return row->refund ? COUNT_REVERSE : COUNT_EARN;
}

static bool is_expected(enum replay_verb verb, const struct replay_row *row,
                        const struct loyal_answer *answer)
{
    bool ok = answer->kind == LOYAL_OK, refused = answer->kind == LOYAL_REFUSED;

    switch (verb) {
    case COUNT_ENROL: return ok || (refused && answer->code == LOYAL_CODE_ALREADY_ENROLLED);
    case COUNT_REDEEM: return ok || (refused && answer->code == LOYAL_CODE_NOT_ENOUGH_POINTS);
    case COUNT_REVERSE:
        return row->has_original ? ok : refused && answer->code == LOYAL_CODE_NO_ORIGINAL;
    default: return ok;
    }
}

static void describe_row(const struct replay_row *row, enum replay_step step, char *text_out,
                         size_t size)
{
    snprintf(text_out, size, "row %" PRId64 " (%s%s%s)", row->seq, STEP_NAMES[step],
             STEP_NAMES[step][0] ? " " : "", row->refund ? "refund" : "purchase");
}

static void count_points(struct replay_counts *counts, enum replay_verb verb,
                         const struct loyal_answer *answer)
{
    if (verb == COUNT_EARN)
        counts->points_earned += (uint64_t)answer->points;
    else if (verb == COUNT_REDEEM)
        counts->points_redeemed += (uint64_t)answer->points;
    else if (verb == COUNT_REVERSE)
        counts->points_clawed += (uint64_t)answer->points;
}

static void count_answer(struct replay *replay, enum replay_verb verb,
                         const struct loyal_answer *answer)
{
    struct replay_counts *counts = &replay->counts;
    unsigned code = (unsigned)answer->code < REPLAY_CODES ? (unsigned)answer->code : 0;

    counts->answers[verb][code]++;
    counts->recorded[verb] += answer->recorded;
    counts->repeated += answer->attempts > 1;
}

bool replay_take(struct replay *replay, struct replay_slot *slot, const struct loyal_answer *answer)
{
    struct replay_member *member = slot->member;
    const struct replay_row *row = &replay->data->rows[member->row];
    enum replay_verb verb = verb_of(member->step, row);
    char where[96];

    slot->result = (struct replay_result){.kind = answer->kind,
                                          .code = answer->code,
                                          .recorded = answer->recorded,
                                          .has_body = answer->has_body,
                                          .points = answer->points,
                                          .debt_repaid = answer->debt_repaid,
                                          .debt_made = answer->debt_made,
                                          .available = answer->available,
                                          .debt = answer->debt};
    memcpy(slot->result.entry_key, answer->entry_key, LOYAL_KEY_BYTES);
    if (!is_expected(verb, row, answer)) {
        describe_row(row, member->step, where, sizeof where);
        snprintf(replay->failure, sizeof replay->failure, "%s: not expected: %s: %s%s%s", where,
                 answer->code_name, answer->text, answer->field[0] ? ", field " : "",
                 answer->field);
        return false;
    }
    count_answer(replay, verb, answer);
    if (answer->kind == LOYAL_OK && slot == &member->slots[0])
        count_points(&replay->counts, verb, answer);
    replay->counts.cut_committed += member->was_cut && answer->recorded;
    if (answer->has_body)
        member->available = answer->available;
    return true;
}

bool replay_agree(struct replay *replay, const struct replay_member *member)
{
    const struct replay_result *a = &member->slots[0].result, *b = &member->slots[1].result;
    const struct replay_row *row = &replay->data->rows[member->row];
    char where[96];

    if (a->kind == b->kind && a->code == b->code && a->has_body == b->has_body &&
        a->points == b->points && a->debt_repaid == b->debt_repaid &&
        a->debt_made == b->debt_made && a->available == b->available && a->debt == b->debt &&
        memcmp(a->entry_key, b->entry_key, LOYAL_KEY_BYTES) == 0)
        return true;
    describe_row(row, member->step, where, sizeof where);
    snprintf(replay->failure, sizeof replay->failure,
             "%s: sent twice, and the answers differ: %s, %" PRId64 " points, %" PRId64
             " available; %s, %" PRId64 " points, %" PRId64 " available",
             where, loyal_code_name(a->code), a->points, a->available, loyal_code_name(b->code),
             b->points, b->available);
    return false;
}
