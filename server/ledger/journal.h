/* What is recorded of a member: entries of the journal with their legs and facts, and refusals.
 * Shapes only; shared by the ledger, which makes them, the store, which reads and writes them, and
 * the session, which answers from them.
 *
 * Times are microseconds since 1970-01-01Z; LEDGER_NEVER stands for "never". Points are int64,
 * never negative where stored. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/uuid.h"

#define LEDGER_NEVER           INT64_MAX
#define LEDGER_BODY_HASH_BYTES 16
#define LEDGER_SALT_BYTES      16
#define LEDGER_NETWORK         0 /* the merchant of entries that no merchant made */

enum entry_kind {
    ENTRY_ENROL = 1,
    ENTRY_EARN = 2,
    ENTRY_REDEEM = 3,
    ENTRY_REVERSE_EARN = 4,
    ENTRY_REVERSE_REDEEM = 5,
    ENTRY_EXPIRY = 6,
    ENTRY_FORFEIT = 7, /* of an erasure */
};

enum leg_kind {
    LEG_MADE = 1,
    LEG_REDEEMED = 2,
    LEG_CLAWED_BACK = 3,
    LEG_DEBT_REPAID = 4,
    LEG_EXPIRED = 5, /* of an ENTRY_FORFEIT: forfeited */
    LEG_RESTORED = 6,
    LEG_DEBT_MADE = 7, /* of no lot */
};

/* Business outcomes, numbered as loyal.v1.ResultCode; the session maps nothing. Only those that the
 * ledger can decide. */
enum result {
    RESULT_OK = 1,
    RESULT_UNKNOWN_MEMBER = 15,
    RESULT_KEY_REUSED = 16,
    RESULT_KEY_IN_FUTURE = 17,
    RESULT_TOO_OLD = 18,
    RESULT_REVERSED_BEFORE = 19,
    RESULT_ALREADY_ENROLLED = 20,
    RESULT_UNKNOWN_STORE = 21,
    RESULT_WRONG_CURRENCY = 22,
    RESULT_DUPLICATE_RECEIPT = 23,
    RESULT_NO_ORIGINAL = 24,
    RESULT_ALREADY_REVERSED = 25,
    RESULT_EXCEEDS_ORIGINAL = 26,
    RESULT_NOT_ENOUGH_POINTS = 27,
    RESULT_BALANCE_LIMIT = 28,
    RESULT_MEMBER_SUSPENDED = 31,
};

/* Eight int64 in the journal, in this order. */
struct leg {
    int64_t kind;
    struct uuid lot_entry; /* zero for LEG_DEBT_MADE */
    int64_t lot_number;
    int64_t issuer;
    int64_t points; /* > 0 */
    int64_t earned_at_us;
    int64_t expires_at_us;
};

struct text {
    const char *bytes;
    size_t size;
};

struct basket_line {
    struct text product;
    struct text category;
    int64_t quantity_milli;
    int64_t amount_minor;
    int64_t points; /* out: its share of the receipt's points (R2) */
};

/* What an entry says about the world outside the ledger; the eraser may blank it. */
struct facts {
    uint8_t salt[LEDGER_SALT_BYTES];
    int32_t store_id; /* 0: unknown store or none */
    int32_t terminal_id;
    int16_t channel;
    struct text till;
    struct text receipt; /* empty: no guard (R34) */
    int32_t part;
    int32_t business_date; /* yyyymmdd */
    int64_t occurred_at_us;
    int64_t amount_minor;
    int64_t paid_in_points_minor;
    struct text currency;
    struct basket_line *lines;
    size_t line_count;
};

/* A row of the journal: read, or made now. */
struct entry {
    struct entry *next;
    bool is_new;
    struct uuid id;
    int64_t seq;
    int64_t decided_at_us;
    enum entry_kind kind;
    int32_t merchant_id;
    int64_t points;
    int64_t balance;
    int64_t debt;
    int32_t rule_version;
    struct leg *legs;
    size_t leg_count;
    bool has_original;
    struct uuid original;
    uint8_t body_hash[LEDGER_BODY_HASH_BYTES];
    uint8_t facts_hash[HASH_BYTES]; /* filled for new ones; of read ones not read */
    uint8_t chain[HASH_BYTES];      /* likewise */
    struct facts facts; /* of read ones: store_id, till, receipt, part, business_date, amounts; no
                           lines, no salt */
};

/* A recorded refusal or, without has_body_hash, a tombstone under the original's key (R16, R33). */
struct refusal {
    struct refusal *next;
    bool is_new;
    struct uuid key;
    int32_t merchant_id;
    enum result code;
    enum entry_kind kind;
    int64_t decided_at_us;
    int64_t balance;
    int64_t debt;
    bool has_original;
    struct uuid original;
    bool has_body_hash;
    uint8_t body_hash[LEDGER_BODY_HASH_BYTES];
    int32_t store_id;
    int32_t terminal_id;
    int64_t occurred_at_us;
    int64_t amount_minor;
    int64_t points;
};
