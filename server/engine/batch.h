/* A batch: the postings that share one transaction, the members they touch, and what becomes of
 * both. Filled by lane.c from its queue, read by read.c, decided by batch.c, written by write.c.
 * Everything in it lives in its arena until batch_reset. */
#pragma once

#include "engine/engine.h"
#include "store/pg.h"

#define BATCH_ARENA_BYTES_MAX (64u << 20)

struct batch_member {
    struct member member;
    bool wants_state; /* lots and debts are read */
    bool is_held;     /* by another transaction: nothing of his was read */
    bool is_deferred; /* a posting of his goes again: so do those behind it */
};

struct posting_list {
    struct posting *first, **end;
    int count;
};

struct asked_identifier {
    const uint8_t *hash;
    struct posting *posting;
};

struct identifier_claim {
    const uint8_t *hash;
    const struct posting *posting;
};

struct known_identifier {
    const uint8_t *hash;
    int64_t member_id;
};

struct batch {
    struct posting_list postings;
    struct posting_list again;    /* undecided: into the next batch */
    struct batch_member *members; /* ascending by (bucket, member_id), the order of locking */
    int member_count;
    bool waits;                    /* for members whom others hold; else they are left out */
    struct posting_list strangers; /* their identifier is not the member's: back to S0 */
    /* whose identifiers are asked for under the lock, by number of the question */
    struct asked_identifier *asked;
    int asked_count;
    struct identifier_claim *claims; /* room for those that new members get */
    struct known_identifier *known;  /* of enrolments: those known, or claimed in this batch */
    int known_count;
    struct ledger_terms terms;
    struct reference *reference;
    struct arena arena;
    bool
        is_broken; /* what was read is not whole, or cannot be true: nothing may be decided on it */
};

static inline int16_t bucket_of(int64_t member_id)
{
    return (int16_t)(member_id & 255);
}

void posting_list_init(struct posting_list *list);
void posting_list_push(struct posting_list *list, struct posting *posting);
struct posting *posting_list_pop(struct posting_list *list);
/* Puts all of `front` before what list holds; front is empty afterwards. */
void posting_list_prepend(struct posting_list *list, struct posting_list *front);

void batch_init(struct batch *batch);
/* Forgets members and memory; the postings must have gone. */
void batch_reset(struct batch *batch);
void batch_free(struct batch *batch);

/* Makes the members of the postings. False: no memory. */
bool batch_plan(struct batch *batch, struct reference *reference, const struct ledger_terms *terms);
/* NULL: a row of nobody in this batch. */
struct batch_member *batch_find(const struct batch *batch, int64_t member_id);
/* Decides every posting, in order; sets code and decision, or moves it to `again`, as all of a
 * member who is held. False: the arena is exhausted, or
 * what was read cannot be true. */
bool batch_decide(struct batch *batch, int64_t now_us);

#define BATCH_READS_MAX 16

/* Who is told of S1 and S2: `each` of every result but the last, the epoch's, which means that all
 * is there (NULL: the connection was lost). */
struct batch_reads {
    pg_callback *each, *last;
    void *ctx;
};

/* read.c: queues BEGIN, S1 and S2. asked_out: the statements in order, the last one left out;
 * returns how many. */
int batch_send_reads(struct batch *batch, struct pg *pg, struct params *params,
                     enum statement_id asked_out[BATCH_READS_MAX], const struct batch_reads *reads);
/* Takes one result of a statement into the members. */
void batch_take_rows(struct batch *batch, enum statement_id statement, const PGresult *rows);

/* write.c: queues all writes of the batch. */
void batch_send_writes(struct batch *batch, struct pg *pg, struct params *params, pg_callback *each,
                       void *ctx);
