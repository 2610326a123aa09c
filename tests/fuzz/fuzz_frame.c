/* Frames, the validator and unpacking: what the validator lets pass, protobuf-c unpacks within the
 * request's memory, and it says the same when it is packed and read again.
 *
 *   what follows (1): a stream of frames, or one message; its bytes */
#include <assert.h>
#include <stdlib.h>

#include "base/arena.h"
#include "body_hash.h"
#include "frame.h"
#include "fuzz/every.pb-c.h"
#include "fuzz/input.h"
#include "loyal/v1/envelope.pb-c.h"
#include "outcome.h"
#include "rules.h"
#include "session/limits.h"
#include "validate.h"

static void *allocate(void *arena, size_t size)
{
    return arena_alloc(arena, size);
}

static void release_nothing(void *arena, void *pointer)
{
    (void)arena, (void)pointer;
}

/* The message's hash, or false where it has none: floats are never hashed. */
static bool hash_of(const ProtobufCMessage *message, uint8_t hash_out[BODY_HASH_BYTES])
{
    if (message->descriptor == &fuzz__every__descriptor)
        return false;
    body_hash(message, hash_out);
    return true;
}

/* Packed and read again it is as valid, and asks for the same. */
static void check_again(const ProtobufCMessage *message, unsigned flags)
{
    uint8_t before[BODY_HASH_BYTES], after[BODY_HASH_BYTES];
    struct validation validation;
    size_t size = protobuf_c_message_get_packed_size(message);
    uint8_t *packed = malloc(size + 1);
    assert(packed && protobuf_c_message_pack(message, packed) == size);
    assert(validate_message(message->descriptor, packed, size, flags, &validation));
    ProtobufCMessage *again = protobuf_c_message_unpack(message->descriptor, NULL, size, packed);
    assert(again);
    if (hash_of(message, before))
        assert(hash_of(again, after) && memcmp(before, after, sizeof before) == 0);
    protobuf_c_message_free_unpacked(again, NULL);
    free(packed);
}

static void check_message(const ProtobufCMessageDescriptor *type, const uint8_t *bytes, size_t size,
                          unsigned flags)
{
    struct validation validation;
    struct arena arena;
    ProtobufCAllocator allocator = {allocate, release_nothing, &arena};
    uint8_t *exact = malloc(size ? size : 1);
    assert(exact);
    if (size)
        memcpy(exact, bytes, size);
    bool is_valid = validate_message(type, exact, size, flags, &validation);
    assert(is_valid == validation.ok && is_valid == (validation.fault == VALIDATION_NONE));
    assert(strnlen(validation.field, sizeof validation.field) < sizeof validation.field);
    assert(is_valid || strnlen(validation.text, sizeof validation.text) > 0);
    validate_peek_id(exact, size);
    validate_peek_body(exact, size);
    arena_init(&arena, REQUEST_ARENA_BYTES_MAX);
    ProtobufCMessage *message =
        is_valid ? protobuf_c_message_unpack(type, &allocator, size, exact) : NULL;
    /* room was refused, or the validator let something pass that protobuf-c does not read */
    assert(!is_valid || message || arena.used_bytes > REQUEST_ARENA_BYTES_MAX / 4);
    if (message)
        check_again(message, flags);
    arena_free(&arena);
    free(exact);
}

/* However many bytes are at hand, a frame says the same as soon as its header is there. */
static size_t check_frame(const uint8_t *bytes, size_t size)
{
    uint32_t length, early_length;
    enum frame_state state = frame_peek(bytes, size, FRAME_REQUEST_BYTES_MAX, &length);
    for (size_t n = 0; n < size && n < 2 * FRAME_HEADER_BYTES; n++) {
        enum frame_state early = frame_peek(bytes, n, FRAME_REQUEST_BYTES_MAX, &early_length);
        assert(early == FRAME_NEED_MORE || early == state);
        assert(n < FRAME_HEADER_BYTES || early_length == length);
    }
    if (state != FRAME_READY)
        return 0;
    uint8_t header[FRAME_HEADER_BYTES];
    frame_put_header(header, length);
    assert(memcmp(header, bytes, sizeof header) == 0);
    check_message(&loyal__v1__request__descriptor, bytes + FRAME_HEADER_BYTES, length, 0);
    return FRAME_HEADER_BYTES + (size_t)length;
}

/* Once: the tables of constants that readers look names up in. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    size_t n;
    (void)argc, (void)argv;
    assert(rules_all(&n) && n > 0 && rule_relations(&n) && rule_oneofs(&n));
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct input input = {bytes, bytes + size};
    uint8_t what = input_byte(&input);
    size_t taken = 1;
    switch (what & 7) {
    case 0:
        while (input_left(&input) && taken) {
            taken = check_frame(input.at, input_left(&input));
            input.at += taken;
        }
        break;
    case 1: check_message(&fuzz__integers__descriptor, input.at, input_left(&input), 0); break;
    case 2: check_message(&fuzz__every__descriptor, input.at, input_left(&input), 0); break;
    case 3:
        check_message(&loyal__v1__response__descriptor, input.at, input_left(&input),
                      VALIDATE_ALLOW_UNKNOWN);
        break;
    case 4:
        check_message(&loyal__v1__request__descriptor, input.at, input_left(&input),
                      VALIDATE_ALLOW_UNKNOWN);
        break;
    default: check_message(&loyal__v1__request__descriptor, input.at, input_left(&input), 0); break;
    }
    return 0;
}
