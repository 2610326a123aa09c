/* Protobuf's wire format, one field at a time, without knowing what the fields mean.
 *
 * Called by the validator; nobody else reads wire bytes by hand. It never allocates and never reads
 * past the end that it was given.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum wire_type { WIRE_VARINT = 0, WIRE_64BIT = 1, WIRE_BYTES = 2, WIRE_32BIT = 5 };

/* A cursor with a sticky error: after the first fault nothing more is read. */
struct wire {
    const uint8_t *at;
    const uint8_t *end;
    const char *error; /* a text that stays, or NULL */
};

struct wire_value {
    uint32_t number; /* of the field, 1..2^29-1 */
    enum wire_type type;
    uint64_t scalar;      /* of VARINT, 64BIT and 32BIT */
    const uint8_t *bytes; /* of BYTES: inside the cursor's bytes */
    size_t n;
};

struct wire wire_of(const uint8_t *bytes, size_t n);

/* Reads the next field. False at the end and at a fault: then error says which.
 * Faults: a varint of more than 10 bytes or 64 bits, a tag or length of more than 5 bytes, field
 * number 0, groups, unknown wire types, and values that reach beyond the end. */
bool wire_next(struct wire *wire, struct wire_value *out);

/* Reads one bare value of a packed field. False at the end and at a fault. */
bool wire_next_packed(struct wire *wire, enum wire_type type, uint64_t *scalar_out);

/* Strict UTF-8: no overlong form, no surrogate, nothing above U+10FFFF. NUL passes. */
bool wire_is_utf8(const uint8_t *bytes, size_t n);
