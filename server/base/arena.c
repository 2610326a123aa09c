/* A bump allocator over a chain of blocks, below a ceiling. Owned by a request or a batch; never
 * frees a piece alone, and never hands out more than its ceiling. */
#include "base/arena.h"

#include <assert.h>
#include <sanitizer/asan_interface.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#define ALIGNMENT       16
#define BLOCK_BYTES_MIN ((size_t)4096)
#define BLOCK_BYTES_MAX ((size_t)256 * 1024)

struct arena_block {
    struct arena_block *older;
    size_t size; /* of bytes */
    size_t used;
    alignas(ALIGNMENT) unsigned char bytes[];
};

void arena_init(struct arena *arena, size_t bytes_max)
{
    *arena = (struct arena){.bytes_max = bytes_max};
}

/* Blocks double, so that a small request costs little and a large batch few calls of malloc. */
static struct arena_block *add_block(struct arena *arena, size_t needed)
{
    size_t size = arena->blocks ? arena->blocks->size * 2 : BLOCK_BYTES_MIN;
    if (size > BLOCK_BYTES_MAX)
        size = BLOCK_BYTES_MAX;
    if (size < needed)
        size = needed;
    struct arena_block *block = malloc(sizeof *block + size);
    if (!block) {
        arena->is_starved = true;
        return NULL;
    }
    block->older = arena->blocks;
    block->size = size;
    block->used = 0;
    ASAN_POISON_MEMORY_REGION(block->bytes, size); /* until it is asked for, and after a reset */
    arena->blocks = block;
    return block;
}

static void *take_piece(struct arena *arena, size_t bytes)
{
    if (bytes > arena->bytes_max)
        return NULL;
    size_t rounded = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (rounded == 0)
        rounded = ALIGNMENT;
    if (rounded < bytes || rounded > arena->bytes_max - arena->used_bytes)
        return NULL;
    struct arena_block *block = arena->blocks;
    if (!block || rounded > block->size - block->used)
        block = add_block(arena, rounded);
    if (!block)
        return NULL;
    void *piece = block->bytes + block->used;
    ASAN_UNPOISON_MEMORY_REGION(piece, rounded);
    block->used += rounded;
    arena->used_bytes += rounded;
    assert(arena->used_bytes <= arena->bytes_max);
    return piece;
}

static void *take(struct arena *arena, size_t bytes)
{
    void *piece = take_piece(arena, bytes);
    arena->is_short = arena->is_short || !piece;
    return piece;
}

void *arena_alloc(struct arena *arena, size_t bytes)
{
    void *piece = take(arena, bytes);
    return piece ? memset(piece, 0, bytes) : NULL;
}

void *arena_copy(struct arena *arena, const void *bytes, size_t size)
{
    void *piece = take(arena, size);
    if (piece && size > 0)
        memcpy(piece, bytes, size);
    return piece;
}

/* Keeps the newest block, the largest: the next use probably fits into it. */
void arena_reset(struct arena *arena)
{
    arena->used_bytes = 0;
    arena->is_short = arena->is_starved = false;
    if (!arena->blocks)
        return;
    arena->blocks->used = 0;
    ASAN_POISON_MEMORY_REGION(arena->blocks->bytes, arena->blocks->size);
    while (arena->blocks->older) {
        struct arena_block *older = arena->blocks->older;
        arena->blocks->older = older->older;
        free(older);
    }
}

void arena_free(struct arena *arena)
{
    while (arena->blocks) {
        struct arena_block *older = arena->blocks->older;
        free(arena->blocks);
        arena->blocks = older;
    }
    arena->used_bytes = 0;
    arena->is_short = arena->is_starved = false;
}
