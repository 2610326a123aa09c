/* What the load programs share: clients of the bench's terminals, random numbers with a seed, the
 * earn that both sides of the comparison send, and a tally of answers and their latencies. */
#ifndef TESTS_SUPPORT_BENCH_CLIENT_H
#define TESTS_SUPPORT_BENCH_CLIENT_H

#include <loyal/loyal.h>
#include <stdbool.h>
#include <stdint.h>

#define BENCH_CARD_FIRST    INT64_C(9900000000)
#define BENCH_CARD_BYTES    24
#define BENCH_RECEIPT_BYTES 24
#define BENCH_CODES_MAX     40
#define BENCH_STEP_BITS     6 /* 64 steps for each power of two: 1.6 % */
#define BENCH_STEPS_MAX     (40 << BENCH_STEP_BITS)

/* Where the daemon is, and the folder of the terminals' certificates: BUNDLES/bench-N/terminal.* */
struct bench_target {
    const char *host;
    const char *port;
    const char *authority;
    const char *bundles;
    bool no_repeat; /* each answer counts as it comes */
};

/* Rows of a popt table that fill it; the program includes popt.h. */
#define BENCH_TARGET_OPTIONS(target)                                                     \
    {"host", 0, POPT_ARG_STRING, &(target)->host, 0, "the daemon's; localhost", "HOST"}, \
        {"port", 0, POPT_ARG_STRING, &(target)->port, 0, "the daemon's; 7400", "PORT"},  \
        {"authority", 0, POPT_ARG_STRING, &(target)->authority, 0, "PEM", "FILE"},       \
    {                                                                                    \
        "bundles", 0, POPT_ARG_STRING, &(target)->bundles, 0,                            \
            "holds bench-N/terminal.crt and .key", "DIR"                                 \
    }

/* Connected, as the terminal of merchant bench-N; on failure says why on stderr and exits. */
struct loyal_client *bench_connect(const struct bench_target *target, unsigned merchant);

/* Splitmix64: the same seed, the same numbers. */
uint64_t bench_random(uint64_t *state);
/* From low to high, both included. */
int64_t bench_between(uint64_t *state, int64_t low, int64_t high);

/* The texts and the line of one earn, which the request borrows. */
struct bench_earn {
    char card[BENCH_CARD_BYTES];
    char receipt[BENCH_RECEIPT_BYTES];
    struct loyal_line line;
};

/* An earn of this card now, with a new key, a receipt of its own and one basket line. */
struct loyal_request bench_earn_make(struct bench_earn *earn, const struct loyal_client *client,
                                     int64_t card, uint64_t *random);

int64_t bench_now_us(void);
/* Of this process until now. */
double bench_cpu_seconds(void);

/* Starts as zeroes. */
struct bench_tally {
    uint64_t answers, repeated, rows;
    uint64_t others[BENCH_CODES_MAX]; /* not ok, by result code, the last one: all larger codes */
    uint64_t steps[BENCH_STEPS_MAX];
};

void bench_tally_add(struct bench_tally *tally, const struct loyal_answer *answer, int64_t us);
/* The latency that this share of the answers did not pass. */
double bench_tally_ms(const struct bench_tally *tally, double share);
/* Members of a JSON object on stdout; how many answers were not ok. */
uint64_t bench_tally_print(const struct bench_tally *tally, double seconds);

#endif
