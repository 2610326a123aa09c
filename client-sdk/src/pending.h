/* The requests in flight: a table by id, lists in order of submission, and a heap by time. No step
 * costs more than the heap's logarithm.
 *
 * Called by exchange.c and client.c. A pending request keeps its message, so that it can be sent
 * again, byte for byte, under the same key. It must never be delivered twice: sdk_pending_release
 * is the one way out. */
#ifndef LOYAL_SDK_PENDING_H
#define LOYAL_SDK_PENDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "answer.h"
#include "request.h"

#define PENDING_SLOT_BITS 16
#define PENDING_MAX       (1u << PENDING_SLOT_BITS)
/* A longer message's buffer is not kept for the slot's next use. */
#define PENDING_KEPT_BYTES 512

enum pending_state {
    PENDING_FREE,
    PENDING_READY,   /* to be sent as soon as there is a connection with room */
    PENDING_WAITING, /* to be sent again at due_us */
    PENDING_SENT,    /* given to the connection; whether its bytes left tells `end` */
    PENDING_OVER,    /* never to be sent again: `over` says why */
    PENDING_STATES,
};

struct pending {
    TAILQ_ENTRY(pending) entry;
    enum pending_state state;
    enum loyal_verb verb;
    uint32_t slot;
    uint32_t attempts;
    uint32_t timer; /* its place in the heap, from 1; 0: it has no time */
    bool repeat;
    bool uncertain;  /* an earlier attempt may have been carried out */
    uint64_t ticket; /* of its submission */
    uint64_t id;     /* of the last sending; 0: of none */
    uint64_t end;    /* the connection's count of bytes behind this frame */
    int64_t deadline_us;
    int64_t due_us;
    int64_t timer_us; /* when to look at it at the latest */
    loyal_callback *callback;
    void *context;
    struct message message;
    enum loyal_code over; /* of OVER: INVALID_FIELD or MEMORY: never encoded; TIMEOUT; CANCELLED;
                             CONNECTION: the client's last loss */
    const char *field;    /* of INVALID_FIELD */
};

TAILQ_HEAD(pending_list, pending);

struct pending_table {
    struct pending **slots;
    uint32_t slot_count;                       /* slots made so far, each of a pending */
    uint32_t in_use;                           /* not FREE */
    struct pending_list lists[PENDING_STATES]; /* one for each state; SENT in order of sending */
    uint32_t counts[PENDING_STATES];
    struct pending **timers; /* a heap: no parent is later than its children */
    uint32_t timer_count;
    uint64_t sequence;   /* of ids: how many were given out */
    uint64_t submitted;  /* of tickets, likewise */
    size_t held_bytes;   /* of all messages */
    size_t queued_bytes; /* of READY and WAITING */
};

void sdk_pending_init(struct pending_table *table);
/* All must have been released. */
void sdk_pending_free(struct pending_table *table);

/* A free one, not yet in use: fill it, then sdk_pending_start. NULL when PENDING_MAX are in use or
 * without memory. Its message keeps its buffer from one use to the next. */
struct pending *sdk_pending_take(struct pending_table *table);
void sdk_pending_start(struct pending_table *table, struct pending *pending,
                       enum pending_state state);

/* The one setter of a state; keeps lists, counts and timers. first: to the front of its list. */
void sdk_pending_move(struct pending_table *table, struct pending *pending,
                      enum pending_state state, bool first);

/* A new id for the next sending. */
uint64_t sdk_pending_number(struct pending_table *table, struct pending *pending);
/* Ends it with that code, as RETRY or, when its bytes may be under way, as UNKNOWN. */
void sdk_pending_finish(struct pending_table *table, struct pending *pending, enum loyal_code over);

/* The request of that submission, not yet delivered, or NULL. */
struct pending *sdk_pending_of(const struct pending_table *table, uint64_t ticket);
/* The SENT request with that id, or NULL. */
struct pending *sdk_pending_find(const struct pending_table *table, uint64_t id);
/* Whether that id was given out after the count `sequence` of ids. */
bool sdk_pending_was_numbered(const struct pending_table *table, uint64_t id, uint64_t sequence);

/* Takes it out of the table; it may be taken again at once. */
void sdk_pending_release(struct pending_table *table, struct pending *pending);

/* One whose time has come, or NULL. */
struct pending *sdk_pending_due(const struct pending_table *table, int64_t now_us);
/* When that will be; INT64_MAX: never. */
int64_t sdk_pending_timer_us(const struct pending_table *table);

#endif
