/* Owns the binary encoding of parameters. Called by the engine between pg_sends; keeps its buffers
 * from batch to batch. */
#include "store/params.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define ARRAY_HEADER_BYTES 20

static uint8_t *column_grow(struct params_column *column, size_t bytes)
{
    size_t wanted = column->size + bytes;
    if (wanted > column->capacity) {
        size_t capacity = column->capacity ? column->capacity : 512;
        while (capacity < wanted)
            capacity *= 2;
        column->bytes = realloc(column->bytes, capacity);
        assert(column->bytes);
        column->capacity = capacity;
    }
    uint8_t *at = column->bytes + column->size;
    column->size = wanted;
    return at;
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
    for (int i = 0; i < arrays; i++) {
        struct params_column *column = &params->columns[i];
        column->size = 0;
        column->elements = 0;
        uint8_t *at = column_grow(column, ARRAY_HEADER_BYTES);
        at = put_u32(at, 1); /* dimensions */
        at = put_u32(at, 1); /* has nulls: allowed to be said always */
        at = put_u32(at, types[i]);
        at = put_u32(at, 0); /* elements: params_finish */
        put_u32(at, 1);      /* lower bound */
    }
}

static uint8_t *scalar(struct params *params, size_t bytes)
{
    assert(params->count < PARAMS_MAX);
    struct params_column *column = &params->columns[params->count++];
    column->size = 0;
    column->elements = -1;
    return column_grow(column, bytes);
}

void params_scalar_int8(struct params *params, int64_t value)
{
    put_u64(scalar(params, 8), (uint64_t)value);
}

void params_scalar_int4(struct params *params, int32_t value)
{
    put_u32(scalar(params, 4), (uint32_t)value);
}

void params_scalar_uuid(struct params *params, const struct uuid *value)
{
    put_bytes(scalar(params, UUID_BYTES), value->bytes, UUID_BYTES);
}

void params_scalar_time(struct params *params, int64_t unix_us)
{
    params_scalar_int8(params, time_since_2000(unix_us));
}

void params_scalar_text(struct params *params, const char *text)
{
    size_t size = strlen(text);
    put_bytes(scalar(params, size), text, size);
}

static uint8_t *element(struct params *params, int index, uint32_t size)
{
    struct params_column *column = &params->columns[index];
    assert(column->elements >= 0);
    column->elements++;
    return put_u32(column_grow(column, 4 + size), size);
}

void params_int2(struct params *params, int column, int16_t value)
{
    put_u16(element(params, column, 2), (uint16_t)value);
}

void params_int4(struct params *params, int column, int32_t value)
{
    put_u32(element(params, column, 4), (uint32_t)value);
}

void params_int8(struct params *params, int column, int64_t value)
{
    put_u64(element(params, column, 8), (uint64_t)value);
}

void params_uuid(struct params *params, int column, const struct uuid *value)
{
    put_bytes(element(params, column, UUID_BYTES), value->bytes, UUID_BYTES);
}

void params_time(struct params *params, int column, int64_t unix_us)
{
    params_int8(params, column, time_since_2000(unix_us));
}

void params_bytes(struct params *params, int column, const void *bytes, size_t size)
{
    uint8_t *at = element(params, column, (uint32_t)size);
    if (size)
        put_bytes(at, bytes, size);
}

void params_null(struct params *params, int column)
{
    params->columns[column].elements++;
    put_u32(column_grow(&params->columns[column], 4), UINT32_MAX);
}

void params_finish(const struct params *params)
{
    for (int i = 0; i < params->count; i++) {
        const struct params_column *column = &params->columns[i];
        if (column->elements >= 0)
            put_u32(column->bytes + 12, (uint32_t)column->elements);
    }
}
