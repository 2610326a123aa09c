/* A buffer of bytes with a read cursor and a ceiling: what waits for the socket, and what came from
 * it.
 *
 * Called by connection.c. It must never grow past its ceiling. */
#ifndef LOYAL_SDK_BUFFER_H
#define LOYAL_SDK_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buffer {
    uint8_t *bytes;
    size_t start; /* the first byte not yet taken */
    size_t end;   /* behind the last byte put */
    size_t capacity;
    size_t max;
};

static inline size_t sdk_buffer_used(const struct buffer *buffer)
{
    return buffer->end - buffer->start;
}

static inline uint8_t *sdk_buffer_head(const struct buffer *buffer)
{
    return buffer->bytes + buffer->start;
}

/* Makes room for n bytes behind the end and returns it; NULL without memory or past the ceiling.
 * Pointers into the buffer are void afterwards. */
uint8_t *sdk_buffer_reserve(struct buffer *buffer, size_t n);
/* The n bytes written into the room reserved before now belong to the buffer. */
void sdk_buffer_commit(struct buffer *buffer, size_t n);
void sdk_buffer_take(struct buffer *buffer, size_t n);
void sdk_buffer_clear(struct buffer *buffer);
void sdk_buffer_free(struct buffer *buffer);

#endif
