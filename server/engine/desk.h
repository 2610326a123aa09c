/* Desks: what sessions and maintenance ask beside postings and look-ups. Part of the engine. */
#pragma once

#include "engine/engine.h"

/* Connections for single statements, each with a queue of its own, so that a long question never
 * stands in the way of a short one, nor either in a till's. */
enum desk_id {
    DESK_COUNTER, /* the daemon's role: short, of terminals and operators */
    DESK_OFFICE,  /* the daemon's role: operators' checks, and maintenance */
    DESK_WINDOW,  /* loyal_reader: pages of purchases elsewhere */
    DESK_CENSUS,  /* loyal_reader: counts */
    DESK_ERASER,  /* loyal_eraser */
    DESKS
};

/* A question or change: one statement of store/statements.h with text parameters, its own
 * transaction. */
struct query_rows; /* text values: query_rows_count, query_rows_value */

struct query {
    enum desk_id desk;
    int statement;             /* enum statement_id */
    const char *const *values; /* text, NULL for null; alive until done */
    int value_count;
    bool is_writing;      /* a lost connection leaves its outcome unknown */
    bool is_of_reference; /* changes it: waits for all who decide on the old one */
    int64_t deadline_us;  /* clock_monotonic_us; 0: none */
    int32_t terminal_id;  /* few of one wait at a time; 0: of no terminal */
    /* Of the window and the census: who asks, what for (loyal.v1.Purpose), and when, which the desk
     * sets as it asks. */
    int32_t asker;
    int purpose;
    int64_t at_us;
    /* Called before each attempt. False: he who asks lost his right (ENGINE_NOT_IDENTIFIED). The
     * transaction then proves that the reference is still the one given. NULL: need not be asked.
     */
    bool (*prepare)(struct query *query, struct reference *reference);
    /* Of what is recorded as shown: called once the rows are there, before COMMIT. False: nobody
     * takes them any more, and nothing is recorded (ENGINE_DEADLINE_EXCEEDED). NULL: COMMIT goes
     * along with the statement, a round trip sooner. */
    bool (*may_commit)(struct query *query);
    void (*done)(struct query *query, int code,
                 const struct query_rows *rows); /* RESULT_OK or an engine's */
    void *ctx;
    /* the engine's own */
    struct fair_item waiting;
    int attempts;
    int64_t held_since_us; /* another holds its member; 0: not yet */
};

/* Changes go before questions. What the desk has no place for is OVERLOADED at once. */
void engine_query(struct engine *engine, struct query *query);
int query_rows_count(const struct query_rows *rows);
bool query_rows_is_null(const struct query_rows *rows, int row, int column);
/* Never NULL: "" for null. */
const char *query_rows_value(const struct query_rows *rows, int row, int column);
