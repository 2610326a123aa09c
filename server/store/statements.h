/* Every statement that the daemon sends, in one table: the numbers index it. A lane's and the
 * reader's take and give binary values, operators' and maintenance's text. A connection prepares a
 * run of them. */
#pragma once

extern const char *const statements[];

enum statement_id {
    /* a lane's, with binary values (engine/) */
    STATEMENT_BEGIN,
    STATEMENT_COMMIT,
    STATEMENT_ROLLBACK,
    STATEMENT_MEMBERS_LOCK,
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
    STATEMENT_LEASE_GUARD, /* holder, epoch: of a lane that works under the maintenance lease */
    STATEMENT_RESOLVE,     /* the first of the reader, too */
    STATEMENT_EPOCH_READ,  /* the last of a lane */
    STATEMENT_LOOKUP,
    STATEMENT_REFERENCE_READ, /* the reader's last */
    /* Operators' (session/): text parameters in this order -> columns. */
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
    STATEMENT_SCHEMA_READ, /* of every connection, before it prepares */
    STATEMENT_COUNT
};
