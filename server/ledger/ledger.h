/* The ledger decides: a member's state and a request in, an entry or a refusal out. It is pure: no
 * clock, no database, no wire, no memory but the caller's arena. The engine calls it under the
 * member's lock, the tests with no database at all; all in one thread.
 *
 * A batch holds one `struct member` for each member it locked, with what the store read of him;
 * requests of one member are decided in order of arrival, each on the state that the one before
 * left (so twins of one key inside a batch meet here). What must be written is what is marked:
 * entries with `is_new`, lots with `change`, debts with `change`, refusals with `is_new`, and the
 * member's row when `seq` moved. */
#pragma once

#include "base/arena.h"
#include "ledger/member.h"

struct earn_rule {
    int32_t version;
    int64_t numerator; /* points = floor(eligible * numerator / denominator) */
    int64_t denominator;
    int32_t lifetime_months; /* 0: never expires */
};

/* Lent to the ledger: new entries point to its texts, which live until the batch is written. */
struct ledger_request {
    enum entry_kind kind; /* ENTRY_ENROL, _EARN, _REDEEM, _REVERSE_EARN, _REVERSE_REDEEM, _FORFEIT;
                             ENTRY_EXPIRY: only bring the member up to date */
    struct uuid key;
    int32_t merchant_id;
    uint8_t body_hash[LEDGER_BODY_HASH_BYTES];
    int64_t points;    /* to redeem */
    bool has_original; /* false: a reversal that names none */
    struct uuid original;
    bool is_whole;         /* a reversal of all that is left; else facts.amount_minor of it */
    bool wrong_currency;   /* the session found the currency not to be the merchant's */
    struct earn_rule rule; /* an earn's, by occurred-at */
    struct facts facts;
};

struct ledger_terms {
    int64_t now_us;           /* the batch's decision time; raised to a member's last one */
    int64_t key_age_us_max;   /* R35: 35 days */
    int64_t key_ahead_us_max; /* R32: 10 minutes */
    /* All versions ever, ascending: a reversal computes by its original's (R4). */
    const struct earn_rule *rules;
    size_t rule_count;
};

/* What the answer is made of: the same, decided now or rebuilt from what was recorded. */
struct decision {
    enum result code;
    bool recorded;        /* from an earlier request with this key */
    bool before_original; /* a reversal that left a tombstone (OK) */
    bool needs_lots;      /* undecided, nothing changed: read them and ask again */
    bool needs_debts;     /* likewise */
    /* The entry that the answer tells of: the new one, the recorded one, or the original of
     * DUPLICATE_RECEIPT; or NULL. */
    const struct entry *entry;
    int64_t points;
    int64_t debt_repaid;
    int64_t debt_made;
    int64_t expired;
    int64_t expires_at_us; /* of the lot made; 0: none or never */
    int64_t balance;
    int64_t debt;
    int64_t decided_at_us;
};

/* Decides one request and changes the member accordingly. Lots past expiry are first entered as an
 * ENTRY_EXPIRY (R21), whatever the request. false only when the arena is exhausted: drop the batch.
 */
bool ledger_decide(struct member *member, const struct ledger_request *request,
                   const struct ledger_terms *terms, struct arena *arena,
                   struct decision *decision_out);

/* What cannot be true of what was read of a member, or NULL: then he may be decided on. */
const char *ledger_fault(const struct member *member, const struct ledger_terms *terms);

/* The member's points usable at an instant, from his lots (all of them must have been read). */
int64_t ledger_available_at(const struct member *member, int64_t at_us);

/* Puts a lot into the member's list at its place in R18 order: how lots that were read enter it,
 * also when the list holds lots made by this batch already. */
void ledger_insert_lot(struct member *member, struct lot *lot);

/* chain.c: fills facts_hash and chain of the member's new entries, in order, and his chain head.
 * Call it once a batch, after the last decision. Encoding: migrations/deploy/check.sql. false: the
 * arena is exhausted. */
bool ledger_chain(struct member *member, struct arena *arena);
