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
}

void sdk_pending_free(struct pending_table *table)
{
    assert(table->in_use == 0);
    for (uint32_t i = 0; i < table->slot_count; i++) {
        free(table->slots[i]->message.bytes);
        free(table->slots[i]);
    }
    free(table->slots);
    free(table->timers);
    sdk_pending_init(table);
}

static bool grow(struct pending ***array, size_t room)
{
    struct pending **grown = realloc(*array, room * sizeof(*grown));
    if (grown != NULL)
        *array = grown;
    return grown != NULL;
}

static struct pending *slot_add(struct pending_table *table)
{
    uint32_t count = table->slot_count;
    if (count == PENDING_MAX)
        return NULL;
    /* Room doubles whenever the count is a power of two; the heap has it for every slot. */
    if (count == 0 || (count >= SLOTS_MIN && (count & (count - 1)) == 0)) {
        size_t room = count == 0 ? SLOTS_MIN : 2 * (size_t)count;
        if (!grow(&table->slots, room) || !grow(&table->timers, room))
            return NULL;
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

/* ---- the heap ---- */

static void timer_place(struct pending_table *table, struct pending *pending, uint32_t at)
{
    table->timers[at - 1] = pending;
    pending->timer = at;
}

static int64_t timer_at(const struct pending_table *table, uint32_t at)
{
    return table->timers[at - 1]->timer_us;
}

/* Moves it from that free place to where it belongs. The children of n are 2n and 2n + 1. */
static void timer_sift(struct pending_table *table, struct pending *pending, uint32_t at)
{
    for (; at > 1 && pending->timer_us < timer_at(table, at / 2); at /= 2)
        timer_place(table, table->timers[at / 2 - 1], at);
    for (uint32_t child = 2 * at; child <= table->timer_count; child = 2 * at) {
        if (child < table->timer_count && timer_at(table, child + 1) < timer_at(table, child))
            child++;
        if (pending->timer_us <= timer_at(table, child))
            break;
        timer_place(table, table->timers[child - 1], at);
        at = child;
    }
    timer_place(table, pending, at);
}

static void timer_drop(struct pending_table *table, struct pending *pending)
{
    uint32_t at = pending->timer;
    struct pending *last = table->timers[table->timer_count - 1];
    pending->timer = 0;
    table->timer_count--;
    if (last != pending)
        timer_sift(table, last, at);
}

static int64_t timer_us_of(const struct pending *pending)
{
    switch (pending->state) {
    case PENDING_READY:
    case PENDING_SENT: return pending->deadline_us;
    case PENDING_WAITING:
        return pending->due_us < pending->deadline_us ? pending->due_us : pending->deadline_us;
    case PENDING_OVER: /* exchange.c looks at their list each turn */
    case PENDING_FREE:
    case PENDING_STATES: break;
    }
    return INT64_MAX;
}

static void timer_set(struct pending_table *table, struct pending *pending)
{
    int64_t timer_us = timer_us_of(pending);
    if (pending->timer != 0 && timer_us == pending->timer_us)
        return;
    if (pending->timer != 0)
        timer_drop(table, pending);
    pending->timer_us = timer_us;
    if (timer_us != INT64_MAX)
        timer_sift(table, pending, ++table->timer_count);
}

struct pending *sdk_pending_due(const struct pending_table *table, int64_t now_us)
{
    return sdk_pending_timer_us(table) <= now_us ? table->timers[0] : NULL;
}

int64_t sdk_pending_timer_us(const struct pending_table *table)
{
    return table->timer_count > 0 ? table->timers[0]->timer_us : INT64_MAX;
}

/* ---- states ---- */

static bool is_queued(enum pending_state state)
{
    return state == PENDING_READY || state == PENDING_WAITING;
}

/* Rows: from; columns: to. */
static const bool transitions[PENDING_STATES][PENDING_STATES] = {
    [PENDING_FREE] = {[PENDING_READY] = true, [PENDING_OVER] = true},
    [PENDING_READY] = {[PENDING_SENT] = true, [PENDING_OVER] = true},
    [PENDING_WAITING] = {[PENDING_READY] = true, [PENDING_OVER] = true},
    [PENDING_SENT] = {[PENDING_READY] = true,
                      [PENDING_WAITING] = true,
                      [PENDING_OVER] = true,
                      [PENDING_FREE] = true},
    [PENDING_OVER] = {[PENDING_FREE] = true},
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
    timer_set(table, pending);
}

void sdk_pending_start(struct pending_table *table, struct pending *pending,
                       enum pending_state state)
{
    pending->attempts = 0;
    pending->uncertain = false;
    pending->id = pending->end = 0;
    pending->due_us = 0;
    pending->ticket = ++table->submitted << PENDING_SLOT_BITS | pending->slot;
    table->in_use++;
    table->held_bytes += pending->message.size;
    sdk_pending_move(table, pending, state, false);
}

void sdk_pending_finish(struct pending_table *table, struct pending *pending, enum loyal_code over)
{
    /* A frame in the connection's buffer cannot be taken back: it may leave after this. */
    if (pending->state == PENDING_SENT)
        pending->uncertain = true;
    pending->over = over;
    sdk_pending_move(table, pending, PENDING_OVER, false);
}

/* ---- finding ---- */

uint64_t sdk_pending_number(struct pending_table *table, struct pending *pending)
{
    pending->id = ++table->sequence << PENDING_SLOT_BITS | pending->slot;
    return pending->id;
}

static struct pending *in_slot_of(const struct pending_table *table, uint64_t number)
{
    uint32_t slot = (uint32_t)(number & (PENDING_MAX - 1));
    return slot < table->slot_count ? table->slots[slot] : NULL;
}

struct pending *sdk_pending_of(const struct pending_table *table, uint64_t ticket)
{
    struct pending *pending = in_slot_of(table, ticket);
    bool found = pending != NULL && pending->state != PENDING_FREE && pending->ticket == ticket;
    return found ? pending : NULL;
}

struct pending *sdk_pending_find(const struct pending_table *table, uint64_t id)
{
    struct pending *pending = in_slot_of(table, id);
    bool found = pending != NULL && pending->state == PENDING_SENT && pending->id == id;
    return found ? pending : NULL;
}

bool sdk_pending_was_numbered(const struct pending_table *table, uint64_t id, uint64_t sequence)
{
    uint64_t number = id >> PENDING_SLOT_BITS;
    return number > sequence && number <= table->sequence;
}

void sdk_pending_release(struct pending_table *table, struct pending *pending)
{
    assert(pending->state != PENDING_FREE && table->in_use > 0);
    pending->callback = NULL;
    pending->id = 0;
    table->in_use--;
    table->held_bytes -= pending->message.size;
    if (pending->message.capacity > PENDING_KEPT_BYTES) {
        free(pending->message.bytes);
        pending->message = (struct message){0};
    }
    /* To the front: its buffer is warm in the cache. */
    sdk_pending_move(table, pending, PENDING_FREE, true);
}
