/* The load: connections of libloyal, each with so many requests in flight, over random members; a
 * closed loop of earns or of one kind of query, or earns with queries on connections of their own:
 * for every so many earns answered one query falls due, and is sent as soon as one of these
 * connections has room. Measures what came back within the stretch and prints one line of JSON. */
#include <inttypes.h>
#include <popt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/bench_query.h"

#define SECOND_US INT64_C(1000000)

struct load;

/* One request in flight. */
struct slot {
    struct load *load;
    struct loyal_client *client;
    struct bench_tally *tally;
    struct bench_asker *asker; /* NULL: it earns */
    int64_t sent_us;
    struct slot *next; /* of those that wait until a query falls due */
};

struct options {
    struct bench_target target;
    char *kind;
    int merchants, members, connections, in_flight;
    int beside, beside_connections;
    double seconds, warmup;
    long long seed;
    int operations;
};

struct load {
    struct options options;
    enum bench_query_kind kind;
    bool is_of_earns;
    size_t client_count, slot_count; /* those of queries beside come last */
    struct loyal_client **clients;
    struct slot *slots;
    struct bench_asker *askers; /* one a slot */
    struct slot *idle;
    int64_t earned, due; /* earns since a query last fell due; queries due and not sent */
    uint64_t sent;
    uint64_t random;
    int64_t begin_us, end_us; /* of what is measured */
    struct bench_tally main, beside;
};

/* ---- the loop ---- */

static void answered(void *context, const struct loyal_answer *answer);

static void send_next(struct slot *slot)
{
    struct load *load = slot->load;
    struct bench_earn earn;
    struct loyal_request request;
    if (slot->asker) {
        request = bench_query_make(slot->asker, &load->random);
    } else {
        int64_t number = bench_between(&load->random, 0, load->options.members - 1);
        request = bench_earn_make(&earn, slot->client, BENCH_CARD_FIRST + number, &load->random);
    }
    load->sent++;
    slot->sent_us = bench_now_us();
    if (!loyal_submit(slot->client, &request, answered, slot)) {
        fprintf(stderr, "more in flight than the daemon allows\n");
        exit(1);
    }
}

static void send_due(struct load *load)
{
    while (load->due > 0 && load->idle) {
        struct slot *slot = load->idle;
        load->idle = slot->next;
        load->due--;
        send_next(slot);
    }
}

/* What follows an answer. */
static void go_on(struct slot *slot)
{
    struct load *load = slot->load;
    if (slot->tally == &load->beside) {
        slot->next = load->idle;
        load->idle = slot;
    } else {
        if (load->options.beside > 0 && ++load->earned == load->options.beside) {
            load->earned = 0;
            load->due++;
        }
        send_next(slot);
    }
    send_due(load);
}

static void answered(void *context, const struct loyal_answer *answer)
{
    struct slot *slot = context;
    struct load *load = slot->load;
    int64_t now_us = bench_now_us();
    if (now_us >= load->begin_us && now_us < load->end_us)
        bench_tally_add(slot->tally, answer, now_us - slot->sent_us);
    if (slot->asker)
        bench_query_answered(slot->asker, answer);
    if (load->options.operations > 0 && load->sent >= (uint64_t)load->options.operations)
        return;
    if (now_us < load->end_us)
        go_on(slot);
}

static size_t in_flight(const struct load *load)
{
    size_t count = 0;
    for (size_t i = 0; i < load->client_count; i++)
        count += loyal_in_flight(load->clients[i]);
    return count;
}

/* Until the end, or until all operations are answered. */
static bool goes_on(const struct load *load)
{
    return bench_now_us() < load->end_us && in_flight(load) > 0;
}

static void start(struct load *load)
{
    for (size_t i = 0; i < load->slot_count; i++) {
        if (load->slots[i].tally == &load->beside) {
            load->slots[i].next = load->idle;
            load->idle = &load->slots[i];
        } else {
            send_next(&load->slots[i]);
        }
    }
}

/* CPU seconds per second of the stretch. */
static double run(struct load *load)
{
    const struct options *options = &load->options;
    load->begin_us = bench_now_us() + (int64_t)(options->warmup * (double)SECOND_US);
    load->end_us = load->begin_us + (int64_t)(options->seconds * (double)SECOND_US);
    double cpu_begin = 0;
    start(load);
    bool is_measured = false;
    while (goes_on(load)) {
        if (!is_measured && bench_now_us() >= load->begin_us) {
            cpu_begin = bench_cpu_seconds();
            is_measured = true;
            fprintf(stderr, "measuring\n"); /* whoever reads it takes his own readings now */
        }
        loyal_poll_many(load->clients, load->client_count, 100);
    }
    fprintf(stderr, "measured\n");
    double cpu = bench_cpu_seconds() - cpu_begin;
    for (int64_t until_us = load->end_us + 20 * SECOND_US;
         in_flight(load) > 0 && bench_now_us() < until_us;)
        loyal_poll_many(load->clients, load->client_count, 100);
    return cpu / options->seconds;
}

/* ---- life ---- */

/* The questions that come from the stored release are asked once, before anything is measured. */
static void prime(struct load *load, size_t client)
{
    const struct loyal_answer *answer;
    struct bench_asker asker = {.merchant = (unsigned)client % (unsigned)load->options.merchants,
                                .merchants = load->options.merchants};
    for (unsigned i = 0; i < BENCH_RELEASED; i++) {
        struct loyal_request request = bench_query_released(&asker, i);
        if (loyal_call(load->clients[client], &request, &answer) == LOYAL_OK)
            continue;
        fprintf(stderr, "bench-%u: %s %s\n", asker.merchant, answer->code_name, answer->text);
        exit(1);
    }
}

static void slot_open(struct load *load, size_t i, size_t client, bool is_beside)
{
    struct bench_asker *asker = &load->askers[i];
    *asker = (struct bench_asker){
        .kind = is_beside ? BENCH_QUERIES_TOGETHER : load->kind,
        .merchant = (unsigned)client % (unsigned)load->options.merchants,
        .merchants = load->options.merchants,
        .members = load->options.members,
        .filter = (unsigned)i,
    };
    load->slots[i] = (struct slot){
        .load = load,
        .client = load->clients[client],
        .tally = is_beside ? &load->beside : &load->main,
        .asker = is_beside || !load->is_of_earns ? asker : NULL,
    };
}

static void load_open(struct load *load)
{
    const struct options *options = &load->options;
    size_t connections = (size_t)options->connections, flight = (size_t)options->in_flight;
    size_t beside = options->beside > 0 ? (size_t)options->beside_connections : 0;
    load->random = (uint64_t)options->seed;
    load->client_count = connections + beside;
    load->slot_count = connections * flight + beside;
    load->clients = calloc(load->client_count, sizeof(struct loyal_client *));
    load->slots = calloc(load->slot_count, sizeof *load->slots);
    load->askers = calloc(load->slot_count, sizeof *load->askers);
    if (!load->clients || !load->slots || !load->askers)
        exit(1);
    for (size_t i = 0; i < load->client_count; i++)
        load->clients[i] =
            bench_connect(&options->target, (unsigned)i % (unsigned)options->merchants);
    for (size_t i = 0; i < connections * flight; i++)
        slot_open(load, i, i % connections, false);
    for (size_t i = 0; i < beside; i++)
        slot_open(load, connections * flight + i, connections + i, true);
    bool is_released = !load->is_of_earns &&
                       (load->kind == BENCH_COUNT_RELEASED || load->kind == BENCH_QUERIES_TOGETHER);
    for (size_t i = is_released ? 0 : connections; i < load->client_count; i++)
        prime(load, i);
}

static void load_close(struct load *load)
{
    for (size_t i = 0; i < load->client_count; i++)
        loyal_client_destroy(&load->clients[i]);
    free(load->clients);
    free(load->slots);
    free(load->askers);
}

static void usage(poptContext context)
{
    poptPrintHelp(context, stderr, 0);
    exit(2);
}

static void read_options(int argc, const char **argv, struct load *load)
{
    struct options *options = &load->options;
    struct poptOption table[] = {
        BENCH_TARGET_OPTIONS(&options->target),
        {"kind", 0, POPT_ARG_STRING, &options->kind, 0,
         "earn, query_member, never_met_page, count_members (each question new), "
         "count_members_released (each asked before), or queries: 80 % query_member, 18 % "
         "never_met_page, 2 % count_members_released",
         "KIND"},
        {"beside", 0, POPT_ARG_INT, &options->beside, 0,
         "for every so many earns one of `queries` falls due; 19: 5 % of all operations; 0: none",
         "N"},
        {"beside-connections", 0, POPT_ARG_INT, &options->beside_connections, 0,
         "of these queries, one in flight on each", "N"},
        {"merchants", 0, POPT_ARG_INT, &options->merchants, 0, "over which connections spread",
         "N"},
        {"members", 0, POPT_ARG_INT, &options->members, 0, "cards from 9900000000 on", "N"},
        {"connections", 0, POPT_ARG_INT, &options->connections, 0, "", "N"},
        {"in-flight", 0, POPT_ARG_INT, &options->in_flight, 0, "requests on each", "N"},
        {"seconds", 0, POPT_ARG_DOUBLE, &options->seconds, 0, "that are measured", "S"},
        {"warmup", 0, POPT_ARG_DOUBLE, &options->warmup, 0, "before them", "S"},
        {"seed", 0, POPT_ARG_LONGLONG, &options->seed, 0, "of members and amounts", "N"},
        {"operations", 0, POPT_ARG_INT, &options->operations, 0, "at most; 0: no bound", "N"},
        POPT_AUTOHELP POPT_TABLEEND};
    poptContext context = poptGetContext("load", argc, argv, table, 0);
    int code = poptGetNextOpt(context);
    if (code < -1 || poptPeekArg(context) || !options->target.bundles || options->merchants < 2 ||
        options->members < 1 || options->connections < 1 || options->in_flight < 1)
        usage(context);
    load->is_of_earns = !options->kind || strcmp(options->kind, "earn") == 0;
    if (!load->is_of_earns && !bench_query_kind_of(options->kind, &load->kind))
        usage(context);
    if (options->beside > 0 && (!load->is_of_earns || options->beside_connections < 1))
        usage(context);
    poptFreeContext(context);
}

int main(int argc, const char **argv)
{
    static struct load load = {.options = {.target = {.host = "localhost", .port = "7400"},
                                           .merchants = 48,
                                           .members = 100000,
                                           .connections = 16,
                                           .in_flight = 25,
                                           .beside_connections = 4,
                                           .seconds = 10,
                                           .warmup = 1,
                                           .seed = 1}};
    read_options(argc, argv, &load);
    load_open(&load);
    double cpu = run(&load), seconds = load.options.seconds;
    printf("{\"connections\": %d, \"in_flight\": %d, \"seconds\": %.3f, \"cpu\": %.4f, ",
           load.options.connections, load.options.in_flight, seconds, cpu);
    uint64_t others = bench_tally_print(&load.main, seconds);
    if (load.options.beside > 0) {
        printf(", \"queries_due\": %" PRId64 ", \"queries\": {", load.due);
        others += bench_tally_print(&load.beside, seconds);
        printf("}");
    }
    printf("}\n");
    load_close(&load);
    return load.main.answers == 0 || others > 0;
}
