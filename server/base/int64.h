/* Checked arithmetic on points and amounts (R1): each returns false, and leaves *out alone, when
 * the result leaves int64. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

static inline bool must_check int64_add(int64_t a, int64_t b, int64_t *out)
{
    int64_t sum;
    if (__builtin_add_overflow(a, b, &sum))
        return false;
    *out = sum;
    return true;
}

static inline bool must_check int64_sub(int64_t a, int64_t b, int64_t *out)
{
    int64_t difference;
    if (__builtin_sub_overflow(a, b, &difference))
        return false;
    *out = difference;
    return true;
}

/* floor(a * b / c) for a >= 0, b >= 0, c > 0, exact in between. */
static inline bool must_check int64_mul_div_floor(int64_t a, int64_t b, int64_t c, int64_t *out)
{
    __int128 quotient = (__int128)a * b / c;
    if (quotient > INT64_MAX)
        return false;
    *out = (int64_t)quotient;
    return true;
}
