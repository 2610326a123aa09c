/* A request: fill one, leave the rest zero. Part of libloyal; include <loyal/loyal.h>. */
#ifndef LOYAL_REQUEST_H
#define LOYAL_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOYAL_KEY_BYTES 16
#define LOYAL_REF_BYTES 17

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
    struct loyal_member
        member; /* of FIND_MEMBER (identifier), GET_BALANCE, EARN, REDEEM, REVERSE */
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
    const char *list_merchant;          /* of LIST_STORES, LIST_TERMINALS, LIST_EARN_RATES */
    const char *list_after;             /* of lists: the last code of the page before, or NULL */
    uint32_t bucket_first, bucket_last; /* of CHECK_CONSERVATION, 0..255 */
};

#endif
