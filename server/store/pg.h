/* One connection to PostgreSQL in pipeline mode: connects and reconnects by itself, prepares its
 * statements, checks the schema's version, and hands each command's result to its callback, in
 * order. Non-blocking, on the worker's libevent base.
 *
 * Each command queued gets exactly one callback: with its result, or with NULL when the connection
 * was lost before it came. Callbacks run from the event loop, never inside the call that queued the
 * command. */
#pragma once

#include <event2/event.h>
#include <libpq-fe.h>

#include "base/err.h"
#include "base/stats.h"
#include "store/params.h"
#include "store/statements.h"

#define PG_SCHEMA_WANTED "certificates" /* loyal.schema_version that this program works on */
/* and those before it, by which an older database is told from a newer one */
#define PG_SCHEMAS_OLDER                                                                 \
    "reference", "members", "journal", "maintenance", "check", "privileges", "standing", \
        "consent", "network", "census", "erasure", "rights"

struct pg;

struct pg_options {
    const char *conninfo;
    const char *name;     /* application_name: "loyald lane" */
    const char *settings; /* "-c name=value ..." for the server */
    int silence_ms_max;   /* a server that owes a result for so long is given up; 0: never */
    /* statements that it prepares beside the first five: first to last */
    enum statement_id first;
    enum statement_id last;
    enum stats_link link;       /* what it counts as, */
    struct worker_stats *stats; /* and where */
    void (*state_changed)(
        void *ctx,
        bool is_ready); /* ready to take commands, or no longer (after the callbacks with NULL) */
    void *ctx;
};

typedef void pg_callback(void *ctx, const PGresult *result);

struct pg *pg_create(struct event_base *base, const struct pg_options *options);
/* Callbacks still due are called with NULL. Not from inside one. */
void pg_destroy(struct pg **pg);

/* As in the options, from the next result on. */
void pg_set_silence_max(struct pg *pg, int silence_ms_max);

bool pg_ready(const struct pg *pg);
/* Why it is not ready; "" when it is. */
const char *pg_reason(const struct pg *pg);
enum stats_reason pg_trouble(const struct pg *pg);

/* Queues a prepared statement; params may be NULL. Callbacks may be NULL: then errors are still
 * passed on by what follows them. */
void pg_send(struct pg *pg, enum statement_id statement, const struct params *params,
             pg_callback *callback, void *ctx);
struct pg_texts {
    const char *const *values; /* NULL for null */
    int count;
};

/* The same with text parameters and a text result, for operators' statements. */
void pg_send_text(struct pg *pg, enum statement_id statement, struct pg_texts texts,
                  pg_callback *callback, void *ctx);
/* Ends a unit: what came before it is done only when this callback has its PGRES_PIPELINE_SYNC.
 * Flushes. */
void pg_sync(struct pg *pg, pg_callback *callback, void *ctx);
/* Lets the server answer what was sent so far without ending the unit. Flushes. */
void pg_flush(struct pg *pg);

/* Since the last call: did a commit warn that it was not replicated? */
bool pg_take_unreplicated(struct pg *pg);

/* What a failed command means for its postings (ARCHITECTURE section 4). */
enum pg_failure {
    PG_POISON, /* one of them cannot be carried out: find it */
    PG_REPEAT, /* serialisation, deadlock, a failed guard: the same again */
    PG_RETRY,  /* the database cannot at the moment */
};
enum pg_failure pg_failure_of(const PGresult *result);
/* "23505: duplicate key ..." of a failed result, for logs. */
void pg_error_text(const PGresult *result, char *text_out, size_t size);
