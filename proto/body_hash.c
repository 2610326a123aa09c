/* Owns the canonical encoding of a message and its hash; see body_hash.h. Called by the server's
 * sessions with messages that have passed the validator. It changes nothing and keeps nothing; what
 * it encodes is a stored format: a change needs a new version.
 */
#define OPENSSL_SUPPRESS_DEPRECATED  /* the newer calls take memory at each hash, and so can fail \
                                      */
#include "body_hash.h"

#include <assert.h>
#include <openssl/sha.h>
#include <string.h>

enum tag { TAG_INTEGER = 1, TAG_BYTES = 2, TAG_MESSAGE = 3 };

/* Small writes are gathered: a digest update costs more than the bytes in it. */
struct sink {
    SHA256_CTX digest;
    size_t n;
    uint8_t pending[512];
};

static void flush(struct sink *sink)
{
    SHA256_Update(&sink->digest, sink->pending, sink->n);
    sink->n = 0;
}

static void put(struct sink *sink, const void *bytes, size_t n)
{
    const uint8_t *at = bytes;
    while (n > 0) {
        size_t room = sizeof(sink->pending) - sink->n;
        size_t part = n < room ? n : room;
        memcpy(sink->pending + sink->n, at, part);
        sink->n += part;
        at += part;
        n -= part;
        if (sink->n == sizeof(sink->pending))
            flush(sink);
    }
}

static void put_number(struct sink *sink, uint64_t value, unsigned n_bytes)
{
    uint8_t bytes[8];
    for (unsigned i = 0; i < n_bytes; i++)
        bytes[i] = (uint8_t)(value >> (8 * (n_bytes - 1 - i)));
    put(sink, bytes, n_bytes);
}

static void put_bytes(struct sink *sink, const void *bytes, size_t n)
{
    put_number(sink, n, 4);
    put(sink, bytes, n);
}

/* --- fields --- */

static uint64_t integer_at(const ProtobufCFieldDescriptor *field, const void *at)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_ENUM: return (uint64_t)(int64_t) * (const int32_t *)at;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32: return *(const uint32_t *)at;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64: return (uint64_t) * (const int64_t *)at;
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64: return *(const uint64_t *)at;
    case PROTOBUF_C_TYPE_BOOL: return *(const protobuf_c_boolean *)at != 0;
    default: break;
    }
    assert(!"points and amounts are never floats");
    return 0;
}

static size_t size_of(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE: return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES: return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_BOOL: return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64: return 8;
    default: return 4;
    }
}

static void put_fields(struct sink *sink, const ProtobufCMessage *message, bool top);

/* One value at its place in the decoded message; a default is left out where may_skip. */
static void put_value(struct sink *sink, const ProtobufCFieldDescriptor *field, const void *at,
                      bool may_skip)
{
    const ProtobufCMessage *message = NULL;
    ProtobufCBinaryData bytes = {0, NULL};
    uint64_t integer = 0;
    bool is_default;
    enum tag tag = TAG_BYTES;
    if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        tag = TAG_MESSAGE;
        message = *(ProtobufCMessage *const *)at;
        is_default = !message;
    } else if (field->type == PROTOBUF_C_TYPE_STRING) {
        bytes.data = *(uint8_t *const *)at;
        bytes.len = bytes.data ? strlen((const char *)bytes.data) : 0;
        is_default = bytes.len == 0;
    } else if (field->type == PROTOBUF_C_TYPE_BYTES) {
        bytes = *(const ProtobufCBinaryData *)at;
        is_default = bytes.len == 0;
    } else {
        tag = TAG_INTEGER;
        integer = integer_at(field, at);
        is_default = integer == 0;
    }
    if (is_default && may_skip)
        return;
    put_number(sink, field->id, 4);
    put_number(sink, tag, 1);
    if (tag == TAG_INTEGER)
        put_number(sink, integer, 8);
    else if (tag == TAG_BYTES)
        put_bytes(sink, bytes.data, bytes.len);
    else
        put_fields(sink, message, false);
}

static void put_field(struct sink *sink, const ProtobufCMessage *message,
                      const ProtobufCFieldDescriptor *field)
{
    const uint8_t *base = (const uint8_t *)message;
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        size_t n = *(const size_t *)(base + field->quantifier_offset);
        const uint8_t *elements = *(const uint8_t *const *)(base + field->offset);
        for (size_t i = 0; i < n; i++)
            put_value(sink, field, elements + i * size_of(field->type), false);
    } else if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
        if (*(const uint32_t *)(base + field->quantifier_offset) == field->id)
            put_value(sink, field, base + field->offset, false);
    } else {
        put_value(sink, field, base + field->offset, true);
    }
}

/* Descriptors list fields in the order of their numbers. */
static void put_fields(struct sink *sink, const ProtobufCMessage *message, bool top)
{
    const ProtobufCMessageDescriptor *type = message->descriptor;
    for (unsigned i = 0; i < type->n_fields; i++) {
        if (!top || strcmp(type->fields[i].name, "key") != 0)
            put_field(sink, message, &type->fields[i]);
    }
    put_number(sink, 0, 4);
}

void body_hash(const ProtobufCMessage *message, uint8_t hash_out[BODY_HASH_BYTES])
{
    uint8_t digest[SHA256_DIGEST_LENGTH];
    struct sink sink = {.n = 0};
    SHA256_Init(&sink.digest);
    put_number(&sink, BODY_HASH_VERSION, 1);
    put_bytes(&sink, message->descriptor->name, strlen(message->descriptor->name));
    put_fields(&sink, message, true);
    flush(&sink);
    SHA256_Final(digest, &sink.digest);
    memcpy(hash_out, digest, BODY_HASH_BYTES);
}
