/* What the crash test's client knows of its requests, and the small helpers of its one file. */
#pragma once

#include <errno.h>
#include <loyal/loyal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <uthash.h>

#define CONNECTIONS   2
#define IN_FLIGHT_MAX 32
#define SENDS_MAX     (CONNECTIONS * IN_FLIGHT_MAX)
#define RECENT_MAX    256
#define MEMBERS_MAX   4096
#define HOT_MEMBERS   8
#define DRAIN_US      INT64_C(90000000)
#define KEY_HEX       (2 * LOYAL_KEY_BYTES + 1)
#define REF_HEX       (2 * LOYAL_REF_BYTES + 1)
#define TEXT_MAX      96

/* One request, which keeps its body through all its repetitions. */
struct task {
    uint8_t key[LOYAL_KEY_BYTES];
    enum loyal_verb verb;
    int card;
    char ref[REF_HEX];
    char receipt[TEXT_MAX];
    uint32_t date;
    int64_t occurred_at_us, amount, points;
    char original[KEY_HEX];
    enum loyal_original original_kind;
    int whole;
    /* not of the body */
    int under_way;
    bool uncertain, twinned, done;
    int64_t due_us;
    UT_hash_handle hh;
};

/* An effect that may be reversed. */
struct recent {
    char key[KEY_HEX];
    int card;
    enum loyal_original kind;
    int64_t amount_left;
    char receipt[TEXT_MAX];
    uint32_t date;
};

struct sending {
    struct task *task;
    int connection;
    struct client *client;
    bool has_answer;
    struct loyal_answer answer;
};

struct options {
    const char *dir, *port, *certificates, *authority, *merchant;
    int number, members, in_flight;
    uint64_t seed;
    bool enrols;
};

struct client {
    struct options options;
    struct loyal_client *connections[CONNECTIONS];
    struct task *tasks;
    struct sending sendings[SENDS_MAX];
    int queued[SENDS_MAX], queued_count;
    struct recent recent[RECENT_MAX];
    unsigned recent_count;
    char refs[MEMBERS_MAX][REF_HEX];
    int log, state;
    char *buffer;
    size_t buffer_used, buffer_room;
    uint64_t random, receipts;
    int64_t ok_count, ok_last_us;
    int enrolled;
    int64_t start_us;
};

static void fail(const char *what)
{
    fprintf(stderr, "crash_client: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static uint64_t below(struct client *client, uint64_t limit)
{
    uint64_t x = client->random;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    client->random = x;
    return (x * UINT64_C(0x2545F4914F6CDD1D) >> 11) % limit;
}

static void hex_of(const uint8_t *bytes, size_t count, char *out)
{
    for (size_t i = 0; i < count; i++)
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

static void bytes_of(const char *hex, size_t count, uint8_t *out)
{
    for (size_t i = 0; i < count; i++) {
        char pair[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
        out[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
}
