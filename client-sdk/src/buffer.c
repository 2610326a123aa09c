/* The bytes of a buffer, moved to the front when the room behind them runs out.
 *
 * Called by connection.c. It must never grow past its ceiling. */
#include "buffer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define BUFFER_BYTES_MIN 16384

uint8_t *sdk_buffer_reserve(struct buffer *buffer, size_t n)
{
    size_t used = sdk_buffer_used(buffer);
    if (n <= buffer->capacity - buffer->end && buffer->bytes != NULL)
        return buffer->bytes + buffer->end;
    if (n > buffer->max - used)
        return NULL;
    if (buffer->start > 0 && buffer->bytes != NULL) {
        memmove(buffer->bytes, buffer->bytes + buffer->start, used);
        buffer->start = 0;
        buffer->end = used;
    }
    if (n > buffer->capacity - used || buffer->bytes == NULL) {
        size_t capacity = buffer->capacity > BUFFER_BYTES_MIN ? buffer->capacity : BUFFER_BYTES_MIN;
        while (capacity - used < n && capacity < buffer->max)
            capacity *= 2;
        if (capacity - used < n)
            return NULL;
        uint8_t *bytes = realloc(buffer->bytes, capacity);
        if (bytes == NULL)
            return NULL;
        buffer->bytes = bytes;
        buffer->capacity = capacity;
    }
    return buffer->bytes + buffer->end;
}

void sdk_buffer_commit(struct buffer *buffer, size_t n)
{
    assert(n <= buffer->capacity - buffer->end);
    buffer->end += n;
}

void sdk_buffer_take(struct buffer *buffer, size_t n)
{
    assert(n <= sdk_buffer_used(buffer));
    buffer->start += n;
    if (buffer->start == buffer->end)
        buffer->start = buffer->end = 0;
}

void sdk_buffer_clear(struct buffer *buffer)
{
    buffer->start = buffer->end = 0;
}

void sdk_buffer_free(struct buffer *buffer)
{
    free(buffer->bytes);
    *buffer = (struct buffer){.max = buffer->max};
}
