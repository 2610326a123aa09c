/* Entries, disclosures and exported rows. Part of libloyal; include <loyal/loyal.h>. */
#ifndef LOYAL_RECORD_H
#define LOYAL_RECORD_H

#include <loyal/request.h>

enum loyal_entry_kind {
    LOYAL_ENTRY_ENROL = 1,
    LOYAL_ENTRY_EARN,
    LOYAL_ENTRY_REDEEM,
    LOYAL_ENTRY_REVERSE_EARN,
    LOYAL_ENTRY_REVERSE_REDEEM,
    LOYAL_ENTRY_EXPIRY,
    LOYAL_ENTRY_FORFEIT,
};

/* A row of the journal. erased: its facts are gone, what follows is empty. */
struct loyal_entry {
    uint8_t ref[LOYAL_REF_BYTES];
    uint8_t entry_key[LOYAL_KEY_BYTES];
    uint8_t original_key[LOYAL_KEY_BYTES]; /* of a reversal */
    enum loyal_entry_kind kind;
    int64_t decided_at_us, points, balance, debt;
    const char *merchant; /* "": the network itself */
    bool erased;
    struct loyal_occasion occasion;
    const char *terminal, *currency;
    enum loyal_channel channel;
    int64_t amount_minor, paid_in_points_minor;
    const struct loyal_line *lines;
    size_t line_count;
};

struct loyal_disclosed_row {
    uint8_t entry_key[LOYAL_KEY_BYTES];
    const char *merchant;
    uint32_t business_date; /* 0: erased since */
    unsigned fields;        /* of enum loyal_fields; 0: the row whole */
};

struct loyal_disclosure {
    int64_t disclosed_at_us;
    const char *merchant, *terminal, *operator_name; /* to whom */
    const char *verb;
    enum loyal_purpose purpose;
    const char *reason;
    const struct loyal_disclosed_row *rows;
    size_t row_count;
};

struct loyal_exported {
    const char *table, *json;
};

#endif
