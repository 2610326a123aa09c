/* Binary parameters of one statement: scalars and one-dimensional arrays, built column by column,
 * reused from statement to statement. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/epoch.h"
#include "base/hash.h"
#include "base/uuid.h"

#define PARAMS_MAX 32

enum params_type {
    PARAMS_BYTEA = 17,
    PARAMS_INT8 = 20,
    PARAMS_INT2 = 21,
    PARAMS_INT4 = 23,
    PARAMS_TEXT = 25,
    PARAMS_TIME = 1184,
    PARAMS_UUID = 2950,
};

struct params_column {
    uint8_t *bytes;
    size_t size;
    size_t capacity;
    int32_t elements; /* of an array; -1: a scalar */
};

struct params {
    struct params_column columns[PARAMS_MAX];
    int count;
    bool is_short; /* without memory for one of them: it must not be sent */
};

void params_free(struct params *params);

/* Starts anew with `arrays` empty arrays of these element types. */
void params_arrays(struct params *params, const enum params_type *types, int arrays);
/* Appends a scalar parameter behind what is there. */
void params_scalar_int8(struct params *params, int64_t value);
void params_scalar_int4(struct params *params, int32_t value);
void params_scalar_uuid(struct params *params, const struct uuid *value);
void params_scalar_time(struct params *params, int64_t unix_us);
void params_scalar_text(struct params *params, const char *text);

/* One more element of array `column`. */
void params_int2(struct params *params, int column, int16_t value);
void params_int4(struct params *params, int column, int32_t value);
void params_int8(struct params *params, int column, int64_t value);
void params_uuid(struct params *params, int column, const struct uuid *value);
void params_time(struct params *params, int column, int64_t unix_us);
void params_bytes(struct params *params, int column, const void *bytes,
                  size_t size); /* bytea and text */
void params_null(struct params *params, int column);

/* Fills the counts into the arrays' headers; called by pg_send. False: there was no memory. */
bool params_finish(const struct params *params);
