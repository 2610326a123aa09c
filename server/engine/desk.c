/* Owns the desks: single statements, each in a transaction of its own, one at a time and in order.
 * A session's transaction proves before its COMMIT that the reference is still the one by which its
 * right was judged; the lock that reading the epoch takes lasts until it has committed, and whoever
 * changes the reference waits for it. So nothing commits under a terminal after its revocation did,
 * and a long statement holds nobody up. Answers only after the Sync behind COMMIT. */
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/timer.h"
#include "engine/admission.h"

#define WAITING_MAX  200 /* questions at one desk */
#define TERMINAL_MAX 8   /* questions of one terminal, and changes */
#define REPEATS_MAX  2
#define STALE_MAX    10
#define NUMBER_BYTES 24
#define REST_TIMES   9 /* as long as the query took, while postings wait */
#define REST_US_MAX  10000000
#define HELD_US      5000 /* until the next is asked after one whose member is held */

struct query_rows {
    const PGresult *result;
};

/* What each connection is for. Plans of the short ones are fixed by hand: few rows found by keys,
 * whatever the statistics say. */
struct desk_kind {
    const char *name;
    const char *settings;
    enum statement_id first, last;
    int statement_timeout_ms; /* as the settings have it */
};

#define BY_INDEX                                                                  \
    "-c plan_cache_mode=force_generic_plan -c enable_seqscan=off "                \
    "-c enable_hashjoin=off -c enable_mergejoin=off -c enable_bitmapscan=off "    \
    "-c enable_material=off -c enable_memoize=off -c enable_sort=off -c jit=off " \
    "-c timezone=UTC "

static const struct desk_kind KINDS[DESKS] = {
    [DESK_COUNTER] = {"loyald counter", BY_INDEX "-c statement_timeout=10000 -c lock_timeout=2000",
                      STATEMENT_GRANT_SET, STATEMENT_RATES_LIST, 10000},
    [DESK_OFFICE] = {"loyald office", "-c jit=off -c timezone=UTC -c statement_timeout=600000",
                     STATEMENT_MEMBER_EXPORT, STATEMENT_MEMBERS_DUE, 600000},
    [DESK_WINDOW] = {"loyald window", BY_INDEX "-c statement_timeout=10000", STATEMENT_LOOK_AS,
                     STATEMENT_NEVER_MET_PAGE, 10000},
    [DESK_CENSUS] = {"loyald census",
                     "-c timezone=UTC -c statement_timeout=60000 -c lock_timeout=1000",
                     STATEMENT_LOOK_AS, STATEMENT_MEMBERS_COUNT, 60000},
    [DESK_ERASER] = {"loyald eraser", "-c jit=off -c timezone=UTC -c statement_timeout=60000",
                     STATEMENT_MEMBER_ERASE, STATEMENT_ERASURE_FIND, 60000},
};

static bool is_of_reader(const struct desk *desk)
{
    return desk->id == DESK_WINDOW || desk->id == DESK_CENSUS;
}

static bool has_work(const struct desk *desk)
{
    return desk->changes.count > 0 || desk->questions.count > 0;
}

static void desk_wake(struct desk *desk)
{
    int64_t rest_us = desk->rests_until_us - clock_monotonic_us();
    if (desk->state != DESK_IDLE || !has_work(desk))
        return;
    if (rest_us > 0 && !desk->engine->is_closing) {
        struct timeval after = {.tv_sec = rest_us / 1000000, .tv_usec = rest_us % 1000000};
        timer_set(desk->start, &after);
    } else {
        event_active(desk->start, 0, 0);
    }
}

/* Points come first: where postings wait, a reader's desk has a tenth of its time. */
static void desk_rest(struct desk *desk)
{
    struct engine *engine = desk->engine;
    bool is_crowded = false;
    for (int i = 0; i < engine->options.lanes; i++)
        is_crowded = is_crowded || lane_has_work(&engine->lanes[i]);
    if (!is_crowded || !is_of_reader(desk))
        return;
    int64_t now_us = clock_monotonic_us();
    int64_t rest_us = REST_TIMES * (now_us - desk->asked_us);
    desk->rests_until_us = now_us + (rest_us < REST_US_MAX ? rest_us : REST_US_MAX);
}

static struct query *query_of(struct fair_item *item)
{
    return (struct query *)(void *)((char *)item - offsetof(struct query, waiting));
}

/* Changes go before questions, but for one whose member is held. */
static struct query *desk_pop(struct desk *desk)
{
    struct fair_item *item = desk->is_held ? fair_pop(&desk->questions) : NULL;
    if (!item)
        item = fair_pop(&desk->changes);
    return query_of(item ? item : fair_pop(&desk->questions));
}

/* ---- the end of a query ---- */

static void desk_answer(struct desk *desk, int code)
{
    struct query *query = desk->current;
    PGresult *result = desk->result;
    struct query_rows rows = {result};
    desk->current = NULL;
    desk->result = NULL;
    desk->state = DESK_IDLE;
    if (code == RESULT_OK && query->is_of_reference)
        reader_poll(desk->engine); /* what it changed is wanted soon */
    query->done(query, code, code == RESULT_OK ? &rows : NULL);
    PQclear(result);
    desk_rest(desk);
    desk_wake(desk);
}

static void desk_ask(struct desk *desk);

/* The same query again. */
static void desk_repeat(struct desk *desk)
{
    PQclear(desk->result);
    desk->result = NULL;
    desk_ask(desk);
}

static void on_refreshed(void *ctx, bool is_fresh)
{
    struct desk *desk = ctx;
    if (desk->state != DESK_REFRESHING)
        return;
    if (is_fresh && !desk->engine->is_closing)
        desk_repeat(desk);
    else
        desk_answer(desk, ENGINE_NOT_READY);
}

static void failure_log(const struct desk *desk, const char *cause)
{
    log_warning("query_failed", "desk=\"%s\" statement=%d cause=\"%s\"", KINDS[desk->id].name,
                desk->current->statement, cause);
}

/* The others first. False: it has waited for long enough. */
static bool held_set_aside(struct desk *desk)
{
    struct query *query = desk->current;
    struct engine *engine = desk->engine;
    int64_t now_us = clock_monotonic_us();
    if (!query->held_since_us)
        query->held_since_us = now_us;
    if (engine->is_closing ||
        now_us - query->held_since_us >= engine->options.lock_timeout_ms * INT64_C(1000)) {
        failure_log(desk, "another transaction holds the member");
        return false;
    }
    PQclear(desk->result); /* rows may have come before what failed */
    desk->current = NULL;
    desk->result = NULL;
    desk->state = DESK_IDLE;
    desk->rests_until_us = now_us + HELD_US;
    fair_return(&desk->changes, &query->waiting);
    engine_sweep_soon(engine);
    desk_wake(desk);
    return true;
}

static void desk_end(struct desk *desk)
{
    if (desk->is_held && held_set_aside(desk))
        return;
    int attempts_max = desk->is_stale ? STALE_MAX : REPEATS_MAX;
    bool again = (desk->is_stale || desk->is_repeated) && !desk->engine->is_closing;
    if (!again || desk->current->attempts++ >= attempts_max) {
        desk_answer(desk, again ? ENGINE_TRANSIENT : desk->code);
    } else if (desk->is_stale) {
        desk->state = DESK_REFRESHING;
        engine_refresh(desk->engine, &desk->waiter);
    } else {
        desk_repeat(desk);
    }
}

/* ---- results ---- */

static void on_undone(void *ctx, const PGresult *result)
{
    (void)result; /* even when the connection is lost now: nothing was committed */
    desk_end(ctx);
}

static void desk_undo(struct desk *desk, bool is_synced)
{
    if (desk->code == RESULT_OK)
        desk->code = ENGINE_TRANSIENT;
    desk->state = DESK_UNDOING;
    if (!is_synced)
        pg_sync(desk->pg, NULL, NULL);
    pg_send(desk->pg, STATEMENT_ROLLBACK, NULL, NULL, NULL);
    pg_sync(desk->pg, on_undone, desk);
}

/* A record of what was shown is one, too. */
static bool has_effect(const struct query *query)
{
    return query->is_writing || query->may_commit;
}

static void on_committed(void *ctx, const PGresult *sync)
{
    struct desk *desk = ctx;
    bool is_unreplicated = pg_take_unreplicated(desk->pg);
    bool is_done = desk->is_committed && !desk->is_failed && desk->code == RESULT_OK;
    bool is_unsure = desk->is_committed ? !is_done : desk->is_failed && !desk->is_refused;
    if (!sync || is_unsure) {
        /* a definite error that came first stays definite, unless it committed in spite of it */
        if (!desk->is_refused || desk->is_committed) {
            desk->is_stale = desk->is_repeated = desk->is_held = false;
            desk->code = has_effect(desk->current) ? ENGINE_OUTCOME_UNKNOWN : ENGINE_NOT_READY;
        }
        desk_end(desk);
    } else if (desk->is_committed) {
        if (is_unreplicated)
            desk->code = has_effect(desk->current) ? ENGINE_OUTCOME_UNKNOWN : ENGINE_TRANSIENT;
        desk_end(desk);
    } else {
        desk_undo(desk, true);
    }
}

/* The first thing that went wrong. */
static void failure_note(struct desk *desk, const PGresult *result)
{
    if (!result || PQresultStatus(result) != PGRES_FATAL_ERROR)
        return;
    char text[256];
    pg_error_text(result, text, sizeof text);
    desk->is_failed = true;
    desk->is_refused |= PQresultErrorField(result, PG_DIAG_SQLSTATE) != NULL;
    const struct query *query = desk->current;
    desk->is_held = !strncmp(text, "55P03", 5) && query->is_writing && !query->is_of_reference;
    if (!desk->is_held)
        failure_log(desk, text);
    /* two added the same at the same moment: the second finds the first's */
    bool is_twin = !strncmp(text, "23505", 5);
    enum pg_failure failure = pg_failure_of(result);
    desk->is_repeated = is_twin || failure == PG_REPEAT;
    desk->code = failure == PG_POISON ? ENGINE_INTERNAL : ENGINE_TRANSIENT;
}

static void on_commit(void *ctx, const PGresult *result)
{
    struct desk *desk = ctx;
    failure_note(desk, result);
    desk->is_committed = result && PQresultStatus(result) == PGRES_COMMAND_OK &&
                         strcmp(PQcmdStatus((PGresult *)(uintptr_t)result), "COMMIT") == 0;
}

static void commit_send(struct desk *desk)
{
    static const struct pg_texts none = {NULL, 0};
    pg_send_text(desk->pg, STATEMENT_COMMIT, none, on_commit, desk);
    pg_sync(desk->pg, on_committed, desk);
}

/* The rows of a page are here, and not yet recorded as shown. */
static void page_judge(struct desk *desk, const PGresult *result)
{
    if (!result) {
        if (desk->code == RESULT_OK) /* nor will they be: the connection is lost */
            desk->code = ENGINE_NOT_READY;
        desk_end(desk);
    } else if (desk->is_failed || desk->code != RESULT_OK) {
        desk_undo(desk, false);
    } else if (!desk->current->may_commit(desk->current)) {
        desk->code = ENGINE_DEADLINE_EXCEEDED;
        desk_undo(desk, false);
    } else {
        commit_send(desk);
    }
}

static void on_guard(void *ctx, const PGresult *result)
{
    struct desk *desk = ctx;
    const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    desk->is_stale = state && !strcmp(state, "22012");
    if (desk->is_stale) {
        desk->is_failed = desk->is_refused = true;
        desk->code = ENGINE_TRANSIENT; /* whatever rows came before */
    } else {
        failure_note(desk, result);
    }
    if (desk->current->may_commit)
        page_judge(desk, result);
}

static void on_step(void *ctx, const PGresult *result)
{
    failure_note(ctx, result);
}

static void on_rows(void *ctx, const PGresult *result)
{
    struct desk *desk = ctx;
    failure_note(desk, result);
    if (!result || PQresultStatus(result) != PGRES_TUPLES_OK || desk->is_failed)
        return;
    desk->result = PQcopyResult(result, PG_COPYRES_ATTRS | PG_COPYRES_TUPLES);
    desk->code = desk->result ? RESULT_OK : ENGINE_TRANSIENT;
}

/* ---- the start of a query ---- */

static void step_send(struct desk *desk, enum statement_id statement, struct pg_texts texts,
                      pg_callback *callback)
{
    pg_send_text(desk->pg, statement, texts, callback, desk);
}

static void context_send(struct desk *desk)
{
    struct query *query = desk->current;
    query->at_us = domain_clock_us(desk->engine->clock);
    char asker[NUMBER_BYTES], purpose[NUMBER_BYTES], at[NUMBER_BYTES];
    const char *values[] = {asker, purpose, at};
    snprintf(asker, sizeof asker, "%" PRId32, query->asker);
    snprintf(purpose, sizeof purpose, "%d", query->purpose);
    snprintf(at, sizeof at, "%" PRId64, query->at_us);
    step_send(desk, STATEMENT_LOOK_AS, (struct pg_texts){values, 3}, on_step);
}

static void guard_send(struct desk *desk)
{
    char epoch[NUMBER_BYTES];
    const char *values[] = {epoch};
    snprintf(epoch, sizeof epoch, "%" PRId64, reference_epoch(desk->engine->reference));
    step_send(desk, is_of_reader(desk) ? STATEMENT_READER_GUARD : STATEMENT_EPOCH_GUARD,
              (struct pg_texts){values, 1}, on_guard);
}

/* 0, or why the current query cannot be asked now. */
static int desk_judge(const struct desk *desk)
{
    struct query *query = desk->current;
    if (!pg_ready(desk->pg))
        return ENGINE_NOT_READY;
    if (query->deadline_us && query->deadline_us < clock_monotonic_us())
        return ENGINE_DEADLINE_EXCEEDED;
    if (query->prepare && !desk->engine->reference)
        return ENGINE_NOT_READY;
    if (query->prepare && !query->prepare(query, desk->engine->reference))
        return ENGINE_NOT_IDENTIFIED;
    return 0;
}

static void desk_ask(struct desk *desk)
{
    const struct query *query = desk->current;
    static const struct pg_texts none = {NULL, 0};
    int code = desk_judge(desk);
    if (code) {
        desk_answer(desk, code);
        return;
    }
    desk->state = DESK_ASKING;
    desk->asked_us = clock_monotonic_us();
    desk->code = ENGINE_NOT_READY;
    desk->is_stale = desk->is_repeated = desk->is_committed = false;
    desk->is_failed = desk->is_refused = desk->is_held = false;
    step_send(desk, STATEMENT_BEGIN, none, NULL);
    if (query->is_of_reference) { /* it raises the epoch itself */
        step_send(desk, STATEMENT_REFERENCE_LOCK, none, on_step);
        guard_send(desk);
    }
    if (is_of_reader(desk))
        context_send(desk);
    step_send(desk, (enum statement_id)query->statement,
              (struct pg_texts){query->values, query->value_count}, on_rows);
    if (query->prepare && !query->is_of_reference)
        guard_send(desk);
    if (query->may_commit)
        pg_flush(desk->pg);
    else
        commit_send(desk);
}

static void on_start(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd, (void)what;
    struct desk *desk = ctx;
    if (desk->state != DESK_IDLE || !has_work(desk))
        return;
    desk->current = desk_pop(desk);
    if (!desk->pg || desk->engine->is_closing)
        desk_answer(desk, ENGINE_NOT_READY);
    else
        desk_ask(desk);
}

static void on_query_ended(struct fair_item *item, void *ctx, int code)
{
    struct query *query = query_of(item);
    (void)ctx;
    query->done(query, code, NULL);
}

void engine_query(struct engine *engine, struct query *query)
{
    struct desk *desk = &engine->desks[query->desk];
    struct fair_queue *queue = query->is_writing ? &desk->changes : &desk->questions;
    query->attempts = 0;
    query->held_since_us = 0;
    query->waiting = (struct fair_item){
        .party = {query->asker, query->terminal_id},
        .deadline_us = query->deadline_us ? query->deadline_us : INT64_MAX,
        .ended = on_query_ended,
    };
    if (query->terminal_id && fair_waiting(queue, query->waiting.party) >= TERMINAL_MAX)
        engine_refuse(engine, &query->waiting);
    else
        engine_admit(engine, queue, &query->waiting, query->is_writing ? INT_MAX : WAITING_MAX);
    desk_wake(desk);
}

int query_rows_count(const struct query_rows *rows)
{
    return PQntuples(rows->result);
}

bool query_rows_is_null(const struct query_rows *rows, int row, int column)
{
    return PQgetisnull(rows->result, row, column) != 0;
}

const char *query_rows_value(const struct query_rows *rows, int row, int column)
{
    return PQgetvalue(rows->result, row, column);
}

/* ---- life ---- */

static const char *conninfo_of(const struct engine_options *options, enum desk_id id)
{
    switch (id) {
    case DESK_WINDOW:
    case DESK_CENSUS: return options->reader_conninfo;
    case DESK_ERASER: return options->eraser_conninfo;
    default: return options->conninfo;
    }
}

static void on_desk_state(void *ctx, bool is_ready)
{
    struct desk *desk = ctx;
    (void)is_ready;
    desk_wake(desk);
}

/* What nobody waits for any more does not hold up the others. */
static int silence_ms_max(const struct desk *desk)
{
    int ms = KINDS[desk->id].statement_timeout_ms, most = desk->engine->options.deadline_ms_max;
    return (most && most < ms ? most : ms) + SILENCE_MS;
}

void desk_limit(struct desk *desk)
{
    if (desk->pg)
        pg_set_silence_max(desk->pg, silence_ms_max(desk));
}

bool desk_create(struct desk *desk, struct engine *engine, enum desk_id id)
{
    _Static_assert(STATS_COUNTER + (int)DESKS == (int)STATS_LINKS, "each desk is counted");
    const struct desk_kind *kind = &KINDS[id];
    desk->engine = engine;
    desk->id = id;
    desk->waiter = (struct waiter){.done = on_refreshed, .ctx = desk};
    fair_init(&desk->changes);
    fair_init(&desk->questions);
    desk->start = event_new(engine->base, -1, 0, on_start, desk);
    struct pg_options options = {
        .conninfo = conninfo_of(&engine->options, id),
        .name = kind->name,
        .settings = kind->settings,
        .silence_ms_max = silence_ms_max(desk),
        .first = kind->first,
        .last = kind->last,
        .link = (enum stats_link)(STATS_COUNTER + id),
        .stats = engine->options.stats,
        .state_changed = on_desk_state,
        .ctx = desk,
    };
    if (options.conninfo)
        desk->pg = pg_create(engine->base, &options);
    return desk->start && (desk->pg || !options.conninfo);
}

void desk_destroy(struct desk *desk)
{
    if (!desk->engine)
        return;
    pg_destroy(&desk->pg); /* ends the query under way */
    if (desk->state == DESK_REFRESHING)
        desk_answer(desk, ENGINE_NOT_READY);
    engine_end_all(desk->engine, &desk->changes, ENGINE_NOT_READY);
    engine_end_all(desk->engine, &desk->questions, ENGINE_NOT_READY);
    fair_free(&desk->changes);
    fair_free(&desk->questions);
    if (desk->start)
        event_free(desk->start);
}
