/* A capped bump allocator: one per request or batch, reset at once. Nothing is freed alone. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena_block;

struct arena {
    struct arena_block *blocks; /* newest first */
    size_t used_bytes;          /* handed out since the last reset */
    size_t bytes_max;
    bool is_short;   /* since the last reset something was asked for in vain, */
    bool is_starved; /* and not because of the ceiling: there was no memory */
};

/* bytes_max: the ceiling; past it arena_alloc returns NULL. No memory is taken yet. */
void arena_init(struct arena *arena, size_t bytes_max);

/* Zeroed, aligned to 16 bytes, or NULL past the ceiling or without memory. */
void *arena_alloc(struct arena *arena, size_t bytes);

/* A copy of bytes, or NULL. */
void *arena_copy(struct arena *arena, const void *bytes, size_t size);

/* Forget everything; keeps one block for reuse. */
void arena_reset(struct arena *arena);

/* Give all memory back. The arena can be used again. */
void arena_free(struct arena *arena);
