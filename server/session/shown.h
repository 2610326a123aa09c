/* Rows of statements as the messages that show them: basket lines, field groups, purchases
 * elsewhere. All memory is the request's arena. */
#pragma once

#include "session/query.h"

/* Basket lines from a JSON array of [product, category, quantity_milli, amount_minor]; none from
 * null. False without memory. */
bool shown_lines(struct request *request, const char *json, size_t *n_out,
                 Loyal__V1__BasketLine ***lines_out) must_check;

/* Bits of loyal.consent.fields as the groups they stand for, and back. False without memory. */
bool shown_fields(struct request *request, int bits, size_t *n_out,
                  Loyal__V1__FieldGroup **fields_out) must_check;
int field_bits(const Loyal__V1__FieldGroup *fields, size_t n);

/* The purchase in the columns of a row from `column` on: entry, kind, fields, merchant, business
 * date, channel, amount, currency, points, lines, seq (which is not shown). False without memory.
 */
#define SHOWN_SEQ     10
#define SHOWN_COLUMNS 11
bool shown_purchase(struct request *request, const struct query_rows *rows, int row, int column,
                    Loyal__V1__NetworkPurchase *out) must_check;

/* A code of the reference for an id; "" for none. Lives as long as the answer. */
char *merchant_code(struct request *request, int64_t merchant_id);
