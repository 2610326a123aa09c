/* The daemon's side of the comparison with the baseline (tests/bench/parity): enrols pairs of equal
 * members, gives some of them a debt, sends COUNT earns for the first of each pair, one after the
 * other, and prints each as a line of CSV with its answer, so that the baseline can be asked the
 * same for the second. */
#include <inttypes.h>
#include <popt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/bench_client.h"

#define PAIRS      100
#define MERCHANTS  4
#define HISTORY    64
#define MINUTE_US  (60 * INT64_C(1000000))
#define DAY_US     (24 * 60 * MINUTE_US)
#define CARD_FIRST INT64_C(8800000000)

/* One earn as it was sent, kept for those that come again. */
struct sent {
    struct loyal_request request;
    struct bench_earn earn;
    int pair, merchant;
};

struct twins {
    struct loyal_client *clients[MERCHANTS];
    struct sent history[HISTORY];
    int kept;
    uint64_t random;
};

static int64_t card_of(int pair, int twin)
{
    return CARD_FIRST + 2 * pair + twin;
}

static void must(const char *what, struct loyal_client *client, const struct loyal_request *request)
{
    const struct loyal_answer *answer;
    if (loyal_call(client, request, &answer) == LOYAL_OK)
        return;
    fprintf(stderr, "%s: %s: %s %s\n", what, answer->code_name, answer->text, answer->field);
    exit(1);
}

static void enrol(struct loyal_client *client, int64_t card)
{
    char value[BENCH_CARD_BYTES];
    snprintf(value, sizeof value, "%" PRId64, card);
    struct loyal_identifier identifier = {LOYAL_CARD, value};
    struct loyal_request request = {.verb = LOYAL_ENROL_MEMBER,
                                    .occasion.store = "main",
                                    .identifiers = &identifier,
                                    .identifier_count = 1};
    loyal_key_make(loyal_server_time_us(client), request.key);
    must("enrol", client, &request);
}

/* Points spent before their purchase is taken back: the rest of them is owed. Both twins get the
 * same keys. */
static void indebt(struct twins *twins, int pair)
{
    struct loyal_client *client = twins->clients[pair % MERCHANTS];
    struct bench_earn earn;
    struct loyal_request bought = bench_earn_make(&earn, client, card_of(pair, 0), &twins->random);
    bought.amount_minor = earn.line.amount_minor = 20000;
    struct loyal_request spent = {.verb = LOYAL_REDEEM,
                                  .member = bought.member,
                                  .occasion = bought.occasion,
                                  .points = bench_between(&twins->random, 1, 200)};
    struct loyal_request returned = {.verb = LOYAL_REVERSE,
                                     .member = bought.member,
                                     .occasion = bought.occasion,
                                     .has_original = true,
                                     .original_kind = LOYAL_ORIGINAL_EARN,
                                     .whole = true};
    loyal_key_make(loyal_server_time_us(client), spent.key);
    loyal_key_make(loyal_server_time_us(client), returned.key);
    memcpy(returned.original_key, bought.key, LOYAL_KEY_BYTES);
    for (int twin = 0; twin < 2; twin++) {
        snprintf(earn.card, sizeof earn.card, "%" PRId64, card_of(pair, twin));
        must("earn", client, &bought);
        must("redeem", client, &spent);
        must("reverse", client, &returned);
    }
}

/* Amounts below a point, paid in points, of long ago, without receipt, with a key too old. */
static void vary(struct twins *twins, struct sent *sent)
{
    struct loyal_request *request = &sent->request;
    int64_t chance = bench_between(&twins->random, 0, 99);
    if (chance < 5) {
        request->amount_minor = sent->earn.line.amount_minor = bench_between(&twins->random, 0, 99);
    } else if (chance < 10) {
        request->paid_in_points_minor = bench_between(&twins->random, 0, request->amount_minor);
    } else if (chance < 12) {
        request->occasion.occurred_at_us -= 900 * DAY_US;
    } else if (chance < 14) {
        request->occasion.receipt = NULL;
    } else if (chance < 16) {
        loyal_key_make(loyal_server_time_us(twins->clients[0]) - 36 * DAY_US, request->key);
    } else if (chance < 17) {
        loyal_key_make(loyal_server_time_us(twins->clients[0]) + 11 * MINUTE_US, request->key);
    }
}

/* A new earn, or one of those before: as it was, with another body, or under another key. */
static const char *choose(struct twins *twins, struct sent *sent)
{
    int64_t chance = bench_between(&twins->random, 0, 99);
    if (twins->kept > 0 && chance < 12) {
        int known = twins->kept < HISTORY ? twins->kept : HISTORY;
        *sent = twins->history[bench_random(&twins->random) % (unsigned)known];
        if (chance < 4)
            return "same";
        if (chance < 8) {
            sent->request.amount_minor++;
            return "other";
        }
        loyal_key_make(loyal_server_time_us(twins->clients[0]), sent->request.key);
        return "new";
    }
    sent->pair = (int)bench_between(&twins->random, 0, PAIRS - 1);
    sent->merchant = (int)bench_between(&twins->random, 0, MERCHANTS - 1);
    sent->request = bench_earn_make(&sent->earn, twins->clients[sent->merchant],
                                    card_of(sent->pair, 0), &twins->random);
    sent->request.occasion.occurred_at_us -= bench_between(&twins->random, 0, 20) * DAY_US;
    vary(twins, sent);
    return "new";
}

static void print_key(const uint8_t *key)
{
    for (int i = 0; i < LOYAL_KEY_BYTES; i++)
        printf("%02x", key[i]);
}

static void print(int number, const struct sent *sent, const char *body,
                  const struct loyal_answer *answer)
{
    const struct loyal_request *request = &sent->request;
    printf("%d,", number);
    print_key(request->key);
    printf(",%s,%" PRId64 ",%d,%s,%" PRIu32 ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64, body,
           card_of(sent->pair, 1), sent->merchant,
           request->occasion.receipt ? request->occasion.receipt : "",
           request->occasion.business_date, request->occasion.occurred_at_us, request->amount_minor,
           request->paid_in_points_minor, sent->earn.line.amount_minor);
    printf(",%d,%s,%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 "\n",
           (int)answer->code, answer->recorded ? "t" : "f", answer->points, answer->debt_repaid,
           answer->available, answer->debt, answer->expires_at_us);
}

static void run(struct twins *twins, int count)
{
    for (int i = 0; i < PAIRS; i++) {
        enrol(twins->clients[0], card_of(i, 0));
        enrol(twins->clients[0], card_of(i, 1));
        if (i % 3 == 0)
            indebt(twins, i);
    }
    for (int i = 0; i < count; i++) {
        struct sent sent;
        const struct loyal_answer *answer;
        const char *body = choose(twins, &sent);
        sent.request.member.identifier.value = sent.earn.card;
        sent.request.lines = &sent.earn.line;
        if (sent.request.occasion.receipt)
            sent.request.occasion.receipt = sent.earn.receipt;
        loyal_call(twins->clients[sent.merchant], &sent.request, &answer);
        print(i, &sent, body, answer);
        if (strcmp(body, "new") == 0)
            twins->history[twins->kept++ % HISTORY] = sent;
    }
}

int main(int argc, const char **argv)
{
    struct bench_target target = {.host = "localhost", .port = "7400"};
    int count = 1000;
    long long seed = 1;
    struct poptOption table[] = {
        {"host", 0, POPT_ARG_STRING, &target.host, 0, "the daemon's; localhost", "HOST"},
        {"port", 0, POPT_ARG_STRING, &target.port, 0, "the daemon's; 7400", "PORT"},
        {"authority", 0, POPT_ARG_STRING, &target.authority, 0, "PEM", "FILE"},
        {"bundles", 0, POPT_ARG_STRING, &target.bundles, 0, "holds bench-N/terminal.crt and .key",
         "DIR"},
        {"count", 0, POPT_ARG_INT, &count, 0, "of requests", "N"},
        {"seed", 0, POPT_ARG_LONGLONG, &seed, 0, "of all choices", "N"},
        POPT_AUTOHELP POPT_TABLEEND};
    poptContext context = poptGetContext("twins", argc, argv, table, 0);
    if (poptGetNextOpt(context) < -1 || poptPeekArg(context) || !target.bundles || count < 1) {
        poptPrintHelp(context, stderr, 0);
        return 2;
    }
    static struct twins twins;
    twins.random = (uint64_t)seed;
    for (unsigned i = 0; i < MERCHANTS; i++)
        twins.clients[i] = bench_connect(&target, i);
    run(&twins, count);
    for (int i = 0; i < MERCHANTS; i++)
        loyal_client_destroy(&twins.clients[i]);
    poptFreeContext(context);
    return 0;
}
