/* An answer, and the lists that operators get. Part of libloyal; include <loyal/loyal.h>. */
#ifndef LOYAL_ANSWER_H
#define LOYAL_ANSWER_H

#include <loyal/codes.h>
#include <loyal/record.h>
#include <loyal/request.h>

struct loyal_owed {
    const char *issuer, *redeemer;
    int64_t points;
};

struct loyal_sums {
    const char *issuer;
    int64_t issued, available, redeemed, expired, forfeited, clawed_back, debt;
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

/* Everything in it belongs to the library: of loyal_call it lives until the next call on this
 * client, of a callback until it returns or destroys its client. */
struct loyal_answer {
    enum loyal_kind kind;
    enum loyal_code code;
    const char *code_name; /* "NOT_ENOUGH_POINTS" */
    const char *text;      /* for people; never NULL */
    const char *field; /* of the request, what it is about: "earn.purchase.currency"; never NULL */
    uint32_t retry_after_ms;
    bool recorded;     /* the effect is of an earlier request with this key */
    uint32_t attempts; /* how often it was sent */
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
    /* grants, purchases elsewhere, records: list_count of the verb's kind; cursor.size 0: the last
     * page */
    const struct loyal_grant_record *grants;
    const struct loyal_purchase *purchases;
    const struct loyal_member_never_met *members_never_met;
    const struct loyal_entry *entries;
    const struct loyal_disclosure *disclosures;
    const struct loyal_exported *exported;
    const uint8_t (*refs)[LOYAL_REF_BYTES]; /* of TRANSLATE_REFS; all zeroes: not issued to the
                                               asker */
    struct loyal_cursor cursor;
    struct loyal_count count; /* of COUNT_MEMBERS */
    int64_t until_us;         /* of SET_GRANT: first instant at which it no longer holds */
    uint64_t entries_blanked; /* of ERASE_MEMBER; the points forfeited are in points */
};

#endif
