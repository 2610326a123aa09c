/* Tells the stats how the engine stands: readiness as soon as it changes, queues when the process
 * asks for it. Never changes the engine. */
#include "engine/engine_private.h"

/* What a queue holds, and since when its first has waited. */
struct waiting {
    uint64_t count;
    int64_t since_us; /* 0: nobody waits */
};

static void add(struct waiting *waiting, int count, int64_t since_us)
{
    waiting->count += (uint64_t)count;
    if (since_us && (!waiting->since_us || since_us < waiting->since_us))
        waiting->since_us = since_us;
}

static void add_queue(struct waiting *waiting, const struct fair_queue *queue)
{
    add(waiting, queue->count, fair_since_us(queue));
}

static void add_returned(struct waiting *waiting, const struct posting_list *list)
{
    for (struct posting *at = list->first; at; at = at->next)
        add(waiting, 1, at->waiting.since_us);
}

static void publish(struct worker_stats *stats, enum stats_queue queue,
                    const struct waiting *waiting)
{
    int64_t oldest_us = waiting->since_us ? clock_monotonic_us() - waiting->since_us : 0;
    stats_set(&stats->queued[queue], waiting->count);
    stats_set(&stats->oldest_us[queue], (uint64_t)oldest_us);
}

void engine_publish(struct engine *engine)
{
    struct worker_stats *stats = engine->options.stats;
    struct waiting postings = {0, 0}, lookups = {0, 0}, queries = {0, 0};
    add_queue(&postings, &engine->unresolved);
    for (int i = 0; i <= engine->options.lanes; i++) {
        add_returned(&postings, &engine->lanes[i].returned);
        add_queue(&postings, &engine->lanes[i].queue);
    }
    add_queue(&lookups, &engine->lookups);
    for (int i = 0; i < DESKS; i++) {
        add_queue(&queries, &engine->desks[i].changes);
        add_queue(&queries, &engine->desks[i].questions);
    }
    publish(stats, STATS_POSTINGS, &postings);
    publish(stats, STATS_LOOKUPS, &lookups);
    publish(stats, STATS_QUERIES, &queries);
    engine_publish_ready(engine);
}

/* The connection that is not ready, of those that readiness needs; NULL: all are. */
static const struct pg *broken_link(const struct engine *engine, enum stats_link *link_out)
{
    *link_out = STATS_LANE;
    for (int i = 0; i < engine->options.lanes; i++) {
        if (!pg_ready(engine->lanes[i].pg))
            return engine->lanes[i].pg;
    }
    *link_out = STATS_READER;
    return pg_ready(engine->reader) ? NULL : engine->reader;
}

void engine_publish_ready(struct engine *engine)
{
    struct worker_stats *stats = engine->options.stats;
    enum stats_link link;
    if (!engine->lanes[engine->options.lanes].pg || !engine->reader)
        return; /* it is still being made, or ends already */
    const struct pg *broken = broken_link(engine, &link);
    stats_set(&stats->reason, broken ? pg_trouble(broken) : STATS_NO_REFERENCE);
    stats_set(&stats->reason_link, link);
    if (engine->reference)
        stats_set(&stats->reference_epoch, (uint64_t)reference_epoch(engine->reference));
    stats_set(&stats->ready, engine_ready(engine));
}
