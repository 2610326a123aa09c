/* Inside the ledger only: one request under decision, and the steps that its files share. Functions
 * that return bool return false when the arena is exhausted, unless they say otherwise. */
#pragma once

#include "base/err.h"
#include "ledger/ledger.h"

#define LOT_NUMBER 1 /* an entry makes one lot */

/* A request on its way to its decision. */
struct deciding {
    struct member *member;
    const struct ledger_request *request;
    const struct ledger_terms *terms;
    int64_t now_us; /* never before the member's last decision */
    struct arena *arena;
    struct decision *decision; /* out */
};

/* --- entries.c: making rows of the journal and the answers they give --- */

/* A new entry of the request, not yet among the member's; NULL: arena exhausted. */
struct entry *entry_create(const struct deciding *deciding);
bool entry_add_leg(struct entry *entry, enum leg_kind kind, const struct lot *lot, int64_t points,
                   struct arena *arena);
/* The entry joins the journal with the member's state after it. Changes come before. */
void entry_append(struct entry *entry, struct member *member, int64_t now_us);
/* entry_append, and the answer that the entry gives. */
void entry_decide(const struct deciding *deciding, struct entry *entry);
/* The answer of an entry, from its legs. */
void entry_answer(const struct entry *entry, struct decision *decision);
const struct entry *entry_find(const struct member *member, const struct uuid *id);

/* --- recorded.c: keys, refusals and tombstones --- */

/* Answers a key that is known (R32, R35); false: it is not. */
bool recorded_answer(const struct deciding *deciding);
/* A refusal that is recorded under the request's key (R33); original: the entry that
 * DUPLICATE_RECEIPT names, or NULL. */
bool refuse_recorded(const struct deciding *deciding, enum result code,
                     const struct entry *original);
/* A reversal whose original has not come (R16). */
bool refuse_before_original(const struct deciding *deciding);
/* What this merchant recorded under a key, tombstones included, or NULL. */
const struct refusal *refusal_find(const struct member *member, const struct uuid *key,
                                   int32_t merchant_id);

/* --- receipt.c --- */

/* The entry that already took effect for the request's receipt (R34), or NULL. */
const struct entry *receipt_find(const struct deciding *deciding);

/* What was reversed of an entry so far. */
struct reversed {
    size_t count;
    int64_t amount_minor;
    int64_t points;
};
struct reversed reversed_so_far(const struct member *member, const struct entry *original);
bool is_wholly_reversed(const struct entry *original, const struct reversed *reversed);

/* --- lots.c: lots and debts of a member; each change marks what the store has to write --- */

void lot_set_points(struct member *member, struct lot *lot, int64_t points);
struct lot *lot_find(const struct member *member, const struct uuid *entry, int64_t number);
/* Takes up to *wanted points out of a lot, with a leg of this kind, and lowers *wanted by them. */
bool lot_take(const struct deciding *deciding, struct entry *entry, enum leg_kind kind,
              struct lot *lot, int64_t *wanted);
/* The earliest expiry: of a lot that was added, its own or the one known; from all lots once they
 * are read. */
void next_change_note(struct member *member, int64_t expires_at_us);
void next_change_update(struct member *member);

struct debt *debt_find(const struct member *member, int32_t issuer);
bool debt_add(const struct deciding *deciding, int32_t issuer, int64_t points);
void debt_repay(struct member *member, struct debt *debt, int64_t points);

/* --- one file an operation --- */
bool decide_earn(const struct deciding *deciding);
bool decide_redeem(const struct deciding *deciding);
bool decide_reverse_earn(const struct deciding *deciding);
bool decide_reverse_redeem(const struct deciding *deciding);
bool decide_forfeit(const struct deciding *deciding);
/* Enters what has expired by now; *entry_out: the entry made, or NULL. */
bool expiry_enter(const struct deciding *deciding, const struct entry **entry_out);

/* floor(eligible * rule), 0 without a rule; false: leaves int64 (R1, R2). */
bool must_check rule_points(const struct earn_rule *rule, int64_t eligible_minor,
                            int64_t *points_out);
/* Shares points over lines by largest remainder, weighted by what each line cost (R2). */
bool lines_share(struct basket_line *lines, size_t count, int64_t points, struct arena *arena);
