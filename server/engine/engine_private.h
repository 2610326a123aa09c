/* What the files of engine/ share: the engine, its lanes and its reader. Others see engine.h. */
#pragma once

#include "engine/batch.h"
#include "engine/desk.h"
#include "engine/engine.h"
#include "engine/hints.h"
#include "engine/pace.h"

#define ENGINE_LANES_MAX 16
#define SILENCE_MS       2000 /* past a statement's time limit PostgreSQL itself has ended it */

enum lane_state {
    LANE_IDLE,
    LANE_READING, /* S1, S2 are sent */
    LANE_WRITING, /* COMMIT is sent: a lost connection leaves the outcome unknown */
    LANE_UNDOING, /* ROLLBACK is sent */
};

/* Why a batch did not commit, the graver the later. */
enum lane_failure {
    LANE_GOOD,
    LANE_STALE,  /* decided on an old snapshot of the reference tables */
    LANE_REPEAT, /* serialisation, deadlock, guard */
    LANE_POISON, /* one of its postings cannot be carried out */
    LANE_RETRY,  /* the database cannot at the moment */
    LANE_LOST,   /* the connection */
};

/* One posting connection and the queue of the members that are its own. */
struct lane {
    struct engine *engine;
    struct pg *pg;
    enum lane_state state;
    struct posting_list returned; /* of a batch that did not commit: before the queue */
    struct fair_queue queue;
    struct pace pace;
    struct batch batch;
    struct params params;
    struct event *start; /* fires once the turn's postings are gathered */
    bool is_short;       /* the batch under way left some behind who have much waiting */
    enum lane_failure failure;
    bool is_committed; /* the COMMIT's own result was good */
    bool is_unknown;   /* whether the batch was committed */
    bool waits_for_reference;
    int taken;                                /* postings that the batch under way began with */
    int64_t began_us, writes_us;              /* monotonic, of the batch under way */
    enum statement_id asked[BATCH_READS_MAX]; /* whose rows are due, in order */
    int asked_count, asked_taken;
};

struct lookup_list {
    struct lookup *first, **end;
    int count;
};

enum desk_state {
    DESK_IDLE,
    DESK_ASKING,     /* a transaction is under way */
    DESK_UNDOING,    /* ROLLBACK is sent */
    DESK_REFRESHING, /* waits for the reference */
};

/* One connection and the queries that wait for it. */
struct desk {
    struct engine *engine;
    enum desk_id id;
    struct pg *pg; /* NULL: this engine has no such desk */
    enum desk_state state;
    struct event *start;
    struct fair_queue changes, questions;
    struct query *current; /* while not idle */
    PGresult *result;
    int code;
    bool is_stale, is_repeated, is_committed;
    bool is_failed;                   /* a step was answered by an error */
    bool is_refused;                  /* by one of the server's: nothing was done */
    bool is_held;                     /* another holds the member: it may go later */
    int64_t asked_us, rests_until_us; /* monotonic */
    struct waiter waiter;             /* for the reference */
};

struct engine {
    struct event_base *base;
    const struct domain_clock *clock;
    struct engine_options options;
    struct reference *reference;
    struct lane lanes[ENGINE_LANES_MAX + 1]; /* the last is the waiter */
    struct fair_items refused;               /* told at the end of the turn */
    struct event *refuse;
    struct event *sweep; /* while something waits */
    uint64_t random;
    int64_t lease_epoch;
    bool is_closing;
    /* the reader: S0, lookups, the reference tables */
    struct pg *reader;
    struct params params;
    struct event *resolve, *look, *poll, *refresh; /* poll: each second; refresh: at once */
    struct fair_queue unresolved, lookups;
    struct posting_list resolving;
    struct pace resolve_pace;
    int64_t resolve_us; /* when the statement under way was sent */
    bool is_resolve_short;
    struct lookup_list looking;
    struct hints *hints;
    bool is_polling;
    struct waiter *waiters, *waiters_due;
    struct desk desks[DESKS];
};

/* lane.c */
/* waits: for members whom others hold; else it sets them aside. */
bool lane_create(struct lane *lane, struct engine *engine, bool waits);
void lane_destroy(struct lane *lane);
void lane_push(struct lane *lane, struct posting *posting);
/* How many may wait for it. */
int lane_queue_max(const struct lane *lane);
bool lane_has_work(const struct lane *lane);
/* In what time those of this lane who wait will be through. */
int64_t lane_drain_us(const struct lane *lane);
/* Starts a batch at the end of this turn, if it is idle and has work. */
void lane_wake(struct lane *lane);

/* waiter.c */
/* Whether something of this member waits, so that what comes later waits behind it. */
bool waiter_has(struct engine *engine, int64_t member_id);
void waiter_push(struct engine *engine, struct posting *posting);
/* Sends back to their lanes those behind the one it waits for: they may be free by now. */
void waiter_retry(struct engine *engine);
/* Takes the postings of one member from the waiter's queue, in order. */
void waiter_next(struct lane *waiter, struct posting_list *next_out);

/* reader.c */
bool reader_create(struct engine *engine);
void reader_destroy(struct engine *engine);
void reader_resolve(struct engine *engine, struct posting *posting);
void reader_poll(struct engine *engine);

/* desk.c */
bool desk_create(struct desk *desk, struct engine *engine, enum desk_id id);
void desk_limit(struct desk *desk); /* the engine's have changed */
void desk_destroy(struct desk *desk);

/* engine.c */
void posting_answer(struct posting *posting, int code);
void engine_publish_ready(struct engine *engine); /* as soon as it changes */
/* A posting whose member S0 has found, to its lane. */
void engine_route(struct engine *engine, struct posting *posting);
/* One that a lane had already, back to it: before what waits for its turn. */
void engine_return(struct engine *engine, struct posting *posting);
