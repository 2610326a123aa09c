/* What loop_poll.c and loop_libevent.c do alike: lines `CARD AMOUNT_MINOR RECEIPT` come in on
 * standard input, a pipe; each becomes an earn, thousands in flight; what becomes of each goes to
 * standard output. Knows requests and answers, and no loop. Environment as of till.c. */
#include <inttypes.h>
#include <loyal/loyal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>
#include <unistd.h>

#define IN_FLIGHT_MAX 8192

struct purchase {
    struct feed *feed;
    TAILQ_ENTRY(purchase) entry;
    loyal_ticket ticket;
    uint8_t key[LOYAL_KEY_BYTES];
    char card[32], receipt[32];
};

struct feed {
    struct loyal_client *client;
    TAILQ_HEAD(purchases, purchase) in_flight;
    bool connected, ended;
    size_t answers, not_ok, most; /* most: in flight at the same time */
    size_t size;
    char bytes[4096]; /* of lines not yet submitted */
};

/* The first answer says that there is a connection, and with it the server's time. */
static void connected(void *context, const struct loyal_answer *answer)
{
    struct feed *feed = context;
    fprintf(stderr, "%s\n", answer->kind == LOYAL_OK ? "connected" : answer->text);
    feed->connected = answer->kind == LOYAL_OK;
    feed->ended = !feed->connected;
}

static bool feed_open(struct feed *feed)
{
    char error[256];
    const struct loyal_request ping = {.verb = LOYAL_PING};
    const struct loyal_options options = {.host = getenv("LOYAL_HOST"),
                                          .port = getenv("LOYAL_PORT"),
                                          .merchant = getenv("LOYAL_MERCHANT"),
                                          .certificate_file = getenv("LOYAL_CERTIFICATE"),
                                          .key_file = getenv("LOYAL_KEY"),
                                          .authority_file = getenv("LOYAL_AUTHORITY"),
                                          .in_flight_max = IN_FLIGHT_MAX,
                                          .deadline_ms = 60000};
    *feed = (struct feed){.client = loyal_client_create(&options, error, sizeof error)};
    TAILQ_INIT(&feed->in_flight);
    if (feed->client == NULL)
        return fprintf(stderr, "%s\n", error), false;
    return loyal_submit(feed->client, &ping, connected, feed) != LOYAL_FULL;
}

/* Called once for each purchase. What is UNKNOWN is asked again under its key, some day. */
static void answered(void *context, const struct loyal_answer *answer)
{
    struct purchase *purchase = context;
    struct feed *feed = purchase->feed;
    feed->answers++;
    feed->not_ok += answer->kind != LOYAL_OK;
    printf("%s %s %" PRId64, purchase->receipt, answer->code_name, answer->points);
    for (size_t i = 0; i < LOYAL_KEY_BYTES && answer->kind == LOYAL_UNKNOWN; i++)
        printf("%s%02x", i == 0 ? " unknown " : "", purchase->key[i]);
    putchar('\n');
    TAILQ_REMOVE(&feed->in_flight, purchase, entry);
    free(purchase);
}

static uint32_t today(void)
{
    char text[16];
    struct tm local;
    time_t now = time(NULL);
    strftime(text, sizeof text, "%Y%m%d", localtime_r(&now, &local));
    return (uint32_t)atoi(text);
}

/* There is room: the caller has looked. */
static void submit_line(struct feed *feed, const char *line)
{
    struct purchase *purchase = calloc(1, sizeof *purchase);
    struct loyal_request earn = {.verb = LOYAL_EARN, .currency = getenv("LOYAL_CURRENCY")};
    if (purchase == NULL || sscanf(line, "%31s %" SCNd64 " %31s", purchase->card,
                                   &earn.amount_minor, purchase->receipt) != 3) {
        fprintf(stderr, "not a purchase: %s\n", line);
        free(purchase);
        return;
    }
    purchase->feed = feed;
    loyal_key_make(loyal_server_time_us(feed->client), purchase->key);
    memcpy(earn.key, purchase->key, sizeof earn.key);
    earn.member.identifier = (struct loyal_identifier){LOYAL_CARD, purchase->card};
    earn.occasion = (struct loyal_occasion){
        .store = getenv("LOYAL_STORE"), .receipt = purchase->receipt, .business_date = today()};
    TAILQ_INSERT_TAIL(&feed->in_flight, purchase, entry);
    purchase->ticket = loyal_submit(feed->client, &earn, answered, purchase);
}

/* Submits the lines at hand, as many as there is room for. */
static void feed_submit(struct feed *feed)
{
    char *line = feed->bytes, *end;
    feed->bytes[feed->size] = '\0';
    for (; (end = strchr(line, '\n')) != NULL && loyal_room(feed->client) > 0; line = end + 1) {
        *end = '\0';
        submit_line(feed, line);
    }
    feed->size -= (size_t)(line - feed->bytes);
    memmove(feed->bytes, line, feed->size);
    if (loyal_in_flight(feed->client) > feed->most)
        feed->most = loyal_in_flight(feed->client);
}

/* No room: let whoever writes to us wait. */
static bool feed_wants_input(const struct feed *feed)
{
    return feed->connected && !feed->ended && loyal_room(feed->client) > 0;
}

/* Once, as much as is there. */
static void feed_read(struct feed *feed)
{
    ssize_t got = read(STDIN_FILENO, feed->bytes + feed->size, sizeof feed->bytes - 1 - feed->size);
    if (got > 0)
        feed->size += (size_t)got;
    else
        feed->ended = true;
}

static bool feed_is_over(const struct feed *feed)
{
    return feed->ended && loyal_in_flight(feed->client) == 0;
}

static int feed_close(struct feed *feed)
{
    printf("%zu answers, %zu not OK, at most %zu in flight\n", feed->answers, feed->not_ok,
           feed->most);
    loyal_client_destroy(&feed->client);
    return feed->not_ok > 0;
}
