/* Twenty connections on two daemons redeem 100 points from 100 at the same moment, again and again:
 * tests/crash/redeem_race starts it. One of them must succeed each time and nineteen get
 * NOT_ENOUGH_POINTS (R31). Prints one line of numbers; the status is 0 when all rounds were right.
 */
#include <loyal/loyal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CONNECTIONS 20
#define MEMBERS     10
#define POINTS      100
#define ROUND_US    INT64_C(60000000)
#define TURN_MS     50

struct tally {
    int open, ok, short_of_points, other;
    enum loyal_code other_code;
};

struct race {
    struct loyal_client *clients[CONNECTIONS];
    const char *certificates, *authority, *merchant;
    int rounds, wrong, calls;
};

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void stop(const char *what, const char *text)
{
    fprintf(stderr, "crash_race: %s: %s\n", what, text);
    exit(1);
}

static struct loyal_occasion occasion_now(void)
{
    int64_t at_us = now_us();
    time_t seconds = (time_t)(at_us / 1000000);
    struct tm day;
    gmtime_r(&seconds, &day);
    return (struct loyal_occasion){
        .store = "main",
        .till = "1",
        .business_date =
            (uint32_t)((day.tm_year + 1900) * 10000 + (day.tm_mon + 1) * 100 + day.tm_mday),
        .occurred_at_us = at_us};
}

static void connect_all(struct race *race, char **ports)
{
    char certificate[4096], key[4096], error[256] = "";
    snprintf(certificate, sizeof certificate, "%s/terminal.crt", race->certificates);
    snprintf(key, sizeof key, "%s/terminal.key", race->certificates);
    for (int i = 0; i < CONNECTIONS; i++) {
        const struct loyal_answer *answer;
        struct loyal_options options = {.host = "127.0.0.1",
                                        .port = ports[i % 2],
                                        .certificate_file = certificate,
                                        .key_file = key,
                                        .authority_file = race->authority,
                                        .merchant = race->merchant,
                                        .software = "crash_race",
                                        .deadline_ms = 30000};
        race->clients[i] = loyal_client_create(&options, error, sizeof error);
        if (!race->clients[i])
            stop("client", error);
        if (loyal_connect(race->clients[i], &answer) != LOYAL_OK)
            stop(ports[i % 2], answer->text);
    }
}

/* What must succeed before the race can begin. */
static int64_t call(struct race *race, const struct loyal_request *wanted, const char *card)
{
    const struct loyal_answer *answer;
    struct loyal_identifier identifier = {LOYAL_CARD, card};
    struct loyal_request request = *wanted;
    request.member.identifier = identifier;
    request.identifiers = &identifier;
    request.identifier_count = request.verb == LOYAL_ENROL_MEMBER;
    request.occasion = occasion_now();
    loyal_key_make(now_us(), request.key);
    struct loyal_client *client = race->clients[race->calls++ % CONNECTIONS];
    if (loyal_call(client, &request, &answer) != LOYAL_OK)
        stop(answer->code_name, answer->text);
    return answer->available;
}

static void on_answer(void *context, const struct loyal_answer *answer)
{
    struct tally *tally = context;
    tally->open--;
    if (answer->kind == LOYAL_OK && answer->points == POINTS && answer->available == 0)
        tally->ok++;
    else if (answer->code == LOYAL_CODE_NOT_ENOUGH_POINTS)
        tally->short_of_points++;
    else {
        tally->other++;
        tally->other_code = answer->code;
    }
}

static void run_round(struct race *race, int round)
{
    char card[24];
    snprintf(card, sizeof card, "9827%08d", round % MEMBERS);
    if (round < MEMBERS)
        call(race, &(struct loyal_request){.verb = LOYAL_ENROL_MEMBER}, card);
    int64_t available =
        call(race,
             &(struct loyal_request){
                 .verb = LOYAL_EARN, .amount_minor = POINTS * INT64_C(100), .currency = "GBP"},
             card);
    struct tally tally = {.open = CONNECTIONS};
    struct loyal_request request = {.verb = LOYAL_REDEEM, .points = POINTS};
    request.member.identifier = (struct loyal_identifier){LOYAL_CARD, card};
    request.occasion = occasion_now();
    for (int i = 0; i < CONNECTIONS; i++) {
        loyal_key_make(now_us(), request.key);
        if (!loyal_submit(race->clients[i], &request, on_answer, &tally))
            stop("submit", "refused");
    }
    int64_t end_us = now_us() + ROUND_US;
    while (tally.open > 0 && now_us() < end_us)
        loyal_poll_many(race->clients, CONNECTIONS, TURN_MS);
    if (tally.open > 0)
        stop("round", "not all were answered");
    if (available == POINTS && tally.ok == 1 && tally.short_of_points == CONNECTIONS - 1)
        return;
    race->wrong++;
    fprintf(stderr, "round %d: %lld points before, %d OK, %d NOT_ENOUGH_POINTS, %d others (%s)\n",
            round, (long long)available, tally.ok, tally.short_of_points, tally.other,
            tally.other ? loyal_code_name(tally.other_code) : "none");
}

int main(int argc, char **argv)
{
    if (argc != 7) {
        fprintf(stderr, "usage: crash_race PORT PORT CERTIFICATES AUTHORITY MERCHANT ROUNDS\n"
                        "MERCHANT gives a point for each pound and has the store main; its cards\n"
                        "982700000000 to 982700000009 must be new.\n");
        return 2;
    }
    struct race race = {.certificates = argv[3], .authority = argv[4], .merchant = argv[5]};
    race.rounds = atoi(argv[6]);
    connect_all(&race, argv + 1);
    for (int round = 0; round < race.rounds; round++)
        run_round(&race, round);
    printf("%d rounds of %d redemptions, %d wrong\n", race.rounds, CONNECTIONS, race.wrong);
    for (int i = 0; i < CONNECTIONS; i++)
        loyal_client_destroy(&race.clients[i]);
    return race.wrong == 0 && race.rounds > 0 ? 0 : 1;
}
