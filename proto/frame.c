/* Owns the frame's header; see frame.h. Called by server and SDK. Never allocates. */
#include "frame.h"

#include <assert.h>

enum frame_state frame_peek(const uint8_t *bytes, size_t n, uint32_t limit, uint32_t *length_out)
{
    *length_out = 0;
    if (n < FRAME_HEADER_BYTES)
        return FRAME_NEED_MORE;
    uint32_t length = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 |
                      (uint32_t)bytes[2] << 8 | (uint32_t)bytes[3];
    *length_out = length;
    if (length == 0)
        return FRAME_EMPTY;
    if (length > limit)
        return FRAME_TOO_LONG;
    return n - FRAME_HEADER_BYTES < length ? FRAME_NEED_MORE : FRAME_READY;
}

void frame_put_header(uint8_t header[FRAME_HEADER_BYTES], uint32_t length)
{
    assert(length > 0);
    header[0] = (uint8_t)(length >> 24);
    header[1] = (uint8_t)(length >> 16);
    header[2] = (uint8_t)(length >> 8);
    header[3] = (uint8_t)length;
}
