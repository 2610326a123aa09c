/* The engine of one worker: postings are gathered into batches, decided by the ledger under their
 * members' locks, and answered after the commit is durable (ARCHITECTURE section 4). Sessions
 * submit; callbacks run later from the event loop, never inside the submitting call. One thread,
 * one libevent base. */
#pragma once

#include <event2/event.h>

#include "base/clock.h"
#include "base/stats.h"
#include "engine/fair.h"
#include "ledger/ledger.h"
#include "store/reference.h"

/* Codes of loyal.v1.ResultCode that the engine adds to those of the ledger (enum result). */
enum engine_result {
    ENGINE_NOT_IDENTIFIED = 5, /* the posting's terminal lost its right */
    ENGINE_OVERLOADED = 9,
    ENGINE_NOT_READY = 10,
    ENGINE_DEADLINE_EXCEEDED = 11,
    ENGINE_TRANSIENT = 12,
    ENGINE_OUTCOME_UNKNOWN = 13,
    ENGINE_INTERNAL = 14,
};

struct engine;

struct engine_options {
    const char *conninfo; /* libpq's, of the daemon's role */
    /* of loyal_reader and loyal_eraser; NULL: no window, no census, no eraser */
    const char *reader_conninfo;
    const char *eraser_conninfo;
    int lanes;        /* posting connections */
    int batch_max;    /* postings a batch */
    int queue_max;    /* postings waiting, all lanes; past it ENGINE_OVERLOADED */
    int queue_ms_max; /* and past what the lane can do in so long; 0: no such bound */
    int lock_timeout_ms;
    int statement_timeout_ms;
    int deadline_ms_max;       /* nobody waits longer for a desk; 0: no such bound */
    struct ledger_terms terms; /* windows only; the rules come from the reference */
    const char *lease_holder;  /* under which lease each batch must stand; NULL: none (all but
                                  maintenance) */
    struct worker_stats *stats;
    void (*reference_changed)(
        void *ctx, struct reference *reference); /* a newer snapshot is in force; NULL-able */
    void *ctx;
};

/* Connects in the background; until then everything is answered ENGINE_NOT_READY. */
struct engine *engine_create(struct event_base *base, const struct domain_clock *clock,
                             const struct engine_options *options, struct err *err);
/* Everything under way is answered (ENGINE_NOT_READY, or ENGINE_OUTCOME_UNKNOWN after COMMIT was
 * sent). */
void engine_destroy(struct engine **engine);

/* For postings that come from now on. */
void engine_set_limits(struct engine *engine, int batch_max, int queue_max, int queue_ms_max,
                       int deadline_ms_max);

bool engine_ready(const struct engine *engine);
/* Why not, for logs; "" when ready. */
const char *engine_unready_reason(const struct engine *engine);
/* Queues and readiness as they stand, to the stats. */
void engine_publish(struct engine *engine);
/* Borrowed; NULL before the first one is loaded. */
struct reference *engine_reference(const struct engine *engine);
/* Asks the database for the epoch now, reloads if it is newer, then calls back. The caller keeps it
 * until then. */
struct waiter {
    void (*done)(void *ctx, bool is_fresh);
    void *ctx;
    struct waiter *next; /* the engine's */
};
void engine_refresh(struct engine *engine, struct waiter *waiter);

/* A writing request. The caller keeps it, its arena and all it points to alive until done. */
struct posting {
    struct ledger_request request;
    bool by_identifier; /* resolve identifier_hash; else member_id */
    uint8_t identifier_hash[HASH_BYTES];
    int64_t member_id; /* by ref, or of an enrolment (derived from merchant and key, R32); filled
                          when resolved; -1: nobody's ref */
    const uint8_t (*identifiers)[HASH_BYTES]; /* of an enrolment, ascending, no twins */
    size_t identifier_count;
    int64_t owner_id;    /* out, of ALREADY_ENROLLED: the member that an identifier finds already */
    int16_t key_version; /* of the identifiers' hashes */
    int64_t deadline_us; /* clock_monotonic_us after which it is not decided any more */
    /* Fills what depends on the snapshot: request.facts.store_id (0: unknown), request.rule,
     * request.wrong_currency. Called before each attempt. False: the terminal lost its right
     * (ENGINE_NOT_IDENTIFIED). */
    bool (*prepare)(struct posting *posting, struct reference *reference);
    /* decision: NULL unless code is one of the ledger's; it lives until done returns. Of
     * ALREADY_ENROLLED: owner_id. */
    void (*done)(struct posting *posting, int code, const struct decision *decision);
    void *ctx;
    uint32_t retry_after_ms; /* out, of ENGINE_OVERLOADED */
    /* the engine's own */
    struct fair_item waiting;
    bool is_admitted; /* it was in a batch already: not refused any more */
    struct posting *next;
    struct batch_member *slot;
    const struct decision *decision; /* NULL: nothing of it is on its way to the database */
    int code;
    int batch_max; /* of the batches it may still go into, while a poisoned one is sought; 0: any */
    uint8_t attempts;
    uint8_t returns;  /* to S0, after a wrong hint */
    uint8_t misses;   /* attempts at which another held his member */
    int64_t aside_us; /* monotonic: since when he waits for that other */
    bool wants_state; /* his lots and debts must be read with him */
    bool is_proved;   /* the identifier is the member's, seen under his lock */
};

/* Past the bounds the party with the most waiting is refused: ENGINE_OVERLOADED. */
void engine_post(struct engine *engine, struct posting *posting);
/* Whether each lane would refuse the party's next posting: then after how many milliseconds it may
 * ask again, else 0. */
uint32_t engine_crowded_ms(struct engine *engine, struct fair_party party);

/* A member's state, read without a lock. */
struct lookup {
    bool by_identifier;
    uint8_t identifier_hash[HASH_BYTES];
    int64_t member_id;
    struct fair_party party; /* who asks */
    int64_t deadline_us;
    void (*done)(struct lookup *lookup,
                 int code); /* RESULT_OK, RESULT_UNKNOWN_MEMBER, or an engine's */
    void *ctx;
    /* out */
    int64_t available; /* usable at as_of_us (R21) */
    int64_t debt;
    int64_t as_of_us;
    /* the engine's own */
    struct fair_item waiting;
    struct lookup *next;
};

void engine_lookup(struct engine *engine, struct lookup *lookup);

/* Of the lease that lease_holder took; batches of another epoch fail. */
void engine_set_lease_epoch(struct engine *engine, int64_t epoch);
