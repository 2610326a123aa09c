/* Members whom this merchant never met, who granted it to look, and what they bought of a category.
 * Usage: customers CATEGORY, with the environment of till.c. */
#include <inttypes.h>
#include <loyal/loyal.h>
#include <stdio.h>
#include <stdlib.h>

static void show(const struct loyal_member_never_met *member)
{
    for (size_t i = 0; i < LOYAL_REF_BYTES; i++)
        printf("%02x", member->ref[i]);
    putchar('\n');
    for (size_t i = 0; i < member->purchase_count; i++) {
        const struct loyal_purchase *purchase = &member->purchases[i];
        if (purchase->fields & LOYAL_MERCHANT_AND_DATE)
            printf("  %" PRIu32 " %s", purchase->business_date, purchase->merchant);
        if (purchase->fields & LOYAL_AMOUNT)
            printf("  %" PRId64 " %s", purchase->amount_minor, purchase->currency);
        putchar('\n');
    }
}

/* Page after page, each asked for with the cursor of the one before. */
static int list(struct loyal_client *client, const char *const *categories)
{
    const struct loyal_answer *answer;
    struct loyal_request request = {
        .verb = LOYAL_LIST_MEMBERS_NEVER_MET,
        .purpose = LOYAL_OFFER,
        .filter = {.categories = categories, .category_count = 1},
    };
    do {
        if (loyal_call(client, &request, &answer) != LOYAL_OK)
            return printf("%s: %s\n", answer->code_name, answer->text), 1;
        for (size_t i = 0; i < answer->list_count; i++)
            show(&answer->members_never_met[i]);
        request.cursor = answer->cursor;
    } while (request.cursor.size > 0);
    return 0;
}

int main(int argc, char **argv)
{
    char error[256] = "usage: customers CATEGORY";
    const struct loyal_options options = {.host = getenv("LOYAL_HOST"),
                                          .port = getenv("LOYAL_PORT"),
                                          .merchant = getenv("LOYAL_MERCHANT"),
                                          .certificate_file = getenv("LOYAL_CERTIFICATE"),
                                          .key_file = getenv("LOYAL_KEY"),
                                          .authority_file = getenv("LOYAL_AUTHORITY"),
                                          .software = "customers " LOYAL_VERSION};
    struct loyal_client *client = NULL;
    if (argc == 2)
        client = loyal_client_create(&options, error, sizeof error);
    if (client == NULL)
        return fprintf(stderr, "%s\n", error), 2;
    int status = list(client, (const char *const *)&argv[1]);
    loyal_client_destroy(&client);
    return status;
}
