/* Blocks in a list; the first stays when the arena is reset.
 *
 * Called by request.c and answer.c, and by protobuf-c through the allocator. It must never call
 * abort or hand out memory past ARENA_BYTES_MAX. */
#include "arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void *allocator_alloc(void *arena, size_t size)
{
    return sdk_arena_take(arena, size);
}

static void allocator_free(void *arena, void *bytes)
{
    (void)arena;
    (void)bytes;
}

void sdk_arena_init(struct arena *arena)
{
    memset(arena, 0, sizeof *arena);
    arena->allocator.alloc = allocator_alloc;
    arena->allocator.free = allocator_free;
    arena->allocator.allocator_data = arena;
}

static struct arena_block *block_add(struct arena *arena, size_t size)
{
    size_t bytes = size > ARENA_BLOCK_BYTES ? size : ARENA_BLOCK_BYTES;
    /* Blocks double, so that a long answer takes few of them. */
    if (bytes < arena->total)
        bytes = arena->total;
    if (bytes > ARENA_BYTES_MAX - arena->total)
        bytes = ARENA_BYTES_MAX - arena->total;
    if (bytes < size)
        return NULL;
    struct arena_block *block = malloc(sizeof *block + bytes);
    if (block == NULL)
        return NULL;
    *block = (struct arena_block){.size = bytes};
    if (arena->current != NULL)
        arena->current->next = block;
    else
        arena->first = block;
    arena->current = block;
    arena->total += bytes;
    return block;
}

void *sdk_arena_take(struct arena *arena, size_t size)
{
    const size_t align = alignof(max_align_t);
    if (size > ARENA_BYTES_MAX)
        return NULL;
    size = (size + align - 1) / align * align;
    struct arena_block *block = arena->current;
    if (block == NULL || block->size - block->used < size) {
        block = block_add(arena, size);
        if (block == NULL)
            return NULL;
    }
    void *bytes = (char *)block->bytes + block->used;
    block->used += size;
    return bytes;
}

void *sdk_arena_array(struct arena *arena, size_t count, size_t size)
{
    if (count > ARENA_BYTES_MAX / size)
        return NULL;
    void *bytes = sdk_arena_take(arena, count * size);
    if (bytes != NULL)
        memset(bytes, 0, count * size);
    return bytes;
}

static void blocks_free(struct arena_block *block)
{
    while (block != NULL) {
        struct arena_block *next = block->next;
        free(block);
        block = next;
    }
}

void sdk_arena_reset(struct arena *arena)
{
    struct arena_block *first = arena->first;
    if (first == NULL)
        return;
    if (first->next != NULL) {
        blocks_free(first->next);
        first->next = NULL;
    }
    first->used = 0;
    arena->current = first;
    arena->total = first->size;
}

void sdk_arena_free(struct arena *arena)
{
    blocks_free(arena->first);
    sdk_arena_init(arena);
}
