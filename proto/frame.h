/* Frames: how messages follow each other on a connection. A frame is a length of 4 bytes, most
 * significant first, and as many bytes of one protobuf message.
 *
 * Called by the server's connections and the SDK. Pure functions over bytes that the
 * caller holds: nothing here reads a socket, allocates or remembers.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define FRAME_HEADER_BYTES 4
/* The longest message either side accepts, its header not counted. */
#define FRAME_REQUEST_BYTES_MAX  65536
#define FRAME_RESPONSE_BYTES_MAX 1048576

enum frame_state {
    FRAME_NEED_MORE, /* the bytes at hand end inside the header or the message */
    FRAME_READY,     /* a whole frame is at hand */
    FRAME_EMPTY,     /* length 0, which no message has: malformed */
    FRAME_TOO_LONG   /* longer than limit: malformed; nothing more of it need be read */
};

/* Looks at the first frame of n bytes. limit is the longest message accepted.
 * *length_out is the message's length as soon as the header is whole, else 0; the frame takes
 * FRAME_HEADER_BYTES more. EMPTY and TOO_LONG are known from the header alone, so a caller that
 * acts on them never makes room for a message that it would refuse. */
enum frame_state frame_peek(const uint8_t *bytes, size_t n, uint32_t limit, uint32_t *length_out);

/* Writes the header of a message of that length, which is not 0. */
void frame_put_header(uint8_t header[FRAME_HEADER_BYTES], uint32_t length);
