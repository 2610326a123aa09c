/* Owns the shapes of results. Called by pg.c for each result; constant data. A null passes
 * everywhere: whoever reads a column says what it means there. */
#include "store/shape.h"

#include <stddef.h>
#include <string.h>

#include "base/hash.h"

#define ARRAY_EMPTY_BYTES  12 /* dimensions, flags, type */
#define ARRAY_HEADER_BYTES 20
#define OID_BIGINT         20

#define ENTRY_COLUMNS "8u8T248884aub4ss44T88"
#define ENTRY_SHOWN   "tttttttttttttttttttttttt"

struct shape {
    const char *columns;
    bool is_one_row;
};

static const struct shape SHAPES[STATEMENT_COUNT] = {
    [STATEMENT_EPOCH_GUARD] = {"t", true},
    [STATEMENT_MEMBERS_LOCK] = {"8888bTT21", false},
    [STATEMENT_MEMBERS_TRY] = {"8888bTT21", false},
    [STATEMENT_ENTRIES_FIND] = {ENTRY_COLUMNS, false},
    [STATEMENT_REVERSALS_FIND] = {ENTRY_COLUMNS, false},
    [STATEMENT_REFUSALS_FIND] = {"8u422T88ub88", false},
    [STATEMENT_LOTS_READ] = {"8u248TT", false},
    [STATEMENT_DEBTS_READ] = {"848", false},
    [STATEMENT_MEMBERS_INSERT] = {"4", true},
    [STATEMENT_MEMBERS_UPDATE] = {"4", true},
    [STATEMENT_IDENTIFIERS_INSERT] = {"4", true},
    [STATEMENT_LOTS_UPDATE] = {"4", true},
    [STATEMENT_LOTS_DELETE] = {"4", true},
    [STATEMENT_DEBTS_DELETE] = {"4", true},
    [STATEMENT_LEASE_GUARD] = {"4", true},
    [STATEMENT_RESOLVE] = {"48", false},
    [STATEMENT_EPOCH_READ] = {"8", true},
    [STATEMENT_LOOKUP] = {"4888", false},
    [STATEMENT_REFERENCE_READ] = {"ssssssss", false},
    [STATEMENT_GRANT_SET] = {"tt", true},
    [STATEMENT_GRANTS_REVOKE] = {"t", true},
    [STATEMENT_GRANTS_LIST] = {"ttttttttttttt", false},
    [STATEMENT_ENTRIES_OF_MEMBER] = {ENTRY_SHOWN, false},
    [STATEMENT_ENTRIES_OF_PERIOD] = {ENTRY_SHOWN, false},
    [STATEMENT_DISCLOSURES_LIST] = {"ttttttttt", false},
    [STATEMENT_STANDING_SET] = {"t", true},
    [STATEMENT_CERTIFICATE_STANDING_SET] = {"t", true},
    [STATEMENT_MEMBER_STANDING_SET] = {"t", true},
    [STATEMENT_MERCHANT_ADD] = {"t", true},
    [STATEMENT_MERCHANTS_LIST] = {"tttt", false},
    [STATEMENT_STORES_ADD] = {"ttt", true},
    [STATEMENT_STORES_LIST] = {"tttt", false},
    [STATEMENT_TERMINAL_ADD] = {"t", true},
    [STATEMENT_TERMINALS_LIST] = {"ttttttt", false},
    [STATEMENT_RATE_SET] = {"tt", true},
    [STATEMENT_RATES_LIST] = {"ttttt", false},
    [STATEMENT_MEMBER_EXPORT] = {"ttttt", false},
    [STATEMENT_OWED_LIST] = {"ttt", false},
    [STATEMENT_SUMS_CHECK] = {"tttttttt", false},
    [STATEMENT_FINDINGS_CHECK] = {"tttt", false},
    [STATEMENT_COUNTS_CHECK] = {"tt", true},
    [STATEMENT_LEASE_TAKE] = {"t", false},
    [STATEMENT_PARTITIONS_MAKE] = {"t", true},
    [STATEMENT_REFUSALS_DROP] = {"t", true},
    [STATEMENT_MEMBERS_DUE] = {"t", false},
    [STATEMENT_LOOK_AS] = {"ttt", true},
    [STATEMENT_READER_GUARD] = {"t", true},
    [STATEMENT_PURCHASES_PAGE] = {"tttttttttttt", false},
    [STATEMENT_NEVER_MET_PAGE] = {"ttttttttttttttt", false},
    [STATEMENT_MEMBERS_COUNT] = {"tttttt", false},
    [STATEMENT_MEMBER_ERASE] = {"t", true},
    [STATEMENT_ERASURE_FIND] = {"tt", false},
    [STATEMENT_SCHEMA_READ] = {"tttt", false},
};

/* A letter's type in PostgreSQL, and how many bytes a value has; 0: any number. */
struct kind {
    char letter;
    Oid type;
    int bytes;
};

static const struct kind *kind_of(char letter)
{
    static const struct kind kinds[] = {
        {'1', 16, 1}, {'2', 21, 2},    {'4', 23, 4}, {'8', 20, 8},   {'T', 1184, 8},
        {'b', 17, 0}, {'u', 2950, 16}, {'s', 25, 0}, {'a', 1016, 0},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i].letter == letter)
            return &kinds[i];
    return NULL; /* t */
}

/* One dimension or none, and each element a bigint. */
static bool is_array(const uint8_t *bytes, size_t size)
{
    if (size < ARRAY_EMPTY_BYTES || get_u32(bytes + 8) != OID_BIGINT)
        return false;
    if (get_u32(bytes) == 0)
        return size == ARRAY_EMPTY_BYTES;
    if (get_u32(bytes) != 1 || size < ARRAY_HEADER_BYTES)
        return false;
    size_t count = get_u32(bytes + 12);
    if (size != ARRAY_HEADER_BYTES + count * 12)
        return false;
    for (const uint8_t *at = bytes + ARRAY_HEADER_BYTES; at < bytes + size; at += 12)
        if (get_u32(at) != 8)
            return false;
    return true;
}

static bool column_fits(char letter, const PGresult *result, int column)
{
    const struct kind *kind = kind_of(letter);
    if (PQfformat(result, column) != (kind ? 1 : 0) ||
        (kind && PQftype(result, column) != kind->type))
        return false;
    if (!kind || letter == 'b' || letter == 's')
        return true;
    for (int row = 0; row < PQntuples(result); row++) {
        if (PQgetisnull(result, row, column))
            continue;
        int size = PQgetlength(result, row, column);
        const uint8_t *bytes = (const uint8_t *)PQgetvalue(result, row, column);
        if (letter == 'a' ? !is_array(bytes, (size_t)size) : size != kind->bytes)
            return false;
    }
    return true;
}

bool shape_fits(enum statement_id statement, const PGresult *result)
{
    const struct shape *shape = &SHAPES[statement];
    ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_FATAL_ERROR || status == PGRES_PIPELINE_ABORTED)
        return true;
    if (!shape->columns)
        return status == PGRES_COMMAND_OK;
    if (status != PGRES_TUPLES_OK || PQnfields(result) != (int)strlen(shape->columns) ||
        (shape->is_one_row && PQntuples(result) != 1))
        return false;
    for (int column = 0; column < PQnfields(result); column++)
        if (!column_fits(shape->columns[column], result, column))
            return false;
    return true;
}

const char *shape_columns(enum statement_id statement)
{
    return SHAPES[statement].columns ? SHAPES[statement].columns : "";
}
