/* Owns the binary encoding of parameters. Called by the engine between pg_sends; keeps its buffers
 * from batch to batch. */
#include "store/params.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define ARRAY_HEADER_BYTES 20

static bool column_grow(struct params_column *column, size_t wanted)
{
    size_t capacity = column->capacity ? column->capacity : 512;
    if (wanted <= column->capacity)
        return true;
    while (capacity < wanted)
        capacity *= 2;
    uint8_t *bytes = realloc(column->bytes, capacity);
    if (!bytes)
        return false;
    column->bytes = bytes;
    column->capacity = capacity;
    return true;
}

static void append(struct params *params, int index, const void *bytes, size_t size)
{
    struct params_column *column = &params->columns[index];
    if (!column_grow(column, column->size + size)) {
        params->is_short = true;
        return;
    }
    if (size)
        memcpy(column->bytes + column->size, bytes, size);
    column->size += size;
}

void params_free(struct params *params)
{
    for (int i = 0; i < PARAMS_MAX; i++)
        free(params->columns[i].bytes);
    memset(params, 0, sizeof *params);
}

void params_arrays(struct params *params, const enum params_type *types, int arrays)
{
    assert(arrays <= PARAMS_MAX);
    params->count = arrays;
    params->is_short = false;
    for (int i = 0; i < arrays; i++) {
        uint8_t header[ARRAY_HEADER_BYTES], *at = header;
        params->columns[i].size = 0;
        params->columns[i].elements = 0;
        at = put_u32(at, 1); /* dimensions */
        at = put_u32(at, 1); /* has nulls: allowed to be said always */
        at = put_u32(at, types[i]);
        at = put_u32(at, 0); /* elements: params_finish */
        put_u32(at, 1);      /* lower bound */
        append(params, i, header, sizeof header);
    }
}

static void scalar(struct params *params, const void *bytes, size_t size)
{
    assert(params->count < PARAMS_MAX);
    struct params_column *column = &params->columns[params->count];
    column->size = 0;
    column->elements = -1;
    append(params, params->count++, bytes, size);
}

void params_scalar_int8(struct params *params, int64_t value)
{
    uint8_t bytes[8];
    put_u64(bytes, (uint64_t)value);
    scalar(params, bytes, sizeof bytes);
}

void params_scalar_int4(struct params *params, int32_t value)
{
    uint8_t bytes[4];
    put_u32(bytes, (uint32_t)value);
    scalar(params, bytes, sizeof bytes);
}

void params_scalar_uuid(struct params *params, const struct uuid *value)
{
    scalar(params, value->bytes, UUID_BYTES);
}

void params_scalar_time(struct params *params, int64_t unix_us)
{
    params_scalar_int8(params, time_since_2000(unix_us));
}

void params_scalar_text(struct params *params, const char *text)
{
    scalar(params, text, strlen(text));
}

static void element(struct params *params, int index, const void *bytes, size_t size)
{
    uint8_t length[4];
    assert(params->columns[index].elements >= 0);
    params->columns[index].elements++;
    put_u32(length, (uint32_t)size);
    append(params, index, length, sizeof length);
    append(params, index, bytes, size);
}

void params_int2(struct params *params, int column, int16_t value)
{
    uint8_t bytes[2];
    put_u16(bytes, (uint16_t)value);
    element(params, column, bytes, sizeof bytes);
}

void params_int4(struct params *params, int column, int32_t value)
{
    uint8_t bytes[4];
    put_u32(bytes, (uint32_t)value);
    element(params, column, bytes, sizeof bytes);
}

void params_int8(struct params *params, int column, int64_t value)
{
    uint8_t bytes[8];
    put_u64(bytes, (uint64_t)value);
    element(params, column, bytes, sizeof bytes);
}

void params_uuid(struct params *params, int column, const struct uuid *value)
{
    element(params, column, value->bytes, UUID_BYTES);
}

void params_time(struct params *params, int column, int64_t unix_us)
{
    params_int8(params, column, time_since_2000(unix_us));
}

void params_bytes(struct params *params, int column, const void *bytes, size_t size)
{
    element(params, column, bytes, size);
}

void params_null(struct params *params, int column)
{
    static const uint8_t null[4] = {0xff, 0xff, 0xff, 0xff};
    params->columns[column].elements++;
    append(params, column, null, sizeof null);
}

bool params_finish(const struct params *params)
{
    for (int i = 0; i < params->count && !params->is_short; i++) {
        const struct params_column *column = &params->columns[i];
        if (column->elements >= 0)
            put_u32(column->bytes + 12, (uint32_t)column->elements);
    }
    return !params->is_short;
}
