/* The order of decisions: what is known of a key, then what is refused without a trace, then the
 * member brought up to date, then the receipt's guard, then the operation. Called by the engine
 * under the member's lock; never reads a clock. */
#include "ledger/ledger.h"

#include <assert.h>

#include "ledger/decide.h"

/* Refusals that leave no record (R33), in order of precedence; RESULT_OK: none applies. */
static enum result refused_unrecorded(const struct deciding *deciding)
{
    const struct ledger_request *request = deciding->request;
    int64_t key_us = uuid_time_us(&request->key);
    if (request->kind == ENTRY_ENROL && deciding->member->exists)
        return RESULT_KEY_REUSED; /* two keys that give one member id: all but impossible */
    bool is_nobody = !deciding->member->exists ||
                     (deciding->member->status == MEMBER_ERASED && request->kind != ENTRY_FORFEIT);
    if (request->kind != ENTRY_ENROL && is_nobody)
        return RESULT_UNKNOWN_MEMBER;
    if (request->kind == ENTRY_EXPIRY)
        return RESULT_OK;
    if (key_us - deciding->now_us > deciding->terms->key_ahead_us_max)
        return RESULT_KEY_IN_FUTURE;
    if (deciding->now_us - key_us > deciding->terms->key_age_us_max)
        return RESULT_TOO_OLD;
    if (request->facts.store_id == 0 && request->kind != ENTRY_FORFEIT)
        return RESULT_UNKNOWN_STORE;
    if (request->wrong_currency)
        return RESULT_WRONG_CURRENCY;
    return RESULT_OK;
}

/* Asked before anything changes, so that an undecided request leaves no trace. */
static bool needs_more(const struct deciding *deciding)
{
    struct member *member = deciding->member;
    enum entry_kind kind = deciding->request->kind;
    bool is_due = member->next_change_at_us <= deciding->now_us;
    bool moves_debt = kind == ENTRY_EARN || kind == ENTRY_REVERSE_EARN;
    bool moves_lots = kind == ENTRY_REDEEM || kind == ENTRY_REVERSE_EARN ||
                      kind == ENTRY_REVERSE_REDEEM || kind == ENTRY_FORFEIT;
    if (member->debt == 0)
        member->debts_read = true; /* there is nothing to read */
    deciding->decision->needs_lots = !member->lots_read && (is_due || moves_lots);
    deciding->decision->needs_debts = !member->debts_read && moves_debt;
    return deciding->decision->needs_lots || deciding->decision->needs_debts;
}

static bool decide_enrol(const struct deciding *deciding)
{
    struct member *member = deciding->member;
    assert(member->seq == 0 && member->available == 0 && member->debt == 0);
    struct entry *entry = entry_create(deciding);
    if (!entry)
        return false;
    member->exists = true;
    member->is_new = true;
    member->status = MEMBER_ACTIVE;
    member->lots_read = true;
    member->debts_read = true;
    member->next_change_at_us = LEDGER_NEVER;
    entry_decide(deciding, entry);
    return true;
}

static bool decide_expiry(const struct deciding *deciding, const struct entry *expiry)
{
    deciding->decision->code = RESULT_OK;
    deciding->decision->balance = deciding->member->available;
    deciding->decision->debt = deciding->member->debt;
    deciding->decision->decided_at_us = deciding->now_us;
    if (expiry)
        entry_answer(expiry, deciding->decision);
    return true;
}

static bool decide_operation(const struct deciding *deciding)
{
    switch (deciding->request->kind) {
    case ENTRY_EARN: return decide_earn(deciding);
    case ENTRY_REDEEM: return decide_redeem(deciding);
    case ENTRY_REVERSE_EARN: return decide_reverse_earn(deciding);
    case ENTRY_REVERSE_REDEEM: return decide_reverse_redeem(deciding);
    case ENTRY_FORFEIT: return decide_forfeit(deciding);
    case ENTRY_ENROL:
    case ENTRY_EXPIRY: break; /* decided before */
    }
    assert(!"a request of a kind that cannot be asked for");
    return false;
}

/* Only what is new: what happened is still reversed, and expires. */
static bool is_barred(const struct deciding *deciding)
{
    enum entry_kind kind = deciding->request->kind;
    enum member_status status = deciding->member->status;
    return (kind == ENTRY_EARN || kind == ENTRY_REDEEM) &&
           (status == MEMBER_SUSPENDED || status == MEMBER_REVOKED);
}

static bool decide(const struct deciding *deciding)
{
    enum entry_kind kind = deciding->request->kind;
    if (kind != ENTRY_EXPIRY && recorded_answer(deciding))
        return true;
    enum result refused = refused_unrecorded(deciding);
    if (refused != RESULT_OK) {
        deciding->decision->code = refused;
        return true;
    }
    if (kind == ENTRY_ENROL)
        return decide_enrol(deciding);
    if (is_barred(deciding))
        return refuse_recorded(deciding, RESULT_MEMBER_SUSPENDED, NULL);
    if (needs_more(deciding))
        return true;
    const struct entry *expiry;
    if (!expiry_enter(deciding, &expiry))
        return false;
    if (kind == ENTRY_EXPIRY)
        return decide_expiry(deciding, expiry);
    const struct entry *twin = receipt_find(deciding);
    if (twin)
        return refuse_recorded(deciding, RESULT_DUPLICATE_RECEIPT, twin);
    return decide_operation(deciding);
}

bool ledger_decide(struct member *member, const struct ledger_request *request,
                   const struct ledger_terms *terms, struct arena *arena,
                   struct decision *decision_out)
{
    *decision_out = (struct decision){0};
    const struct deciding deciding = {
        .member = member,
        .request = request,
        .terms = terms,
        .now_us = terms->now_us > member->decided_at_us ? terms->now_us : member->decided_at_us,
        .arena = arena,
        .decision = decision_out};
    return decide(&deciding);
}
