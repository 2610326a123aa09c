/* A till for the torture tests, which are its only caller: sdk_client WAY KEY CARD earns once,
 * under the key (32 hex digits), and asks for the balance, with the environment of the SDK's
 * example till.c. WAY: `blocking`, `driven` by a loop of its own, or driven and `cancelled` once it
 * is under way. Prints what came of each: `earn OK 5`. Status 2: no client; 3: answers are missing
 * or too many. What the SDK asks of it, it must not do worse: it allocates nothing itself. */
#include <inttypes.h>
#include <loyal/loyal.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TURNS_MAX 5000
#define TURN_MS   20 /* the longest */

static const char *const KINDS[] = {
    [LOYAL_OK] = "OK",
    [LOYAL_REFUSED] = "REFUSED",
    [LOYAL_RETRY] = "RETRY",
    [LOYAL_UNKNOWN] = "UNKNOWN",
};

struct question {
    const char *name;
    struct loyal_request request;
    int submitted, answered;
};

static void answered(void *context, const struct loyal_answer *answer)
{
    struct question *question = context;
    question->answered++;
    printf("%s %s %" PRId64 " %s: %s\n", question->name, KINDS[answer->kind],
           question->request.verb == LOYAL_EARN ? answer->points : answer->available,
           answer->code_name, answer->text);
}

static void call(struct loyal_client *client, struct question *question)
{
    const struct loyal_answer *answer;
    question->submitted++;
    loyal_call(client, &question->request, &answer);
    answered(question, answer);
}

static loyal_ticket submit(struct loyal_client *client, struct question *question)
{
    loyal_ticket ticket = loyal_submit(client, &question->request, answered, question);
    question->submitted += ticket != LOYAL_FULL;
    if (ticket == LOYAL_FULL)
        printf("%s FULL 0 -\n", question->name);
    return ticket;
}

static void turn(struct loyal_client *client)
{
    struct pollfd readable = {.fd = loyal_client_fd(client), .events = POLLIN};
    int limit = loyal_client_timeout_ms(client);
    poll(&readable, 1, limit < 0 || limit > TURN_MS ? TURN_MS : limit);
    loyal_client_drive(client);
}

static void drive(struct loyal_client *client, struct question *earn, struct question *balance,
                  bool cancels)
{
    int turns = 0;
    submit(client, balance);
    while (cancels && loyal_in_flight(client) > 0 && turns++ < TURNS_MAX)
        turn(client); /* until there is a connection */
    loyal_ticket ticket = submit(client, earn);
    if (cancels) {
        loyal_client_drive(client);
        loyal_cancel(client, ticket);
        submit(client, balance);
    }
    while (loyal_in_flight(client) > 0 && turns++ < TURNS_MAX)
        turn(client);
}

static bool read_key(const char *text, uint8_t key[LOYAL_KEY_BYTES])
{
    int count = 0;
    while (count < LOYAL_KEY_BYTES && sscanf(text + (size_t)2 * count, "%2hhx", &key[count]) == 1)
        count++;
    return count == LOYAL_KEY_BYTES;
}

int main(int argc, char **argv)
{
    char error[256] = "usage: sdk_client WAY KEY CARD";
    const struct loyal_options options = {.host = getenv("LOYAL_HOST"),
                                          .port = getenv("LOYAL_PORT"),
                                          .merchant = getenv("LOYAL_MERCHANT"),
                                          .certificate_file = getenv("LOYAL_CERTIFICATE"),
                                          .key_file = getenv("LOYAL_KEY"),
                                          .authority_file = getenv("LOYAL_AUTHORITY"),
                                          .deadline_ms = 3000};
    struct question earn = {"earn", {.verb = LOYAL_EARN, .amount_minor = 500}, 0, 0};
    struct question balance = {"balance", {.verb = LOYAL_GET_BALANCE}, 0, 0};
    struct loyal_client *client = NULL;
    if (argc == 4 && read_key(argv[2], earn.request.key))
        client = loyal_client_create(&options, error, sizeof error);
    if (client == NULL) {
        fprintf(stderr, "%s\n", error);
        return 2;
    }
    earn.request.currency = getenv("LOYAL_CURRENCY");
    earn.request.occasion = (struct loyal_occasion){
        .store = getenv("LOYAL_STORE"), .business_date = (uint32_t)atoi(getenv("LOYAL_DATE"))};
    earn.request.member.identifier = balance.request.member.identifier =
        (struct loyal_identifier){LOYAL_CARD, argv[3]};
    if (strcmp(argv[1], "blocking") == 0) {
        call(client, &earn);
        call(client, &balance);
    } else {
        drive(client, &earn, &balance, strcmp(argv[1], "cancelled") == 0);
    }
    loyal_client_destroy(&client);
    return earn.answered == earn.submitted && balance.answered == balance.submitted ? 0 : 3;
}
