/* Grants, purchases at other merchants, and what is on record. Part of libloyal; include
 * <loyal/loyal.h>. PROTOCOL.md sections 7.6 and 7.7 say what each means. */
#ifndef LOYAL_NETWORK_H
#define LOYAL_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOYAL_KEY_BYTES        16
#define LOYAL_REF_BYTES        17
#define LOYAL_CURSOR_BYTES_MAX 256

enum loyal_channel { LOYAL_POS = 1, LOYAL_WEB, LOYAL_MOBILE, LOYAL_CALL_CENTRE, LOYAL_KIOSK };

enum loyal_standing { LOYAL_ACTIVE = 1, LOYAL_SUSPENDED, LOYAL_REVOKED };

enum loyal_subject {
    LOYAL_SUBJECT_MEMBER = 1,
    LOYAL_SUBJECT_MERCHANT,
    LOYAL_SUBJECT_STORE,
    LOYAL_SUBJECT_TERMINAL,
    LOYAL_SUBJECT_OPERATOR,
    LOYAL_SUBJECT_CERTIFICATE, /* of the terminal */
};

enum loyal_purpose { LOYAL_SERVICE = 1, LOYAL_OFFER, LOYAL_ANALYSIS };

/* Groups of fields, as bits. */
enum loyal_fields {
    LOYAL_MERCHANT_AND_DATE = 1, /* channel too */
    LOYAL_AMOUNT = 2,            /* currency and points too */
    LOYAL_BASKET = 4,            /* lines; their amounts only with LOYAL_AMOUNT */
};

struct loyal_grant {
    const char *recipient;      /* NULL or "": this terminal's merchant */
    const char *source;         /* NULL or "": all merchants */
    enum loyal_purpose purpose; /* of REVOKE_GRANT 0: every purpose */
    unsigned fields;            /* of enum loyal_fields */
    uint32_t last_day;          /* yyyymmdd */
    const char *text_version;   /* that the member agreed to */
    enum loyal_channel channel; /* of operators; of a terminal 0 */
};

enum loyal_grant_state {
    LOYAL_GRANT_ACTIVE = 1,
    LOYAL_GRANT_OVER,
    LOYAL_GRANT_REVOKED,
    LOYAL_GRANT_REPLACED,
    LOYAL_GRANT_ERASED,
};

struct loyal_grant_record {
    uint8_t grant_key[LOYAL_KEY_BYTES];
    struct loyal_grant grant;
    enum loyal_grant_state state;
    int64_t granted_at_us, until_us, ended_at_us; /* ended: 0, it was not */
    const char *terminal, *operator_name;
};

/* Each narrows; zero or NULL is open. */
struct loyal_filter {
    const char *const *merchants; /* at most 20 */
    size_t merchant_count;
    const char *const *categories; /* at most 20 */
    size_t category_count;
    uint32_t date_first, date_last; /* yyyymmdd */
    int64_t amount_minor_min, amount_minor_max;
    enum loyal_channel channels[5];
    size_t channel_count;
};

/* Opaque; good for an hour and the same question. */
struct loyal_cursor {
    uint8_t bytes[LOYAL_CURSOR_BYTES_MAX];
    size_t size;
};

/* A purchase at another merchant, masked: what is not in fields is zero, NULL or "". */
struct loyal_purchase {
    uint8_t purchase_id[LOYAL_REF_BYTES];
    bool is_refund;
    unsigned fields;
    const char *merchant;
    uint32_t business_date;
    enum loyal_channel channel;
    int64_t amount_minor, points;
    const char *currency;
    const struct loyal_line *lines;
    size_t line_count;
};

struct loyal_member_never_met {
    uint8_t ref[LOYAL_REF_BYTES];
    const struct loyal_purchase *purchases;
    size_t purchase_count;
    bool more;
};

/* Of each group either fewer than k, or a multiple of 5. */
struct loyal_count {
    bool with_grant_fewer, without_grant_fewer;
    uint64_t with_grant, without_grant;
    uint32_t k, questions_left;
    int64_t counted_at_us;
    bool released_before;
};

#endif
