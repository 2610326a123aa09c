/* PostgreSQL counts microseconds from 2000-01-01Z, everything else of ours from 1970-01-01Z.
 * INT64_MAX means never in both, and is PostgreSQL's infinity; what lies behind it is never, too.
 */
#pragma once

#include <stdint.h>

#define EPOCH_2000_US INT64_C(946684800000000)

static inline int64_t time_since_2000(int64_t at_us)
{
    return at_us == INT64_MAX ? INT64_MAX : at_us - EPOCH_2000_US;
}
static inline int64_t time_since_1970(int64_t since_2000_us)
{
    return since_2000_us > INT64_MAX - EPOCH_2000_US ? INT64_MAX : since_2000_us + EPOCH_2000_US;
}
