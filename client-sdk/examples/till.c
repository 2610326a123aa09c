/* A till: earns points for a purchase and prints the new balance.
 * Usage: till CARD AMOUNT_MINOR, with LOYAL_HOST, LOYAL_PORT, LOYAL_MERCHANT, LOYAL_STORE,
 * LOYAL_CURRENCY and the PEM files LOYAL_CERTIFICATE, LOYAL_KEY, LOYAL_AUTHORITY in the
 * environment. */
#include <loyal/loyal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static uint32_t today(void)
{
    char text[16];
    struct tm local;
    time_t now = time(NULL);
    strftime(text, sizeof text, "%Y%m%d", localtime_r(&now, &local));
    return (uint32_t)strtoul(text, NULL, 10);
}

static int sell(struct loyal_client *till, const char *card, int64_t amount_minor)
{
    const struct loyal_answer *answer;
    struct loyal_request earn = {.verb = LOYAL_EARN, .member.identifier = {LOYAL_CARD, card}};
    earn.amount_minor = amount_minor;
    earn.currency = getenv("LOYAL_CURRENCY");
    earn.occasion =
        (struct loyal_occasion){.store = getenv("LOYAL_STORE"), .business_date = today()};
    if (loyal_call(till, &earn, &answer) != LOYAL_OK) /* repeats by itself; one effect */
        return printf("%s: %s\n", answer->code_name, answer->text), 1;
    return printf("%d points, now %d\n", (int)answer->points, (int)answer->available), 0;
}

int main(int argc, char **argv)
{
    char error[256] = "usage: till CARD AMOUNT_MINOR";
    const struct loyal_options options = {
        .host = getenv("LOYAL_HOST"),
        .port = getenv("LOYAL_PORT"),
        .merchant = getenv("LOYAL_MERCHANT"),
        .certificate_file = getenv("LOYAL_CERTIFICATE"),
        .key_file = getenv("LOYAL_KEY"),
        .authority_file = getenv("LOYAL_AUTHORITY"),
    };
    struct loyal_client *till = NULL;
    if (argc == 3)
        till = loyal_client_create(&options, error, sizeof error);
    if (!till)
        return fprintf(stderr, "%s\n", error), 2;
    int status = sell(till, argv[1], strtoll(argv[2], NULL, 10));
    loyal_client_destroy(&till);
    return status;
}
