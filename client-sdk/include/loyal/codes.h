/* What became of a request. Part of libloyal; include <loyal/loyal.h>. */
#ifndef LOYAL_CODES_H
#define LOYAL_CODES_H

#define LOYAL_API __attribute__((visibility("default")))

/* What became of a request (PROTOCOL.md, R36). */
enum loyal_kind {
    LOYAL_OK = 1,
    LOYAL_REFUSED = 2, /* definite, no effect */
    LOYAL_RETRY = 3,   /* definite, no effect; later it may work */
    LOYAL_UNKNOWN = 4, /* may have happened: call again with the same key */
};

/* The result codes of PROTOCOL.md, in order of precedence, and those that the library makes itself
 * (from 1000). */
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
    LOYAL_CODE_MEMBER_SUSPENDED = 31,
    LOYAL_CODE_NOT_PRESENT = 32,
    LOYAL_CODE_CURSOR_INVALID = 33,
    LOYAL_CODE_BUDGET_EXHAUSTED = 34,
    LOYAL_CODE_UNKNOWN_SUBJECT = 35,
    LOYAL_CODE_REVOKED = 36,
    LOYAL_CODE_CONNECTION = 1000,  /* RETRY or UNKNOWN: no connection, or it broke */
    LOYAL_CODE_TIMEOUT = 1001,     /* RETRY (never sent) or UNKNOWN (sent, no answer in time) */
    LOYAL_CODE_CERTIFICATE = 1002, /* REFUSED: TLS refused one side's certificate */
    LOYAL_CODE_PROTOCOL = 1003,    /* UNKNOWN (sent) or RETRY: the peer's answer makes no sense */
    LOYAL_CODE_MEMORY = 1004,      /* RETRY: no memory, or too many in flight */
    LOYAL_CODE_CANCELLED = 1005,   /* RETRY (never sent) or UNKNOWN: by loyal_cancel */
};

#endif
