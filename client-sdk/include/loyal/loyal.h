/* libloyal: the client of a loyald network, for tills, shops and back offices.
 *
 * A `loyal_client` is one connection over mutual TLS with many requests in flight. Two ways to use it, which may be mixed:
 *   blocking    loyal_call() sends one request and waits for its answer; it connects, reconnects and repeats by itself.
 *   submit/poll loyal_submit() queues a request; loyal_poll() moves bytes and delivers answers to callbacks.
 * Not thread-safe: one client belongs to one thread at a time; different clients are independent.
 *
 * A writing request carries a key, a UUIDv7 (loyal_key_make). When the answer is unknown, because the connection broke or the time was up, the
 * library asks again under the same key; the effect happens once. Keep the key with the receipt before you call, and call again with it
 * after a crash.
 *
 * Points are whole numbers; amounts are minor units (cents, pence); times are microseconds since 1970-01-01T00:00:00Z; dates are yyyymmdd.
 * Strings are UTF-8, borrowed for the call. */
#ifndef LOYAL_LOYAL_H
#define LOYAL_LOYAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LOYAL_VERSION "0.1.0"
#define LOYAL_KEY_BYTES 16
#define LOYAL_REF_BYTES 17
#define LOYAL_API __attribute__((visibility("default")))

/* What became of a request (PROTOCOL.md, R36). */
enum loyal_kind {
    LOYAL_OK = 1,
    LOYAL_REFUSED = 2, /* definite, no effect */
    LOYAL_RETRY = 3,   /* definite, no effect; later it may work */
    LOYAL_UNKNOWN = 4, /* may have happened: call again with the same key */
};

/* The result codes of PROTOCOL.md, in order of precedence, and those that the library makes itself (from 1000). */
enum loyal_code {
    LOYAL_CODE_OK = 1,
    LOYAL_CODE_MALFORMED = 2,
    LOYAL_CODE_INVALID_FIELD = 3,
    LOYAL_CODE_UNSUPPORTED_VERSION = 4,
    LOYAL_CODE_NOT_IDENTIFIED = 5,
    LOYAL_CODE_WRONG_MERCHANT = 6,
    LOYAL_CODE_UNEXPECTED_MESSAGE = 7,
    LOYAL_CODE_NOT_ALLOWED = 8,
    LOYAL_CODE_OVERLOADED = 9,
    LOYAL_CODE_NOT_READY = 10,
    LOYAL_CODE_DEADLINE_EXCEEDED = 11,
    LOYAL_CODE_TRANSIENT = 12,
    LOYAL_CODE_OUTCOME_UNKNOWN = 13,
    LOYAL_CODE_INTERNAL = 14,
    LOYAL_CODE_UNKNOWN_MEMBER = 15,
    LOYAL_CODE_KEY_REUSED = 16,
    LOYAL_CODE_KEY_IN_FUTURE = 17,
    LOYAL_CODE_TOO_OLD = 18,
    LOYAL_CODE_REVERSED_BEFORE = 19,
    LOYAL_CODE_ALREADY_ENROLLED = 20,
    LOYAL_CODE_UNKNOWN_STORE = 21,
    LOYAL_CODE_WRONG_CURRENCY = 22,
    LOYAL_CODE_DUPLICATE_RECEIPT = 23,
    LOYAL_CODE_NO_ORIGINAL = 24,
    LOYAL_CODE_ALREADY_REVERSED = 25,
    LOYAL_CODE_EXCEEDS_ORIGINAL = 26,
    LOYAL_CODE_NOT_ENOUGH_POINTS = 27,
    LOYAL_CODE_BALANCE_LIMIT = 28,
    LOYAL_CODE_UNKNOWN_MERCHANT = 29,
    LOYAL_CODE_ALREADY_EXISTS = 30,
    LOYAL_CODE_CONNECTION = 1000,  /* RETRY or UNKNOWN: no connection, or it broke */
    LOYAL_CODE_TIMEOUT = 1001,     /* RETRY (never sent) or UNKNOWN (sent, no answer in time) */
    LOYAL_CODE_CERTIFICATE = 1002, /* REFUSED: TLS refused one side's certificate */
    LOYAL_CODE_PROTOCOL = 1003,    /* UNKNOWN: the peer's answer makes no sense */
    LOYAL_CODE_MEMORY = 1004,      /* RETRY: no memory, or too many in flight */
};

struct loyal_options {
    const char *host;             /* name or address */
    const char *port;             /* "7400" when NULL */
    const char *certificate_file; /* PEM: this terminal's, chain included */
    const char *key_file;         /* PEM */
    const char *authority_file;   /* PEM: the network's authority */
    const char *server_name;      /* expected in the server's certificate; host when NULL */
    const char *merchant;         /* the merchant that this client believes it is; NULL or "" for an operator */
    const char *software;         /* program and version, for the server's log; may be NULL */
    uint32_t deadline_ms;         /* of a call, all repetitions included; 0: 10,000 */
    uint32_t in_flight_max;       /* 0: what the server allows */
    uint32_t connect_timeout_ms;  /* 0: 5,000 */
    bool no_repeat;               /* loyal_submit never repeats by itself: a broken connection gives UNKNOWN or RETRY at once */
};

struct loyal_client;

/* ---- requests: fill one, leave the rest zero ---- */

enum loyal_verb {
    LOYAL_PING = 1,
    LOYAL_ENROL_MEMBER,
    LOYAL_FIND_MEMBER,
    LOYAL_GET_BALANCE,
    LOYAL_EARN,
    LOYAL_REDEEM,
    LOYAL_REVERSE,
    LOYAL_ADD_MERCHANT,
    LOYAL_LIST_MERCHANTS,
    LOYAL_ADD_STORES,
    LOYAL_LIST_STORES,
    LOYAL_ADD_TERMINAL,
    LOYAL_LIST_TERMINALS,
    LOYAL_SET_EARN_RATE,
    LOYAL_LIST_EARN_RATES,
    LOYAL_GET_STATUS,
    LOYAL_LIST_OWED_POINTS,
    LOYAL_CHECK_CONSERVATION,
};

enum loyal_identifier_kind { LOYAL_CARD = 1, LOYAL_PHONE = 2, LOYAL_EMAIL = 3 };

struct loyal_identifier {
    enum loyal_identifier_kind kind;
    const char *value; /* as typed; the server normalises it */
};

/* By ref when has_ref, else by identifier. */
struct loyal_member {
    bool has_ref;
    uint8_t ref[LOYAL_REF_BYTES];
    struct loyal_identifier identifier;
};

struct loyal_line {
    const char *product;
    const char *category;
    int64_t quantity_milli; /* 1000 is one piece */
    int64_t amount_minor;
};

/* Where and when, as the receipt says. */
struct loyal_occasion {
    const char *store;
    const char *till;
    const char *receipt; /* NULL: none, and no guard against a retry under a new key */
    uint32_t part;
    uint32_t business_date; /* yyyymmdd */
    int64_t occurred_at_us;
};

enum loyal_original { LOYAL_ORIGINAL_EARN = 1, LOYAL_ORIGINAL_REDEMPTION = 2 };

enum loyal_channel { LOYAL_POS = 1, LOYAL_WEB, LOYAL_MOBILE, LOYAL_CALL_CENTRE, LOYAL_KIOSK };

struct loyal_merchant {
    const char *code, *name, *currency;
};

struct loyal_store {
    const char *merchant, *code, *name;
};

struct loyal_terminal {
    const char *merchant, *code, *store; /* store "": any of its merchant */
    enum loyal_channel channel;
    uint8_t certificate_sha256[32];
};

struct loyal_rate {
    const char *merchant;
    uint32_t numerator, denominator; /* points = floor(minor units x numerator / denominator) */
    uint32_t lifetime_months;        /* 0: never expires */
    uint32_t valid_from;             /* yyyymmdd */
};

struct loyal_request {
    enum loyal_verb verb;
    uint8_t key[LOYAL_KEY_BYTES]; /* of ENROL_MEMBER, EARN, REDEEM, REVERSE */
    struct loyal_member member;   /* of FIND_MEMBER (identifier), GET_BALANCE, EARN, REDEEM, REVERSE */
    struct loyal_occasion occasion;
    /* ENROL_MEMBER: identifiers, and occasion.store */
    const struct loyal_identifier *identifiers;
    size_t identifier_count;
    /* EARN */
    int64_t amount_minor; /* also REVERSE by amount */
    const char *currency;
    int64_t paid_in_points_minor;
    const struct loyal_line *lines;
    size_t line_count;
    /* REDEEM */
    int64_t points;
    /* REVERSE */
    bool has_original;
    uint8_t original_key[LOYAL_KEY_BYTES];
    enum loyal_original original_kind;
    bool whole; /* else amount_minor */
    /* operators */
    struct loyal_merchant merchant;
    const struct loyal_store *stores;
    size_t store_count;
    struct loyal_terminal terminal;
    struct loyal_rate rate;
    const char *list_merchant;           /* of LIST_STORES, LIST_TERMINALS, LIST_EARN_RATES */
    const char *list_after;              /* of lists: the last code of the page before, or NULL */
    uint32_t bucket_first, bucket_last;  /* of CHECK_CONSERVATION, 0..255 */
};

/* ---- answers ---- */

struct loyal_owed {
    const char *issuer, *redeemer;
    int64_t points;
};

struct loyal_sums {
    const char *issuer;
    int64_t issued, available, redeemed, expired, clawed_back, debt;
};

struct loyal_finding {
    const char *member, *row, *text;
};

struct loyal_worker {
    uint32_t worker, pid;
    uint64_t connections, requests, batches, postings, refused, retried, unknown;
};

struct loyal_status {
    const char *software, *network, *schema;
    int64_t domain_time_us;
    uint64_t uptime_s;
    bool ready;
};

/* Everything in it belongs to the library: of loyal_call it lives until the next call on this client, of a callback until it returns. */
struct loyal_answer {
    enum loyal_kind kind;
    enum loyal_code code;
    const char *code_name; /* "NOT_ENOUGH_POINTS" */
    const char *text;      /* for people; never NULL */
    const char *field;     /* never NULL */
    uint32_t retry_after_ms;
    bool recorded;         /* the effect is of an earlier request with this key */
    uint32_t attempts;     /* how often it was sent */
    bool has_body;
    /* members and points */
    uint8_t ref[LOYAL_REF_BYTES];
    int64_t available, debt, as_of_us;
    int64_t points, debt_repaid, debt_made, expired, expires_at_us;
    uint8_t entry_key[LOYAL_KEY_BYTES];
    bool before_original;
    /* operators: as many of these as list_count says, of the verb's kind */
    size_t list_count;
    bool more;
    const struct loyal_merchant *merchants;
    const struct loyal_store *stores;
    const struct loyal_terminal *terminals;
    const struct loyal_rate *rates;
    const struct loyal_owed *owed;
    const struct loyal_sums *sums;
    const struct loyal_finding *findings;
    size_t finding_count;
    uint64_t findings_total, members_checked, entries_checked;
    const struct loyal_worker *workers;
    struct loyal_status status;
    uint32_t added, rule_version;
};

/* ---- life ---- */

/* Reads the certificate files; does not connect. NULL on failure, the cause in error_out (may be NULL). */
LOYAL_API struct loyal_client *loyal_client_create(const struct loyal_options *options, char *error_out, size_t error_size);
/* Callbacks of requests still in flight are called with UNKNOWN or RETRY before it returns. */
LOYAL_API void loyal_client_destroy(struct loyal_client **client);

/* Microseconds of the server's domain clock: Hello's, moved on by the monotonic clock. 0 before the first connection. */
LOYAL_API int64_t loyal_server_time_us(const struct loyal_client *client);

/* A new key of this instant (loyal_server_time_us, or another in the server's time). */
LOYAL_API void loyal_key_make(int64_t at_us, uint8_t key_out[LOYAL_KEY_BYTES]);

/* ---- blocking ---- */

/* Connects if need be, Hello included. */
LOYAL_API enum loyal_kind loyal_connect(struct loyal_client *client, const struct loyal_answer **answer_out);

/* Sends the request and waits; repeats it under the same key, with jittered back-off, while the outcome is RETRY or UNKNOWN and the deadline is
 * not over. *answer_out is never NULL afterwards. A key of zeroes in a writing request is replaced by a new one (lost with this process). */
LOYAL_API enum loyal_kind loyal_call(struct loyal_client *client, const struct loyal_request *request,
                                     const struct loyal_answer **answer_out);

/* ---- submit and poll ---- */

/* Called exactly once for each submitted request, from loyal_poll or loyal_client_destroy, never from loyal_submit. It may submit again. */
typedef void loyal_callback(void *context, const struct loyal_answer *answer);

/* Copies what it needs of the request. False when in_flight_max are in flight already: poll first. */
LOYAL_API bool loyal_submit(struct loyal_client *client, const struct loyal_request *request, loyal_callback *callback, void *context);

/* Writes, reads, connects and repeats as needed; delivers answers. Waits at most timeout_ms for something to happen (0: does not wait).
 * Returns how many answers were delivered. */
LOYAL_API int loyal_poll(struct loyal_client *client, int timeout_ms);
/* The same for several clients at once. */
LOYAL_API int loyal_poll_many(struct loyal_client *const *clients, size_t count, int timeout_ms);

/* Requests submitted and not yet delivered; of them, unsent bytes are in the buffer while loyal_unsent > 0. */
LOYAL_API size_t loyal_in_flight(const struct loyal_client *client);
LOYAL_API size_t loyal_unsent(const struct loyal_client *client);

/* For tests of recovery: shuts the socket down at once; what is in flight is repeated (or delivered as UNKNOWN with no_repeat). */
LOYAL_API void loyal_disconnect(struct loyal_client *client);

LOYAL_API const char *loyal_code_name(enum loyal_code code);
LOYAL_API const char *loyal_version(void);

#ifdef __cplusplus
}
#endif
#endif
