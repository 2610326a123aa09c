/* Owns following a cursor to the end of a list. Called by the cmd_*.c; it knows no verb, and what a
 * row is its caller says. */
#include "listing.h"
#include "arguments.h"

enum { PAGE_ROWS_MAX = 200 };

int listing_pages(struct loyal_client *client, struct loyal_request *request, int64_t limit,
                  listing_page *page, void *context)
{
    const struct loyal_answer *answer;
    uint64_t left = limit > 0 ? (uint64_t)limit : UINT64_MAX;

    request->page_rows = left < PAGE_ROWS_MAX ? (uint32_t)left : PAGE_ROWS_MAX;
    do {
        int status = cli_call(client, request, &answer);
        size_t count;

        if (status != EXIT_FINE)
            return status;
        count = answer->list_count < left ? answer->list_count : (size_t)left;
        page(context, answer, count);
        left -= count;
        request->cursor = answer->cursor;
    } while (left > 0 && request->cursor.size > 0);
    return EXIT_FINE;
}

int listing_print(struct cli *cli, struct loyal_request *request, const char *const *columns,
                  listing_page *page)
{
    struct loyal_client *client;
    struct table *table;
    int64_t limit;
    int status = args_limit(cli, &limit);

    if (status != EXIT_FINE)
        return status;
    client = cli_client(cli);
    if (!client)
        return EXIT_USAGE;
    table = table_create(columns);
    status = listing_pages(client, request, limit, page, table);
    if (status == EXIT_FINE)
        output_rows(cli->values[OPT_JSON], table);
    else
        table_destroy(&table);
    loyal_client_destroy(&client);
    return status;
}
