/* Owns what an honest database answers: members with one lot of 1000 points, two merchants, one row
 * of each list. Called by database.c. */
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/uuid.h"
#include "base/epoch.h"
#include "fuzz/database.h"
#include "ledger/journal.h"
#include "store/pg.h"
#include "store/shape.h"

#define DAY_US INT64_C(86400000000)

static struct {
    char terminal[65], operator[65];
} known;

static void hex_of(const uint8_t hash[32], char hex_out[65])
{
    for (int i = 0; i < 32; i++)
        snprintf(hex_out + 2 * i, 3, "%02x", hash[i]);
}

void database_know(const uint8_t terminal_sha256[32], const uint8_t operator_sha256[32])
{
    hex_of(terminal_sha256, known.terminal);
    hex_of(operator_sha256, known.operator);
}

/* ---- parameters ---- */

static int array_count(const struct fake_params *params, int index)
{
    return index < params->count ? (int)get_u32((const uint8_t *)params->values[index] + 12) : 0;
}

/* The k-th element of an array parameter; NULL: null. */
static const uint8_t *array_at(const struct fake_params *params, int index, int k)
{
    const uint8_t *at = (const uint8_t *)params->values[index] + 20;
    for (; k > 0; k--) {
        uint32_t size = get_u32(at);
        at += 4 + (size == UINT32_MAX ? 0 : size);
    }
    return get_u32(at) == UINT32_MAX ? NULL : at + 4;
}

static int64_t number_at(const struct fake_params *params, int index, int k)
{
    return (int64_t)get_u64(array_at(params, index, k));
}

/* ---- rows with binary values ---- */

/* Most identifiers are somebody's. */
static bool is_known(const uint8_t *hash)
{
    return hash[1] % 8 != 0;
}

static int64_t member_of(const uint8_t *hash)
{
    return 1000 + hash[0];
}

static void put_time_at(PGresult *result, int row, int column, int64_t at_us)
{
    result_number(result, row, column, time_since_2000(at_us));
}

static void members_fill(PGresult *result, const struct fake_params *params)
{
    static const uint8_t chain[HASH_BYTES] = {1};
    for (int k = 0; k < array_count(params, 1); k++) {
        int row = result_row(result);
        static const int64_t numbers[] = {0, 1000, 0, 5};
        for (int i = 1; i < 4; i++)
            result_number(result, row, i, numbers[i]);
        result_number(result, row, 0, number_at(params, 1, k));
        result_set(result, row, 4, chain, sizeof chain);
        put_time_at(result, row, 5, FAKE_NOW_US - DAY_US);
        put_time_at(result, row, 6, FAKE_NOW_US + 300 * DAY_US);
        result_number(result, row, 7, 1);
        result_number(result, row, 8, 0); /* nobody holds him */
    }
}

static void lots_fill(PGresult *result, const struct fake_params *params)
{
    static const uint8_t entry[UUID_BYTES] = {1, [6] = 0x70, [8] = 0x80};
    for (int k = 0; k < array_count(params, 1); k++) {
        int row = result_row(result);
        result_number(result, row, 0, number_at(params, 1, k));
        result_set(result, row, 1, entry, sizeof entry);
        result_number(result, row, 2, 1);
        result_number(result, row, 3, 1);
        result_number(result, row, 4, 1000);
        put_time_at(result, row, 5, FAKE_NOW_US - DAY_US);
        put_time_at(result, row, 6, FAKE_NOW_US + 300 * DAY_US);
    }
}

static void debts_fill(PGresult *result, const struct fake_params *params, bool is_full)
{
    for (int k = 0; is_full && k < array_count(params, 1); k++) {
        int row = result_row(result);
        result_number(result, row, 0, number_at(params, 1, k));
        result_number(result, row, 1, 1);
        result_number(result, row, 2, 10);
    }
}

static void legs_put(PGresult *result, int row, int64_t kind)
{
    static const int64_t leg[] = {0, 1, 2, 1, 1, 100, 0, INT64_MAX};
    uint8_t bytes[20 + 8 * 12], *at = bytes;
    for (int i = 0; i < 5; i++)
        at = put_u32(at, ((const uint32_t[]){1, 0, 20, 8, 1})[i]);
    for (int i = 0; i < 8; i++)
        at = put_u64(put_u32(at, 8), (uint64_t)(i == 0 ? kind : leg[i]));
    result_set(result, row, 10, bytes, sizeof bytes);
}

/* An entry of 100 points and the amount 100.00: an earn, or a redemption where the id is odd. */
static void entry_put(PGresult *result, int64_t member_id, const uint8_t *id)
{
    static const int columns[] = {2, 5, 6, 7, 9, 13, 16, 17, 19};
    static const int64_t numbers[] = {3, 1, 100, 100, 1, 1, 0, 20260101, 10000};
    static const uint8_t hash[LEDGER_BODY_HASH_BYTES] = {0};
    int row = result_row(result);
    bool is_earn = !(id[UUID_BYTES - 1] & 1);
    for (int i = 0; i < 9; i++)
        result_number(result, row, columns[i], numbers[i]);
    result_number(result, row, 0, member_id);
    result_set(result, row, 1, id, UUID_BYTES);
    put_time_at(result, row, 3, FAKE_NOW_US - DAY_US);
    result_number(result, row, 4, is_earn ? ENTRY_EARN : ENTRY_REDEEM);
    result_number(result, row, 8, 0);
    legs_put(result, row, is_earn ? LEG_MADE : LEG_REDEEMED);
    result_set(result, row, 12, hash, sizeof hash);
    result_set(result, row, 14, "1", 1);
    result_set(result, row, 15, "1", 1);
    put_time_at(result, row, 18, FAKE_NOW_US - DAY_US);
    result_number(result, row, 20, 0);
}

static void entries_fill(PGresult *result, const struct fake_params *params)
{
    for (int k = 0; k < array_count(params, 1); k++)
        entry_put(result, number_at(params, 1, k), array_at(params, 2, k));
}

static void refusals_fill(PGresult *result, const struct fake_params *params)
{
    static const uint8_t hash[LEDGER_BODY_HASH_BYTES] = {0};
    for (int k = 0; k < array_count(params, 1); k++) {
        int row = result_row(result);
        static const int64_t numbers[] = {0, 0, 1, 27, ENTRY_REDEEM, 0, 1000, 0};
        for (int i = 2; i < 8; i++)
            result_number(result, row, i, numbers[i]);
        result_number(result, row, 0, number_at(params, 1, k));
        result_set(result, row, 1, array_at(params, 2, k), UUID_BYTES);
        result_set(result, row, 9, hash, sizeof hash);
    }
}

static void resolve_fill(PGresult *result, const struct fake_params *params)
{
    for (int k = 0; k < array_count(params, 0); k++) {
        const uint8_t *hash = array_at(params, 0, k);
        if (!is_known(hash))
            continue;
        int row = result_row(result);
        result_number(result, row, 0, k);
        result_number(result, row, 1, member_of(hash));
    }
}

static void lookup_fill(PGresult *result, const struct fake_params *params)
{
    for (int k = 0; k < array_count(params, 1); k++) {
        const uint8_t *hash = array_at(params, 0, k);
        int64_t member_id = hash ? member_of(hash) : number_at(params, 1, k);
        if (hash ? !is_known(hash) : member_id < 0)
            continue;
        int row = result_row(result);
        result_number(result, row, 0, k);
        result_number(result, row, 1, member_id);
        result_number(result, row, 2, 1000);
        result_number(result, row, 3, 0);
    }
}

/* ---- rows of text ---- */

#define CERTIFICATE_1 "\001"
#define CERTIFICATE_2 "\002"

static const char REFERENCE[] = "e|1\n"
                                "m|1|alpha|Alpha|EUR\n"
                                "m|2|beta|Beta|GBP\n"
                                "s|1|1|1|Main\n"
                                "s|2|2|main|Main\n"
                                "t|1|1|t1|0|1|" CERTIFICATE_1 "|1\n"
                                "o|1|ann|" CERTIFICATE_2 "|1\n"
                                "r|1|1|19700101|1|100|24\n"
                                "r|2|2|19700101|3|100|0\n";

#define ENTRY_ROW                                                                     \
    "1001|0197c000-0000-7000-8000-000000000001|2|1767139200000000|alpha|100|100|0||0" \
    "|1|1|1|0|20260101|1767139200000000|t1|1|10000|0|EUR|[[\"p\",\"c\",1000,10000]]|3|1"
#define SHOWN_ROW                                                                        \
    "0197c000-0000-7000-8000-000000000001|2|7|2|20251231|1|10000|GBP|100|[[\"p\",\"c\"," \
    "1000,10000]]|3"

/* A row a line; columns that are missing are null, those between || too. */
static const char *const TEXTS[STATEMENT_COUNT] = {
    [STATEMENT_REFERENCE_READ] = REFERENCE,
    [STATEMENT_GRANT_SET] = "added|1798761600000000",
    [STATEMENT_GRANTS_LIST] = "0197c000-0000-7000-8000-000000000001|1|2|1|7|v1|1|1767139200000000"
                              "|1798761600000000||0|t1|ann",
    [STATEMENT_ENTRIES_OF_MEMBER] = ENTRY_ROW,
    [STATEMENT_ENTRIES_OF_PERIOD] = ENTRY_ROW,
    [STATEMENT_DISCLOSURES_LIST] = "0197c000-0000-7000-8000-000000000001|1767139200000000|alpha|t1|"
                                   "|40|1||[[\"0197c000000070008000000000000001\",\"beta\","
                                   "20251231,7]]",
    [STATEMENT_STANDING_SET] = "added",
    [STATEMENT_CERTIFICATE_STANDING_SET] = "added",
    [STATEMENT_MEMBER_STANDING_SET] = "added",
    [STATEMENT_MERCHANT_ADD] = "added",
    [STATEMENT_MERCHANTS_LIST] = "alpha|Alpha|EUR|1\nbeta|Beta|GBP|2",
    [STATEMENT_STORES_ADD] = "1|0|0",
    [STATEMENT_STORES_LIST] = "alpha|1|Main|1",
    [STATEMENT_TERMINAL_ADD] = "added",
    [STATEMENT_TERMINALS_LIST] = "alpha|t1|1|1|" CERTIFICATE_1 "|1|",
    [STATEMENT_RATE_SET] = "added|2",
    [STATEMENT_RATES_LIST] = "alpha|1|100|24|20260101",
    [STATEMENT_MEMBER_EXPORT] = "3|0197c000|entry|{\"id\": 1}|1",
    [STATEMENT_OWED_LIST] = "alpha|beta|100",
    [STATEMENT_SUMS_CHECK] = "alpha|9|1|2|3|4|5|6",
    [STATEMENT_FINDINGS_CHECK] = "3e9|member|differs|1",
    [STATEMENT_PURCHASES_PAGE] = SHOWN_ROW "|1",
    [STATEMENT_NEVER_MET_PAGE] = "7|1002|1001|1|" SHOWN_ROW "\n7|1002|1001|2|" SHOWN_ROW,
    [STATEMENT_MEMBERS_COUNT] = "40||20|1767139200000000|0|9",
    [STATEMENT_ERASURE_FIND] = "10|00000000000000000000000000000000",
    [STATEMENT_SCHEMA_READ] = PG_SCHEMA_WANTED "|on|,7/1.5,|",
};

static void text_put(PGresult *result, int row, int column, const char *text, size_t size)
{
    if (size == 1 && *text == *CERTIFICATE_1)
        result_set(result, row, column, known.terminal, 64);
    else if (size == 1 && *text == *CERTIFICATE_2)
        result_set(result, row, column, known.operator, 64);
    else if (size > 0)
        result_set(result, row, column, text, (int)size);
}

static void text_fill(PGresult *result, const char *text)
{
    while (*text) {
        int row = result_row(result);
        for (int column = 0; *text && *text != '\n'; column++) {
            size_t size = strcspn(text, "|\n");
            if (column < result->columns)
                text_put(result, row, column, text, size);
            text += size;
            text += *text == '|';
        }
        text += *text == '\n';
    }
}

void rows_fill(PGresult *result, enum statement_id statement, const struct fake_params *params,
               bool is_full)
{
    if (TEXTS[statement]) {
        text_fill(result, TEXTS[statement]);
        return;
    }
    switch (statement) {
    case STATEMENT_MEMBERS_LOCK:
    case STATEMENT_MEMBERS_TRY: members_fill(result, params); return;
    case STATEMENT_LOTS_READ: lots_fill(result, params); return;
    case STATEMENT_DEBTS_READ: debts_fill(result, params, is_full); return;
    case STATEMENT_ENTRIES_FIND:
        if (is_full)
            entries_fill(result, params);
        return;
    case STATEMENT_REVERSALS_FIND: entries_fill(result, params); return;
    case STATEMENT_REFUSALS_FIND:
        if (is_full)
            refusals_fill(result, params);
        return;
    case STATEMENT_RESOLVE: resolve_fill(result, params); return;
    case STATEMENT_LOOKUP: lookup_fill(result, params); return;
    default: break;
    }
    if (!*shape_columns(statement) || statement == STATEMENT_MEMBERS_DUE)
        return;
    int row = result_row(result);
    for (int column = 0; column < result->columns; column++)
        result_number(result, row, column, 1);
}
