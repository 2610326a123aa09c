/* Owns who waits in a fair queue, and whose turn it is. A party stays known when nothing of it
 * waits, as many as terminals ever asked here: so a lone request costs no memory. */
#include "engine/fair.h"

#include <assert.h>
#include <stdlib.h>

#define HASH_NONFATAL_OOM 1 /* what was not added has no table */
#include <uthash.h>

struct fair_terminal {
    struct fair_party party; /* the key */
    struct fair_merchant *merchant;
    TAILQ_ENTRY(fair_terminal) in_ring; /* of its merchant, while something waits */
    struct fair_items items;
    int count;
    UT_hash_handle hh;
};

struct fair_merchant {
    int32_t merchant_id;
    TAILQ_ENTRY(fair_merchant) in_ring;
    TAILQ_HEAD(fair_terminals, fair_terminal) ring;
    int terminal_count; /* in the ring */
    int count;
    UT_hash_handle hh;
};

void fair_init(struct fair_queue *queue)
{
    *queue = (struct fair_queue){.due_us = INT64_MAX};
    TAILQ_INIT(&queue->ring);
}

void fair_free(struct fair_queue *queue)
{
    struct fair_terminal *terminal, *next_terminal;
    struct fair_merchant *merchant, *next_merchant;
    assert(queue->count == 0);
    HASH_ITER (hh, queue->terminals, terminal, next_terminal) {
        HASH_DEL(queue->terminals, terminal); /* NOLINT(clang-analyzer-unix.Malloc): the last one */
        free(terminal);
    }
    HASH_ITER (hh, queue->merchants, merchant, next_merchant) {
        HASH_DEL(queue->merchants, merchant); /* NOLINT(clang-analyzer-unix.Malloc): the last one */
        free(merchant);
    }
}

static struct fair_merchant *merchant_of(struct fair_queue *queue, int32_t merchant_id)
{
    struct fair_merchant *merchant;
    HASH_FIND_INT(queue->merchants, &merchant_id, merchant);
    if (merchant)
        return merchant;
    merchant = calloc(1, sizeof *merchant);
    if (merchant) {
        merchant->merchant_id = merchant_id;
        TAILQ_INIT(&merchant->ring);
        HASH_ADD_INT(queue->merchants, merchant_id, merchant);
    }
    if (merchant && !merchant->hh.tbl) {
        free(merchant);
        return NULL;
    }
    return merchant;
}

static struct fair_terminal *terminal_find(const struct fair_queue *queue, struct fair_party party)
{
    struct fair_terminal *terminal;
    HASH_FIND(hh, queue->terminals, &party, sizeof party, terminal);
    return terminal;
}

/* NULL without memory. */
static struct fair_terminal *terminal_of(struct fair_queue *queue, struct fair_party party)
{
    struct fair_terminal *terminal = terminal_find(queue, party);
    if (terminal)
        return terminal;
    struct fair_merchant *merchant = merchant_of(queue, party.merchant_id);
    terminal = merchant ? calloc(1, sizeof *terminal) : NULL;
    if (terminal) {
        terminal->party = party;
        terminal->merchant = merchant;
        TAILQ_INIT(&terminal->items);
        HASH_ADD(hh, queue->terminals, party, sizeof party, terminal);
    }
    if (terminal && !terminal->hh.tbl) {
        free(terminal);
        return NULL;
    }
    return terminal;
}

/* ---- who goes ---- */

/* Whether the terminal has its share already: of what waits each merchant an equal part, and of
 * that each of his terminals. */
static bool has_its_share(const struct fair_queue *queue, const struct fair_terminal *terminal)
{
    const struct fair_merchant *merchant = terminal->merchant;
    return (int64_t)merchant->count * queue->merchant_count >= queue->count &&
           (int64_t)terminal->count * merchant->terminal_count >= merchant->count;
}

static struct fair_merchant *merchant_with_the_most(const struct fair_queue *queue)
{
    struct fair_merchant *merchant, *most = TAILQ_FIRST(&queue->ring);
    TAILQ_FOREACH (merchant, &queue->ring, in_ring) {
        /* cppcheck-suppress uninitvar ; the macro hides the assignment */
        if (merchant->count > most->count)
            most = merchant;
    }
    return most;
}

/* The newest of the terminal with the most. */
static struct fair_item *newest_of(const struct fair_merchant *merchant)
{
    struct fair_terminal *terminal, *most = TAILQ_FIRST(&merchant->ring);
    TAILQ_FOREACH (terminal, &merchant->ring, in_ring) {
        /* cppcheck-suppress uninitvar ; the macro hides the assignment */
        if (terminal->count > most->count)
            most = terminal;
    }
    return TAILQ_LAST(&most->items, fair_items);
}

bool fair_is_refused(const struct fair_queue *queue, struct fair_party party, int count_max)
{
    if (queue->count < count_max)
        return false;
    const struct fair_terminal *terminal = terminal_find(queue, party);
    return terminal && terminal->count > 0 && has_its_share(queue, terminal);
}

/* ---- in and out ---- */

static void due_by(struct fair_queue *queue, const struct fair_item *item)
{
    if (item->deadline_us < queue->due_us)
        queue->due_us = item->deadline_us;
}

/* What the terminal has waiting counts once more; whoever had nothing is the last to be served. */
static void note_added(struct fair_queue *queue, struct fair_terminal *terminal,
                       struct fair_item *item)
{
    struct fair_merchant *merchant = terminal->merchant;
    item->terminal = terminal;
    due_by(queue, item);
    if (terminal->count++ == 0) {
        TAILQ_INSERT_TAIL(&merchant->ring, terminal, in_ring);
        merchant->terminal_count++;
    }
    if (merchant->count++ == 0) {
        TAILQ_INSERT_TAIL(&queue->ring, merchant, in_ring);
        queue->merchant_count++;
    }
    queue->count++;
}

struct fair_item *fair_push(struct fair_queue *queue, struct fair_item *item, int count_max)
{
    struct fair_terminal *terminal = terminal_of(queue, item->party);
    if (!terminal)
        return item;
    struct fair_item *refused = NULL;
    if (queue->count >= count_max && (queue->count == 0 || has_its_share(queue, terminal)))
        return item;
    if (queue->count / 2 >= count_max && queue->count > 0) {
        refused = newest_of(merchant_with_the_most(queue));
        fair_remove(queue, refused);
    }
    TAILQ_INSERT_TAIL(&terminal->items, item, in_terminal);
    note_added(queue, terminal, item);
    return refused;
}

void fair_return(struct fair_queue *queue, struct fair_item *item)
{
    struct fair_terminal *terminal = terminal_find(queue, item->party);
    assert(terminal); /* it has waited here before */
    TAILQ_INSERT_HEAD(&terminal->items, item, in_terminal);
    note_added(queue, terminal, item);
}

void fair_remove(struct fair_queue *queue, struct fair_item *item)
{
    struct fair_terminal *terminal = item->terminal;
    struct fair_merchant *merchant = terminal->merchant;
    TAILQ_REMOVE(&terminal->items, item, in_terminal);
    item->terminal = NULL;
    queue->count--;
    if (--terminal->count == 0) {
        TAILQ_REMOVE(&merchant->ring, terminal, in_ring);
        merchant->terminal_count--;
    }
    if (--merchant->count == 0) {
        TAILQ_REMOVE(&queue->ring, merchant, in_ring);
        queue->merchant_count--;
    }
}

struct fair_item *fair_pop(struct fair_queue *queue)
{
    struct fair_merchant *merchant = TAILQ_FIRST(&queue->ring);
    if (!merchant)
        return NULL;
    struct fair_terminal *terminal = TAILQ_FIRST(&merchant->ring);
    struct fair_item *item = TAILQ_FIRST(&terminal->items);
    TAILQ_REMOVE(&merchant->ring, terminal, in_ring);
    TAILQ_INSERT_TAIL(&merchant->ring, terminal, in_ring);
    TAILQ_REMOVE(&queue->ring, merchant, in_ring);
    TAILQ_INSERT_TAIL(&queue->ring, merchant, in_ring);
    fair_remove(queue, item);
    return item;
}

int fair_ahead(const struct fair_queue *queue, struct fair_party party)
{
    const struct fair_terminal *terminal = terminal_find(queue, party);
    if (!terminal)
        return queue->merchant_count;
    const struct fair_merchant *merchant = terminal->merchant;
    int64_t of_merchant = (int64_t)terminal->count * merchant->terminal_count;
    if (of_merchant > merchant->count)
        of_merchant = merchant->count;
    int64_t ahead = (of_merchant + 1) * queue->merchant_count;
    return ahead < queue->count ? (int)ahead : queue->count;
}

int fair_waiting(const struct fair_queue *queue, struct fair_party party)
{
    const struct fair_terminal *terminal = terminal_find(queue, party);
    return terminal ? terminal->count : 0;
}

int64_t fair_since_us(const struct fair_queue *queue)
{
    const struct fair_merchant *merchant;
    const struct fair_terminal *terminal;
    int64_t since_us = 0;
    TAILQ_FOREACH (merchant, &queue->ring, in_ring) {
        /* cppcheck-suppress uninitvar ; the macro hides the assignment */
        TAILQ_FOREACH (terminal, &merchant->ring, in_ring) {
            /* cppcheck-suppress uninitvar ; likewise */
            const struct fair_item *first = TAILQ_FIRST(&terminal->items);
            if (!since_us || first->since_us < since_us)
                since_us = first->since_us;
        }
    }
    return since_us;
}

void fair_overdue(struct fair_queue *queue, int64_t now_us,
                  void (*call)(struct fair_item *item, void *ctx), void *ctx)
{
    struct fair_merchant *merchant, *next_merchant;
    struct fair_terminal *terminal, *next_terminal;
    struct fair_item *item, *next_item;
    if (queue->due_us >= now_us)
        return;
    queue->due_us = INT64_MAX;
    for (merchant = TAILQ_FIRST(&queue->ring); merchant; merchant = next_merchant) {
        next_merchant = TAILQ_NEXT(merchant, in_ring);
        for (terminal = TAILQ_FIRST(&merchant->ring); terminal; terminal = next_terminal) {
            next_terminal = TAILQ_NEXT(terminal, in_ring);
            for (item = TAILQ_FIRST(&terminal->items); item; item = next_item) {
                next_item = TAILQ_NEXT(item, in_terminal);
                if (item->deadline_us < now_us)
                    call(item, ctx);
                else
                    due_by(queue, item);
            }
        }
    }
}
