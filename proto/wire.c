/* Owns the reading of protobuf's wire format; see wire.h. Called by the validator. Never allocates.
 *
 * Tags and lengths are held to 5 bytes because protobuf-c reads no more: what passes here must mean
 * the same to it.
 */
#include "wire.h"

#define VARINT_BYTES_MAX       10
#define SHORT_VARINT_BYTES_MAX 5

struct wire wire_of(const uint8_t *bytes, size_t n)
{
    return (struct wire){bytes, n > 0 ? bytes + n : bytes, NULL};
}

static bool fail(struct wire *wire, const char *error)
{
    wire->error = error;
    return false;
}

static bool read_varint(struct wire *wire, uint64_t *out)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < VARINT_BYTES_MAX; i++) {
        if (wire->at == wire->end)
            return fail(wire, "the message ends inside a varint");
        uint8_t byte = *wire->at++;
        if (i == VARINT_BYTES_MAX - 1 && byte > 1)
            return fail(wire, "a varint is longer than 10 bytes or 64 bits");
        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            *out = value;
            return true;
        }
    }
    return fail(wire, "a varint is longer than 10 bytes or 64 bits");
}

static bool read_short_varint(struct wire *wire, uint32_t *out)
{
    const uint8_t *start = wire->at;
    uint64_t value;
    if (!read_varint(wire, &value))
        return false;
    if (wire->at - start > SHORT_VARINT_BYTES_MAX || value > UINT32_MAX)
        return fail(wire, "a tag or length is longer than 5 bytes or 32 bits");
    *out = (uint32_t)value;
    return true;
}

static bool read_fixed(struct wire *wire, unsigned n, uint64_t *out)
{
    if ((size_t)(wire->end - wire->at) < n)
        return fail(wire, "the message ends inside a fixed-size value");
    uint64_t value = 0;
    for (unsigned i = 0; i < n; i++)
        value |= (uint64_t)wire->at[i] << (8 * i);
    wire->at += n;
    *out = value;
    return true;
}

static bool read_bytes(struct wire *wire, struct wire_value *out)
{
    uint32_t n;
    if (!read_short_varint(wire, &n))
        return false;
    if ((size_t)(wire->end - wire->at) < n)
        return fail(wire, "a length reaches beyond the end of the message");
    out->bytes = wire->at;
    out->n = n;
    wire->at += n;
    return true;
}

bool wire_next(struct wire *wire, struct wire_value *out)
{
    if (wire->error || wire->at == wire->end)
        return false;
    uint32_t tag;
    if (!read_short_varint(wire, &tag))
        return false;
    *out = (struct wire_value){.number = tag >> 3, .type = (enum wire_type)(tag & 7)};
    if (out->number == 0)
        return fail(wire, "field number 0");
    switch (tag & 7) {
    case WIRE_VARINT: return read_varint(wire, &out->scalar);
    case WIRE_64BIT: return read_fixed(wire, 8, &out->scalar);
    case WIRE_BYTES: return read_bytes(wire, out);
    case WIRE_32BIT: return read_fixed(wire, 4, &out->scalar);
    case 3:
    case 4: return fail(wire, "a group, which this protocol does not use");
    default: return fail(wire, "an unknown wire type");
    }
}

bool wire_next_packed(struct wire *wire, enum wire_type type, uint64_t *scalar_out)
{
    if (wire->error || wire->at == wire->end)
        return false;
    switch (type) {
    case WIRE_VARINT: return read_varint(wire, scalar_out);
    case WIRE_64BIT: return read_fixed(wire, 8, scalar_out);
    case WIRE_32BIT: return read_fixed(wire, 4, scalar_out);
    case WIRE_BYTES: break;
    }
    return fail(wire, "a packed field of strings or messages");
}

/* How many bytes follow the lead, and the bounds of the first of them (Unicode 15, table 3-7). */
static unsigned utf8_tail(uint8_t lead, uint8_t *low, uint8_t *high)
{
    *low = 0x80;
    *high = 0xbf;
    if (lead >= 0xc2 && lead <= 0xdf)
        return 1;
    if (lead >= 0xe0 && lead <= 0xef) {
        if (lead == 0xe0)
            *low = 0xa0;
        else if (lead == 0xed)
            *high = 0x9f;
        return 2;
    }
    if (lead >= 0xf0 && lead <= 0xf4) {
        if (lead == 0xf0)
            *low = 0x90;
        else if (lead == 0xf4)
            *high = 0x8f;
        return 3;
    }
    return 0;
}

bool wire_is_utf8(const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n;) {
        uint8_t lead = bytes[i++];
        if (lead < 0x80)
            continue;
        uint8_t low, high;
        unsigned tail = utf8_tail(lead, &low, &high);
        if (tail == 0 || n - i < tail)
            return false;
        for (; tail > 0; tail--, i++) {
            if (bytes[i] < low || bytes[i] > high)
                return false;
            low = 0x80;
            high = 0xbf;
        }
    }
    return true;
}
