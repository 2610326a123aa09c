/* A queue in which nobody waits longer because others ask more: merchants take turns, and within a
 * merchant his terminals; each terminal's own requests keep their order. What waits is bounded:
 * past the bound those are refused who have their share of it, never one who has less. Used by
 * lanes, reader and desks; knows nothing of what waits. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct fair_terminal;

/* Who is charged with it: an operator has 0 for both. */
struct fair_party {
    int32_t merchant_id;
    int32_t terminal_id;
};

/* Part of what waits. Filled by whoever pushes it. */
struct fair_item {
    struct fair_party party;
    int64_t since_us;    /* monotonic */
    int64_t deadline_us; /* monotonic */
    /* How it is told that it waits no more: a code of the engine's. The queue never calls it. */
    void (*ended)(struct fair_item *item, void *ctx, int code);
    TAILQ_ENTRY(fair_item) in_terminal; /* the queue's own, and terminal too */
    struct fair_terminal *terminal;
};

TAILQ_HEAD(fair_items, fair_item);

struct fair_queue {
    struct fair_merchant *merchants; /* whoever ever waited here */
    struct fair_terminal *terminals;
    TAILQ_HEAD(fair_ring, fair_merchant) ring; /* who waits, whose turn it is first */
    int merchant_count;                        /* in the ring */
    int count;
    int64_t due_us; /* no deadline of what waits is earlier */
};

void fair_init(struct fair_queue *queue);
/* Forgets the parties; nothing may wait any more. */
void fair_free(struct fair_queue *queue);

/* Puts it behind its terminal's others. Returns NULL, or what may not wait. From count_max on that
 * is this one, if its terminal has its share of what waits already: so a refusal comes at once. Who
 * has less is taken, up to twice as many in all; from there on the newest goes of the terminal that
 * has the most of the merchant that has the most. Without memory it is this one. O(1) up to there.
 */
struct fair_item *fair_push(struct fair_queue *queue, struct fair_item *item, int count_max);
/* Puts back what was popped, before its terminal's others. */
void fair_return(struct fair_queue *queue, struct fair_item *item);
/* Whether fair_push would give back the party's own. */
bool fair_is_refused(const struct fair_queue *queue, struct fair_party party, int count_max);
/* The next by turns, or NULL. */
struct fair_item *fair_pop(struct fair_queue *queue);
/* Takes one out of turn. */
void fair_remove(struct fair_queue *queue, struct fair_item *item);
/* How many at most are served before what the party would push now. */
int fair_ahead(const struct fair_queue *queue, struct fair_party party);
/* Of the party's terminal. */
int fair_waiting(const struct fair_queue *queue, struct fair_party party);
/* Since when the first of them has waited; 0: nobody waits. */
int64_t fair_since_us(const struct fair_queue *queue);
/* Calls for each whose deadline has passed, which must remove it. O(1) while none has. */
void fair_overdue(struct fair_queue *queue, int64_t now_us,
                  void (*call)(struct fair_item *item, void *ctx), void *ctx);
