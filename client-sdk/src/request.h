/* What goes out: struct loyal_request -> protobuf -> frame.
 *
 * Called by client.c at submit (the message, once) and by exchange.c at each sending (the head of
 * the frame). The message is what is repeated after a lost answer: it must never be made anew under
 * the same key. */
#ifndef LOYAL_SDK_REQUEST_H
#define LOYAL_SDK_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "loyal/loyal.h"

/* Frame header, and the fields id and deadline_ms with their tags. */
#define REQUEST_HEAD_BYTES_MAX   (4 + 11 + 6)
#define REQUEST_PROTOCOL_VERSION 1

/* A Request without id and deadline: protobuf allows to put these before it, as they differ from
 * one sending to the next. The bytes are the owner's to free. */
struct message {
    uint8_t *bytes;
    size_t size;
    size_t capacity;
};

struct hello {
    const char *merchant;
    const char *software;
};

/* LOYAL_CODE_OK; LOYAL_CODE_INVALID_FIELD when the verb is none, a count is above its array's
 * (*field_out: that member of struct loyal_request) or the request does not fit into a frame
 * (*field_out: ""); LOYAL_CODE_MEMORY. scratch is reset. */
enum loyal_code sdk_request_encode(const struct loyal_request *request, struct arena *scratch,
                                   struct message *out, const char **field_out);
enum loyal_code sdk_request_encode_hello(const struct hello *hello, struct message *out);

/* Writes the frame's header and the request's id and deadline (0: none) before a message of
 * message_size bytes. Returns the bytes written, at most REQUEST_HEAD_BYTES_MAX. */
size_t sdk_request_head(uint8_t *out, size_t message_size, uint64_t id, uint32_t deadline_ms);

/* ENROL_MEMBER, EARN, REDEEM, REVERSE, SET_GRANT, ERASE_MEMBER. */
bool sdk_request_has_key(enum loyal_verb verb);

#endif
