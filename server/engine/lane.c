/* Owns a lane: gather, read under lock, decide, write, commit, answer; and what to do when one of
 * them fails. Answers only after the Sync behind COMMIT has come back. */
#include <limits.h>

#include "base/log.h"
#include "engine/admission.h"
#include "engine/rows.h"

#define REPEATS_MAX 2
#define MISSES_MAX  4
#define RETURNS_MAX 3
#define STALE_MAX   10 /* a reference that changes faster than it is read */

static void on_committed(void *ctx, const PGresult *result);
static void on_undone(void *ctx, const PGresult *result);

static void failure_note(struct lane *lane, enum lane_failure failure)
{
    if (failure > lane->failure)
        lane->failure = failure;
}

/* Looks at one result of the batch: NULL is a lost connection, aborted ones follow another's
 * failure. */
static void result_note(struct lane *lane, const PGresult *result)
{
    static const enum lane_failure of[] = {
        [PG_POISON] = LANE_POISON, [PG_REPEAT] = LANE_REPEAT, [PG_RETRY] = LANE_RETRY};
    if (!result) {
        failure_note(lane, LANE_LOST);
        return;
    }
    if (PQresultStatus(result) != PGRES_FATAL_ERROR)
        return;
    char text[256];
    pg_error_text(result, text, sizeof text);
    log_warning("batch_failed", "postings=%d cause=\"%s\"",
                lane->batch.postings.count + lane->batch.again.count, text);
    bool is_of_server = PQresultErrorField(result, PG_DIAG_SQLSTATE) != NULL;
    failure_note(lane, is_of_server ? of[pg_failure_of(result)] : LANE_LOST);
}

/* Of one that cannot be planned or decided. */
static enum lane_failure failure_of_batch(const struct lane *lane)
{
    return lane->batch.arena.is_starved ? LANE_REPEAT : LANE_POISON;
}

/* ---- the end of a batch ---- */

static void all_answer(struct posting_list *list, int code)
{
    struct posting *posting;
    while ((posting = posting_list_pop(list)))
        posting_answer(posting, code);
}

static void lane_end_all(struct lane *lane, int code)
{
    all_answer(&lane->returned, code);
    engine_end_all(lane->engine, &lane->queue, code);
}

/* Their hints were wrong: back to S0, three times at most. False: there were none. */
static bool strangers_return(struct lane *lane)
{
    bool is_any = lane->batch.strangers.first;
    struct posting *posting;
    while ((posting = posting_list_pop(&lane->batch.strangers))) {
        hints_drop(lane->engine->hints, posting->identifier_hash);
        posting->decision = NULL;
        posting->is_admitted = true;
        if (posting->returns++ < RETURNS_MAX)
            reader_resolve(lane->engine, posting);
        else
            posting_answer(posting, ENGINE_TRANSIENT);
    }
    return is_any;
}

static void batch_requeue(struct lane *lane)
{
    posting_list_prepend(&lane->batch.postings, &lane->batch.again);
    for (struct posting *posting = lane->batch.postings.first; posting; posting = posting->next)
        posting->decision = NULL;
    posting_list_prepend(&lane->returned, &lane->batch.postings);
    engine_sweep_soon(lane->engine);
}

/* The same again, so many times; then it is a passing error. */
static void batch_repeat(struct lane *lane, int attempts_max)
{
    struct posting_list list = lane->batch.postings, keep;
    posting_list_init(&lane->batch.postings);
    posting_list_init(&keep);
    if (!list.first)
        posting_list_init(&list);
    struct posting *posting;
    while ((posting = posting_list_pop(&list))) {
        if (posting->attempts++ < attempts_max)
            posting_list_push(&keep, posting);
        else
            posting_answer(posting, ENGINE_TRANSIENT);
    }
    posting_list_prepend(&lane->batch.postings, &keep);
    batch_requeue(lane);
}

/* Halves the batch until the poisoned posting stands alone. */
static void batch_bisect(struct lane *lane, int code_alone)
{
    posting_list_prepend(&lane->batch.postings, &lane->batch.again);
    int count = lane->batch.postings.count;
    if (count == 1) {
        all_answer(&lane->batch.postings, code_alone);
        return;
    }
    for (struct posting *posting = lane->batch.postings.first; posting; posting = posting->next) {
        posting->batch_max = (count + 1) / 2;
        posting->attempts = 0;
    }
    batch_requeue(lane);
}

/* was_larger: some have left it already, and it may have failed because of them. */
static void batch_fail(struct lane *lane, bool was_larger)
{
    enum lane_failure failure = lane->failure;
    _Static_assert(LANE_LOST == STATS_FAILURES, "each failure is counted");
    stats_add(&lane->engine->options.stats->batches_failed[failure - 1], 1);
    switch (failure) {
    case LANE_STALE:
        lane->waits_for_reference = true;
        batch_repeat(lane, STALE_MAX);
        reader_poll(lane->engine);
        break;
    case LANE_REPEAT:
        if (lane->batch.postings.first && lane->batch.postings.first->attempts >= REPEATS_MAX)
            batch_bisect(lane, ENGINE_TRANSIENT);
        else
            batch_repeat(lane, REPEATS_MAX);
        break;
    case LANE_POISON:
        if (was_larger && lane->batch.postings.first &&
            lane->batch.postings.first->attempts < REPEATS_MAX)
            batch_repeat(lane, REPEATS_MAX);
        else
            batch_bisect(lane, ENGINE_INTERNAL);
        break;
    default:
        posting_list_prepend(&lane->batch.postings, &lane->batch.again);
        all_answer(&lane->batch.postings, lane->is_unknown       ? ENGINE_OUTCOME_UNKNOWN
                                          : failure == LANE_LOST ? ENGINE_NOT_READY
                                                                 : ENGINE_TRANSIENT);
    }
}

/* Whose member another holds tries again with the next batches, and then waits elsewhere; so do at
 * once those behind him. */
static void held_set_aside(struct lane *lane)
{
    struct posting_list list, keep;
    struct posting *posting;
    posting_list_init(&list);
    posting_list_init(&keep);
    posting_list_prepend(&list, &lane->batch.again);
    while ((posting = posting_list_pop(&list))) {
        posting->decision = NULL;
        if (!posting->slot->is_held)
            posting->misses = 0;
        else if (posting->misses < MISSES_MAX)
            posting->misses++;
        bool is_behind = !lane->batch.waits && waiter_has(lane->engine, posting->member_id);
        if (posting->misses == MISSES_MAX || is_behind)
            waiter_push(lane->engine, posting);
        else
            posting_list_push(&keep, posting);
    }
    posting_list_prepend(&lane->batch.again, &keep);
}

static void batch_succeed(struct lane *lane)
{
    struct worker_stats *stats = lane->engine->options.stats;
    bool is_unreplicated = pg_take_unreplicated(lane->pg);
    int64_t now_us = clock_monotonic_us();
    stats_add(&stats->batches, 1);
    stats_add(&stats->postings, lane->batch.postings.count);
    stats_size(&stats->batch_postings, (uint64_t)lane->batch.postings.count);
    stats_time(&stats->batch_times, now_us - lane->began_us);
    stats_time(&stats->commit_times, now_us - lane->writes_us);
    struct posting *posting;
    while ((posting = posting_list_pop(&lane->batch.postings)))
        posting_answer(posting, is_unreplicated ? ENGINE_OUTCOME_UNKNOWN : posting->code);
    held_set_aside(lane);
    batch_requeue(lane);
}

static void batch_end(struct lane *lane)
{
    int64_t took_us = clock_monotonic_us() - lane->began_us;
    if (lane->failure == LANE_GOOD)
        pace_note(&lane->pace, lane->taken, took_us, lane->is_short);
    lane->taken = 0;
    bool was_larger = strangers_return(lane);
    if (lane->failure == LANE_GOOD)
        batch_succeed(lane);
    else
        batch_fail(lane, was_larger);
    batch_reset(&lane->batch);
    lane->state = LANE_IDLE;
    lane_wake(lane);
}

/* ---- reading, deciding, writing ---- */

static void lane_undo(struct lane *lane, bool is_synced)
{
    lane->state = LANE_UNDOING;
    if (!is_synced)
        pg_sync(lane->pg, NULL, NULL);
    pg_send(lane->pg, STATEMENT_ROLLBACK, NULL, NULL, NULL);
    pg_sync(lane->pg, on_undone, lane);
}

static void on_undone(void *ctx, const PGresult *result)
{
    (void)result; /* even when the connection is lost now: nothing was committed */
    batch_end(ctx);
}

static void on_written(void *ctx, const PGresult *result)
{
    result_note(ctx, result);
}

static void on_commit(void *ctx, const PGresult *result)
{
    struct lane *lane = ctx;
    result_note(lane, result);
    lane->is_committed = result && PQresultStatus(result) == PGRES_COMMAND_OK &&
                         strcmp(PQcmdStatus((PGresult *)result), "COMMIT") == 0; /* not ROLLBACK */
}

static void on_committed(void *ctx, const PGresult *result)
{
    struct lane *lane = ctx;
    /* A definite error that came first stays definite, unless the server committed in spite of it.
     */
    bool is_contradiction = lane->is_committed && lane->failure != LANE_GOOD;
    if ((!result && lane->failure == LANE_GOOD) || is_contradiction)
        lane->failure = LANE_LOST;
    lane->is_unknown = lane->failure == LANE_LOST;
    if (lane->failure == LANE_GOOD && !lane->is_committed)
        lane->failure = LANE_RETRY; /* the server said ROLLBACK to COMMIT */
    if (lane->failure == LANE_GOOD || !result)
        batch_end(lane);
    else
        lane_undo(lane, true);
}

static void lane_write(struct lane *lane)
{
    lane->is_committed = false;
    lane->writes_us = clock_monotonic_us();
    batch_send_writes(&lane->batch, lane->pg, &lane->params, on_written, lane);
    if (lane->engine->options.lease_holder) {
        params_arrays(&lane->params, NULL, 0);
        params_scalar_text(&lane->params, lane->engine->options.lease_holder);
        params_scalar_int8(&lane->params, lane->engine->lease_epoch);
        pg_send(lane->pg, STATEMENT_LEASE_GUARD, &lane->params, on_written, lane);
    }
    lane->state = LANE_WRITING;
    pg_send(lane->pg, STATEMENT_COMMIT, NULL, on_commit, lane);
    pg_sync(lane->pg, on_committed, lane);
}

static void on_read(void *ctx, const PGresult *result)
{
    struct lane *lane = ctx;
    enum statement_id statement = lane->asked[lane->asked_taken++];
    result_note(lane, result);
    if (result && PQresultStatus(result) == PGRES_TUPLES_OK)
        batch_take_rows(&lane->batch, statement, result);
}

/* Whoever waited for the locks past his deadline may have been told so already. */
static void overdue_leave(struct lane *lane)
{
    struct posting_list all = lane->batch.postings;
    struct posting *posting;
    int64_t now_us = clock_monotonic_us();
    posting_list_init(&lane->batch.postings);
    while ((posting = posting_list_pop(&all))) {
        if (posting->deadline_us < now_us)
            posting_answer(posting, ENGINE_DEADLINE_EXCEEDED);
        else
            posting_list_push(&lane->batch.postings, posting);
    }
}

static void lane_decide(struct lane *lane)
{
    overdue_leave(lane);
    for (int i = 0; i < lane->batch.member_count; i++) {
        struct batch_member *slot = &lane->batch.members[i];
        slot->member.lots_read = slot->wants_state;
        slot->member.debts_read |= slot->wants_state;
    }
    if (batch_decide(&lane->batch, domain_clock_us(lane->engine->clock)))
        lane_write(lane);
    else {
        failure_note(lane, failure_of_batch(lane));
        lane_undo(lane, false);
    }
}

/* The epoch is the last of what was asked: all rows are there. */
static void on_epoch(void *ctx, const PGresult *result)
{
    struct lane *lane = ctx;
    result_note(lane, result);
    if (!result) {
        batch_end(lane);
        return;
    }
    if (PQresultStatus(result) == PGRES_TUPLES_OK) {
        if (row_int8(result, 0, 0) > reference_epoch(lane->batch.reference))
            failure_note(lane, LANE_STALE);
    }
    if (lane->failure == LANE_GOOD)
        lane_decide(lane);
    else
        lane_undo(lane, false);
}

/* ---- the start of a batch ---- */

/* Takes the next posting into the batch, or answers it. */
static void posting_take(struct lane *lane, struct posting *posting, int64_t now_us)
{
    if (!lane->batch.waits && waiter_has(lane->engine, posting->member_id))
        waiter_push(lane->engine, posting);
    else if (posting->deadline_us < now_us)
        posting_answer(posting, ENGINE_DEADLINE_EXCEEDED);
    else if (!posting->prepare(posting, lane->engine->reference))
        posting_answer(posting, ENGINE_NOT_IDENTIFIED);
    else
        posting_list_push(&lane->batch.postings, posting);
}

/* First those of a batch that did not commit, in their order, then whoever's turn it is. */
static void lane_gather(struct lane *lane)
{
    int64_t now_us = clock_monotonic_us();
    int count_max = lane->pace.batch_now;
    struct posting_list his, *returned = &lane->returned;
    if (lane->batch.waits) {
        waiter_next(lane, &his);
        returned = &his;
    }
    while (returned->first && lane->batch.postings.count < count_max) {
        int own_max = returned->first->batch_max;
        if (own_max && lane->batch.postings.count >= own_max)
            break;
        if (own_max)
            count_max = own_max < count_max ? own_max : count_max;
        posting_take(lane, posting_list_pop(returned), now_us);
    }
    if (lane->batch.waits)
        posting_list_prepend(&lane->returned, &his);
    struct fair_item *item;
    pace_begin(&lane->pace, lane->queue.merchant_count, now_us);
    while (!returned->first && lane->batch.postings.count < count_max &&
           !pace_is_enough(&lane->pace, lane->batch.postings.count, lane->queue.merchant_count,
                           lane->queue.count) &&
           (item = fair_pop(&lane->queue)))
        posting_take(lane, posting_of(item), now_us);
    lane->taken = lane->batch.postings.count;
    lane->is_short = !returned->first && lane->queue.count > 0 && lane->taken < count_max;
}

/* Remembers which statements' rows come in which order: what batch_send_reads asks. */
static void on_start(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd, (void)what;
    struct lane *lane = ctx;
    struct engine *engine = lane->engine;
    if (lane->state != LANE_IDLE || lane->waits_for_reference || !engine->reference)
        return;
    if (!pg_ready(lane->pg)) {
        lane_end_all(lane, ENGINE_NOT_READY);
        return;
    }
    lane_gather(lane);
    if (!lane->batch.postings.first) {
        lane_wake(lane); /* the waiter's other members */
        return;
    }
    lane->failure = LANE_GOOD;
    lane->is_unknown = false;
    lane->state = LANE_READING;
    lane->began_us = clock_monotonic_us();
    lane->asked_count = lane->asked_taken = 0;
    struct ledger_terms terms = engine->options.terms;
    terms.now_us = domain_clock_us(engine->clock);
    if (!batch_plan(&lane->batch, engine->reference, &terms)) {
        lane->failure = failure_of_batch(lane);
        batch_end(lane);
        return;
    }
    lane->asked_count = batch_send_reads(&lane->batch, lane->pg, &lane->params, lane->asked,
                                         &(struct batch_reads){on_read, on_epoch, lane});
}

bool lane_has_work(const struct lane *lane)
{
    return lane->returned.first || lane->queue.count > 0;
}

void lane_wake(struct lane *lane)
{
    if (lane->state == LANE_IDLE && lane_has_work(lane) && !lane->engine->is_closing)
        event_active(lane->start, 0, 0);
}

/* ---- what waits ---- */

/* What is under way counts, too, for it may come back, and what waits for members whom others
 * hold. */
int lane_queue_max(const struct lane *lane)
{
    const struct engine_options *options = &lane->engine->options;
    const struct engine *engine = lane->engine;
    const struct lane *waiter = &engine->lanes[options->lanes];
    int held = waiter->taken + waiter->returned.count;
    int under_way = lane->taken + lane->returned.count;
    int count = (options->queue_max - held + options->lanes - 1) / options->lanes - under_way;
    if (options->queue_ms_max > 0) {
        int in_time = pace_count_in(&lane->pace, options->queue_ms_max * INT64_C(1000));
        count = in_time < count ? in_time : count;
    }
    return count > 0 ? count : 0;
}

int64_t lane_drain_us(const struct lane *lane)
{
    return pace_us_of(&lane->pace, lane->taken + lane->returned.count + lane->queue.count);
}

/* What would only come to its turn past its deadline takes nobody's place. */
static bool comes_too_late(const struct lane *lane, const struct fair_item *item)
{
    int ahead = lane->taken + fair_ahead(&lane->queue, item->party);
    return lane->queue.count > lane->pace.batch_now &&
           item->deadline_us - clock_monotonic_us() < pace_us_of(&lane->pace, ahead);
}

void lane_push(struct lane *lane, struct posting *posting)
{
    bool is_admitted = posting->is_admitted;
    struct engine *engine = lane->engine;
    struct fair_item *item = &posting->waiting;
    if (!is_admitted && comes_too_late(lane, item))
        engine_refuse(engine, item);
    else
        engine_admit(engine, &lane->queue, item, is_admitted ? INT_MAX : lane_queue_max(lane));
    lane_wake(lane);
}

static void on_lane_state(void *ctx, bool is_ready)
{
    struct lane *lane = ctx;
    (void)is_ready;
    engine_publish_ready(lane->engine);
    lane_wake(lane);
}

bool lane_create(struct lane *lane, struct engine *engine, bool waits)
{
    lane->engine = engine;
    posting_list_init(&lane->returned);
    fair_init(&lane->queue);
    pace_init(&lane->pace, engine->options.batch_max);
    batch_init(&lane->batch);
    lane->batch.waits = waits;
    lane->start = event_new(engine->base, -1, 0, on_start, lane);
    /* Plans are fixed by hand: small arrays joined to large tables by their keys, whatever the
     * statistics say of tables that are still empty. */
    static const char settings[] =
        "-c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c enable_hashjoin=off "
        "-c enable_mergejoin=off -c enable_bitmapscan=off -c enable_sort=off -c "
        "enable_material=off "
        "-c enable_memoize=off -c jit=off -c timezone=UTC -c lock_timeout=%d "
        "-c statement_timeout=%d -c idle_in_transaction_session_timeout=%d";
    char text[sizeof settings + 64];
    snprintf(text, sizeof text, settings, engine->options.lock_timeout_ms,
             engine->options.statement_timeout_ms, engine->options.statement_timeout_ms);
    struct pg_options options = {
        .conninfo = engine->options.conninfo,
        .name = waits ? "loyald waiter" : "loyald lane",
        .settings = text,
        .silence_ms_max = engine->options.statement_timeout_ms + SILENCE_MS,
        .first = STATEMENT_MEMBERS_LOCK,
        .last = STATEMENT_EPOCH_READ,
        .link = waits ? STATS_WAITER : STATS_LANE,
        .stats = engine->options.stats,
        .state_changed = on_lane_state,
        .ctx = lane,
    };
    lane->pg = pg_create(engine->base, &options);
    return lane->start && lane->pg;
}

void lane_destroy(struct lane *lane)
{
    if (!lane->engine)
        return;
    pg_destroy(&lane->pg); /* ends the batch under way */
    lane_end_all(lane, ENGINE_NOT_READY);
    fair_free(&lane->queue);
    batch_free(&lane->batch);
    params_free(&lane->params);
    if (lane->start)
        event_free(lane->start);
}
