/* Every statement that the daemon sends, by number. A lane's and the
 * reader's take and give binary values, all others text. A connection prepares the first five and a
 * run of them. */
#pragma once

enum statement_id {
    STATEMENT_BEGIN,
    STATEMENT_COMMIT,
    STATEMENT_ROLLBACK,
    STATEMENT_REFERENCE_LOCK, /* waits for every transaction that has read the epoch */
    STATEMENT_EPOCH_GUARD,    /* epoch, as text; division by zero when it is another */
    /* a lane's, with binary values (engine/) */
    STATEMENT_MEMBERS_LOCK,
    STATEMENT_MEMBERS_TRY, /* takes whom nobody holds, and says who is held */
    STATEMENT_ENTRIES_FIND,
    STATEMENT_REVERSALS_FIND,
    STATEMENT_REFUSALS_FIND,
    STATEMENT_LOTS_READ,
    STATEMENT_DEBTS_READ,
    STATEMENT_MEMBERS_INSERT,
    STATEMENT_MEMBERS_UPDATE,
    STATEMENT_IDENTIFIERS_INSERT,
    STATEMENT_ENTRIES_INSERT,
    STATEMENT_LINES_INSERT,
    STATEMENT_REFUSALS_INSERT,
    STATEMENT_LOTS_INSERT,
    STATEMENT_LOTS_UPDATE,
    STATEMENT_LOTS_DELETE,
    STATEMENT_DEBTS_UPSERT,
    STATEMENT_DEBTS_DELETE,
    STATEMENT_GRANTS_END,  /* of erased members, since when */
    STATEMENT_LEASE_GUARD, /* holder, epoch: of a lane that works under the maintenance lease */
    STATEMENT_RESOLVE,     /* the first of the reader, too */
    STATEMENT_EPOCH_READ,  /* the last of a lane */
    STATEMENT_LOOKUP,
    STATEMENT_REFERENCE_READ, /* the reader's last */
    /* Text parameters in this order -> columns. Times are microseconds since 1970, lists array
     * literals, keys hexadecimal; null in a filter is open. */
    /* The counter's: terminals' and operators', short. */
    /* member, key, recipient, source, purpose, fields, at, until, text version, channel, terminal,
     * operator, place, body hash, fault of a new key '' | 'over' | 'future' | 'old' | 'absent',
     * asker or 0 -> 'added' | 'recorded' | 'reused' | 'suspended' | 'unknown' | the fault; until */
    STATEMENT_GRANT_SET,
    /* member, recipient or 0, purpose or 0, at, terminal, operator -> how many */
    STATEMENT_GRANTS_REVOKE,
    /* member, recipient or 0, before: granted at, key; limit -> columns of handle_grant.c */
    STATEMENT_GRANTS_LIST,
    /* member, merchant or 0, before seq, limit, at, page, operator, reason -> columns of
     * handle_entries.c; what an operator is shown is recorded */
    STATEMENT_ENTRIES_OF_MEMBER,
    /* merchant, from, until, after: decided at, member, seq; limit -> the same columns */
    STATEMENT_ENTRIES_OF_PERIOD,
    /* member, before page, limit -> columns of handle_disclosures.c */
    STATEMENT_DISCLOSURES_LIST,
    /* subject 1 merchant, 2 store, 3 terminal, 4 operator; merchant, code, standing, at, operator,
     * reason -> 'added' | 'same' | 'revoked' | 'no_merchant' | 'no_store' | 'no_subject' */
    STATEMENT_STANDING_SET,
    STATEMENT_CERTIFICATE_STANDING_SET,
    /* member, standing, at, operator, reason -> 'added' | 'same' | 'revoked' | 'unknown' */
    STATEMENT_MEMBER_STANDING_SET,
    /* code, name, currency -> 'added' | 'same' | 'differs' */
    STATEMENT_MERCHANT_ADD,
    /* after, limit -> code, name, currency */
    STATEMENT_MERCHANTS_LIST,
    /* merchant codes text[], codes text[], names text[] -> how many were added, how many merchants
     * are unknown, how many stores exist with another name; adds nothing unless both are 0 */
    STATEMENT_STORES_ADD,
    /* merchant, after, limit -> merchant, code, name */
    STATEMENT_STORES_LIST,
    /* merchant, code, store or '', channel, sha256 hex -> 'added' | 'same' | 'differs' |
     * 'no_merchant' | 'no_store' */
    STATEMENT_TERMINAL_ADD,
    /* merchant, after, limit -> merchant, code, store, channel, sha256 hex */
    STATEMENT_TERMINALS_LIST,
    /* merchant, numerator, denominator, months, valid_from yyyymmdd -> 'added' | 'same' |
     * 'no_merchant', rule_version */
    STATEMENT_RATE_SET,
    /* merchant -> merchant, numerator, denominator, months, valid_from yyyymmdd */
    STATEMENT_RATES_LIST,
    /* The office's: operators', long. */
    /* member, after: place, key; limit, at, page, operator, reason, bytes -> place, key, table,
     * json, whether there are more */
    STATEMENT_MEMBER_EXPORT,
    /* -> issuer code, redeemer code, points */
    STATEMENT_OWED_LIST,
    /* bucket first, last, as_of microseconds since 1970 -> issuer code, issued, available,
     * redeemed, expired, clawed back, debt */
    STATEMENT_SUMS_CHECK,
    /* bucket first, last, as_of -> member hex, row, text, findings in all; at most 100 rows */
    STATEMENT_FINDINGS_CHECK,
    /* bucket first, last -> members, entries */
    STATEMENT_COUNTS_CHECK,
    /* Maintenance's, in its own process. */
    /* holder, now, until -> epoch when taken, no row otherwise */
    STATEMENT_LEASE_TAKE,
    /* first day, last day -> how many were made */
    STATEMENT_PARTITIONS_MAKE,
    /* before -> how many */
    STATEMENT_REFUSALS_DROP,
    /* bucket first, last, now, limit -> member_id */
    STATEMENT_MEMBERS_DUE,
    /* The window's and the census's, as loyal_reader. */
    /* asker, purpose, at: of this transaction */
    STATEMENT_LOOK_AS,
    STATEMENT_READER_GUARD, /* STATEMENT_EPOCH_GUARD for who may not read the table */
    /* The filter is merchants, categories, first and last day, smallest and largest amount, the
     * asker's currency, channels. */
    /* member, before seq, limit, page, terminal, filter -> columns of handle_network.c */
    STATEMENT_PURCHASES_PAGE,
    /* after: place, member; limit, page, terminal, filter -> likewise */
    STATEMENT_NEVER_MET_PAGE,
    /* filter, k, today -> with grant, without (null: fewer than k), k, counted at, released before,
     * questions left; no row: none was left */
    STATEMENT_MEMBERS_COUNT,
    /* The eraser's. */
    /* member, at, operator, key, points, body hash -> how many entries */
    STATEMENT_MEMBER_ERASE,
    STATEMENT_ERASURE_FIND, /* key -> points, body hash: of a finished one */
    /* Of every connection, before it prepares: backends that its predecessors left, which it ends
     * -> version, synchronous_commit, its own backend, those of them that were there still */
    STATEMENT_SCHEMA_READ,
    STATEMENT_COUNT
};

const char *statement_text(enum statement_id id);
