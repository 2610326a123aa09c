/* Clients and requests of the load programs; see bench_client.h. Keeps nothing; a client that
 * cannot connect ends the program, since a measurement without it means nothing. */
#include "support/bench_client.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

struct loyal_client *bench_connect(const struct bench_target *target, unsigned merchant)
{
    char code[24], certificate[1024], key[1024], error[256];
    snprintf(code, sizeof code, "bench-%u", merchant);
    snprintf(certificate, sizeof certificate, "%s/%s/terminal.crt", target->bundles, code);
    snprintf(key, sizeof key, "%s/%s/terminal.key", target->bundles, code);
    const struct loyal_options options = {
        .host = target->host,
        .port = target->port,
        .authority_file = target->authority,
        .certificate_file = certificate,
        .key_file = key,
        .merchant = code,
        .software = "bench " LOYAL_VERSION,
        .deadline_ms = 20000,
        .no_repeat = target->no_repeat,
    };
    struct loyal_client *client = loyal_client_create(&options, error, sizeof error);
    if (!client) {
        fprintf(stderr, "%s: %s\n", code, error);
        exit(1);
    }
    const struct loyal_answer *answer;
    if (loyal_connect(client, &answer) != LOYAL_OK) {
        fprintf(stderr, "%s: %s: %s\n", code, answer->code_name, answer->text);
        exit(1);
    }
    return client;
}

uint64_t bench_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

int64_t bench_between(uint64_t *state, int64_t low, int64_t high)
{
    return low + (int64_t)(bench_random(state) % (uint64_t)(high - low + 1));
}

int64_t bench_now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

static uint32_t day_of(int64_t at_us)
{
    time_t seconds = (time_t)(at_us / 1000000);
    struct tm parts;
    gmtime_r(&seconds, &parts);
    return (uint32_t)((parts.tm_year + 1900) * 10000 + (parts.tm_mon + 1) * 100 + parts.tm_mday);
}

struct loyal_request bench_earn_make(struct bench_earn *earn, const struct loyal_client *client,
                                     int64_t card, uint64_t *random)
{
    int64_t now_us = loyal_server_time_us(client);
    struct loyal_request request = {
        .verb = LOYAL_EARN,
        .member.identifier = {LOYAL_CARD, earn->card},
        .occasion = {.store = "main",
                     .till = "till-1",
                     .receipt = earn->receipt,
                     .business_date = day_of(now_us),
                     .occurred_at_us = now_us},
        .amount_minor = bench_between(random, 100, 20000),
        .currency = "EUR",
        .lines = &earn->line,
        .line_count = 1,
    };
    snprintf(earn->card, sizeof earn->card, "%" PRId64, card);
    snprintf(earn->receipt, sizeof earn->receipt, "%" PRId64,
             bench_between(random, INT64_C(100000000000000), INT64_C(999999999999999)));
    earn->line = (struct loyal_line){"article-000042", "grocery", 1000, request.amount_minor};
    loyal_key_make(now_us, request.key);
    return request;
}

double bench_cpu_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static size_t step_of(uint64_t us)
{
    if (us < 1U << BENCH_STEP_BITS)
        return us;
    unsigned shift = 63 - (unsigned)__builtin_clzll(us) - BENCH_STEP_BITS;
    size_t step =
        ((size_t)(shift + 1) << BENCH_STEP_BITS) + (us >> shift) - (1U << BENCH_STEP_BITS);
    return step < BENCH_STEPS_MAX ? step : BENCH_STEPS_MAX - 1;
}

/* The middle of a step, in milliseconds. */
static double step_ms(size_t step)
{
    if (step < 1U << BENCH_STEP_BITS)
        return (double)step / 1000;
    size_t shift = (step >> BENCH_STEP_BITS) - 1;
    double low = (double)((step & ((1U << BENCH_STEP_BITS) - 1)) + (1U << BENCH_STEP_BITS));
    return (low + 0.5) * (double)(UINT64_C(1) << shift) / 1000;
}

void bench_tally_add(struct bench_tally *tally, const struct loyal_answer *answer, int64_t us)
{
    tally->steps[step_of((uint64_t)us)]++;
    tally->answers++;
    tally->repeated += answer->attempts > 1;
    tally->rows += answer->list_count;
    if (answer->kind != LOYAL_OK)
        tally->others[(unsigned)answer->code < BENCH_CODES_MAX ? answer->code
                                                               : BENCH_CODES_MAX - 1]++;
}

double bench_tally_ms(const struct bench_tally *tally, double share)
{
    uint64_t wanted = (uint64_t)((double)tally->answers * share), seen = 0;
    for (size_t i = 0; i < BENCH_STEPS_MAX; i++) {
        seen += tally->steps[i];
        if (seen > wanted)
            return step_ms(i);
    }
    return 0;
}

uint64_t bench_tally_print(const struct bench_tally *tally, double seconds)
{
    uint64_t sum = 0;
    const char *comma = "";
    double answers = tally->answers ? (double)tally->answers : 1;
    printf("\"answers\": %" PRIu64 ", \"repeated\": %" PRIu64
           ", \"rows\": %.1f, \"ops_per_s\": %.1f, \"p50_ms\": %.4f, \"p99_ms\": %.4f, "
           "\"max_ms\": %.4f, \"not_ok\": {",
           tally->answers, tally->repeated, (double)tally->rows / answers,
           (double)tally->answers / seconds, bench_tally_ms(tally, 0.50),
           bench_tally_ms(tally, 0.99), bench_tally_ms(tally, 1 - 1e-9));
    for (int i = 0; i < BENCH_CODES_MAX; i++) {
        if (tally->others[i] == 0)
            continue;
        printf("%s\"%s\": %" PRIu64, comma,
               i < BENCH_CODES_MAX - 1 ? loyal_code_name((enum loyal_code)i) : "library",
               tally->others[i]);
        comma = ", ";
        sum += tally->others[i];
    }
    printf("}");
    return sum;
}
