/* The table of requests in flight.
 *
 * Called by exchange.c and client.c. An id is a running number and a slot, so that finding costs no
 * search and an id does not come back. It must never hold more than PENDING_MAX. */
#include "pending.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS_MIN 16

void sdk_pending_init(struct pending_table *table)
{
    memset(table, 0, sizeof *table);
    for (int i = 0; i < PENDING_STATES; i++)
        TAILQ_INIT(&table->lists[i]);
    table->next_timer_us = INT64_MAX;
}

void sdk_pending_free(struct pending_table *table)
{
    assert(table->in_use == 0);
    for (uint32_t i = 0; i < table->slot_count; i++) {
        free(table->slots[i]->message.bytes);
        free(table->slots[i]);
    }
    free(table->slots);
    sdk_pending_init(table);
}

static struct pending *slot_add(struct pending_table *table)
{
    uint32_t count = table->slot_count;
    if (count == PENDING_MAX)
        return NULL;
    /* Room doubles whenever the count is a power of two. */
    if (count == 0 || (count >= SLOTS_MIN && (count & (count - 1)) == 0)) {
        size_t room = count == 0 ? SLOTS_MIN : 2 * (size_t)count;
        struct pending **slots = realloc(table->slots, room * sizeof(*slots));
        if (slots == NULL)
            return NULL;
        table->slots = slots;
    }
    struct pending *pending = calloc(1, sizeof *pending);
    if (pending == NULL)
        return NULL;
    pending->slot = count;
    table->slots[count] = pending;
    table->slot_count++;
    TAILQ_INSERT_TAIL(&table->lists[PENDING_FREE], pending, entry);
    table->counts[PENDING_FREE]++;
    return pending;
}

struct pending *sdk_pending_take(struct pending_table *table)
{
    struct pending *pending = TAILQ_FIRST(&table->lists[PENDING_FREE]);
    return pending != NULL ? pending : slot_add(table);
}

int64_t sdk_pending_timer_us(const struct pending *pending)
{
    switch (pending->state) {
    case PENDING_READY:
    case PENDING_SENT: return pending->deadline_us;
    case PENDING_WAITING:
        return pending->due_us < pending->deadline_us ? pending->due_us : pending->deadline_us;
    case PENDING_FAILED: /* exchange.c looks at their list each turn */
    case PENDING_FREE:
    case PENDING_STATES: break;
    }
    return INT64_MAX;
}

static bool is_queued(enum pending_state state)
{
    return state == PENDING_READY || state == PENDING_WAITING;
}

/* Rows: from; columns: to. */
static const bool transitions[PENDING_STATES][PENDING_STATES] = {
    [PENDING_FREE] = {[PENDING_READY] = true, [PENDING_FAILED] = true},
    [PENDING_READY] = {[PENDING_SENT] = true, [PENDING_FREE] = true},
    [PENDING_WAITING] = {[PENDING_READY] = true, [PENDING_FREE] = true},
    [PENDING_SENT] = {[PENDING_READY] = true, [PENDING_WAITING] = true, [PENDING_FREE] = true},
    [PENDING_FAILED] = {[PENDING_FREE] = true},
};

void sdk_pending_move(struct pending_table *table, struct pending *pending,
                      enum pending_state state, bool first)
{
    enum pending_state from = pending->state;
    assert(transitions[from][state]);
    TAILQ_REMOVE(&table->lists[from], pending, entry);
    table->counts[from]--;
    if (is_queued(from))
        table->queued_bytes -= pending->message.size;
    if (first)
        TAILQ_INSERT_HEAD(&table->lists[state], pending, entry);
    else
        TAILQ_INSERT_TAIL(&table->lists[state], pending, entry);
    table->counts[state]++;
    if (is_queued(state))
        table->queued_bytes += pending->message.size;
    pending->state = state;
    int64_t timer_us = sdk_pending_timer_us(pending);
    if (timer_us < table->next_timer_us)
        table->next_timer_us = timer_us;
}

void sdk_pending_start(struct pending_table *table, struct pending *pending,
                       enum pending_state state)
{
    pending->attempts = 0;
    pending->uncertain = false;
    pending->id = pending->end = 0;
    pending->due_us = 0;
    table->in_use++;
    sdk_pending_move(table, pending, state, false);
}

uint64_t sdk_pending_number(struct pending_table *table, struct pending *pending)
{
    pending->id = ++table->sequence << PENDING_SLOT_BITS | pending->slot;
    return pending->id;
}

struct pending *sdk_pending_find(const struct pending_table *table, uint64_t id)
{
    uint32_t slot = (uint32_t)(id & (PENDING_MAX - 1));
    if (slot >= table->slot_count)
        return NULL;
    struct pending *pending = table->slots[slot];
    return pending->state == PENDING_SENT && pending->id == id ? pending : NULL;
}

bool sdk_pending_was_numbered(const struct pending_table *table, uint64_t id, uint64_t sequence)
{
    uint64_t number = id >> PENDING_SLOT_BITS;
    return number > sequence && number <= table->sequence;
}

void sdk_pending_release(struct pending_table *table, struct pending *pending)
{
    assert(pending->state != PENDING_FREE && table->in_use > 0);
    free(pending->failure);
    pending->failure = NULL;
    pending->callback = NULL;
    pending->id = 0;
    table->in_use--;
    /* To the front: its buffer is warm in the cache. */
    sdk_pending_move(table, pending, PENDING_FREE, true);
}
