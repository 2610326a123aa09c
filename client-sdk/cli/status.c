/* Makes numbers for people out of a daemon's metrics. Called by cmd_status.c; fetches nothing. */
#include "status.h"
#include "exposition.h"
#include "output.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#define POSTINGS  "class=\"posting\""
#define DURATIONS "loyald_request_duration_seconds"

void status_forget(struct status_daemon *daemon)
{
    exposition_destroy(&daemon->before);
    exposition_destroy(&daemon->now);
    free(daemon->readiness);
}

static const char *short_name(const char *url)
{
    return strncmp(url, "http://", 7) == 0 ? url + 7 : url;
}

/* ---- numbers: NaN where there is none ---- */

static double rate(const struct status_daemon *daemon, double interval_s, const char *name,
                   const char *label)
{
    return exposition_growth(daemon->before, daemon->now, name, label) / interval_s;
}

static double quantile_ms(const struct status_daemon *daemon, const char *label, double quantile)
{
    return 1000 * exposition_quantile(daemon->before, daemon->now, DURATIONS, label, quantile);
}

/* The mean of what a histogram observed between the samples. */
static double mean(const struct status_daemon *daemon, const char *histogram)
{
    char sum[96], count[96];

    snprintf(sum, sizeof sum, "%s_sum", histogram);
    snprintf(count, sizeof count, "%s_count", histogram);
    return exposition_growth(daemon->before, daemon->now, sum, NULL) /
           exposition_growth(daemon->before, daemon->now, count, NULL);
}

static double now_of(const struct status_daemon *daemon, const char *name, const char *label)
{
    return exposition_sum(daemon->now, name, label);
}

static double uptime_s(const struct status_daemon *daemon)
{
    return (double)time(NULL) - now_of(daemon, "process_start_time_seconds", NULL);
}

/* ---- readiness ---- */

/* of `worker`; -1: of the daemon, which is ready when one of them is. Points into *document_out. */
static const char *state_of(const struct status_daemon *daemon, int worker, json_t **document_out)
{
    json_t *document = daemon->readiness ? json_loads(daemon->readiness, 0, NULL) : NULL;
    json_t *workers = json_object_get(document, "workers");
    json_t *row = worker < 0 && json_is_true(json_object_get(document, "ready"))
                      ? document
                      : json_array_get(workers, worker < 0 ? 0 : (size_t)worker);
    const char *reason = json_string_value(json_object_get(row, "reason"));

    *document_out = document;
    if (!daemon->now)
        return daemon->error;
    return json_is_true(json_object_get(row, "ready")) ? "ready" : reason ? reason : "not ready";
}

/* ---- cells ---- */

static void cell(struct table *table, double number)
{
    if (isnan(number) || isinf(number))
        table_none(table);
    else
        table_real(table, number);
}

static void whole(struct table *table, double number)
{
    if (isnan(number))
        table_none(table);
    else
        table_number(table, (int64_t)number);
}

static void daemon_row(struct table *table, const struct status_daemon *daemon, double interval_s)
{
    json_t *document;

    table_text(table, short_name(daemon->url));
    table_text(table, state_of(daemon, -1, &document));
    json_decref(document);
    whole(table, daemon->now ? uptime_s(daemon) : NAN);
    whole(table, now_of(daemon, "loyald_connections", NULL));
    cell(table, rate(daemon, interval_s, "loyald_worker_requests_total", NULL));
    cell(table, rate(daemon, interval_s, "loyald_answers_total", "kind=\"OK\""));
    cell(table, rate(daemon, interval_s, "loyald_answers_total", "kind=\"REFUSED\""));
    cell(table, rate(daemon, interval_s, "loyald_answers_total", "kind=\"RETRY\""));
    cell(table, rate(daemon, interval_s, "loyald_answers_total", "kind=\"UNKNOWN\""));
    cell(table, quantile_ms(daemon, POSTINGS, 0.5));
    cell(table, quantile_ms(daemon, POSTINGS, 0.99));
    cell(table, quantile_ms(daemon, "class=\"lookup\"", 0.99));
    whole(table, now_of(daemon, "loyald_queue_length", NULL));
    cell(table, mean(daemon, "loyald_batch_postings"));
    cell(table, 1000 * mean(daemon, "loyald_commit_duration_seconds"));
    whole(table, now_of(daemon, "loyald_database_connections", NULL));
    whole(table, now_of(daemon, "loyald_restarts_total", NULL));
}

struct table *status_daemons(const struct status_daemon *daemons, size_t count, double interval_s)
{
    static const char *const columns[] = {
        "daemon",        "state",       "up_s",          "conns",  "req_per_s", ".ok_per_s",
        "refused_per_s", "retry_per_s", "unknown_per_s", "p50_ms", "p99_ms",    ".lookup_p99_ms",
        "queue",         "batch",       "commit_ms",     "db",     ".restarts", NULL};
    struct table *table = table_create(columns);

    for (size_t i = 0; i < count; i++)
        daemon_row(table, &daemons[i], interval_s);
    return table;
}

static void worker_row(struct table *table, const struct status_daemon *daemon, int worker,
                       double interval_s)
{
    char label[32];
    json_t *document;

    snprintf(label, sizeof label, "process=\"worker%d\"", worker);
    table_text(table, short_name(daemon->url));
    table_number(table, worker);
    table_text(table, state_of(daemon, worker, &document));
    json_decref(document);
    whole(table, now_of(daemon, "loyald_connections", label));
    cell(table, rate(daemon, interval_s, "loyald_worker_requests_total", label));
    whole(table, now_of(daemon, "loyald_requests_in_flight", label));
    whole(table, now_of(daemon, "loyald_queue_length", label));
    cell(table, 1000 * now_of(daemon, "loyald_queue_oldest_seconds", label));
    whole(table, now_of(daemon, "loyald_database_connections", label));
    cell(table, now_of(daemon, "loyald_resident_memory_bytes", label) / 1048576);
    whole(table, now_of(daemon, "loyald_open_files", label));
}

struct table *status_workers(const struct status_daemon *daemons, size_t count, double interval_s)
{
    static const char *const columns[] = {"daemon",    "worker",    "state", "conns",
                                          "req_per_s", "in_flight", "queue", "oldest_ms",
                                          "db",        "mib",       "files", NULL};
    struct table *table = table_create(columns);
    char label[32];

    for (size_t i = 0; i < count; i++)
        for (int worker = 0;; worker++) {
            snprintf(label, sizeof label, "process=\"worker%d\"", worker);
            if (isnan(now_of(&daemons[i], "loyald_worker_ready", label)))
                break;
            worker_row(table, &daemons[i], worker, interval_s);
        }
    return table;
}

/* ---- a line ---- */

static void pair(const char *name, double number)
{
    if (!isnan(number) && !isinf(number))
        printf(" %s=%.2f", name, number);
}

void status_print_line(const struct status_daemon *daemon, double interval_s, const char *time)
{
    json_t *document;

    printf("time=%s daemon=%s state=\"%s\"", time, short_name(daemon->url),
           state_of(daemon, -1, &document));
    json_decref(document);
    pair("connections", now_of(daemon, "loyald_connections", NULL));
    pair("requests_per_s", rate(daemon, interval_s, "loyald_worker_requests_total", NULL));
    pair("refused_per_s", rate(daemon, interval_s, "loyald_answers_total", "kind=\"REFUSED\""));
    pair("retry_per_s", rate(daemon, interval_s, "loyald_answers_total", "kind=\"RETRY\""));
    pair("unknown_per_s", rate(daemon, interval_s, "loyald_answers_total", "kind=\"UNKNOWN\""));
    pair("p50_ms", quantile_ms(daemon, POSTINGS, 0.5));
    pair("p99_ms", quantile_ms(daemon, POSTINGS, 0.99));
    pair("queue", now_of(daemon, "loyald_queue_length", NULL));
    pair("batch", mean(daemon, "loyald_batch_postings"));
    pair("commit_ms", 1000 * mean(daemon, "loyald_commit_duration_seconds"));
    pair("database", now_of(daemon, "loyald_database_connections", NULL));
    putchar('\n');
}
