/* A till: earns points for a purchase and prints the new balance.
 * Usage: till CARD AMOUNT_MINOR, with LOYAL_HOST, LOYAL_MERCHANT, LOYAL_STORE, LOYAL_CURRENCY and
 * the PEM files LOYAL_CERTIFICATE, LOYAL_KEY, LOYAL_AUTHORITY in the environment. */
#include <loyal/loyal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int main(int argc, char **argv)
{
    char error[256] = "usage: till CARD AMOUNT_MINOR", today[16];
    const struct loyal_options options = {.host = getenv("LOYAL_HOST"),
                                          .merchant = getenv("LOYAL_MERCHANT"),
                                          .certificate_file = getenv("LOYAL_CERTIFICATE"),
                                          .key_file = getenv("LOYAL_KEY"),
                                          .authority_file = getenv("LOYAL_AUTHORITY"),
                                          .port = getenv("LOYAL_PORT")};
    struct loyal_client *till = NULL;
    if (argc == 3)
        till = loyal_client_create(&options, error, sizeof error);
    if (till == NULL)
        return fprintf(stderr, "%s\n", error), 2;

    struct tm local;
    time_t now = time(NULL);
    strftime(today, sizeof today, "%Y%m%d", localtime_r(&now, &local));
    const struct loyal_request earn = {.verb = LOYAL_EARN,
                                       .member.identifier = {LOYAL_CARD, argv[1]},
                                       .amount_minor = atoll(argv[2]),
                                       .currency = getenv("LOYAL_CURRENCY"),
                                       .occasion = {.store = getenv("LOYAL_STORE"),
                                                    .till = "1",
                                                    .occurred_at_us = now * 1000000LL,
                                                    .business_date = (uint32_t)atoi(today)}};
    const struct loyal_answer *answer;
    enum loyal_kind kind = loyal_call(till, &earn, &answer); /* repeats by itself; one effect */
    if (kind == LOYAL_OK)
        printf("%lld points earned, balance %lld\n", (long long)answer->points,
               (long long)answer->available);
    else
        printf("%s: %s\n", answer->code_name, answer->text);
    loyal_client_destroy(&till);
    return kind != LOYAL_OK;
}
