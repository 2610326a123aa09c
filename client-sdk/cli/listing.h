/* Lists that come in pages, each with the cursor of the next. Called by every command that shows
 * one. */
#pragma once

#include "cli.h"
#include "output.h"

/* Called with each page that came; its first row_count rows are wanted. The answer lives until it
 * returns. */
typedef void listing_page(void *context, const struct loyal_answer *answer, size_t row_count);

/* Asks for page after page until limit rows have come (0: no limit) or there are no more. What is
 * not OK is reported. Returns an exit status. */
int listing_pages(struct loyal_client *client, struct loyal_request *request, int64_t limit,
                  listing_page *page, void *context);

/* Connects, and shows up to --limit rows as one table; page gets the table as its context. */
int listing_print(struct cli *cli, struct loyal_request *request, const char *const *columns,
                  listing_page *page);
