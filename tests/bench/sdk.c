/* The two ways to use libloyal, side by side: one thread that drives a few connections in a poll(2)
 * loop of its own with many requests in flight, or (--threads) as many threads as that is, each of
 * which waits in loyal_call on a connection of its own. A closed loop of earns over random members;
 * prints one line of JSON. The bench runs both in the same round. */
#include <poll.h>
#include <popt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/bench_client.h"

#define SECOND_US       INT64_C(1000000)
#define CONNECTIONS_MAX 64
#define THREADS_MAX     1024

struct options {
    struct bench_target target;
    int threads, connections, in_flight, merchants, members;
    double seconds, warmup;
    long long seed;
};

struct sdk {
    struct options options;
    struct bench_tally tally; /* of the one thread; of many, their sum */
    uint64_t random;
    int64_t begin_us, end_us; /* of what is measured */
    double cpu_begin, cpu_end;
    pthread_barrier_t is_connected;
};

static void measure_from_now(struct sdk *sdk)
{
    sdk->begin_us = bench_now_us() + (int64_t)(sdk->options.warmup * (double)SECOND_US);
    sdk->end_us = sdk->begin_us + (int64_t)(sdk->options.seconds * (double)SECOND_US);
}

static struct loyal_request earn_of(const struct sdk *sdk, const struct loyal_client *client,
                                    struct bench_earn *earn, uint64_t *random)
{
    int64_t number = bench_between(random, 0, sdk->options.members - 1);
    return bench_earn_make(earn, client, BENCH_CARD_FIRST + number, random);
}

static void tally_answer(const struct sdk *sdk, struct bench_tally *tally,
                         const struct loyal_answer *answer, int64_t sent_us)
{
    int64_t now_us = bench_now_us();
    if (now_us >= sdk->begin_us && now_us < sdk->end_us)
        bench_tally_add(tally, answer, now_us - sent_us);
}

/* ---- one thread, driven by its loop ---- */

struct slot {
    struct sdk *sdk;
    struct loyal_client *client;
    int64_t sent_us;
};

static void answered(void *context, const struct loyal_answer *answer);

static void send_next(struct slot *slot)
{
    struct bench_earn earn;
    struct loyal_request request = earn_of(slot->sdk, slot->client, &earn, &slot->sdk->random);
    slot->sent_us = bench_now_us();
    if (loyal_submit(slot->client, &request, answered, slot) == LOYAL_FULL)
        exit(1);
}

static void answered(void *context, const struct loyal_answer *answer)
{
    struct slot *slot = context;
    tally_answer(slot->sdk, &slot->sdk->tally, answer, slot->sent_us);
    if (bench_now_us() < slot->sdk->end_us)
        send_next(slot);
}

/* What any loop does: waits for each client's descriptor or time-out, then drives it. */
static size_t turn(struct loyal_client **clients, int count)
{
    struct pollfd fds[CONNECTIONS_MAX];
    size_t in_flight = 0;
    int wait_ms = 100;
    for (int i = 0; i < count; i++) {
        int ms = loyal_client_timeout_ms(clients[i]);
        fds[i] = (struct pollfd){.fd = loyal_client_fd(clients[i]), .events = POLLIN};
        wait_ms = ms >= 0 && ms < wait_ms ? ms : wait_ms;
    }
    poll(fds, (nfds_t)count, wait_ms);
    for (int i = 0; i < count; i++) {
        loyal_client_drive(clients[i]);
        in_flight += loyal_in_flight(clients[i]);
    }
    return in_flight;
}

static void run_loop(struct sdk *sdk)
{
    const struct options *options = &sdk->options;
    struct loyal_client *clients[CONNECTIONS_MAX];
    size_t count = (size_t)options->connections * (size_t)options->in_flight;
    struct slot *slots = calloc(count, sizeof *slots);
    if (!slots)
        exit(1);
    for (int i = 0; i < options->connections; i++)
        clients[i] = bench_connect(&options->target, (unsigned)(i % options->merchants));
    measure_from_now(sdk);
    for (size_t i = 0; i < count; i++) {
        slots[i] = (struct slot){.sdk = sdk, .client = clients[i % (size_t)options->connections]};
        send_next(&slots[i]);
    }
    while (turn(clients, options->connections) > 0) {
        if (sdk->cpu_begin == 0 && bench_now_us() >= sdk->begin_us)
            sdk->cpu_begin = bench_cpu_seconds();
        if (sdk->cpu_end == 0 && bench_now_us() >= sdk->end_us)
            sdk->cpu_end = bench_cpu_seconds();
    }
    for (int i = 0; i < options->connections; i++)
        loyal_client_destroy(&clients[i]);
    free(slots);
}

/* ---- a thread for each request in flight ---- */

struct caller {
    struct sdk *sdk;
    pthread_t thread;
    unsigned number;
    struct bench_tally tally;
};

static void *call_on(void *context)
{
    struct caller *caller = context;
    struct sdk *sdk = caller->sdk;
    unsigned merchants = (unsigned)sdk->options.merchants;
    struct loyal_client *client = bench_connect(&sdk->options.target, caller->number % merchants);
    uint64_t random = (uint64_t)sdk->options.seed + caller->number;
    pthread_barrier_wait(&sdk->is_connected);
    pthread_barrier_wait(&sdk->is_connected); /* now the times are set */
    while (bench_now_us() < sdk->end_us) {
        struct bench_earn earn;
        const struct loyal_answer *answer;
        struct loyal_request request = earn_of(sdk, client, &earn, &random);
        int64_t sent_us = bench_now_us();
        loyal_call(client, &request, &answer);
        tally_answer(sdk, &caller->tally, answer, sent_us);
    }
    loyal_client_destroy(&client);
    return NULL;
}

static void sleep_until(int64_t at_us)
{
    int64_t us = at_us - bench_now_us();
    struct timespec time = {.tv_sec = us / SECOND_US, .tv_nsec = us % SECOND_US * 1000};
    if (us > 0)
        nanosleep(&time, NULL);
}

static void tally_add_all(struct bench_tally *sum, const struct bench_tally *part)
{
    sum->answers += part->answers;
    sum->repeated += part->repeated;
    for (int i = 0; i < BENCH_CODES_MAX; i++)
        sum->others[i] += part->others[i];
    for (int i = 0; i < BENCH_STEPS_MAX; i++)
        sum->steps[i] += part->steps[i];
}

static void run_threads(struct sdk *sdk)
{
    unsigned count = (unsigned)sdk->options.threads;
    struct caller *callers = calloc(count, sizeof *callers);
    if (!callers || pthread_barrier_init(&sdk->is_connected, NULL, count + 1) != 0)
        exit(1);
    for (unsigned i = 0; i < count; i++) {
        callers[i].sdk = sdk;
        callers[i].number = i;
        if (pthread_create(&callers[i].thread, NULL, call_on, &callers[i]) != 0)
            exit(1);
    }
    pthread_barrier_wait(&sdk->is_connected);
    measure_from_now(sdk);
    pthread_barrier_wait(&sdk->is_connected);
    sleep_until(sdk->begin_us);
    sdk->cpu_begin = bench_cpu_seconds();
    sleep_until(sdk->end_us);
    sdk->cpu_end = bench_cpu_seconds();
    for (unsigned i = 0; i < count; i++) {
        pthread_join(callers[i].thread, NULL);
        tally_add_all(&sdk->tally, &callers[i].tally);
    }
    pthread_barrier_destroy(&sdk->is_connected);
    free(callers);
}

/* ---- life ---- */

static void read_options(int argc, const char **argv, struct options *options)
{
    struct poptOption table[] = {
        BENCH_TARGET_OPTIONS(&options->target),
        {"threads", 0, POPT_ARG_INT, &options->threads, 0,
         "that wait, a connection each; 0: one thread with a loop", "N"},
        {"connections", 0, POPT_ARG_INT, &options->connections, 0, "of the loop", "N"},
        {"in-flight", 0, POPT_ARG_INT, &options->in_flight, 0, "requests on each of them", "N"},
        {"merchants", 0, POPT_ARG_INT, &options->merchants, 0, "over which connections spread",
         "N"},
        {"members", 0, POPT_ARG_INT, &options->members, 0, "cards from 9900000000 on", "N"},
        {"seconds", 0, POPT_ARG_DOUBLE, &options->seconds, 0, "that are measured", "S"},
        {"warmup", 0, POPT_ARG_DOUBLE, &options->warmup, 0, "before them", "S"},
        {"seed", 0, POPT_ARG_LONGLONG, &options->seed, 0, "of members and amounts", "N"},
        POPT_AUTOHELP POPT_TABLEEND};
    poptContext context = poptGetContext("sdk", argc, argv, table, 0);
    int code = poptGetNextOpt(context);
    if (code < -1 || poptPeekArg(context) || !options->target.bundles || options->members < 1 ||
        options->merchants < 1 || options->threads < 0 || options->threads > THREADS_MAX ||
        options->connections < 1 || options->connections > CONNECTIONS_MAX ||
        options->in_flight < 1) {
        poptPrintHelp(context, stderr, 0);
        exit(2);
    }
    poptFreeContext(context);
}

int main(int argc, const char **argv)
{
    static struct sdk sdk = {.options = {.target = {.host = "localhost", .port = "7400"},
                                         .connections = 4,
                                         .in_flight = 64,
                                         .merchants = 48,
                                         .members = 100000,
                                         .seconds = 10,
                                         .warmup = 1,
                                         .seed = 1}};
    const struct options *options = &sdk.options;
    read_options(argc, argv, &sdk.options);
    sdk.random = (uint64_t)options->seed;
    if (options->threads > 0)
        run_threads(&sdk);
    else
        run_loop(&sdk);
    printf("{\"connections\": %d, \"in_flight\": %d, \"seconds\": %.3f, \"cpu\": %.4f, ",
           options->threads > 0 ? options->threads : options->connections,
           options->threads > 0 ? 1 : options->in_flight, options->seconds,
           (sdk.cpu_end - sdk.cpu_begin) / options->seconds);
    uint64_t others = bench_tally_print(&sdk.tally, options->seconds);
    printf("}\n");
    return sdk.tally.answers == 0 || others > 0;
}
