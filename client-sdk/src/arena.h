/* An arena: memory of one answer or of one request's encoding, taken in small pieces and given back
 * all at once.
 *
 * Called by request.c and answer.c. A reset keeps the first block, so that steady traffic allocates
 * nothing. It must never grow past its ceiling, whatever the peer sends. */
#ifndef LOYAL_SDK_ARENA_H
#define LOYAL_SDK_ARENA_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>

#define ARENA_BLOCK_BYTES 8192
/* 1 MiB on the wire becomes some 20 MiB at worst: a sub-message of 2 bytes takes a struct. */
#define ARENA_BYTES_MAX (32u << 20)

struct arena_block {
    struct arena_block *next;
    size_t size;
    size_t used;
    max_align_t bytes[];
};

struct arena {
    struct arena_block *first;
    struct arena_block *current;
    size_t total; /* bytes of all blocks */
    ProtobufCAllocator allocator;
};

/* Takes no memory yet. The arena must not move in memory while its allocator is in use. */
void sdk_arena_init(struct arena *arena);
/* NULL when there is no memory or the ceiling is reached. Aligned for any type; not cleared. */
void *sdk_arena_take(struct arena *arena, size_t size);
/* A cleared array; NULL as above and when count x size overflows. */
void *sdk_arena_array(struct arena *arena, size_t count, size_t size);
/* Everything taken before is gone. */
void sdk_arena_reset(struct arena *arena);
void sdk_arena_free(struct arena *arena);

#endif
