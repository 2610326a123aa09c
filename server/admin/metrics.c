/* Owns the table of metrics: the one place that names them. Called by the admin port and by
 * --dump-metrics. Reads the shared page alone, so it answers whatever workers and database do. What
 * is counted is added up over the processes; what tells how a process stands has its label. */
#include "admin/metrics.h"

#include <inttypes.h>
#include <sys/resource.h>

#include "loyal/v1/envelope.pb-c.h"
#include "outcome.h"
#include "store/pg.h"

#define LENGTH(array) (sizeof(array) / sizeof(array)[0])

struct metric;

struct sink {
    struct evbuffer *out;
    const struct admin_source *source;
    const struct metric *metric;
};

enum unit { PLAIN, SECONDS }; /* of microseconds */

/* Where its number lies in a struct of the page, or the first of its numbers by label. */
struct metric {
    const char *name, *type, *help;
    void (*print)(const struct sink *sink);
    size_t offset;
    enum unit unit;
    const char *label;
    const char *const *names;
    size_t name_count;
};

static const char *const CONNS[] = {"handshake", "greeting", "open", "closing"};
static const char *const QUEUES[] = {"posting", "lookup", "query"};
static const char *const LINKS[] = {"lane",   "reader", "waiter", "counter",
                                    "office", "window", "census", "eraser"};
static const char *const HANDSHAKES[] = {"no_certificate", "expired", "untrusted", "protocol",
                                         "timeout",        "dropped", "gone"};
static const char *const FAILURES[] = {"stale", "repeat", "poison", "retry", "lost"};
static const char *const DUTIES[] = {"partitions", "refusals", "expiry"};
static const char *const CLASSES[] = {"posting", "lookup", "query"};
_Static_assert(LENGTH(CONNS) == STATS_CONNS && LENGTH(QUEUES) == STATS_QUEUES &&
                   LENGTH(LINKS) == STATS_LINKS && LENGTH(HANDSHAKES) == STATS_HANDSHAKES &&
                   LENGTH(FAILURES) == STATS_FAILURES && LENGTH(DUTIES) == STATS_DUTIES &&
                   LENGTH(CLASSES) == STATS_CLASSES,
               "each number has its name");

/* ---- rows ---- */

static uint64_t at(const void *base, size_t offset, size_t index)
{
    return stats_read((const uint64_t *)(const void *)((const char *)base + offset) + index);
}

/* labels: without braces, "" for none. */
static void row(const struct sink *sink, const char *labels, uint64_t value)
{
    bool has_labels = *labels != '\0';
    evbuffer_add_printf(sink->out, "%s%s%s%s ", sink->metric->name, has_labels ? "{" : "", labels,
                        has_labels ? "}" : "");
    if (sink->metric->unit == SECONDS)
        evbuffer_add_printf(sink->out, "%.6f\n", (double)value / 1e6);
    else
        evbuffer_add_printf(sink->out, "%" PRIu64 "\n", value);
}

/* The workers' slots, then that of maintenance; NULL after the last. */
static const struct worker_stats *slot_of(const struct sink *sink, int number, char name_out[24])
{
    const struct shared_page *page = sink->source->page;
    if (number < page->slot_count) {
        snprintf(name_out, 24, "worker%d", number);
        return &page->slots[number].stats;
    }
    snprintf(name_out, 24, "maintenance");
    return number == page->slot_count ? &page->maintenance.engine : NULL;
}

static uint64_t sum_of(const struct sink *sink, size_t offset, size_t index)
{
    char name[24];
    uint64_t sum = 0;
    const struct worker_stats *stats;
    for (int i = 0; (stats = slot_of(sink, i, name)); i++)
        sum += at(stats, offset, index);
    return sum;
}

static void of_master(const struct sink *sink)
{
    row(sink, "", at(&sink->source->page->master, sink->metric->offset, 0));
}

static void of_maintenance(const struct sink *sink)
{
    const struct metric *metric = sink->metric;
    char labels[64] = "";
    for (size_t i = 0; i < (metric->names ? metric->name_count : 1); i++) {
        if (metric->names)
            snprintf(labels, sizeof labels, "%s=\"%s\"", metric->label, metric->names[i]);
        row(sink, labels, at(&sink->source->page->maintenance, metric->offset, i));
    }
}

static void of_slots(const struct sink *sink, int count)
{
    const struct metric *metric = sink->metric;
    char name[24], labels[64];
    for (int slot = 0; slot < count; slot++) {
        const struct worker_stats *stats = slot_of(sink, slot, name);
        for (size_t i = 0; i < (metric->names ? metric->name_count : 1); i++) {
            int used = snprintf(labels, sizeof labels, "process=\"%s\"", name);
            if (metric->names)
                snprintf(labels + used, sizeof labels - (size_t)used, ",%s=\"%s\"", metric->label,
                         metric->names[i]);
            row(sink, labels, at(stats, metric->offset, i));
        }
    }
}

static void of_workers(const struct sink *sink)
{
    of_slots(sink, sink->source->page->slot_count);
}

static void of_engines(const struct sink *sink)
{
    of_slots(sink, sink->source->page->slot_count + 1);
}

/* Of every process; offset: in struct stats_process. */
static void of_processes(const struct sink *sink)
{
    char name[24], labels[64];
    const struct worker_stats *stats;
    row(sink, "process=\"master\"",
        at(&sink->source->page->master.process, sink->metric->offset, 0));
    row(sink, "process=\"admin\"", at(&sink->source->page->admin, sink->metric->offset, 0));
    for (int i = 0; (stats = slot_of(sink, i, name)); i++) {
        snprintf(labels, sizeof labels, "process=\"%s\"", name);
        row(sink, labels, at(&stats->process, sink->metric->offset, 0));
    }
}

static void of_all(const struct sink *sink)
{
    const struct metric *metric = sink->metric;
    char labels[64] = "";
    for (size_t i = 0; i < (metric->names ? metric->name_count : 1); i++) {
        if (metric->names)
            snprintf(labels, sizeof labels, "%s=\"%s\"", metric->label, metric->names[i]);
        row(sink, labels, sum_of(sink, metric->offset, i));
    }
}

/* ---- histograms ---- */

struct bounds {
    const uint64_t *at;
    size_t count;
    double scale;
};

static void histogram(const struct sink *sink, size_t offset, const char *labels,
                      const struct bounds *bounds)
{
    const char *name = sink->metric->name, *comma = *labels ? "," : "";
    const char *open = *labels ? "{" : "", *close = *labels ? "}" : "";
    uint64_t count = 0;
    for (size_t i = 0; i <= bounds->count; i++) {
        count += sum_of(sink, offset, i);
        evbuffer_add_printf(sink->out, "%s_bucket{%s%sle=\"", name, labels, comma);
        if (i < bounds->count)
            evbuffer_add_printf(sink->out, "%g", (double)bounds->at[i] * bounds->scale);
        else
            evbuffer_add_printf(sink->out, "+Inf");
        evbuffer_add_printf(sink->out, "\"} %" PRIu64 "\n", count);
    }
    double sum = (double)sum_of(sink, offset, bounds->count + 1) * bounds->scale;
    evbuffer_add_printf(sink->out, "%s_sum%s%s%s %.6f\n%s_count%s%s%s %" PRIu64 "\n", name, open,
                        labels, close, sum, name, open, labels, close, count);
}

static const struct bounds TIMES = {STATS_TIME_BOUNDS_US, STATS_TIMES, 1e-6};
static const struct bounds SIZES = {STATS_SIZE_BOUNDS, STATS_SIZES, 1};

static void times(const struct sink *sink)
{
    histogram(sink, sink->metric->offset, "", &TIMES);
}

static void sizes(const struct sink *sink)
{
    histogram(sink, sink->metric->offset, "", &SIZES);
}

static void times_by_class(const struct sink *sink)
{
    char labels[40];
    for (size_t i = 0; i < STATS_CLASSES; i++) {
        snprintf(labels, sizeof labels, "class=\"%s\"", CLASSES[i]);
        histogram(sink, sink->metric->offset + i * sizeof(struct stats_times), labels, &TIMES);
    }
}

/* ---- those with a way of their own ---- */

static void build_info(const struct sink *sink)
{
    char labels[128];
    snprintf(labels, sizeof labels, "version=\"%s\",schema=\"%s\"", sink->source->version,
             PG_SCHEMA_WANTED);
    row(sink, labels, 1);
}

static void verbs(const struct sink *sink)
{
    const ProtobufCMessageDescriptor *descriptor = &loyal__v1__request__descriptor;
    char labels[64];
    row(sink, "verb=\"unreadable\"", sum_of(sink, sink->metric->offset, 0));
    for (unsigned i = 0; i < descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &descriptor->fields[i];
        if (!(field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF))
            continue;
        snprintf(labels, sizeof labels, "verb=\"%s\"", field->name);
        row(sink, labels, sum_of(sink, sink->metric->offset, field->id));
    }
}

static void answers(const struct sink *sink)
{
    size_t count;
    char labels[80];
    const struct outcome *rows = outcome_all(&count);
    for (size_t i = 0; i < count; i++) {
        snprintf(labels, sizeof labels, "kind=\"%s\",code=\"%s\"", outcome_kind_name(rows[i].kind),
                 rows[i].name);
        row(sink, labels, sum_of(sink, sink->metric->offset, (size_t)rows[i].code));
    }
}

static void restarts(const struct sink *sink)
{
    const struct master_stats *master = &sink->source->page->master;
    row(sink, "process=\"worker\"", stats_read(&master->worker_restarts));
    row(sink, "process=\"maintenance\"", stats_read(&master->maintenance_restarts));
    row(sink, "process=\"admin\"", stats_read(&master->admin_restarts));
}

static void heartbeat(const struct sink *sink, const char *name,
                      const struct stats_process *process)
{
    char labels[64];
    uint64_t beat_us = stats_read(&process->beat_us), now_us = (uint64_t)clock_monotonic_us();
    snprintf(labels, sizeof labels, "process=\"%s\"", name);
    row(sink, labels, now_us > beat_us ? now_us - beat_us : 0);
}

/* Empty slots have no heart that could beat. */
static void heartbeats(const struct sink *sink)
{
    char name[24];
    const struct worker_stats *stats;
    heartbeat(sink, "master", &sink->source->page->master.process);
    heartbeat(sink, "admin", &sink->source->page->admin);
    for (int i = 0; (stats = slot_of(sink, i, name)); i++) {
        if (stats_read(&stats->pid) && stats_read(&stats->process.beat_us))
            heartbeat(sink, name, &stats->process);
    }
}

static void files_max(const struct sink *sink)
{
    struct rlimit limit = {0, 0};
    getrlimit(RLIMIT_NOFILE, &limit);
    row(sink, "", limit.rlim_cur);
}

static void domain_time(const struct sink *sink)
{
    row(sink, "", (uint64_t)domain_clock_us(sink->source->clock));
}

static void certificates(const struct sink *sink)
{
    const struct master_stats *master = &sink->source->page->master;
    row(sink, "file=\"certificate\"", stats_read(&master->certificate_until_us));
    row(sink, "file=\"authority\"", stats_read(&master->authority_until_us));
}

/* 1 only when everybody took it. */
static void reload_good(const struct sink *sink)
{
    bool failed = stats_read(&sink->source->page->master.reload_failed) ||
                  sum_of(sink, offsetof(struct worker_stats, reload_failed), 0);
    row(sink, "", !failed);
}

static void log_dropped(const struct sink *sink)
{
    row(sink, "", stats_read(&sink->source->page->log_dropped));
}

/* ---- the table ---- */

#define METRIC(name_is, type_is, help_is, print_is, ...)                                          \
    {                                                                                             \
        .name = (name_is), .type = (type_is), .help = (help_is), .print = (print_is), __VA_ARGS__ \
    }
#define WORKER(field)        .offset = offsetof(struct worker_stats, field)
#define PROCESS(field)       .offset = offsetof(struct stats_process, field)
#define MAINTENANCE(field)   .offset = offsetof(struct maintenance_stats, field)
#define MASTER(field)        .offset = offsetof(struct master_stats, field)
#define IN_SECONDS           .unit = SECONDS
#define BY(label_name, list) .label = (label_name), .names = (list), .name_count = LENGTH(list)

static const struct metric METRICS[] = {
    METRIC("loyald_build_info", "gauge", "Always 1; which program, and the schema it wants",
           build_info, .offset = 0),
    METRIC("process_start_time_seconds", "gauge", "When the master started, since 1970", of_master,
           MASTER(started_us), IN_SECONDS),
    METRIC("loyald_start_time_seconds", "gauge", "When the process started; 0: it does not run",
           of_engines, WORKER(started_us), IN_SECONDS),
    METRIC("loyald_restarts_total", "counter", "Processes that ended and were started again",
           restarts, .offset = 0),
    METRIC("loyald_hung_total", "counter", "Processes killed because they gave no sign of life",
           of_master, MASTER(hung)),
    METRIC("loyald_heartbeat_age_seconds", "gauge", "Since the process last turned its loop",
           heartbeats, IN_SECONDS),
    METRIC("loyald_resident_memory_bytes", "gauge", "Memory in use, measured every 10 seconds",
           of_processes, PROCESS(resident_bytes)),
    METRIC("loyald_open_files", "gauge", "File descriptors in use, counted every 10 seconds",
           of_processes, PROCESS(open_files)),
    METRIC("loyald_open_files_max", "gauge", "File descriptors that a process may have", files_max,
           .offset = 0),
    METRIC("loyald_worker_ready", "gauge", "1 while the worker can use its database", of_workers,
           WORKER(ready)),
    METRIC("loyald_connections", "gauge", "Clients' connections by state", of_workers,
           WORKER(conns), BY("state", CONNS)),
    METRIC("loyald_connections_max", "gauge", "Connections that a worker takes", of_master,
           MASTER(connections_max)),
    METRIC("loyald_connections_accepted_total", "counter", "Connections accepted", of_all,
           WORKER(accepted)),
    METRIC("loyald_accept_shortages_total", "counter",
           "Times that a connection could not be accepted for want of files or memory", of_all,
           WORKER(accept_shortages)),
    METRIC("loyald_handshakes_failed_total", "counter", "TLS handshakes that did not succeed",
           of_all, WORKER(handshakes_failed), BY("reason", HANDSHAKES)),
    METRIC("loyald_peers_cut_total", "counter",
           "Connections ended because a frame or unread answers stood still", of_all,
           WORKER(peers_cut)),
    METRIC("loyald_requests_total", "counter", "Requests received", verbs, WORKER(verbs)),
    METRIC("loyald_worker_requests_total", "counter", "The same by worker", of_workers,
           WORKER(requests)),
    METRIC("loyald_requests_in_flight", "gauge", "Requests not yet answered", of_workers,
           WORKER(in_flight)),
    METRIC("loyald_answers_total", "counter", "Answers by kind and result code", answers,
           WORKER(answers)),
    METRIC("loyald_request_duration_seconds", "histogram",
           "From the receipt of a request to its answer", times_by_class, WORKER(durations)),
    METRIC("loyald_queue_length", "gauge", "What waits for the database", of_workers,
           WORKER(queued), BY("queue", QUEUES)),
    METRIC("loyald_queue_max", "gauge", "Postings that may wait in one worker", of_master,
           MASTER(queue_max)),
    METRIC("loyald_queue_oldest_seconds", "gauge", "How long the first in the queue has waited",
           of_workers, WORKER(oldest_us), IN_SECONDS, BY("queue", QUEUES)),
    METRIC("loyald_batch_postings", "histogram", "Postings that shared a transaction", sizes,
           WORKER(batch_postings)),
    METRIC("loyald_batch_duration_seconds", "histogram",
           "From a batch's first statement to its commit", times, WORKER(batch_times)),
    METRIC("loyald_commit_duration_seconds", "histogram", "The part of it from the writes on",
           times, WORKER(commit_times)),
    METRIC("loyald_batches_failed_total", "counter", "Batches that did not commit, by cause",
           of_all, WORKER(batches_failed), BY("cause", FAILURES)),
    METRIC("loyald_database_connections", "gauge", "Connections to PostgreSQL that are ready",
           of_engines, WORKER(links), BY("connection", LINKS)),
    METRIC("loyald_database_connections_lost_total", "counter",
           "Connections to PostgreSQL that were lost", of_all, WORKER(links_lost),
           BY("connection", LINKS)),
    METRIC("loyald_reference_epoch", "gauge", "Epoch of the reference tables in use", of_workers,
           WORKER(reference_epoch)),
    METRIC("loyald_maintenance_lease_held", "gauge", "1 where this daemon does the maintenance",
           of_maintenance, MAINTENANCE(lease_held)),
    METRIC("loyald_maintenance_last_success_timestamp_seconds", "gauge",
           "When this daemon last did the duty; 0: not since it started", of_maintenance,
           MAINTENANCE(success_us), IN_SECONDS, BY("duty", DUTIES)),
    METRIC("loyald_partitions_until_timestamp_seconds", "gauge",
           "Domain time up to which maintenance made partitions; 0: not since it started",
           of_maintenance, MAINTENANCE(partitions_until_us), IN_SECONDS),
    METRIC("loyald_domain_time_seconds", "gauge", "The domain's clock, since 1970", domain_time,
           IN_SECONDS),
    METRIC("loyald_certificate_not_after_timestamp_seconds", "gauge",
           "When the daemon's own certificate, or the first of its authorities, expires",
           certificates, IN_SECONDS),
    METRIC("loyald_config_last_reload_successful", "gauge", "0 after a SIGHUP that changed nothing",
           reload_good, .offset = 0),
    METRIC("loyald_config_last_reload_success_timestamp_seconds", "gauge",
           "When the configuration was last read", of_master, MASTER(reload_us), IN_SECONDS),
    METRIC("loyald_log_dropped_total", "counter", "Log lines that could not be written",
           log_dropped, .offset = 0),
};

void metrics_print(struct evbuffer *out, const struct admin_source *source)
{
    for (size_t i = 0; i < LENGTH(METRICS); i++) {
        const struct metric *metric = &METRICS[i];
        evbuffer_add_printf(out, "# HELP %s %s\n# TYPE %s %s\n", metric->name, metric->help,
                            metric->name, metric->type);
        metric->print(&(struct sink){out, source, metric});
    }
}

void metrics_list(FILE *out)
{
    for (size_t i = 0; i < LENGTH(METRICS); i++)
        fprintf(out, "%s\t%s\t%s\n", METRICS[i].name, METRICS[i].type, METRICS[i].help);
}
