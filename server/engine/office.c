/* Owns the connection for operators' and maintenance's statements: one at a time, in order, text in
 * and out, so that a long check never stands in a till's way. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "engine/engine_private.h"

struct query_rows {
    const PGresult *result;
};

/* The statement under way: its result is kept until its Sync. */
struct office_call {
    struct engine *engine;
    struct query *query;
    PGresult *result;
    int code;
};

static void on_result(void *ctx, const PGresult *result)
{
    struct office_call *call = ctx;
    if (!result) {
        call->code = ENGINE_NOT_READY;
    } else if (PQresultStatus(result) == PGRES_TUPLES_OK) {
        call->code = RESULT_OK;
        call->result = PQcopyResult(result, PG_COPYRES_ATTRS | PG_COPYRES_TUPLES);
    } else {
        char text[256];
        pg_error_text(result, text, sizeof text);
        log_warning("query_failed", "statement=%d cause=\"%s\"", call->query->statement, text);
        /* two operators added the same at the same moment: ask again */
        bool is_twin = !strncmp(text, "23505", 5);
        call->code =
            pg_failure_of(result) == PG_POISON && !is_twin ? ENGINE_INTERNAL : ENGINE_TRANSIENT;
    }
}

static void on_done(void *ctx, const PGresult *sync)
{
    struct office_call *call = ctx;
    struct query_rows rows = {call->result};
    bool is_changing = call->code == RESULT_OK || call->code == ENGINE_NOT_READY;
    bool is_synced = sync && PQresultStatus(sync) == PGRES_PIPELINE_SYNC;
    bool is_unreplicated = pg_take_unreplicated(call->engine->office);
    if ((!is_synced || is_unreplicated) &&
        is_changing) /* the statement ran; whether it was committed, nobody says */
        call->code = ENGINE_OUTCOME_UNKNOWN;
    call->engine->pending--;
    call->query->done(call->query, call->code, call->result ? &rows : NULL);
    PQclear(call->result);
    free(call);
}

void engine_query(struct engine *engine, struct query *query)
{
    struct office_call *call = calloc(1, sizeof *call);
    engine->pending++;
    query->next = NULL;
    if (!call || !pg_ready(engine->office)) {
        free(call);
        *engine->queries_end = query; /* answered at the end of the turn */
        engine->queries_end = &query->next;
        event_active(engine->refuse, 0, 0);
        return;
    }
    *call = (struct office_call){engine, query, NULL, ENGINE_NOT_READY};
    pg_send_text(engine->office, query->statement,
                 (struct pg_texts){query->values, query->value_count}, on_result, call);
    pg_sync(engine->office, on_done, call);
}

static void on_refuse(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd, (void)what;
    struct engine *engine = ctx;
    struct query *query = engine->queries, *next;
    engine->queries = NULL;
    engine->queries_end = &engine->queries;
    for (; query; query = next) {
        next = query->next;
        engine->pending--;
        query->done(query, ENGINE_NOT_READY, NULL);
    }
}

int query_rows_count(const struct query_rows *rows)
{
    return PQntuples(rows->result);
}

const char *query_rows_value(const struct query_rows *rows, int row, int column)
{
    return PQgetvalue(rows->result, row, column);
}

static void on_office_state(void *ctx, bool is_ready)
{
    (void)is_ready;
    engine_publish(ctx);
}

bool office_create(struct engine *engine)
{
    engine->queries_end = &engine->queries;
    engine->refuse = event_new(engine->base, -1, 0, on_refuse, engine);
    struct pg_options options = {
        .conninfo = engine->options.conninfo,
        .name = "loyald office",
        .settings = "-c jit=off -c timezone=UTC -c statement_timeout=600000",
        .first = STATEMENT_MERCHANT_ADD,
        .last = STATEMENT_MEMBERS_DUE,
        .state_changed = on_office_state,
        .ctx = engine,
    };
    engine->office = pg_create(engine->base, &options);
    return engine->refuse && engine->office;
}

void office_destroy(struct engine *engine)
{
    pg_destroy(&engine->office);
    on_refuse(-1, 0, engine);
    event_free(engine->refuse);
}
