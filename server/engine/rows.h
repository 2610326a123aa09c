/* Binary values of a result's row, as the statements of store/statements.c give them. */
#pragma once

#include <libpq-fe.h>
#include <string.h>

#include "base/epoch.h"
#include "base/hash.h"
#include "base/uuid.h"

static inline const uint8_t *row_bytes(const PGresult *rows, int row, int column)
{
    return (const uint8_t *)PQgetvalue(rows, row, column);
}
static inline bool row_is_null(const PGresult *rows, int row, int column)
{
    return PQgetisnull(rows, row, column) != 0;
}
/* Each of these gives 0 for null. */
static inline int64_t row_int8(const PGresult *rows, int row, int column)
{
    return row_is_null(rows, row, column) ? 0 : (int64_t)get_u64(row_bytes(rows, row, column));
}
static inline int32_t row_int4(const PGresult *rows, int row, int column)
{
    return row_is_null(rows, row, column) ? 0 : (int32_t)get_u32(row_bytes(rows, row, column));
}
static inline int16_t row_int2(const PGresult *rows, int row, int column)
{
    const uint8_t *bytes = row_bytes(rows, row, column);
    return row_is_null(rows, row, column) ? 0 : (int16_t)(bytes[0] << 8 | bytes[1]);
}
static inline int64_t row_time(const PGresult *rows, int row, int column)
{
    return time_since_1970(row_int8(rows, row, column));
}
static inline struct uuid row_uuid(const PGresult *rows, int row, int column)
{
    struct uuid uuid = {{0}};
    if (!row_is_null(rows, row, column))
        memcpy(uuid.bytes, row_bytes(rows, row, column), UUID_BYTES);
    return uuid;
}
/* At most size bytes of a bytea; the rest of out stays. */
static inline void row_copy(const PGresult *rows, int row, int column, void *out, size_t size)
{
    size_t there = (size_t)PQgetlength(rows, row, column);
    memcpy(out, row_bytes(rows, row, column), there < size ? there : size);
}
