/* A member as the ledger sees him: what the store read of him under his lock, and what has become
 * of it since. Shapes only. */
#pragma once

#include "ledger/journal.h"

enum change { CHANGE_NONE, CHANGE_INSERT, CHANGE_UPDATE, CHANGE_DELETE };

struct lot {
    struct lot *next;
    /* Against the store. A lot made and used up in one batch ends as CHANGE_NONE, 0 points. */
    enum change change;
    bool is_stored; /* has a row */
    struct uuid entry;
    int32_t number;
    int32_t issuer;
    int64_t points; /* left; 0: used up */
    int64_t earned_at_us;
    int64_t expires_at_us; /* first instant at which it cannot be used, or LEDGER_NEVER */
};

struct debt {
    struct debt *next;
    enum change change;
    bool is_stored;
    int32_t issuer;
    int64_t points;
};

/* As stored. Suspended and revoked ones neither earn nor redeem; what happened is still reversed.
 */
enum member_status {
    MEMBER_ACTIVE = 1,
    MEMBER_SUSPENDED = 2,
    MEMBER_REVOKED = 3,
    MEMBER_ERASED = 4, /* for good: nobody knows him any more */
};

struct member {
    int16_t bucket;
    int64_t member_id;
    bool exists; /* false: only an enrolment can make him */
    bool is_new; /* made by this batch */
    enum member_status status;
    int64_t available; /* the sum of his lots */
    int64_t debt;      /* the sum of his debts */
    int64_t seq;
    int64_t seq_stored; /* as read: what the guarded write expects */
    uint8_t chain[HASH_BYTES];
    int64_t decided_at_us;
    int64_t next_change_at_us;
    bool lots_read;   /* lots hold all his open lots */
    bool debts_read;  /* debts hold all his debts; true as well when debt == 0 */
    struct lot *lots; /* in R18 order */
    struct debt *debts;
    /* What the store found for the keys, receipts and originals of the batch, the reversals of
     * those originals and receipts included; then what the batch made. */
    struct entry *entries;
    struct refusal *refusals;
};
