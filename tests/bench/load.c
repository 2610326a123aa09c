/* The load: connections of libloyal, each with so many earns in flight, over random members; a
 * closed loop. Measures what came back within the stretch and prints one line of JSON. */
#include <inttypes.h>
#include <popt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "support/bench_client.h"

#define CODES_MAX     32
#define SUB_BITS      6 /* 64 steps for each power of two: 1.6 % */
#define HISTOGRAM_MAX (40 << SUB_BITS)
#define SECOND_US     INT64_C(1000000)

struct load;

/* One request in flight. */
struct slot {
    struct load *load;
    struct loyal_client *client;
    int64_t sent_us;
};

struct options {
    struct bench_target target;
    int merchants, members, connections, in_flight;
    double seconds, warmup;
    long long seed;
};

struct load {
    struct options options;
    struct loyal_client **clients;
    struct slot *slots;
    uint64_t random;
    int64_t begin_us, end_us; /* of what is measured */
    uint64_t answers, repeated;
    uint64_t others[CODES_MAX]; /* by result code, the last one: all larger codes */
    uint64_t histogram[HISTOGRAM_MAX];
};

/* ---- latencies ---- */

static size_t step_of(uint64_t us)
{
    if (us < 1U << SUB_BITS)
        return us;
    unsigned shift = 63 - (unsigned)__builtin_clzll(us) - SUB_BITS;
    size_t step = ((size_t)(shift + 1) << SUB_BITS) + (us >> shift) - (1U << SUB_BITS);
    return step < HISTOGRAM_MAX ? step : HISTOGRAM_MAX - 1;
}

/* The middle of a step, in milliseconds. */
static double step_ms(size_t step)
{
    if (step < 1U << SUB_BITS)
        return (double)step / 1000;
    size_t shift = (step >> SUB_BITS) - 1;
    double low = (double)((step & ((1U << SUB_BITS) - 1)) + (1U << SUB_BITS));
    return (low + 0.5) * (double)(UINT64_C(1) << shift) / 1000;
}

static double percentile(const struct load *load, double share)
{
    uint64_t wanted = (uint64_t)((double)load->answers * share), seen = 0;
    for (size_t i = 0; i < HISTOGRAM_MAX; i++) {
        seen += load->histogram[i];
        if (seen > wanted)
            return step_ms(i);
    }
    return 0;
}

/* ---- the loop ---- */

static void answered(void *context, const struct loyal_answer *answer);

static void send_next(struct slot *slot)
{
    struct load *load = slot->load;
    int64_t card = BENCH_CARD_FIRST + bench_between(&load->random, 0, load->options.members - 1);
    struct bench_earn earn;
    struct loyal_request request = bench_earn_make(&earn, slot->client, card, &load->random);
    slot->sent_us = bench_now_us();
    if (!loyal_submit(slot->client, &request, answered, slot)) {
        fprintf(stderr, "more in flight than the daemon allows\n");
        exit(1);
    }
}

static void answered(void *context, const struct loyal_answer *answer)
{
    struct slot *slot = context;
    struct load *load = slot->load;
    int64_t now_us = bench_now_us();
    if (now_us >= load->begin_us && now_us < load->end_us) {
        load->histogram[step_of((uint64_t)(now_us - slot->sent_us))]++;
        load->answers++;
        load->repeated += answer->attempts > 1;
        if (answer->kind != LOYAL_OK)
            load->others[(unsigned)answer->code < CODES_MAX ? answer->code : CODES_MAX - 1]++;
    }
    if (now_us < load->end_us)
        send_next(slot);
}

static size_t in_flight(const struct load *load)
{
    size_t count = 0;
    for (int i = 0; i < load->options.connections; i++)
        count += loyal_in_flight(load->clients[i]);
    return count;
}

static double cpu_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* CPU seconds per second of the stretch. */
static double run(struct load *load)
{
    const struct options *options = &load->options;
    size_t count = (size_t)options->connections;
    int64_t start_us = bench_now_us();
    load->begin_us = start_us + (int64_t)(options->warmup * (double)SECOND_US);
    load->end_us = load->begin_us + (int64_t)(options->seconds * (double)SECOND_US);
    double cpu_begin = 0;
    for (int i = 0; i < options->connections * options->in_flight; i++)
        send_next(&load->slots[i]);
    bool is_measured = false;
    while (bench_now_us() < load->end_us) {
        if (!is_measured && bench_now_us() >= load->begin_us) {
            cpu_begin = cpu_seconds();
            is_measured = true;
            fprintf(stderr, "measuring\n"); /* whoever reads it takes his own readings now */
        }
        loyal_poll_many(load->clients, count, 100);
    }
    fprintf(stderr, "measured\n");
    double cpu = cpu_seconds() - cpu_begin;
    for (int64_t until_us = load->end_us + 20 * SECOND_US;
         in_flight(load) > 0 && bench_now_us() < until_us;)
        loyal_poll_many(load->clients, count, 100);
    return cpu / options->seconds;
}

/* ---- life ---- */

static void load_open(struct load *load)
{
    const struct options *options = &load->options;
    size_t connections = (size_t)options->connections, flight = (size_t)options->in_flight;
    load->random = (uint64_t)options->seed;
    load->clients = calloc(connections, sizeof *load->clients);
    load->slots = calloc(connections * flight, sizeof *load->slots);
    if (!load->clients || !load->slots)
        exit(1);
    for (size_t i = 0; i < connections; i++)
        load->clients[i] =
            bench_connect(&options->target, (unsigned)i % (unsigned)options->merchants);
    for (size_t i = 0; i < connections * flight; i++)
        load->slots[i] = (struct slot){.load = load, .client = load->clients[i % connections]};
}

static void load_close(struct load *load)
{
    for (int i = 0; i < load->options.connections; i++)
        loyal_client_destroy(&load->clients[i]);
    free(load->clients);
    free(load->slots);
}

static uint64_t print_others(const struct load *load)
{
    uint64_t sum = 0;
    const char *comma = "";
    printf("\"not_ok\": {");
    for (int i = 0; i < CODES_MAX; i++) {
        if (load->others[i] == 0)
            continue;
        printf("%s\"%s\": %" PRIu64, comma,
               i < CODES_MAX - 1 ? loyal_code_name((enum loyal_code)i) : "library",
               load->others[i]);
        comma = ", ";
        sum += load->others[i];
    }
    printf("}");
    return sum;
}

static void read_options(int argc, const char **argv, struct options *options)
{
    struct poptOption table[] = {
        {"host", 0, POPT_ARG_STRING, &options->target.host, 0, "the daemon's; localhost", "HOST"},
        {"port", 0, POPT_ARG_STRING, &options->target.port, 0, "the daemon's; 7400", "PORT"},
        {"authority", 0, POPT_ARG_STRING, &options->target.authority, 0, "PEM", "FILE"},
        {"bundles", 0, POPT_ARG_STRING, &options->target.bundles, 0,
         "holds bench-N/terminal.crt and .key", "DIR"},
        {"merchants", 0, POPT_ARG_INT, &options->merchants, 0, "over which connections spread",
         "N"},
        {"members", 0, POPT_ARG_INT, &options->members, 0, "cards from 9900000000 on", "N"},
        {"connections", 0, POPT_ARG_INT, &options->connections, 0, "", "N"},
        {"in-flight", 0, POPT_ARG_INT, &options->in_flight, 0, "requests on each", "N"},
        {"seconds", 0, POPT_ARG_DOUBLE, &options->seconds, 0, "that are measured", "S"},
        {"warmup", 0, POPT_ARG_DOUBLE, &options->warmup, 0, "before them", "S"},
        {"seed", 0, POPT_ARG_LONGLONG, &options->seed, 0, "of members and amounts", "N"},
        POPT_AUTOHELP POPT_TABLEEND};
    poptContext context = poptGetContext("load", argc, argv, table, 0);
    int code = poptGetNextOpt(context);
    if (code < -1 || poptPeekArg(context) || !options->target.bundles || options->merchants < 1 ||
        options->members < 1 || options->connections < 1 || options->in_flight < 1) {
        poptPrintHelp(context, stderr, 0);
        exit(2);
    }
    poptFreeContext(context);
}

int main(int argc, const char **argv)
{
    static struct load load = {.options = {.target = {.host = "localhost", .port = "7400"},
                                           .merchants = 16,
                                           .members = 100000,
                                           .connections = 16,
                                           .in_flight = 25,
                                           .seconds = 10,
                                           .warmup = 1,
                                           .seed = 1}};
    read_options(argc, argv, &load.options);
    load_open(&load);
    double cpu = run(&load);
    printf("{\"connections\": %d, \"in_flight\": %d, \"seconds\": %.3f, \"answers\": %" PRIu64
           ", \"repeated\": %" PRIu64 ", \"ops_per_s\": %.1f, \"p50_ms\": %.4f, "
           "\"p99_ms\": %.4f, \"cpu\": %.4f, ",
           load.options.connections, load.options.in_flight, load.options.seconds, load.answers,
           load.repeated, (double)load.answers / load.options.seconds, percentile(&load, 0.50),
           percentile(&load, 0.99), cpu);
    uint64_t others = print_others(&load);
    printf("}\n");
    load_close(&load);
    return load.answers == 0 || others > 0;
}
