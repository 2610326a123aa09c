/* Owns the worker process: puts engine, network and sessions together, reloads, drains and ends.
 * Called by main in each forked worker. Handles no request. */
#include "session/worker.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/zone.h"
#include "rules.h"
#include "frame.h"
#include "session/crowd.h"
#include "session/tally.h"
#include "session/session.h"
#include "validate.h"

#define SECOND_US   INT64_C(1000000)
#define DAY_US      (INT64_C(86400) * SECOND_US)
#define EVENT_SLOTS 4

/* The process around the worker that the sessions know. */
struct process {
    struct worker worker;
    const struct worker_options *options;
    struct event *events[EVENT_SLOTS]; /* SIGTERM, SIGINT, SIGHUP, the tick */
    int64_t drain_until_us;            /* 0: not draining */
    bool drains_gently; /* whoever was accepted is welcomed first: a successor takes the others */
    bool is_ready_told;
};

int32_t worker_day(struct worker *worker, int64_t at_us)
{
    if (worker->day == 0 || at_us < worker->day_from_us || at_us >= worker->day_to_us) {
        worker->day = zone_day(at_us);
        worker->day_from_us = zone_day_begin(worker->day);
        worker->day_to_us = zone_end_of_day_after_months(at_us, 0);
    }
    return worker->day;
}

SSL_CTX *worker_tls_create(const struct config *config, struct err *err)
{
    struct tls_files files = {
        .certificate_file = config->certificate_file,
        .key_file = config->key_file,
        .authority_file = config->authority_file,
    };
    return tls_context_create(&files, err);
}

/* ---- events ---- */

static void drain(struct process *process)
{
    struct worker *worker = &process->worker;
    if (process->drain_until_us)
        return;
    int64_t limit_us = worker->config->drain_timeout_s * SECOND_US;
    log_info("draining", "connections=%zu requests=%zu", net_server_connections(worker->net),
             worker->request_count);
    process->drain_until_us = clock_monotonic_us() + limit_us;
    process->drains_gently = stats_read(&worker->page->is_handed_over);
    net_server_stop(worker->net, process->drains_gently);
    session_drain_all(worker, process->drains_gently);
}

static void on_end_signal(evutil_socket_t number, short what, void *ctx)
{
    (void)number, (void)what;
    drain(ctx);
}

static struct net_options net_limits_of(const struct config *config)
{
    return (struct net_options){
        .connections_max = config->connections_max,
        .in_flight_max = config->in_flight_max,
        .handshake_timeout_s = config->handshake_timeout_s,
        .idle_timeout_s = config->idle_timeout_s,
        .stall_timeout_s = config->stall_timeout_s,
    };
}

/* Whoever reads the configuration each time sees the new values already; these keep their own. */
static void put_into_force(struct process *process)
{
    struct worker *worker = &process->worker;
    const struct config *config = worker->config;
    struct net_options limits = net_limits_of(config);
    char name[20];
    snprintf(name, sizeof name, "worker%d", process->options->slot);
    log_init(name, (enum log_level)config->log_level);
    net_server_set_limits(worker->net, &limits);
    engine_set_limits(worker->engine, config->batch_max, config->queue_max, config->queue_ms_max,
                      config->deadline_ms_max);
    quota_set(worker->quota, config->lookups_max);
    worker->request_max = (size_t)config->queue_max + REQUESTS_SPARE;
}

/* The master has looked at the same files before it sent the signal. */
static void on_reload_signal(evutil_socket_t number, short what, void *ctx)
{
    struct process *process = ctx;
    struct err err = {0};
    (void)number, (void)what;
    struct config *fresh = config_create(process->options->config_file, &err);
    SSL_CTX *tls = fresh ? worker_tls_create(fresh, &err) : NULL;
    if (tls) {
        net_server_set_tls(process->worker.net, tls);
        config_take(process->options->config, fresh);
        put_into_force(process);
        stats_set(&process->worker.stats->reload_failed, 0);
        log_info("reloaded", "slot=%d", process->options->slot);
    } else {
        stats_set(&process->worker.stats->reload_failed, 1);
        log_error("reload_failed", "reason=\"%s\"", err.text);
    }
    config_destroy(&fresh);
}

static void on_tick(evutil_socket_t fd, short what, void *ctx)
{
    struct process *process = ctx;
    struct worker *worker = &process->worker;
    (void)fd, (void)what;
    log_catch_up();
    bool ready = engine_ready(worker->engine) && !process->drain_until_us;
    crowd_tick(worker);
    tally_worker(worker);
    if (process->drain_until_us) {
        stats_set(&worker->stats->ready, 0);
        stats_set(&worker->stats->reason, STATS_DRAINING);
    }
    if (ready != process->is_ready_told) {
        process->is_ready_told = ready;
        log_info(ready ? "ready" : "not_ready", "reason=\"%s\"",
                 process->drain_until_us ? "draining" : engine_unready_reason(worker->engine));
    }
    request_expire_all(worker);
    if (!process->drain_until_us)
        return;
    if (process->drains_gently)
        session_drain_all(worker, true);
    bool is_done = net_server_connections(worker->net) == 0 && worker->request_count == 0;
    if (is_done || clock_monotonic_us() >= process->drain_until_us)
        event_base_loopbreak(worker->base);
}

static bool add_events(struct process *process, struct err *err)
{
    static const struct timeval tick = {.tv_usec = TICK_MS * 1000L};
    struct event_base *base = process->worker.base;
    struct event **events = process->events;
    events[0] = evsignal_new(base, SIGTERM, on_end_signal, process);
    events[1] = evsignal_new(base, SIGINT, on_end_signal, process);
    events[2] = evsignal_new(base, SIGHUP, on_reload_signal, process);
    events[3] = event_new(base, -1, EV_PERSIST, on_tick, process);
    for (int i = 0; i < EVENT_SLOTS; i++) {
        if (!events[i] || event_add(events[i], i == 3 ? &tick : NULL) != 0)
            return err_set(err, "no memory for events");
    }
    return true;
}

/* Blocked since the fork, so that one that comes early is not lost. */
static bool listen_to_reload(struct err *err)
{
    sigset_t reload;
    sigemptyset(&reload);
    sigaddset(&reload, SIGHUP);
    return sigprocmask(SIG_UNBLOCK, &reload, NULL) == 0 || err_set_errno(err, errno, "sigprocmask");
}

/* ---- parts ---- */

static bool open_engine(struct worker *worker, struct err *err)
{
    const struct config *config = worker->config;
    struct engine_options options = {
        .conninfo = config->postgres,
        .reader_conninfo = config->postgres_reader,
        .eraser_conninfo = config->postgres_eraser,
        .lanes = config->lanes,
        .batch_max = config->batch_max,
        .queue_max = config->queue_max,
        .queue_ms_max = config->queue_ms_max,
        .lock_timeout_ms = config->lock_timeout_ms,
        .statement_timeout_ms = config->statement_timeout_ms,
        .deadline_ms_max = config->deadline_ms_max,
        .terms = {.key_age_us_max = KEY_AGE_DAYS_MAX * DAY_US,
                  .key_ahead_us_max = KEY_AHEAD_S_MAX * SECOND_US},
        .stats = worker->stats,
        .reference_changed = session_reference_changed,
        .ctx = worker,
    };
    worker->engine = engine_create(worker->base, worker->clock, &options, err);
    return worker->engine != NULL;
}

static bool open_net(struct process *process, struct err *err)
{
    struct worker *worker = &process->worker;
    struct net_options options = net_limits_of(worker->config);
    SSL_CTX_up_ref(process->options->tls);
    options.listen_fds = process->options->sockets->fds;
    options.listen_count = process->options->sockets->count;
    options.tls = process->options->tls;
    options.page = worker->page;
    options.slot = process->options->slot;
    options.handler = &session_handler;
    options.ctx = worker;
    worker->net = net_server_create(worker->base, &options, err);
    return worker->net != NULL;
}

static bool open_parts(struct process *process, struct err *err)
{
    struct worker *worker = &process->worker;
    worker->base = event_base_new();
    worker->refs = ref_table_create(worker->keyring, err);
    worker->quota = quota_create(worker->config->lookups_max);
    if (!worker->base || !crowd_create(worker) || !worker->refs || !worker->quota)
        return err_set(err, "no memory for the event loop");
    return open_engine(worker, err) && open_net(process, err) && add_events(process, err) &&
           listen_to_reload(err);
}

/* The network goes first, so that what the engine still answers finds no connection. */
static void close_parts(struct process *process)
{
    struct worker *worker = &process->worker;
    net_server_destroy(&worker->net);
    if (worker->engine)
        engine_destroy(&worker->engine);
    request_pool_free(worker);
    crowd_destroy(worker);
    ref_table_destroy(&worker->refs);
    quota_destroy(&worker->quota);
    for (int i = 0; i < EVENT_SLOTS; i++) {
        if (process->events[i])
            event_free(process->events[i]);
    }
    if (worker->base)
        event_base_free(worker->base);
}

int worker_run(const struct worker_options *options)
{
    struct process process = {.options = options};
    struct worker *worker = &process.worker;
    struct err err = {0};
    worker->config = options->config;
    worker->clock = options->clock;
    worker->keyring = options->keyring;
    worker->page = options->page;
    worker->stats = &options->page->slots[options->slot].stats;
    worker->request_max = (size_t)worker->config->queue_max + REQUESTS_SPARE;
    TAILQ_INIT(&worker->sessions);
    TAILQ_INIT(&worker->spare);
    TAILQ_INIT(&worker->strangers);
    TAILQ_INIT(&worker->latecomers);
    stats_process(&worker->stats->process, true);
    stats_set(&worker->stats->started_us, (uint64_t)clock_real_us());
    stats_set(&worker->stats->pid, (uint64_t)getpid());
    bool good = open_parts(&process, &err);
    if (good)
        event_base_dispatch(worker->base);
    else
        log_error("worker_failed", "reason=\"%s\"", err.text);
    log_info("ending", "connections=%zu requests=%zu",
             worker->net ? net_server_connections(worker->net) : 0, worker->request_count);
    close_parts(&process);
    return good ? 0 : 1;
}
