/* UUIDs of version 7: 48 bits of milliseconds, 4 of version, 12 random, 2 of variant, 62 random. */
#include "base/uuid.h"

#include "base/hash.h"

/* The milliseconds of an instant in front of the ten bytes given, of which version and variant take
 * six bits. */
struct uuid uuid_compose(int64_t at_us, const uint8_t tail[10])
{
    struct uuid uuid;
    uint64_t ms = (uint64_t)(at_us / 1000);
    for (int i = 0; i < 6; i++)
        uuid.bytes[i] = (uint8_t)(ms >> (40 - 8 * i));
    memcpy(uuid.bytes + 6, tail, 10);
    uuid.bytes[6] = (uint8_t)(0x70 | (uuid.bytes[6] & 0x0f));
    uuid.bytes[8] = (uint8_t)(0x80 | (uuid.bytes[8] & 0x3f));
    return uuid;
}

struct uuid uuid_make(int64_t at_us)
{
    uint8_t tail[10];
    hash_random(tail, sizeof tail);
    return uuid_compose(at_us, tail);
}

struct uuid uuid_first(int64_t at_us)
{
    static const uint8_t zeros[10];
    return uuid_compose(at_us, zeros);
}

struct uuid uuid_last(int64_t at_us)
{
    static const uint8_t ones[10] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    return uuid_compose(at_us, ones);
}

int64_t uuid_time_us(const struct uuid *uuid)
{
    int64_t ms = 0;
    for (int i = 0; i < 6; i++)
        ms = ms << 8 | uuid->bytes[i];
    return ms * 1000;
}

bool uuid_is_v7(const struct uuid *uuid)
{
    return uuid->bytes[6] >> 4 == 7 && uuid->bytes[8] >> 6 == 2;
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool uuid_parse(const char *text, struct uuid *uuid_out)
{
    int digits = 0;
    for (; *text; text++) {
        int digit = digit_of(*text);
        if (*text == '-')
            continue;
        if (digit < 0 || digits == 2 * UUID_BYTES)
            return false;
        uint8_t *byte = &uuid_out->bytes[digits / 2];
        *byte = (uint8_t)(digits % 2 ? *byte | digit : digit << 4);
        digits++;
    }
    return digits == 2 * UUID_BYTES;
}

void uuid_text(const struct uuid *uuid, char text_out[UUID_TEXT_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    char *at = text_out;
    for (int i = 0; i < UUID_BYTES; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *at++ = '-';
        *at++ = digits[uuid->bytes[i] >> 4];
        *at++ = digits[uuid->bytes[i] & 0x0f];
    }
    *at = '\0';
}
