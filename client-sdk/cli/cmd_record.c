/* What is on record: a journal's entries, all that is stored about a member, and his erasure (R29).
 * Called through the table in commands.c. */
#include "arguments.h"
#include "cells.h"
#include "commands.h"
#include "listing.h"
#include "values.h"

#include <jansson.h>

/* ---- entries ---- */

/* The facts of the receipt; all empty once they are erased. */
static void facts_cells(struct table *table, const struct loyal_entry *entry)
{
    bool priced = entry->currency[0];

    cell_text(table, entry->occasion.store);
    cell_text(table, entry->occasion.till);
    cell_text(table, entry->occasion.receipt);
    entry->occasion.business_date ? table_number(table, entry->occasion.part) : table_none(table);
    cell_date(table, entry->occasion.business_date);
    cell_time(table, entry->occasion.occurred_at_us);
    cell_text(table, entry->terminal);
    cell_text(table, value_channel_text(entry->channel));
    priced ? table_number(table, entry->amount_minor) : table_none(table);
    priced ? table_number(table, entry->paid_in_points_minor) : table_none(table);
    cell_text(table, entry->currency);
    cell_lines(table, entry->lines, entry->line_count, true);
}

static void entry_rows(void *context, const struct loyal_answer *answer, size_t row_count)
{
    struct table *table = context;

    for (size_t i = 0; i < row_count; i++) {
        const struct loyal_entry *entry = &answer->entries[i];

        cell_time(table, entry->decided_at_us);
        table_text(table, value_entry_kind_text(entry->kind));
        entry->merchant[0] ? table_text(table, entry->merchant) : table_means(table, "the network");
        facts_cells(table, entry);
        table_number(table, entry->points);
        table_number(table, entry->balance);
        table_number(table, entry->debt);
        table_flag(table, entry->erased);
        cell_key(table, entry->entry_key);
        cell_key(table, entry->original_key);
        cell_ref(table, entry->ref);
    }
}

/* A member's, or those of a period. */
static int read_whose(const struct cli *cli, struct loyal_request *request)
{
    const char *from = cli->values[OPT_SINCE], *to = cli->values[OPT_TO];
    bool of_member = cli->identifier_count > 0 || cli->values[OPT_REF];

    if (of_member == (from || to))
        return cli_usage("give either a member (--card, --phone, --email or --ref) or --from and "
                         "--to");
    if (of_member)
        return args_member(cli, &request->member);
    request->has_period = true;
    if (!from || !value_time_utc(from, &request->from_us))
        return cli_usage("--from: such as 2024-02-29T00:00:00Z, together with --to");
    if (!to || !value_time_utc(to, &request->until_us))
        return cli_usage("--to: such as 2024-03-01T00:00:00Z, together with --from");
    return EXIT_FINE;
}

int cmd_entry_list(struct cli *cli)
{
    static const char *const columns[] = {"decided_at",
                                          "kind",
                                          "merchant",
                                          "store",
                                          ".till",
                                          "receipt",
                                          ".part",
                                          ".business_date",
                                          ".occurred_at",
                                          ".terminal",
                                          ".channel",
                                          "amount_minor",
                                          ".paid_in_points_minor",
                                          "currency",
                                          ".basket",
                                          "points",
                                          "balance",
                                          "debt",
                                          "erased",
                                          "entry_key",
                                          ".original_key",
                                          "ref",
                                          NULL};
    struct loyal_request request = {.verb = LOYAL_LIST_ENTRIES, .reason = cli->values[OPT_REASON]};
    int status = read_whose(cli, &request);

    return status == EXIT_FINE ? listing_print(cli, &request, columns, entry_rows) : status;
}

/* ---- export ---- */

struct member_export {
    json_t *document;
    char error[JSON_ERROR_TEXT_LENGTH];
};

/* The row goes to the end of its table's array. */
static void export_row(struct member_export *out, const struct loyal_exported *row)
{
    json_error_t error;
    json_t *table = json_object_get(out->document, row->table);
    json_t *object = json_loads(row->json, 0, &error);

    if (!object) {
        snprintf(out->error, sizeof out->error, "table %.40s: %.100s", row->table, error.text);
        return;
    }
    if (!table) {
        json_object_set_new(out->document, row->table, json_array());
        table = json_object_get(out->document, row->table);
    }
    if (json_array_append_new(table, object) < 0)
        snprintf(out->error, sizeof out->error, "table %.40s: out of memory", row->table);
}

static void export_page(void *context, const struct loyal_answer *answer, size_t row_count)
{
    struct member_export *out = context;
    char ref[2 * LOYAL_REF_BYTES + 1];

    value_hex_text(answer->ref, LOYAL_REF_BYTES, ref);
    json_object_set_new(out->document, "ref", json_string(ref));
    for (size_t i = 0; i < row_count && !out->error[0]; i++)
        export_row(out, &answer->exported[i]);
}

int cmd_member_export(struct cli *cli)
{
    struct loyal_request request = {.verb = LOYAL_EXPORT_MEMBER, .reason = cli->values[OPT_REASON]};
    struct loyal_client *client;
    struct member_export all = {0};
    int status = args_member(cli, &request.member);

    if (status != EXIT_FINE)
        return status;
    client = cli_client(cli);
    if (!client)
        return EXIT_USAGE;
    all.document = json_object();
    status = all.document ? listing_pages(client, &request, 0, export_page, &all)
                          : cli_fail("out of memory");
    if (status == EXIT_FINE && all.error[0])
        status = cli_fail("the daemon's export cannot be read: %s", all.error);
    if (status == EXIT_FINE) {
        json_dumpf(all.document, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
        putchar('\n');
    }
    json_decref(all.document);
    loyal_client_destroy(&client);
    return status;
}

/* ---- erasure ---- */

static void show_erased(struct cli *cli, const struct loyal_answer *answer)
{
    static const char *const columns[] = {"entry_key", "points_forfeited", "entries_blanked",
                                          "recorded", NULL};
    struct table *table = table_create(columns);

    cell_key(table, answer->entry_key);
    table_number(table, answer->points);
    table_number(table, (int64_t)answer->entries_blanked);
    table_flag(table, answer->recorded);
    output_object(cli->values[OPT_JSON], table);
}

int cmd_member_erase(struct cli *cli)
{
    struct loyal_request request = {.verb = LOYAL_ERASE_MEMBER, .reason = cli->values[OPT_REASON]};
    struct loyal_client *client = NULL;
    const struct loyal_answer *answer;
    int status = args_member(cli, &request.member);

    if (status == EXIT_FINE && !cli->values[OPT_YES])
        status = cli_usage("erasing a member cannot be undone, and forfeits the points that are "
                           "left: repeat it with --yes");
    if (status == EXIT_FINE)
        status = cli_connect(cli, &client);
    if (status == EXIT_FINE)
        status = args_key(cli, loyal_server_time_us(client), request.key);
    if (status == EXIT_FINE)
        status = cli_call(client, &request, &answer);
    if (status == EXIT_FINE)
        show_erased(cli, answer);
    loyal_client_destroy(&client);
    return status;
}
