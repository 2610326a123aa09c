/* Cells that several commands show: values of loyal.h, one to a cell, and the purchase, which takes
 * several. What is not there (zeroes, 0, "") becomes an empty cell. */
#pragma once

#include <loyal/loyal.h>

#include "output.h"

void cell_text(struct table *table, const char *text);
void cell_ref(struct table *table, const uint8_t ref[LOYAL_REF_BYTES]);
void cell_key(struct table *table, const uint8_t key[LOYAL_KEY_BYTES]);
void cell_time(struct table *table, int64_t us);
void cell_date(struct table *table, uint32_t yyyymmdd);
void cell_fields(struct table *table, unsigned fields);
/* The lines of a basket; without with_amounts theirs are left empty. */
void cell_lines(struct table *table, const struct loyal_line *lines, size_t count,
                bool with_amounts);

/* What cell_purchase fills, in this order. */
#define PURCHASE_COLUMNS                                                                  \
    "business_date", "kind", "merchant", "channel", "amount_minor", "currency", "points", \
        "basket", ".fields", ".purchase_id"
void cell_purchase(struct table *table, const struct loyal_purchase *purchase);
