/* An open loop: earns come at their time, whatever became of those before them, so that more can be
 * offered than the daemon can do. Two groups of connections, each with a rate of its own: `steady`
 * from the beginning to the end, `flood` for a stretch in the middle. What is refused is not
 * repeated. Prints one line of JSON: what was sent before, during and after the flood, and in each
 * second, and what was answered. */
#include <inttypes.h>
#include <math.h>
#include <popt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/bench_client.h"

#define SECOND_US   INT64_C(1000000)
#define SECONDS_MAX 300

enum group_id { GROUP_STEADY, GROUP_FLOOD, GROUPS };
enum phase { PHASE_BEFORE, PHASE_DURING, PHASE_AFTER, PHASES };

static const char *const GROUP_NAMES[GROUPS] = {"steady", "flood"};
static const char *const PHASE_NAMES[PHASES] = {"before", "during", "after"};

struct tally {
    struct bench_tally bench;
    int64_t us_max;
};

/* What was sent in one phase, and what came back of that; or sent, and came back, in one second. */
struct stretch {
    uint64_t sent, undelayed; /* undelayed: to be repeated, but not told when */
    struct tally ok, retry, other;
};

struct group {
    double rate; /* a second */
    int first, merchants, connections;
    size_t begin; /* of its connections among all */
    double next_us;
    uint64_t unsent; /* when due: as many are in flight as the daemon allows */
    struct stretch phases[PHASES];
    struct stretch *seconds;
};

struct load;

struct slot {
    struct load *load;
    struct group *group;
    int64_t sent_us;
    struct slot *next;
};

struct load {
    struct bench_target target;
    int members;
    double before, during, after, warmup;
    long long seed;
    uint64_t random;
    struct group groups[GROUPS];
    struct loyal_client **clients;
    size_t client_count, in_use;
    struct slot *spare;
    int64_t begin_us, flood_us, calm_us, end_us;
};

static void tally_add(struct tally *tally, const struct loyal_answer *answer, int64_t us)
{
    bench_tally_add(&tally->bench, answer, us);
    if (us > tally->us_max)
        tally->us_max = us;
}

static void stretch_add(struct stretch *stretch, const struct loyal_answer *answer, int64_t us)
{
    tally_add(answer->kind == LOYAL_OK      ? &stretch->ok
              : answer->kind == LOYAL_RETRY ? &stretch->retry
                                            : &stretch->other,
              answer, us);
    stretch->undelayed += answer->kind == LOYAL_RETRY && answer->retry_after_ms == 0;
}

static bool is_measured(const struct load *load, int64_t at_us)
{
    return at_us >= load->begin_us && at_us < load->end_us;
}

static struct stretch *second_of(const struct load *load, struct group *group, int64_t at_us)
{
    return &group->seconds[(at_us - load->begin_us) / SECOND_US];
}

static struct stretch *phase_of(const struct load *load, struct group *group, int64_t sent_us)
{
    return &group->phases[sent_us < load->flood_us  ? PHASE_BEFORE
                          : sent_us < load->calm_us ? PHASE_DURING
                                                    : PHASE_AFTER];
}

static void note_sent(const struct slot *slot)
{
    const struct load *load = slot->load;
    if (is_measured(load, slot->sent_us)) {
        phase_of(load, slot->group, slot->sent_us)->sent++;
        second_of(load, slot->group, slot->sent_us)->sent++;
    }
}

static void answered(void *context, const struct loyal_answer *answer)
{
    struct slot *slot = context;
    struct load *load = slot->load;
    int64_t now_us = bench_now_us();
    int64_t us = now_us - slot->sent_us;
    if (is_measured(load, slot->sent_us))
        stretch_add(phase_of(load, slot->group, slot->sent_us), answer, us);
    if (is_measured(load, now_us))
        stretch_add(second_of(load, slot->group, now_us), answer, us);
    slot->next = load->spare;
    load->spare = slot;
    load->in_use--;
}

static struct slot *slot_take(struct load *load)
{
    struct slot *slot = load->spare;
    if (slot)
        load->spare = slot->next;
    else
        slot = calloc(1, sizeof *slot);
    if (!slot)
        exit(1);
    load->in_use++;
    return slot;
}

static void send_one(struct load *load, struct group *group)
{
    struct bench_earn earn;
    size_t pick = (size_t)bench_between(&load->random, 0, group->connections - 1);
    struct loyal_client *client = load->clients[group->begin + pick];
    int64_t card = BENCH_CARD_FIRST + bench_between(&load->random, 0, load->members - 1);
    struct loyal_request request = bench_earn_make(&earn, client, card, &load->random);
    struct slot *slot = slot_take(load);
    *slot = (struct slot){.load = load, .group = group, .sent_us = bench_now_us()};
    if (loyal_submit(client, &request, answered, slot)) {
        note_sent(slot);
        return;
    }
    group->unsent++;
    slot->next = load->spare;
    load->spare = slot;
    load->in_use--;
}

/* Arrivals of a Poisson process. */
static void send_due(struct load *load, struct group *group, int64_t now_us)
{
    while (group->rate > 0 && group->next_us <= (double)now_us) {
        send_one(load, group);
        double uniform = ((double)(bench_random(&load->random) >> 11) + 1) / 9007199254740993.0;
        group->next_us += -log(uniform) * (double)SECOND_US / group->rate;
    }
}

static void run(struct load *load)
{
    struct group *steady = &load->groups[GROUP_STEADY], *flood = &load->groups[GROUP_FLOOD];
    int64_t now_us = bench_now_us();
    load->begin_us = now_us + (int64_t)(load->warmup * (double)SECOND_US);
    load->flood_us = load->begin_us + (int64_t)(load->before * (double)SECOND_US);
    load->calm_us = load->flood_us + (int64_t)(load->during * (double)SECOND_US);
    load->end_us = load->calm_us + (int64_t)(load->after * (double)SECOND_US);
    steady->next_us = (double)now_us;
    flood->next_us = (double)load->flood_us;
    while ((now_us = bench_now_us()) < load->end_us) {
        send_due(load, steady, now_us);
        if (now_us < load->calm_us)
            send_due(load, flood, now_us);
        loyal_poll_many(load->clients, load->client_count, 1);
    }
    for (int64_t until_us = load->end_us + 20 * SECOND_US; load->in_use > 0 && now_us < until_us;
         now_us = bench_now_us())
        loyal_poll_many(load->clients, load->client_count, 100);
}

/* ---- the report ---- */

static void tally_print(const char *name, const struct tally *tally)
{
    printf("\"%s\": {\"answers\": %" PRIu64 ", \"p50_ms\": %.3f, \"p99_ms\": %.3f, "
           "\"p999_ms\": %.3f, \"max_ms\": %.3f}",
           name, tally->bench.answers, bench_tally_ms(&tally->bench, 0.50),
           bench_tally_ms(&tally->bench, 0.99), bench_tally_ms(&tally->bench, 0.999),
           (double)tally->us_max / 1000);
}

static void codes_print(const struct stretch *stretch)
{
    const char *comma = "";
    printf("\"codes\": {");
    for (int i = 0; i < BENCH_CODES_MAX; i++) {
        uint64_t count = stretch->retry.bench.others[i] + stretch->other.bench.others[i];
        if (count == 0)
            continue;
        printf("%s\"%s\": %" PRIu64, comma, loyal_code_name((enum loyal_code)i), count);
        comma = ", ";
    }
    printf("}");
}

static void group_print(const char *name, const struct group *group, int seconds)
{
    printf("\"%s\": {\"unsent\": %" PRIu64 ", ", name, group->unsent);
    for (enum phase phase = 0; phase < PHASES; phase++) {
        const struct stretch *stretch = &group->phases[phase];
        printf("\"%s\": {\"sent\": %" PRIu64 ", \"undelayed\": %" PRIu64 ", ", PHASE_NAMES[phase],
               stretch->sent, stretch->undelayed);
        tally_print("ok", &stretch->ok);
        printf(", ");
        tally_print("retry", &stretch->retry);
        printf(", ");
        codes_print(stretch);
        printf("}, ");
    }
    printf("\"seconds\": [");
    for (int i = 0; i < seconds; i++) {
        const struct stretch *second = &group->seconds[i];
        printf("%s{\"sent\": %" PRIu64 ", \"ok\": %" PRIu64 ", \"retry\": %" PRIu64
               ", \"p99_ms\": %.3f}",
               i ? ", " : "", second->sent, second->ok.bench.answers, second->retry.bench.answers,
               bench_tally_ms(&second->ok.bench, 0.99));
    }
    printf("]}");
}

/* ---- life ---- */

static void load_open(struct load *load)
{
    load->target.no_repeat = true;
    load->random = (uint64_t)load->seed;
    for (int i = 0; i < GROUPS; i++)
        load->client_count += (size_t)load->groups[i].connections;
    load->clients = calloc(load->client_count, sizeof(struct loyal_client *));
    size_t at = 0;
    for (int i = 0; i < GROUPS; i++) {
        struct group *group = &load->groups[i];
        group->begin = at;
        group->seconds = calloc(SECONDS_MAX, sizeof *group->seconds);
        if (!load->clients || !group->seconds)
            exit(1);
        for (int j = 0; j < group->connections; j++)
            load->clients[at++] =
                bench_connect(&load->target, (unsigned)(group->first + j % group->merchants));
    }
}

static void load_close(struct load *load)
{
    for (size_t i = 0; i < load->client_count; i++)
        loyal_client_destroy(&load->clients[i]);
    free(load->clients);
    for (int i = 0; i < GROUPS; i++)
        free(load->groups[i].seconds);
    while (load->spare) {
        struct slot *next = load->spare->next;
        free(load->spare);
        load->spare = next;
    }
}

static void read_options(int argc, const char **argv, struct load *load)
{
    struct group *steady = &load->groups[GROUP_STEADY], *flood = &load->groups[GROUP_FLOOD];
    struct poptOption table[] = {
        BENCH_TARGET_OPTIONS(&load->target),
        {"members", 0, POPT_ARG_INT, &load->members, 0, "cards from 9900000000 on", "N"},
        {"steady-rate", 0, POPT_ARG_DOUBLE, &steady->rate, 0, "earns a second", "R"},
        {"steady-first", 0, POPT_ARG_INT, &steady->first, 0, "first of the merchants", "N"},
        {"steady-merchants", 0, POPT_ARG_INT, &steady->merchants, 0, "", "N"},
        {"steady-connections", 0, POPT_ARG_INT, &steady->connections, 0, "", "N"},
        {"flood-rate", 0, POPT_ARG_DOUBLE, &flood->rate, 0, "earns a second", "R"},
        {"flood-first", 0, POPT_ARG_INT, &flood->first, 0, "first of the merchants", "N"},
        {"flood-merchants", 0, POPT_ARG_INT, &flood->merchants, 0, "", "N"},
        {"flood-connections", 0, POPT_ARG_INT, &flood->connections, 0, "", "N"},
        {"warmup", 0, POPT_ARG_DOUBLE, &load->warmup, 0, "not measured", "S"},
        {"before", 0, POPT_ARG_DOUBLE, &load->before, 0, "the flood", "S"},
        {"during", 0, POPT_ARG_DOUBLE, &load->during, 0, "the flood", "S"},
        {"after", 0, POPT_ARG_DOUBLE, &load->after, 0, "the flood", "S"},
        {"seed", 0, POPT_ARG_LONGLONG, &load->seed, 0, "of members and arrivals", "N"},
        POPT_AUTOHELP POPT_TABLEEND};
    poptContext context = poptGetContext("flood", argc, argv, table, 0);
    int code = poptGetNextOpt(context);
    if (code < -1 || poptPeekArg(context) || !load->target.bundles || load->members < 1 ||
        steady->connections < 1 || steady->merchants < 1 || flood->connections < 1 ||
        flood->merchants < 1 || load->before + load->during + load->after > SECONDS_MAX) {
        poptPrintHelp(context, stderr, 0);
        exit(2);
    }
    poptFreeContext(context);
}

int main(int argc, const char **argv)
{
    static struct load load = {
        .target = {.host = "localhost", .port = "7400"},
        .members = 100000,
        .before = 10,
        .during = 10,
        .after = 10,
        .warmup = 1,
        .seed = 1,
        .groups = {[GROUP_STEADY] = {.rate = 100, .merchants = 8, .connections = 16},
                   [GROUP_FLOOD] = {.first = 8, .merchants = 40, .connections = 80}}};
    read_options(argc, argv, &load);
    load_open(&load);
    run(&load);
    int seconds = (int)(load.before + load.during + load.after);
    printf("{");
    for (int i = 0; i < GROUPS; i++) {
        group_print(GROUP_NAMES[i], &load.groups[i], seconds);
        printf(", ");
    }
    printf("\"cpu\": %.3f, \"unanswered\": %zu}\n", bench_cpu_seconds(), load.in_use);
    load_close(&load);
    return load.in_use > 0;
}
