/* See reserve.h. Called by main once, then by libevent, by net/ before a handshake and by the admin
 * port. The state lies at file scope, for libevent passes its allocator no context. */
#include "base/reserve.h"

#include <event2/event.h>
#include <stdlib.h>

#define PIECES      64   /* a handshake takes 6, a page of the admin port fewer than 50 */
#define PIECE_BYTES 1024 /* what is larger is a buffer, and libevent looks */

static struct {
    void *pieces[PIECES]; /* of malloc's, so that free takes each */
    size_t count;
} reserve;

bool reserve_fill(void)
{
    while (reserve.count < PIECES) {
        void *piece = malloc(PIECE_BYTES);
        if (!piece)
            return false;
        reserve.pieces[reserve.count++] = piece;
    }
    return true;
}

static void *take(size_t size)
{
    void *memory = malloc(size);
    if (!memory && size <= PIECE_BYTES && reserve.count > 0)
        memory = reserve.pieces[--reserve.count];
    return memory;
}

static void give_back(void *memory)
{
    free(memory);
    reserve_fill();
}

void reserve_open(void)
{
    reserve_fill();
    event_set_mem_functions(take, realloc, give_back); /* arrays grow, and libevent looks */
}
