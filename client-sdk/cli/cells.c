/* Owns how values of loyal.h look in a table. Called by the commands; it decides nothing but what
 * an absent value looks like. */
#include "cells.h"
#include "values.h"

#include <stdio.h>
#include <stdlib.h>

static bool is_zero(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

void cell_text(struct table *table, const char *text)
{
    text[0] ? table_text(table, text) : table_none(table);
}

void cell_ref(struct table *table, const uint8_t ref[LOYAL_REF_BYTES])
{
    char text[2 * LOYAL_REF_BYTES + 1];

    value_hex_text(ref, LOYAL_REF_BYTES, text);
    cell_text(table, is_zero(ref, LOYAL_REF_BYTES) ? "" : text);
}

void cell_key(struct table *table, const uint8_t key[LOYAL_KEY_BYTES])
{
    char text[UUID_TEXT_SIZE];

    value_uuid_text(key, text);
    cell_text(table, is_zero(key, LOYAL_KEY_BYTES) ? "" : text);
}

void cell_time(struct table *table, int64_t us)
{
    char text[TIME_TEXT_SIZE];

    value_time_text(us, text);
    cell_text(table, us > 0 ? text : "");
}

void cell_date(struct table *table, uint32_t yyyymmdd)
{
    char text[DATE_TEXT_SIZE];

    value_date_text(yyyymmdd, text);
    cell_text(table, yyyymmdd > 0 ? text : "");
}

void cell_fields(struct table *table, unsigned fields)
{
    char text[FIELDS_TEXT_SIZE];

    value_fields_text(fields, text);
    cell_text(table, text);
}

static void lines_for_people(FILE *stream, const struct loyal_line *lines, size_t count)
{
    for (size_t i = 0; i < count; i++)
        fprintf(stream, "%s%.15g x %s%s%s", i > 0 ? ", " : "",
                (double)lines[i].quantity_milli / 1000, lines[i].category,
                lines[i].category[0] && lines[i].product[0] ? "/" : "", lines[i].product);
}

void cell_lines(struct table *table, const struct loyal_line *lines, size_t count,
                bool with_amounts)
{
    static const char *const columns[] = {"product", "category", "quantity_milli", "amount_minor",
                                          NULL};
    struct table *rows = table_create(columns);
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);

    for (size_t i = 0; i < count; i++) {
        cell_text(rows, lines[i].product);
        cell_text(rows, lines[i].category);
        table_number(rows, lines[i].quantity_milli);
        with_amounts ? table_number(rows, lines[i].amount_minor) : table_none(rows);
    }
    if (stream) {
        lines_for_people(stream, lines, count);
        fclose(stream);
    }
    table_nested(table, rows, text ? text : "");
    free(text);
}

void cell_purchase(struct table *table, const struct loyal_purchase *purchase)
{
    bool dated = purchase->fields & LOYAL_MERCHANT_AND_DATE;
    bool priced = purchase->fields & LOYAL_AMOUNT;

    cell_date(table, dated ? purchase->business_date : 0);
    table_text(table, purchase->is_refund ? "refund" : "purchase");
    cell_text(table, dated ? purchase->merchant : "");
    cell_text(table, dated ? value_channel_text(purchase->channel) : "");
    priced ? table_number(table, purchase->amount_minor) : table_none(table);
    cell_text(table, priced ? purchase->currency : "");
    priced ? table_number(table, purchase->points) : table_none(table);
    if (purchase->fields & LOYAL_BASKET)
        cell_lines(table, purchase->lines, purchase->line_count, priced);
    else
        table_none(table);
    cell_fields(table, purchase->fields);
    cell_ref(table, purchase->purchase_id);
}
