/* Many requests in flight on one connection: asks for the balance of a card COUNT times.
 * Usage: pipeline CARD COUNT, with the environment of till.c. */
#include <inttypes.h>
#include <loyal/loyal.h>
#include <stdio.h>
#include <stdlib.h>

struct tally {
    uint64_t ok, other;
    int64_t available;
};

/* Called once for each request, from loyal_poll. */
static void answered(void *context, const struct loyal_answer *answer)
{
    struct tally *tally = context;
    if (answer->kind == LOYAL_OK) {
        tally->ok++;
        tally->available = answer->available;
    } else {
        tally->other++;
        fprintf(stderr, "%s: %s\n", answer->code_name, answer->text);
    }
}

/* Keeps as many in flight as the server allows, until all are answered. */
static void run(struct loyal_client *client, const struct loyal_request *request, uint64_t count,
                struct tally *tally)
{
    uint64_t submitted = 0;
    while (submitted < count || loyal_in_flight(client) > 0) {
        while (submitted < count && loyal_submit(client, request, answered, tally))
            submitted++;
        loyal_poll(client, 1000);
    }
}

int main(int argc, char **argv)
{
    char error[256] = "usage: pipeline CARD COUNT";
    const struct loyal_options options = {.host = getenv("LOYAL_HOST"),
                                          .port = getenv("LOYAL_PORT"),
                                          .merchant = getenv("LOYAL_MERCHANT"),
                                          .certificate_file = getenv("LOYAL_CERTIFICATE"),
                                          .key_file = getenv("LOYAL_KEY"),
                                          .authority_file = getenv("LOYAL_AUTHORITY"),
                                          .software = "pipeline " LOYAL_VERSION};
    struct loyal_client *client = NULL;
    if (argc == 3)
        client = loyal_client_create(&options, error, sizeof error);
    if (client == NULL) {
        fprintf(stderr, "%s\n", error);
        return 2;
    }
    const struct loyal_request request = {.verb = LOYAL_GET_BALANCE,
                                          .member.identifier = {LOYAL_CARD, argv[1]}};
    struct tally tally = {0};
    run(client, &request, strtoull(argv[2], NULL, 10), &tally);
    printf("%" PRIu64 " answers, %" PRIu64 " of them not OK; balance %" PRId64 "\n",
           tally.ok + tally.other, tally.other, tally.available);
    loyal_client_destroy(&client);
    return tally.other != 0;
}
