/* Cursors: where a page of a long list ended, sealed so that only the same merchant or operator can
 * go on, with the same question, within an hour (of domain time), at any daemon that has the key.
 *
 *   version (1) | nonce (12) | AES-256-GCM of (until, 8 | place, at most CURSOR_PLACE_BYTES_MAX) |
 * tag (16)
 *
 * bound to merchant, role, verb and the hash of the request without its cursor and page_rows. */
#pragma once

#include "session/session.h"

#define CURSOR_PLACE_BYTES_MAX 96

/* What a request with cursor and page_rows asks for. */
struct page {
    int rows;
    bool is_first;
    uint8_t place[CURSOR_PLACE_BYTES_MAX]; /* of the page before, when it is not the first */
    size_t size;
};

/* Where a page ended. */
struct page_end {
    const void *place;
    size_t size;
};

/* False after CURSOR_INVALID was answered: it is not of this question, was changed, or is too old;
 * or OVERLOADED. */
bool page_open(struct request *request, const ProtobufCMessage *body,
               struct page *page_out) must_check;

/* Seals a place into the request's arena; false without memory: then there is no answer, for an
 * empty cursor says that the page was the last. */
bool page_seal(struct request *request, const ProtobufCMessage *body, const struct page_end *end,
               ProtobufCBinaryData *cursor_out) must_check;
