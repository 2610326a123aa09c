/* Judges the processes by what they say in the shared page. Called by the admin port. Never names a
 * host, a file or a text of the database: whoever may ask gets a word of a fixed list. */
#include "admin/health.h"

#include "base/clock.h"

static const char *const REASONS[STATS_REASONS] = {
    "starting",     "database_unreachable", "schema_wrong", "database_not_durable",
    "setup_failed", "reference_not_loaded", "draining"};

static bool is_recent(int64_t beat_us)
{
    return clock_monotonic_us() - beat_us < HEALTH_BEAT_S * INT64_C(1000000);
}

/* A slot without a worker is judged by the master's age: one that is started again and again never
 * lives long. */
static bool beats(const struct shared_page *page, int slot)
{
    const struct worker_stats *stats = &page->slots[slot].stats;
    int64_t beat_us = (int64_t)stats_read(&stats->process.beat_us);
    if (!stats_read(&stats->pid) || beat_us < page->started_us)
        beat_us = page->started_us;
    return is_recent(beat_us);
}

const char *health_who_hangs(const struct shared_page *page)
{
    int64_t beat_us = (int64_t)stats_read(&page->master.process.beat_us);
    if (!is_recent(beat_us))
        return "the master does not turn its loop";
    for (int slot = 0; slot < page->slot_count; slot++) {
        if (beats(page, slot))
            return NULL;
    }
    return "no worker turns its loop";
}

static bool is_serving(const struct shared_page *page, int slot)
{
    return stats_read(&page->slots[slot].stats.ready) && beats(page, slot) &&
           !stats_read(&page->master.draining);
}

static const char *reason_of(const struct shared_page *page, int slot)
{
    const struct worker_stats *stats = &page->slots[slot].stats;
    uint64_t reason = stats_read(&stats->reason);
    if (stats_read(&page->master.draining))
        return REASONS[STATS_DRAINING];
    if (stats_read(&stats->pid) && !beats(page, slot))
        return "hangs";
    return REASONS[reason < STATS_REASONS ? reason : STATS_STARTING];
}

static void print_worker(struct evbuffer *out, const struct shared_page *page, int slot)
{
    const struct worker_stats *stats = &page->slots[slot].stats;
    uint64_t reason = stats_read(&stats->reason);
    evbuffer_add_printf(out, "{\"worker\":%d,\"ready\":%s", slot,
                        is_serving(page, slot) ? "true" : "false");
    if (!is_serving(page, slot)) {
        const char *text = reason_of(page, slot);
        evbuffer_add_printf(out, ",\"reason\":\"%s\"", text);
        if (text == REASONS[reason] && reason >= STATS_UNREACHABLE && reason <= STATS_REFUSED)
            evbuffer_add_printf(out, ",\"connection\":\"%s\"",
                                stats_read(&stats->reason_link) == STATS_LANE ? "lane" : "reader");
    }
    evbuffer_add_printf(out, "}");
}

bool health_print_ready(struct evbuffer *out, const struct shared_page *page)
{
    bool is_ready = false;
    for (int slot = 0; slot < page->slot_count; slot++)
        is_ready = is_ready || is_serving(page, slot);
    evbuffer_add_printf(out, "{\"ready\":%s,\"workers\":[", is_ready ? "true" : "false");
    for (int slot = 0; slot < page->slot_count; slot++) {
        evbuffer_add_printf(out, "%s", slot ? "," : "");
        print_worker(out, page, slot);
    }
    evbuffer_add_printf(out, "]}\n");
    return is_ready;
}
