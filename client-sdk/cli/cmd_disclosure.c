/* The answer to a member who asks what was shown about him (R40): a document to be printed and
 * handed over, or JSON. Called through the table in commands.c. Nothing is printed before all of it
 * has come. */
#include "arguments.h"
#include "cells.h"
#include "commands.h"
#include "listing.h"
#include "values.h"

#include <stdlib.h>
#include <string.h>

struct document {
    FILE *body; /* for people, into text */
    char *text;
    size_t size;
    struct table *table; /* for programs */
    uint8_t ref[LOYAL_REF_BYTES];
    size_t disclosure_count, row_count;
};

/* What of whom, and when. */
struct heading {
    char network[64], as_of[TIME_TEXT_SIZE], ref[2 * LOYAL_REF_BYTES + 1];
};

/* ---- for people ---- */

/* In words, for somebody who knows nothing of groups of fields. */
static void print_fields(FILE *stream, unsigned fields)
{
    static const struct {
        unsigned bit;
        const char *words;
    } GROUPS[] = {{LOYAL_MERCHANT_AND_DATE, "merchant and date"},
                  {LOYAL_AMOUNT, "amount"},
                  {LOYAL_BASKET, "what was bought"}};
    const char *before = "";

    if (fields == 0)
        fputs("the record whole", stream);
    for (size_t i = 0; i < sizeof GROUPS / sizeof *GROUPS; i++)
        if (fields & GROUPS[i].bit) {
            fprintf(stream, "%s%s", before, GROUPS[i].words);
            before = ", ";
        }
}

static void print_row(FILE *stream, const struct loyal_disclosed_row *row)
{
    char date[DATE_TEXT_SIZE];

    value_date_text(row->business_date, date);
    fprintf(stream, "      %-12s %-20s ", row->business_date > 0 ? date : "erased since",
            row->merchant[0] ? row->merchant : "the network");
    print_fields(stream, row->fields);
    fputc('\n', stream);
}

static void print_disclosure(struct document *document, const struct loyal_disclosure *disclosure)
{
    FILE *stream = document->body;
    const char *purpose = value_purpose_text(disclosure->purpose);
    char time[TIME_TEXT_SIZE];

    value_time_text(disclosure->disclosed_at_us, time);
    fprintf(stream, "\n%zu. On %s\n   to whom:  ", document->disclosure_count, time);
    if (disclosure->operator_name[0])
        fprintf(stream, "the network's operator %s\n", disclosure->operator_name);
    else
        fprintf(stream, "the merchant %s, terminal %s\n", disclosure->merchant,
                disclosure->terminal);
    fprintf(stream, "   why:      %s%s%s\n", purpose,
            purpose[0] && disclosure->reason[0] ? ": " : "", disclosure->reason);
    fprintf(stream, "   request:  %s\n   shown:    %zu %s\n", disclosure->verb,
            disclosure->row_count, disclosure->row_count == 1 ? "record" : "records");
    for (size_t i = 0; i < disclosure->row_count; i++)
        print_row(stream, &disclosure->rows[i]);
}

static void print_document(const struct document *document, const struct heading *heading)
{
    printf(
        "Disclosures about a member\n\n"
        "This lists every time that records about this member were shown to a merchant of the\n"
        "network other than the one they belong to, or to the network's operator: to whom, why,\n"
        "and which. The newest comes first; times are in UTC.\n\n"
        "   network:  %s\n   member:   %s\n   as of:    %s\n%s\n",
        heading->network, heading->ref, heading->as_of, document->text);
    if (document->disclosure_count == 0)
        printf("In total: none. No record about this member was shown to anybody.\n");
    else
        printf("In total: %zu %s, %zu %s shown.\n", document->disclosure_count,
               document->disclosure_count == 1 ? "disclosure" : "disclosures", document->row_count,
               document->row_count == 1 ? "record" : "records");
}

/* ---- for programs ---- */

static struct table *rows_table(const struct loyal_disclosure *disclosure)
{
    static const char *const columns[] = {"entry_key", "merchant", "business_date",
                                          "fields",    "whole",    NULL};
    struct table *table = table_create(columns);

    for (size_t i = 0; i < disclosure->row_count; i++) {
        const struct loyal_disclosed_row *row = &disclosure->rows[i];

        cell_key(table, row->entry_key);
        cell_text(table, row->merchant);
        cell_date(table, row->business_date);
        cell_fields(table, row->fields);
        table_flag(table, row->fields == 0);
    }
    return table;
}

static void disclosure_cells(struct table *table, const struct loyal_disclosure *disclosure)
{
    cell_time(table, disclosure->disclosed_at_us);
    cell_text(table, disclosure->merchant);
    cell_text(table, disclosure->terminal);
    cell_text(table, disclosure->operator_name);
    cell_text(table, disclosure->verb);
    cell_text(table, value_purpose_text(disclosure->purpose));
    cell_text(table, disclosure->reason);
    table_nested(table, rows_table(disclosure), "");
}

static void print_objects(struct document *document, const struct heading *heading)
{
    static const char *const columns[] = {"network", "ref", "as_of", "disclosures", "rows", NULL};
    struct table *about = table_create(columns);
    struct section sections[] = {{"about", about, true}, {"disclosures", document->table, false}};

    table_text(about, heading->network);
    table_text(about, heading->ref);
    table_text(about, heading->as_of);
    table_number(about, (int64_t)document->disclosure_count);
    table_number(about, (int64_t)document->row_count);
    output_print(true, sections, 2);
    document->table = NULL;
}

/* ---- the command ---- */

static void document_page(void *context, const struct loyal_answer *answer, size_t row_count)
{
    struct document *document = context;

    memcpy(document->ref, answer->ref, sizeof document->ref);
    for (size_t i = 0; i < row_count; i++) {
        document->disclosure_count++;
        document->row_count += answer->disclosures[i].row_count;
        print_disclosure(document, &answer->disclosures[i]);
        disclosure_cells(document->table, &answer->disclosures[i]);
    }
}

/* The network's name and time, before the list: what is shown later is not in it. */
static int read_heading(struct loyal_client *client, struct heading *heading_out)
{
    const struct loyal_request request = {.verb = LOYAL_GET_STATUS};
    const struct loyal_answer *answer;
    int status = cli_call(client, &request, &answer);

    if (status == EXIT_FINE) {
        snprintf(heading_out->network, sizeof heading_out->network, "%s", answer->status.network);
        value_time_text(answer->status.domain_time_us, heading_out->as_of);
    }
    return status;
}

static int show_document(struct cli *cli, struct document *document, struct heading *heading)
{
    if (fclose(document->body) != 0) {
        document->body = NULL;
        return cli_fail("out of memory");
    }
    document->body = NULL;
    value_hex_text(document->ref, LOYAL_REF_BYTES, heading->ref);
    if (cli->values[OPT_JSON])
        print_objects(document, heading);
    else
        print_document(document, heading);
    return EXIT_FINE;
}

int cmd_member_disclosures(struct cli *cli)
{
    static const char *const columns[] = {"disclosed_at", "merchant", "terminal",
                                          "operator",     "verb",     "purpose",
                                          "reason",       "rows",     NULL};
    struct loyal_request request = {.verb = LOYAL_LIST_DISCLOSURES};
    struct document document = {0};
    struct loyal_client *client;
    struct heading heading;
    int status = args_member(cli, &request.member);

    if (status != EXIT_FINE)
        return status;
    client = cli_client(cli);
    if (!client)
        return EXIT_USAGE;
    document.table = table_create(columns);
    document.body = open_memstream(&document.text, &document.size);
    status = document.body ? read_heading(client, &heading) : cli_fail("out of memory");
    if (status == EXIT_FINE)
        status = listing_pages(client, &request, 0, document_page, &document);
    if (status == EXIT_FINE)
        status = show_document(cli, &document, &heading);
    if (document.body)
        fclose(document.body);
    free(document.text);
    table_destroy(&document.table);
    loyal_client_destroy(&client);
    return status;
}
