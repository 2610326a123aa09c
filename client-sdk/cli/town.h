/* A simulated town: purchases that nobody made, in the CSV of `loyalctl replay`, for when no real
 * ones are at hand. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* The real set it is shaped after (Birmingham City Council's purchase cards, 48 merchants, March
 * 2014 to January 2017, "Contains public sector information licensed under the Open Government
 * Licence"), counted once: 78,775 rows of 1,279 members in 952 days; the middle member uses 5
 * merchants; 1,656 rows (2.10 %) are refunds, 74 of them name no purchase; 41,641 of 77,119
 * purchases (54.0 %) are at the five largest merchants; the middle amount is 33.99, the mean 63.87.
 */
#define TOWN_MEDIAN_MERCHANTS 5.0
#define TOWN_REFUND_SHARE     0.02102
#define TOWN_TOP_FIVE_SHARE   0.53996

enum {
    TOWN_MERCHANTS = 48,
    TOWN_MEMBERS = 1279,
    TOWN_ROWS = 78775,
    TOWN_ROWS_MIN = 20000,
    TOWN_ROWS_MAX = 1000000
};

/* What came out; the unit test compares it with the above. */
struct town_figures {
    size_t rows, purchases, refunds, refunds_unnamed, members, merchants;
    double median_merchants, refund_share, top_five_share;
};

/* False: no memory, or the file cannot be written. The same seed and rows give the same bytes. */
__attribute__((warn_unused_result)) bool town_write(FILE *file, uint64_t seed, size_t rows,
                                                    struct town_figures *figures_out);
