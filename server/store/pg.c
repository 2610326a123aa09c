/* Owns one libpq connection: its life, its queue of commands in flight, its events. Knows nothing
 * of batches or points. */
#include "store/pg.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/timer.h"
#include "store/abandoned.h"
#include "store/schema.h"
#include "store/shape.h"

#define RECONNECT_MS_FIRST  50
#define RECONNECT_MS_MAX    2000
#define LOG_AGAIN_US        60000000 /* an unchanged cause is logged again after this */
#define CONNECT_SECONDS_MAX 10
#define COMMANDS_MAX        256 /* more than all statements, and than any batch has */

enum pg_state { PG_CLOSED, PG_CONNECTING, PG_PREPARING, PG_READY };

/* What is due: a statement's result (enum statement_id), or one of these. */
enum { DUE_PREPARED = -1, DUE_SYNC = -2 };

/* A command whose result is due. */
struct pg_command {
    int due;
    pg_callback *callback;
    void *ctx;
};

struct pg {
    struct event_base *base;
    struct pg_options options;
    enum pg_state state;
    PGconn *conn;
    struct event *readable, *writable, *timer;
    int backoff_ms;
    struct pg_command commands[COMMANDS_MAX]; /* ring */
    size_t first, count;
    bool failed; /* lost inside a call: closed from the loop */
    bool is_unreplicated;
    struct abandoned abandoned;
    enum stats_reason trouble; /* while it is not ready */
    char reason[300];
    char logged[300]; /* the cause that was logged last, and when */
    int64_t logged_us;
};

static void on_readable(evutil_socket_t fd, short what, void *ctx);
static void on_writable(evutil_socket_t fd, short what, void *ctx);
static void on_timer(evutil_socket_t fd, short what, void *ctx);

static void events_free(struct pg *pg)
{
    if (pg->readable)
        event_free(pg->readable);
    if (pg->writable)
        event_free(pg->writable);
    pg->readable = pg->writable = NULL;
}

static void timer_start(struct pg *pg, int ms)
{
    struct timeval after = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000L};
    timer_set(pg->timer, &after);
}

static void command_push(struct pg *pg, int due, pg_callback *callback, void *ctx)
{
    assert(pg->count < COMMANDS_MAX);
    pg->commands[(pg->first + pg->count++) % COMMANDS_MAX] =
        (struct pg_command){due, callback, ctx};
}

static struct pg_command command_pop(struct pg *pg)
{
    struct pg_command command = pg->commands[pg->first];
    pg->first = (pg->first + 1) % COMMANDS_MAX;
    pg->count--;
    return command;
}

static void reason_set(struct pg *pg, const char *why)
{
    snprintf(pg->reason, sizeof pg->reason, "%s", why);
    for (char *c = pg->reason; *c; c++)
        if (*c == '\n' || *c == '"')
            *c = ' ';
}

static const char *event_of(enum stats_reason trouble)
{
    switch (trouble) {
    case STATS_WRONG_SCHEMA: return "database_schema";
    case STATS_NOT_DURABLE: return "database_durability";
    case STATS_REFUSED: return "database_setup";
    default: return "database_lost";
    }
}

/* Each cause once, not at each attempt to connect. */
static void reason_log(struct pg *pg)
{
    int64_t now_us = clock_monotonic_us();
    bool is_known = !strcmp(pg->reason, pg->logged) && now_us - pg->logged_us < LOG_AGAIN_US;
    if (!is_known || pg->state == PG_READY) {
        log_warning(event_of(pg->trouble), "connection=\"%s\" cause=\"%s\"", pg->options.name,
                    pg->reason);
        memcpy(pg->logged, pg->reason, sizeof pg->logged);
        pg->logged_us = now_us;
    }
}

/* Those who lost it together do not come back in one moment. */
static int backoff_next(struct pg *pg)
{
    int ms = pg->backoff_ms;
    pg->backoff_ms = ms * 2 > RECONNECT_MS_MAX ? RECONNECT_MS_MAX : ms * 2;
    uint8_t random;
    hash_random(&random, sizeof random);
    return ms - ms * random / 512;
}

/* Forgets the connection, tells everyone who waits, and tries again after a while. */
static void pg_close(struct pg *pg, const char *why)
{
    bool was_ready = pg->state == PG_READY;
    if (was_ready) {
        stats_add(&pg->options.stats->links[pg->options.link], -1);
        stats_add(&pg->options.stats->links_lost[pg->options.link], 1);
    }
    if (was_ready || !pg->failed)
        pg->trouble = STATS_UNREACHABLE;
    reason_set(pg, why);
    reason_log(pg);
    pg->state = PG_CLOSED;
    pg->failed = pg->is_unreplicated = false;
    events_free(pg);
    if (pg->conn)
        PQfinish(pg->conn);
    pg->conn = NULL;
    if (was_ready)
        abandoned_leave(&pg->abandoned);
    while (pg->count) {
        struct pg_command command = command_pop(pg);
        if (command.callback)
            command.callback(command.ctx, NULL);
    }
    if (was_ready && pg->options.state_changed)
        pg->options.state_changed(pg->options.ctx, false);
    timer_start(pg, backoff_next(pg));
}

/* Inside a call no callback may run: leave it to the loop. */
static void pg_fail_later(struct pg *pg)
{
    if (pg->failed)
        return;
    pg->failed = true;
    timer_start(pg, 0);
}

/* Both NULL-safe and without memory no connection. */
static void watch(struct pg *pg, struct event *event)
{
    if (!event || event_add(event, NULL) != 0)
        pg_fail_later(pg);
}

static void pg_write(struct pg *pg)
{
    if (pg->failed || !pg->conn)
        return;
    int left = PQflush(pg->conn);
    if (left < 0)
        pg_fail_later(pg);
    else if (left > 0)
        watch(pg, pg->writable);
}

static void on_notice(void *ctx, const PGresult *result)
{
    struct pg *pg = ctx;
    const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    if (text && strstr(text, "canceling wait for synchronous replication"))
        pg->is_unreplicated = true;
}

/* Connected, and of no use as it is. */
static void pg_unfit(struct pg *pg, enum stats_reason trouble, const char *why)
{
    reason_set(pg, why);
    pg->trouble = trouble;
    pg_fail_later(pg);
}

static void on_setup_error(void *ctx, const PGresult *result)
{
    struct pg *pg = ctx;
    if (!result || PQresultStatus(result) == PGRES_COMMAND_OK)
        return;
    char text[256];
    pg_error_text(result, text, sizeof text);
    pg_unfit(pg, STATS_REFUSED, text);
}

/* An answer is sent because its commit is durable: with these settings it would not be. */
static void durability_check(struct pg *pg, const char *synchronous_commit)
{
    if (strcmp(synchronous_commit, "off") != 0 && strcmp(synchronous_commit, "local") != 0)
        return;
    char why[100];
    snprintf(why, sizeof why, "synchronous_commit=%s, so no answer would be true: set it to on",
             synchronous_commit);
    pg_unfit(pg, STATS_NOT_DURABLE, why);
}

static void schema_refuse(struct pg *pg, const char *found)
{
    char why[300];
    schema_fault(found, why);
    pg_unfit(pg, STATS_WRONG_SCHEMA, why);
}

static void on_schema(void *ctx, const PGresult *result)
{
    static const char never_migrated[] = "3F000 42P01 42501"; /* no schema, table, right */
    struct pg *pg = ctx;
    if (!result)
        return;
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    bool is_read = PQresultStatus(result) == PGRES_TUPLES_OK;
    if (!is_read && !(sqlstate && strstr(never_migrated, sqlstate)))
        on_setup_error(pg, result);
    else if (!is_read || PQntuples(result) != 1)
        schema_refuse(pg, NULL);
    else if (strcmp(PQgetvalue(result, 0, 0), PG_SCHEMA_WANTED) != 0)
        schema_refuse(pg, PQgetvalue(result, 0, 0));
    else if (!abandoned_judge(&pg->abandoned, PQgetvalue(result, 0, 2), PQgetvalue(result, 0, 3)))
        pg_unfit(pg, STATS_UNREACHABLE, "backends that it left do not end: see pg_stat_activity");
    else
        durability_check(pg, PQgetvalue(result, 0, 1));
}

static void on_prepared(void *ctx, const PGresult *result)
{
    struct pg *pg = ctx;
    if (!result || pg->failed)
        return;
    pg->state = PG_READY;
    stats_add(&pg->options.stats->links[pg->options.link], 1);
    pg->backoff_ms = RECONNECT_MS_FIRST;
    pg->reason[0] = pg->logged[0] = '\0';
    event_del(pg->timer);
    if (pg->options.state_changed)
        pg->options.state_changed(pg->options.ctx, true);
}

static void schema_ask(struct pg *pg)
{
    const char *left = pg->abandoned.left;
    command_push(pg, STATEMENT_SCHEMA_READ, on_schema, pg);
    if (!PQsendQueryParams(pg->conn, statement_text(STATEMENT_SCHEMA_READ), 1, NULL, &left, NULL,
                           NULL, 0))
        pg_fail_later(pg);
}

static void prepare_run(struct pg *pg, enum statement_id first, enum statement_id last)
{
    for (int id = first; id <= (int)last; id++) {
        char name[16];
        snprintf(name, sizeof name, "s%d", id);
        command_push(pg, DUE_PREPARED, on_setup_error, pg);
        if (!PQsendPrepare(pg->conn, name, statement_text((enum statement_id)id), 0, NULL))
            pg_fail_later(pg);
    }
}

static void pg_prepare(struct pg *pg)
{
    pg->state = PG_PREPARING;
    if (PQsetnonblocking(pg->conn, 1) || !PQenterPipelineMode(pg->conn)) {
        pg_close(pg, PQerrorMessage(pg->conn));
        return;
    }
    events_free(pg);
    pg->readable = event_new(pg->base, PQsocket(pg->conn), EV_READ | EV_PERSIST, on_readable, pg);
    pg->writable = event_new(pg->base, PQsocket(pg->conn), EV_WRITE, on_writable, pg);
    watch(pg, pg->readable);
    schema_ask(pg);
    prepare_run(pg, STATEMENT_BEGIN, STATEMENT_EPOCH_GUARD);
    prepare_run(pg, pg->options.first, pg->options.last);
    pg_sync(pg, on_prepared, pg);
}

/* One step of libpq's connecting; its socket may be another one each time. */
static void on_connecting(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd, (void)what;
    struct pg *pg = ctx;
    PostgresPollingStatusType next = PQconnectPoll(pg->conn);
    if (next == PGRES_POLLING_OK) {
        pg_prepare(pg);
        return;
    }
    if (next == PGRES_POLLING_FAILED) {
        pg_close(pg, PQerrorMessage(pg->conn));
        return;
    }
    events_free(pg);
    short wanted = next == PGRES_POLLING_READING ? EV_READ : EV_WRITE;
    pg->readable = event_new(pg->base, PQsocket(pg->conn), wanted, on_connecting, pg);
    watch(pg, pg->readable);
}

static void pg_connect(struct pg *pg)
{
    /* A host that vanishes without a word is given up after these seconds; the conninfo may say
     * other. */
    const char *keywords[] = {"tcp_user_timeout", "keepalives_idle", "keepalives_interval",
                              "keepalives_count", "dbname",          "application_name",
                              "options",          "client_encoding", NULL};
    const char *values[] = {
        "10000", "10", "5", "3", pg->options.conninfo, pg->options.name, pg->options.settings,
        "UTF8",  NULL};
    pg->state = PG_CONNECTING;
    pg->conn = PQconnectStartParams(keywords, values, 1);
    if (!pg->conn || PQstatus(pg->conn) == CONNECTION_BAD) {
        pg_close(pg, pg->conn ? PQerrorMessage(pg->conn) : "out of memory");
        return;
    }
    PQsetNoticeReceiver(pg->conn, on_notice, pg); /* some come while connecting */
    timer_start(pg, CONNECT_SECONDS_MAX * 1000);
    pg->readable = event_new(pg->base, PQsocket(pg->conn), EV_WRITE, on_connecting, pg);
    watch(pg, pg->readable);
}

/* Time to connect, a connection attempt that takes too long, or a failure met inside a call. */
static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd, (void)what;
    struct pg *pg = ctx;
    if (pg->failed) {
        char why[sizeof pg->reason];
        snprintf(why, sizeof why, "%s", pg->reason[0] ? pg->reason : PQerrorMessage(pg->conn));
        pg_close(pg, why);
    } else if (pg->state == PG_CLOSED) {
        pg_connect(pg);
    } else if (pg->state != PG_READY) {
        pg_close(pg, "connecting took too long");
    } else if (pg->count) {
        pg_close(pg, "PostgreSQL owes an answer and is silent");
    }
}

/* From each result to the next, while one is due. */
static void silence_watch(struct pg *pg)
{
    if (pg->state != PG_READY || pg->failed || !pg->options.silence_ms_max)
        return;
    if (pg->count)
        timer_start(pg, pg->options.silence_ms_max);
    else
        event_del(pg->timer);
}

void pg_set_silence_max(struct pg *pg, int silence_ms_max)
{
    pg->options.silence_ms_max = silence_ms_max;
}

static bool is_due(const struct pg_command *command, const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    switch (command->due) {
    case DUE_SYNC: return status == PGRES_PIPELINE_SYNC;
    case DUE_PREPARED:
        return status == PGRES_COMMAND_OK || status == PGRES_FATAL_ERROR ||
               status == PGRES_PIPELINE_ABORTED;
    default: return shape_fits((enum statement_id)command->due, result);
    }
}

/* An error that PostgreSQL did not send: libpq had no memory for what it did send, and from then on
 * may give a result to the wrong command. */
static bool is_garbled(const PGresult *result)
{
    return PQresultStatus(result) == PGRES_FATAL_ERROR &&
           !PQresultErrorField(result, PG_DIAG_SQLSTATE);
}

/* What is no answer to the command says that nothing else here can be trusted: the connection is
 * lost, and whoever waits is told so. */
static void result_refuse(struct pg *pg, const struct pg_command *command, const PGresult *result)
{
    if (is_garbled(result))
        reason_set(pg, PQresultErrorMessage(result));
    else
        snprintf(pg->reason, sizeof pg->reason,
                 "the result of statement %d is not what it gives (%s, %d columns, %d rows)",
                 command->due, PQresStatus(PQresultStatus(result)), PQnfields(result),
                 PQntuples(result));
    pg_fail_later(pg);
}

/* Without memory for a sync's result libpq goes on waiting for one, and says so nowhere else. */
static bool is_short(struct pg *pg)
{
    return PQisBusy(pg->conn) && strstr(PQerrorMessage(pg->conn), "out of memory");
}

/* Takes what has arrived, never waits: each command has one result, then NULL; a sync has its own
 * and no NULL. Two NULLs in a row: libpq has nothing more to say, the connection is lost. */
static void results_take(struct pg *pg)
{
    int nulls = 0;
    while (pg->count && !pg->failed && nulls < 2 && !PQisBusy(pg->conn)) {
        PGresult *result = PQgetResult(pg->conn);
        nulls = result ? 0 : nulls + 1;
        if (!result)
            continue;
        if (!is_garbled(result) && is_due(&pg->commands[pg->first], result)) {
            struct pg_command command = command_pop(pg);
            if (command.callback)
                command.callback(command.ctx, result);
        } else {
            result_refuse(pg, &pg->commands[pg->first], result);
        }
        PQclear(result);
        if (!pg->conn)
            return;
    }
    bool is_mute = pg->count && !pg->failed && (nulls == 2 || is_short(pg));
    if (is_mute && PQstatus(pg->conn) != CONNECTION_BAD)
        pg_fail_later(pg);
}

static void on_readable(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd, (void)what;
    struct pg *pg = ctx;
    if (pg->failed)
        return;
    bool is_alive = PQconsumeInput(pg->conn);
    if (is_alive)
        results_take(pg);
    if (pg->failed || !pg->conn)
        return;
    if (!is_alive || PQstatus(pg->conn) == CONNECTION_BAD)
        pg_close(pg, PQerrorMessage(pg->conn));
    else {
        pg_write(pg);
        silence_watch(pg);
    }
}

static void on_writable(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd, (void)what;
    pg_write(ctx);
}

struct pg *pg_create(struct event_base *base, const struct pg_options *options)
{
    struct pg *pg = calloc(1, sizeof *pg);
    if (!pg)
        return NULL;
    pg->base = base;
    pg->options = *options;
    pg->options.conninfo = strdup(options->conninfo);
    pg->options.settings = strdup(options->settings);
    pg->backoff_ms = RECONNECT_MS_FIRST;
    pg->trouble = STATS_UNREACHABLE;
    reason_set(pg, "connecting");
    pg->timer = event_new(base, -1, 0, on_timer, pg);
    if (!pg->timer || !pg->options.conninfo || !pg->options.settings) {
        pg_destroy(&pg);
        return NULL;
    }
    timer_start(pg, 0);
    return pg;
}

void pg_destroy(struct pg **pg_in)
{
    struct pg *pg = *pg_in;
    if (!pg)
        return;
    pg->options.state_changed = NULL;
    pg->state = PG_CLOSED;
    events_free(pg);
    if (pg->conn)
        PQfinish(pg->conn);
    pg->conn = NULL; /* the callbacks may still look at what they were called for */
    while (pg->count) {
        struct pg_command command = command_pop(pg);
        if (command.callback)
            command.callback(command.ctx, NULL);
    }
    *pg_in = NULL;
    if (pg->timer)
        event_free(pg->timer);
    free((char *)pg->options.conninfo);
    free((char *)pg->options.settings);
    free(pg);
}

bool pg_ready(const struct pg *pg)
{
    return pg->state == PG_READY && !pg->failed;
}

const char *pg_reason(const struct pg *pg)
{
    return pg_ready(pg) ? "" : pg->reason;
}

enum stats_reason pg_trouble(const struct pg *pg)
{
    return pg->trouble;
}

void pg_send(struct pg *pg, enum statement_id statement, const struct params *params,
             pg_callback *callback, void *ctx)
{
    char name[16];
    const char *values[PARAMS_MAX];
    int lengths[PARAMS_MAX], formats[PARAMS_MAX], count = params ? params->count : 0;
    snprintf(name, sizeof name, "s%d", statement);
    bool is_whole = !params || params_finish(params);
    for (int i = 0; i < count; i++) {
        values[i] = (const char *)params->columns[i].bytes;
        lengths[i] = (int)params->columns[i].size;
        formats[i] = 1;
    }
    command_push(pg, (int)statement, callback, ctx);
    if (!pg->conn || pg->failed || !is_whole ||
        !PQsendQueryPrepared(pg->conn, name, count, values, lengths, formats, 1))
        pg_fail_later(pg);
}

void pg_send_text(struct pg *pg, enum statement_id statement, struct pg_texts texts,
                  pg_callback *callback, void *ctx)
{
    char name[16];
    snprintf(name, sizeof name, "s%d", statement);
    command_push(pg, (int)statement, callback, ctx);
    if (!pg->conn || pg->failed ||
        !PQsendQueryPrepared(pg->conn, name, texts.count, texts.values, NULL, NULL, 0))
        pg_fail_later(pg);
}

void pg_sync(struct pg *pg, pg_callback *callback, void *ctx)
{
    command_push(pg, DUE_SYNC, callback, ctx);
    if (!pg->conn || pg->failed || !PQpipelineSync(pg->conn)) {
        pg_fail_later(pg);
    } else {
        pg_write(pg);
        silence_watch(pg);
    }
}

void pg_flush(struct pg *pg)
{
    if (!pg->conn || pg->failed || !PQsendFlushRequest(pg->conn)) {
        pg_fail_later(pg);
    } else {
        pg_write(pg);
        silence_watch(pg);
    }
}

bool pg_take_unreplicated(struct pg *pg)
{
    bool was = pg->is_unreplicated;
    pg->is_unreplicated = false;
    return was;
}
