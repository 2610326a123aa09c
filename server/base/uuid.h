/* UUIDs as 16 bytes; version 7 carries milliseconds since 1970 in its first 48 bits and sorts by
 * time. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define UUID_BYTES      16
#define UUID_TEXT_BYTES 37

struct uuid {
    uint8_t bytes[UUID_BYTES];
};

static inline int uuid_compare(const struct uuid *a, const struct uuid *b)
{
    return memcmp(a->bytes, b->bytes, UUID_BYTES);
}
static inline bool uuid_equal(const struct uuid *a, const struct uuid *b)
{
    return uuid_compare(a, b) == 0;
}

/* A new one of this instant, with 74 random bits. */
struct uuid uuid_make(int64_t at_us);
/* The one of an instant whose 74 free bits are taken from ten bytes: the same bytes, the same one.
 */
struct uuid uuid_compose(int64_t at_us, const uint8_t tail[10]);
/* The smallest and the largest of an instant's millisecond. */
struct uuid uuid_first(int64_t at_us);
struct uuid uuid_last(int64_t at_us);
int64_t uuid_time_us(const struct uuid *uuid);
bool uuid_is_v7(const struct uuid *uuid);
/* 32 hexadecimal digits with hyphens anywhere; false otherwise. */
bool uuid_parse(const char *text, struct uuid *uuid_out);
void uuid_text(const struct uuid *uuid, char text_out[UUID_TEXT_BYTES]);
