/* Owns the maintenance process: takes the lease, then walks through its duties again and again.
 * Expiry entries are made by the engine itself, through a lane whose every batch proves the lease.
 */
#include "engine/maintenance.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/zone.h"
#include "engine/desk.h"
#include "store/statements.h"

#define TURN_MS         200
#define BEAT_S          1
#define ENDING_S_MAX    1
#define LEASE_US        INT64_C(15000000)
#define LEASE_RENEW_US  INT64_C(5000000)
#define BUCKETS_AT_ONCE 32
#define MEMBERS_AT_ONCE 200
#define SWEEP_AGAIN_US  INT64_C(10000000)
#define DAY_US          INT64_C(86400000000)
#define QUARTER_DAYS    92

struct maintenance {
    struct maintenance_options options;
    struct event_base *base;
    struct engine *engine;
    struct event *turn, *beat;
    struct maintenance_stats *stats;
    struct query query;
    char values[4][24];
    const char *value_list[4];
    int64_t lease_until_us;         /* real; 0: not held */
    int32_t done_day[STATS_DUTIES]; /* up to which domain day each duty was done */
    int bucket;                     /* the next of the expiry sweep */
    int32_t sweep_day;              /* the day that the sweep under way began on */
    int due, expired, expiring;     /* members of one look into these buckets; under way */
    bool is_any_left;               /* the sweep under way could not expire all */
    int64_t sweep_again_us;         /* monotonic */
    bool is_busy;
    bool is_ending;
};

static void turn_after(struct maintenance *maintenance, int ms)
{
    struct timeval after = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000L};
    event_add(maintenance->turn, &after);
}

static void ask(struct maintenance *maintenance, int statement, int count,
                void (*done)(struct query *, int, const struct query_rows *))
{
    maintenance->is_busy = true;
    maintenance->query = (struct query){
        .desk = DESK_OFFICE,
        .is_writing = true,
        .statement = statement,
        .values = maintenance->value_list,
        .value_count = count,
        .done = done,
        .ctx = maintenance,
    };
    engine_query(maintenance->engine, &maintenance->query);
}

static void value_put(struct maintenance *maintenance, int index, int64_t value)
{
    snprintf(maintenance->values[index], sizeof maintenance->values[index], "%lld",
             (long long)value);
    maintenance->value_list[index] = maintenance->values[index];
}

/* ---- the lease ---- */

static void on_lease(struct query *query, int code, const struct query_rows *rows)
{
    struct maintenance *maintenance = query->ctx;
    maintenance->is_busy = false;
    bool is_held = code == RESULT_OK && query_rows_count(rows) == 1;
    if (is_held != (maintenance->lease_until_us != 0))
        log_info("lease", "held=%d", is_held);
    maintenance->lease_until_us = is_held ? clock_real_us() + LEASE_US : 0;
    stats_set(&maintenance->stats->lease_held, is_held);
    if (is_held)
        engine_set_lease_epoch(maintenance->engine,
                               strtoll(query_rows_value(rows, 0, 0), NULL, 10));
    turn_after(maintenance, is_held ? 0 : 1000);
}

static void lease_take(struct maintenance *maintenance)
{
    int64_t now_us = clock_real_us();
    maintenance->value_list[0] = maintenance->options.holder;
    value_put(maintenance, 1, now_us);
    value_put(maintenance, 2, now_us + LEASE_US);
    ask(maintenance, STATEMENT_LEASE_TAKE, 3, on_lease);
}

static void on_lease_given(struct query *query, int code, const struct query_rows *rows)
{
    struct maintenance *maintenance = query->ctx;
    (void)rows;
    log_info("lease", "held=0 given_back=%d", code == RESULT_OK);
    event_base_loopbreak(maintenance->base);
}

/* So that another daemon, or our successor, need not wait until it runs out. */
static void lease_give(struct maintenance *maintenance)
{
    int64_t now_us = clock_real_us();
    maintenance->value_list[0] = maintenance->options.holder;
    value_put(maintenance, 1, now_us);
    value_put(maintenance, 2, now_us - 1);
    ask(maintenance, STATEMENT_LEASE_TAKE, 3, on_lease_given);
}

/* ---- partitions and refusals: once a domain day ---- */

static void succeeded(struct maintenance *maintenance, enum stats_duty duty)
{
    stats_set(&maintenance->stats->success_us[duty], (uint64_t)clock_real_us());
    maintenance->done_day[duty] = maintenance->sweep_day;
}

static void duty_end(struct maintenance *maintenance, bool is_done, enum stats_duty duty)
{
    maintenance->is_busy = false;
    if (is_done)
        succeeded(maintenance, duty);
    turn_after(maintenance, is_done ? 0 : 1000);
}

static void on_partitions(struct query *query, int code, const struct query_rows *rows)
{
    struct maintenance *maintenance = query->ctx;
    if (code == RESULT_OK && strtol(query_rows_value(rows, 0, 0), NULL, 10) > 0)
        log_info("partitions_made", "count=%s", query_rows_value(rows, 0, 0));
    if (code == RESULT_OK)
        stats_set(&maintenance->stats->partitions_until_us,
                  (uint64_t)zone_day_begin((int32_t)strtol(maintenance->values[1], NULL, 10)));
    duty_end(maintenance, code == RESULT_OK, STATS_PARTITIONS);
}

static void partitions_make(struct maintenance *maintenance, int64_t now_us)
{
    value_put(maintenance, 0, zone_day(now_us - QUARTER_DAYS * DAY_US));
    value_put(maintenance, 1,
              zone_day(now_us +
                       INT64_C(1) * maintenance->options.partitions_ahead * QUARTER_DAYS * DAY_US));
    ask(maintenance, STATEMENT_PARTITIONS_MAKE, 2, on_partitions);
}

static void on_refusals(struct query *query, int code, const struct query_rows *rows)
{
    struct maintenance *maintenance = query->ctx;
    (void)rows;
    duty_end(maintenance, code == RESULT_OK, STATS_REFUSALS);
}

static void refusals_drop(struct maintenance *maintenance, int64_t now_us)
{
    value_put(maintenance, 0, now_us - maintenance->options.refusal_days * DAY_US);
    ask(maintenance, STATEMENT_REFUSALS_DROP, 1, on_refusals);
}

/* ---- expiry: a sweep over all buckets once a domain day ---- */

static bool expiry_prepare(struct posting *posting, struct reference *reference)
{
    (void)posting, (void)reference;
    return true;
}

/* All that was asked for is answered. Who could not be expired is due as before: another sweep
 * finds him. */
static void expiry_goes_on(struct maintenance *maintenance)
{
    bool is_more = maintenance->due == MEMBERS_AT_ONCE && maintenance->expired > 0;
    maintenance->is_any_left |= maintenance->expired < maintenance->due;
    if (!is_more)
        maintenance->bucket += BUCKETS_AT_ONCE;
    if (maintenance->bucket > 255) {
        maintenance->bucket = 0;
        if (maintenance->is_any_left)
            maintenance->sweep_again_us = clock_monotonic_us() + SWEEP_AGAIN_US;
        else
            succeeded(maintenance, STATS_EXPIRY);
        maintenance->is_any_left = false;
    }
    maintenance->is_busy = false;
    turn_after(maintenance, 0);
}

static void on_expired(struct posting *posting, int code, const struct decision *decision)
{
    struct maintenance *maintenance = posting->ctx;
    (void)decision;
    if (code == RESULT_OK)
        maintenance->expired++;
    else
        log_warning("expiry_failed", "code=%d", code);
    free(posting);
    if (--maintenance->expiring == 0)
        expiry_goes_on(maintenance);
}

static void member_expire(struct maintenance *maintenance, int64_t member_id)
{
    struct posting *posting = calloc(1, sizeof *posting);
    if (!posting)
        return;
    posting->request.kind = ENTRY_EXPIRY;
    posting->request.key = uuid_make(domain_clock_us(maintenance->options.clock));
    posting->member_id = member_id;
    posting->deadline_us = INT64_MAX;
    posting->prepare = expiry_prepare;
    posting->done = on_expired;
    posting->ctx = maintenance;
    maintenance->expiring++;
    engine_post(maintenance->engine, posting);
}

static void on_due(struct query *query, int code, const struct query_rows *rows)
{
    struct maintenance *maintenance = query->ctx;
    if (code != RESULT_OK) {
        duty_end(maintenance, false, STATS_EXPIRY);
        return;
    }
    maintenance->due = query_rows_count(rows);
    maintenance->expired = 0;
    for (int row = 0; row < maintenance->due; row++)
        member_expire(maintenance, strtoll(query_rows_value(rows, row, 0), NULL, 10));
    if (maintenance->expiring == 0)
        expiry_goes_on(maintenance);
}

static void expiry_sweep(struct maintenance *maintenance, int64_t now_us)
{
    value_put(maintenance, 0, maintenance->bucket);
    value_put(maintenance, 1, maintenance->bucket + BUCKETS_AT_ONCE - 1);
    value_put(maintenance, 2, now_us);
    value_put(maintenance, 3, MEMBERS_AT_ONCE);
    ask(maintenance, STATEMENT_MEMBERS_DUE, 4, on_due);
}

/* ---- its turns ---- */

static void on_turn(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd, (void)what;
    struct maintenance *maintenance = ctx;
    if (maintenance->is_busy)
        return;
    if (maintenance->is_ending) {
        if (maintenance->lease_until_us && engine_ready(maintenance->engine))
            lease_give(maintenance);
        else
            event_base_loopbreak(maintenance->base);
        return;
    }
    int64_t now_us = domain_clock_us(maintenance->options.clock);
    if (maintenance->bucket == 0)
        maintenance->sweep_day = zone_day(now_us);
    if (!engine_ready(maintenance->engine)) {
        turn_after(maintenance, TURN_MS);
        return;
    }
    if (maintenance->lease_until_us - LEASE_US + LEASE_RENEW_US < clock_real_us())
        lease_take(maintenance);
    else if (maintenance->done_day[STATS_PARTITIONS] != maintenance->sweep_day)
        partitions_make(maintenance, now_us);
    else if (maintenance->done_day[STATS_REFUSALS] != maintenance->sweep_day)
        refusals_drop(maintenance, now_us);
    else if (maintenance->done_day[STATS_EXPIRY] != maintenance->sweep_day &&
             maintenance->sweep_again_us <= clock_monotonic_us())
        expiry_sweep(maintenance, now_us);
    else
        turn_after(maintenance, TURN_MS);
}

static void on_beat(evutil_socket_t fd, short what, void *ctx)
{
    struct maintenance *maintenance = ctx;
    (void)fd, (void)what;
    stats_process(&maintenance->stats->engine.process, true);
    engine_publish(maintenance->engine);
    log_catch_up();
}

static void on_signal(evutil_socket_t fd, short what, void *ctx)
{
    static const struct timeval limit = {.tv_sec = ENDING_S_MAX};
    struct maintenance *maintenance = ctx;
    (void)fd, (void)what;
    maintenance->is_ending = true;
    event_base_loopexit(maintenance->base, &limit);
    if (!maintenance->is_busy)
        turn_after(maintenance, 0);
}

static bool maintenance_start(struct maintenance *maintenance, struct err *err)
{
    static const struct timeval beat = {.tv_sec = BEAT_S};
    struct engine_options options = {
        .conninfo = maintenance->options.conninfo,
        .lanes = 1,
        .batch_max = MEMBERS_AT_ONCE,
        .queue_max = 2 * MEMBERS_AT_ONCE,
        .lock_timeout_ms = 5000,
        .statement_timeout_ms = 60000,
        .terms = maintenance->options.terms,
        .lease_holder = maintenance->options.holder,
        .stats = &maintenance->stats->engine,
    };
    maintenance->engine =
        engine_create(maintenance->base, maintenance->options.clock, &options, err);
    maintenance->turn = event_new(maintenance->base, -1, 0, on_turn, maintenance);
    maintenance->beat = event_new(maintenance->base, -1, EV_PERSIST, on_beat, maintenance);
    if (!maintenance->engine || !maintenance->turn || !maintenance->beat ||
        event_add(maintenance->beat, &beat) != 0)
        return false;
    turn_after(maintenance, 0);
    return true;
}

int maintenance_run(const struct maintenance_options *options)
{
    struct maintenance maintenance = {.options = *options, .stats = options->stats};
    struct err err = {0};
    struct worker_stats *own = &options->stats->engine;
    stats_set(&own->started_us, (uint64_t)clock_real_us());
    stats_set(&own->pid, (uint64_t)getpid());
    stats_process(&own->process, true);
    struct event_base *base = maintenance.base = event_base_new();
    struct event *ends[] = {
        base ? evsignal_new(base, SIGTERM, on_signal, &maintenance) : NULL,
        base ? evsignal_new(base, SIGINT, on_signal, &maintenance) : NULL,
    };
    err_set(&err, "no memory for events");
    bool is_started = ends[0] && ends[1] && event_add(ends[0], NULL) == 0 &&
                      event_add(ends[1], NULL) == 0 && maintenance_start(&maintenance, &err);
    if (is_started)
        event_base_dispatch(maintenance.base);
    else
        log_error("maintenance", "cause=\"%s\"", err.text);
    engine_destroy(&maintenance.engine);
    if (maintenance.turn)
        event_free(maintenance.turn);
    if (maintenance.beat)
        event_free(maintenance.beat);
    for (int i = 0; i < 2; i++) {
        if (ends[i])
            event_free(ends[i]);
    }
    if (base)
        event_base_free(base);
    return is_started ? 0 : 1;
}
