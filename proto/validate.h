/* The wire validator: decides over the bytes of a message, before anything is allocated for it,
 * whether it may be unpacked, and names the field that is wrong.
 *
 * Called with each frame by the server's sessions and by the SDK. protobuf-c accepts invalid UTF-8,
 * cuts strings at NUL, lets the last of several members win and turns 64 KiB into megabytes; what
 * passes here does none of that. Nothing here allocates or keeps state. After it has passed, unpack
 * with protobuf_c_message_unpack(type, allocator, n, bytes) and an allocator that has a ceiling.
 */
#pragma once

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The message itself is level 1. */
#define VALIDATE_DEPTH_MAX 8
/* Sub-messages, elements of repeated fields and skipped unknown fields of one frame together. */
#define VALIDATE_ELEMENTS_MAX          4096
#define VALIDATE_ELEMENTS_TOLERANT_MAX 65536
/* A message type has at most so many fields. */
#define VALIDATE_FIELDS_MAX 64

enum validate_flag {
    /* For a client that reads what a newer server may write: unknown fields are skipped, unknown
     * enum values pass, and of the rules only the ranges of what is present are held; nothing is
     * required. The other checks stay. */
    VALIDATE_ALLOW_UNKNOWN = 1 << 0
};

enum validation_fault {
    VALIDATION_NONE,
    VALIDATION_MALFORMED,    /* the bytes are not a protobuf message of this type */
    VALIDATION_INVALID_FIELD /* readable, but a field breaks a rule */
};

/* field is the path of what is at fault, such as "earn.purchase.lines[3].amount_minor"; an unknown
 * field stands in it as "#" and its number; "" is the message itself. text says what is wrong and
 * what would be right; it repeats numbers but never a string that was sent. */
struct validation {
    bool ok;
    enum validation_fault fault;
    char field[160];
    char text[200];
};

/* Walks n bytes as a message of that type and fills *out; true when it may be unpacked. MALFORMED
 * anywhere in the message comes before INVALID_FIELD; of several invalid fields the first on the
 * wire is named, and a missing field after those that are there. flags: enum validate_flag. */
bool validate_message(const ProtobufCMessageDescriptor *type, const uint8_t *bytes, size_t n,
                      unsigned flags, struct validation *out) __attribute__((warn_unused_result));

/* The id of a Request or Response that is not going to be unpacked, to answer or to count it; 0
 * where none can be read. */
uint64_t validate_peek_id(const uint8_t *bytes, size_t n);
/* The number of the body of such a Request, 0 where none can be read. */
uint32_t validate_peek_body(const uint8_t *bytes, size_t n);
