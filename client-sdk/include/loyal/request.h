/* A request: fill one, leave the rest zero. Part of libloyal; include <loyal/loyal.h>. */
#ifndef LOYAL_REQUEST_H
#define LOYAL_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <loyal/network.h>
#include <loyal/register.h>

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
    LOYAL_SET_GRANT,
    LOYAL_REVOKE_GRANT,
    LOYAL_LIST_GRANTS,
    LOYAL_TRANSLATE_REFS,
    LOYAL_QUERY_PURCHASES,
    LOYAL_LIST_MEMBERS_NEVER_MET,
    LOYAL_COUNT_MEMBERS,
    LOYAL_LIST_ENTRIES,
    LOYAL_LIST_DISCLOSURES,
    LOYAL_SET_STANDING,
    LOYAL_ERASE_MEMBER,
    LOYAL_EXPORT_MEMBER,
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

struct loyal_request {
    enum loyal_verb verb;
    uint8_t key[LOYAL_KEY_BYTES]; /* of ENROL_MEMBER, EARN, REDEEM, REVERSE, SET_GRANT,
                                     ERASE_MEMBER */
    struct loyal_member member;   /* of every verb about one member; of FIND_MEMBER by identifier */
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
    /* grants and purchases elsewhere */
    struct loyal_grant grant; /* of SET_GRANT; of REVOKE_GRANT: recipient, NULL: all, and purpose */
    enum loyal_purpose purpose; /* of QUERY_PURCHASES, LIST_MEMBERS_NEVER_MET, COUNT_MEMBERS */
    struct loyal_filter filter; /* of the same */
    uint32_t k;                 /* of COUNT_MEMBERS; 0: the network's */
    const uint8_t (*refs)[LOYAL_REF_BYTES]; /* of TRANSLATE_REFS, 1..500 */
    size_t ref_count;
    /* of lists with a cursor: rows of a page (0: the server's default), and the answer's cursor of
     * the page before (size 0: the first page) */
    uint32_t page_rows;
    struct loyal_cursor cursor;
    /* LIST_ENTRIES of a period instead of a member */
    bool has_period;
    int64_t from_us, until_us;
    const char *reason; /* operators: of LIST_ENTRIES, SET_STANDING, ERASE_, EXPORT_MEMBER */
    /* SET_STANDING: of whom; member, merchant.code, stores[0], terminal.merchant and .code (and
     * .certificate_sha256), or operator_name */
    enum loyal_subject subject;
    const char *operator_name;
    enum loyal_standing standing;
};

#endif
