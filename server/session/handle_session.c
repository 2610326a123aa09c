/* Handles what concerns the connection and the daemon itself: Ping, GetStatus. Asks no database. */
#include "base/clock.h"
#include "outcome.h"
#include "session/software.h"
#include "session/verb.h"
#include "store/pg.h"

void handle_ping(struct request *request)
{
    Loyal__V1__PingResponse ping = LOYAL__V1__PING_RESPONSE__INIT;
    struct answer answer = answer_of(OUTCOME_CODE(OK));
    ping.server_time_us = domain_clock_us(request->session->worker->clock);
    answer.response.body_case = LOYAL__V1__RESPONSE__BODY_PING;
    answer.response.ping = &ping;
    request_answer(request, &answer);
}

static uint64_t answers_of(const struct worker_stats *stats, Loyal__V1__OutcomeKind kind)
{
    size_t count;
    uint64_t sum = 0;
    const struct outcome *rows = outcome_all(&count);
    for (size_t i = 0; i < count; i++)
        sum += rows[i].kind == kind ? stats_read(&stats->answers[rows[i].code]) : 0;
    return sum;
}

static void fill_worker(const struct shared_page *page, int slot, Loyal__V1__WorkerStatus *status)
{
    const struct worker_stats *stats = &page->slots[slot].stats;
    loyal__v1__worker_status__init(status);
    status->worker = (uint32_t)slot;
    status->pid = (uint32_t)stats_read(&stats->pid);
    status->connections = stats_read(&stats->connections);
    status->requests = stats_read(&stats->requests);
    status->batches = stats_read(&stats->batches);
    status->postings = stats_read(&stats->postings);
    status->refused = answers_of(stats, OUTCOME_KIND(REFUSED));
    status->retried = answers_of(stats, OUTCOME_KIND(RETRY));
    status->unknown = answers_of(stats, OUTCOME_KIND(UNKNOWN));
}

void handle_get_status(struct request *request)
{
    struct worker *worker = request->session->worker;
    const struct shared_page *page = worker->page;
    size_t count = (size_t)page->slot_count;
    Loyal__V1__GetStatusResponse status = LOYAL__V1__GET_STATUS_RESPONSE__INIT;
    struct answer answer = answer_of(OUTCOME_CODE(OK));
    Loyal__V1__WorkerStatus *rows = arena_alloc(&request->arena, count * sizeof *rows);
    status.workers = arena_alloc(&request->arena, count * sizeof *status.workers);
    if (!rows || !status.workers) {
        request_answer_code(request, OUTCOME_CODE(OVERLOADED));
        return;
    }
    for (size_t i = 0; i < count; i++) {
        fill_worker(page, (int)i, &rows[i]);
        status.workers[i] = &rows[i];
    }
    status.n_workers = count;
    status.software = (char *)(uintptr_t)SOFTWARE;
    status.network = worker->config->network;
    status.domain_time_us = domain_clock_us(worker->clock);
    status.uptime_s = (uint64_t)(clock_monotonic_us() - page->started_us) / 1000000;
    status.ready = engine_ready(worker->engine);
    if (status.ready) /* a worker is ready on no other schema */
        status.schema = (char *)(uintptr_t)PG_SCHEMA_WANTED;
    answer.response.body_case = LOYAL__V1__RESPONSE__BODY_GET_STATUS;
    answer.response.get_status = &status;
    request_answer(request, &answer);
}
