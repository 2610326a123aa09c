/* The operator's reference data: merchants, stores, terminals, rates. Called through the table in
 * commands.c. */
#include "commands.h"
#include "cert.h"
#include "csv.h"
#include "output.h"
#include "values.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* One request, and `added` on stdout when it is OK. */
static int call_and_say(struct cli *cli, const struct loyal_request *request, const char *what)
{
    static const char *const columns[] = {"added", NULL};
    struct loyal_client *client = cli_client(cli);
    const struct loyal_answer *answer;
    struct table *table;
    int status;

    if (!client)
        return EXIT_USAGE;
    status = cli_call(client, request, &answer);
    if (status == EXIT_FINE) {
        table = table_create(columns);
        table_text(table, what);
        output_object(cli->values[OPT_JSON], table);
    }
    loyal_client_destroy(&client);
    return status;
}

int cmd_merchant_add(struct cli *cli)
{
    struct loyal_request request = {.verb = LOYAL_ADD_MERCHANT};

    request.merchant = (struct loyal_merchant){.code = cli->values[OPT_CODE],
                                               .name = cli->values[OPT_NAME],
                                               .currency = cli->values[OPT_CURRENCY]};
    return call_and_say(cli, &request, cli->values[OPT_CODE]);
}

int cmd_store_add(struct cli *cli)
{
    const char *name = cli->values[OPT_NAME];
    struct loyal_store store = {.merchant = cli->values[OPT_MERCHANT],
                                .code = cli->values[OPT_CODE],
                                .name = name ? name : ""};
    struct loyal_request request = {.verb = LOYAL_ADD_STORES, .stores = &store, .store_count = 1};

    return call_and_say(cli, &request, store.code);
}

int cmd_terminal_add(struct cli *cli)
{
    struct loyal_request request = {.verb = LOYAL_ADD_TERMINAL};
    struct loyal_terminal *terminal = &request.terminal;
    char error[256];

    terminal->merchant = cli->values[OPT_MERCHANT];
    terminal->code = cli->values[OPT_CODE];
    terminal->store = cli->values[OPT_STORE] ? cli->values[OPT_STORE] : "";
    terminal->channel = LOYAL_POS;
    if (cli->values[OPT_CHANNEL] && !value_channel(cli->values[OPT_CHANNEL], &terminal->channel))
        return cli_usage("--channel: pos, web, mobile, call-centre or kiosk");
    if (!cert_fingerprint(cli->values[OPT_CERTIFICATE], terminal->certificate_sha256, error,
                          sizeof error))
        return cli_fail("%s", error);
    return call_and_say(cli, &request, terminal->code);
}

int cmd_rate_set(struct cli *cli)
{
    struct loyal_request request = {.verb = LOYAL_SET_EARN_RATE};
    struct loyal_rate *rate = &request.rate;
    int64_t months;

    rate->merchant = cli->values[OPT_MERCHANT];
    if (!value_ratio(cli->values[OPT_RATE], &rate->numerator, &rate->denominator))
        return cli_usage("--rate: N/D, such as 1/100 for 1 point a whole pound");
    if (!value_integer(cli->values[OPT_LIFETIME], 0, 1200, &months))
        return cli_usage("--lifetime: months, 0 to 1200");
    if (!value_date(cli->values[OPT_FROM], &rate->valid_from))
        return cli_usage("--from: a date such as 2024-02-29");
    rate->lifetime_months = (uint32_t)months;
    return call_and_say(cli, &request, cli->values[OPT_RATE]);
}

/* ---- lists ---- */

static void merchant_rows(struct table *table, const struct loyal_answer *answer)
{
    for (size_t i = 0; i < answer->list_count; i++) {
        table_text(table, answer->merchants[i].code);
        table_text(table, answer->merchants[i].name);
        table_text(table, answer->merchants[i].currency);
        table_text(table, value_standing_text(answer->merchants[i].standing));
    }
}

static void store_rows(struct table *table, const struct loyal_answer *answer)
{
    for (size_t i = 0; i < answer->list_count; i++) {
        table_text(table, answer->stores[i].merchant);
        table_text(table, answer->stores[i].code);
        table_text(table, answer->stores[i].name);
        table_text(table, value_standing_text(answer->stores[i].standing));
    }
}

static void certificate_cell(struct table *table, const uint8_t sha256[32])
{
    static const uint8_t none[32];
    char text[65];

    value_hex_text(sha256, 32, text);
    memcmp(sha256, none, sizeof none) == 0 ? table_none(table) : table_text(table, text);
}

static void terminal_rows(struct table *table, const struct loyal_answer *answer)
{
    for (size_t i = 0; i < answer->list_count; i++) {
        const struct loyal_terminal *terminal = &answer->terminals[i];

        table_text(table, terminal->merchant);
        table_text(table, terminal->code);
        table_text(table, terminal->store);
        table_text(table, value_channel_text(terminal->channel));
        table_text(table, value_standing_text(terminal->standing));
        certificate_cell(table, terminal->certificate_sha256);
        certificate_cell(table, terminal->older_certificate_sha256);
    }
}

static void rate_rows(struct table *table, const struct loyal_answer *answer)
{
    char date[DATE_TEXT_SIZE], ratio[32];

    for (size_t i = 0; i < answer->list_count; i++) {
        const struct loyal_rate *rate = &answer->rates[i];

        snprintf(ratio, sizeof ratio, "%" PRIu32 "/%" PRIu32, rate->numerator, rate->denominator);
        value_date_text(rate->valid_from, date);
        table_text(table, rate->merchant);
        table_text(table, ratio);
        table_number(table, rate->lifetime_months);
        table_text(table, date);
    }
}

static const char *last_code(const struct loyal_request *request, const struct loyal_answer *answer)
{
    size_t last = answer->list_count - 1;

    switch (request->verb) {
    case LOYAL_LIST_MERCHANTS: return answer->merchants[last].code;
    case LOYAL_LIST_STORES: return answer->stores[last].code;
    default: return answer->terminals[last].code;
    }
}

/* All pages of a list into one table. */
static int list_all(struct cli *cli, enum loyal_verb verb, const char *const *columns,
                    void (*rows)(struct table *, const struct loyal_answer *))
{
    struct loyal_request request = {.verb = verb, .list_merchant = cli->values[OPT_MERCHANT]};
    struct loyal_client *client = cli_client(cli);
    const struct loyal_answer *answer;
    struct table *table;
    char after[64] = "";
    int status;

    if (!client)
        return EXIT_USAGE;
    table = table_create(columns);
    do {
        request.list_after = after[0] ? after : NULL;
        status = cli_call(client, &request, &answer);
        if (status != EXIT_FINE)
            break;
        rows(table, answer);
        if (answer->more && answer->list_count > 0)
            snprintf(after, sizeof after, "%s", last_code(&request, answer));
    } while (answer->more && answer->list_count > 0);
    if (status == EXIT_FINE)
        output_rows(cli->values[OPT_JSON], table);
    else
        table_destroy(&table);
    loyal_client_destroy(&client);
    return status;
}

int cmd_merchant_list(struct cli *cli)
{
    static const char *const columns[] = {"code", "name", "currency", "standing", NULL};

    return list_all(cli, LOYAL_LIST_MERCHANTS, columns, merchant_rows);
}

int cmd_store_list(struct cli *cli)
{
    static const char *const columns[] = {"merchant", "code", "name", "standing", NULL};

    return list_all(cli, LOYAL_LIST_STORES, columns, store_rows);
}

int cmd_terminal_list(struct cli *cli)
{
    static const char *const columns[] = {"merchant",          "code",     "store",
                                          "channel",           "standing", "certificate_sha256",
                                          "older_certificate", NULL};

    return list_all(cli, LOYAL_LIST_TERMINALS, columns, terminal_rows);
}

int cmd_rate_list(struct cli *cli)
{
    static const char *const columns[] = {"merchant", "rate", "lifetime_months", "valid_from",
                                          NULL};

    return list_all(cli, LOYAL_LIST_EARN_RATES, columns, rate_rows);
}

/* ---- import ---- */

enum { IMPORT_BATCH = 500 };

struct import {
    struct loyal_client *client;
    struct loyal_store stores[IMPORT_BATCH];
    size_t count;
    uint32_t read, added;
};

static int import_flush(struct import *import)
{
    struct loyal_request request = {
        .verb = LOYAL_ADD_STORES, .stores = import->stores, .store_count = import->count};
    const struct loyal_answer *answer;
    int status = import->count > 0 ? cli_call(import->client, &request, &answer) : EXIT_FINE;

    if (status == EXIT_FINE && import->count > 0)
        import->added += answer->added;
    for (size_t i = 0; i < import->count; i++) {
        free((char *)import->stores[i].merchant);
        free((char *)import->stores[i].code);
        free((char *)import->stores[i].name);
    }
    import->count = 0;
    return status;
}

static int import_rows(struct import *import, struct csv *csv, const char *merchant)
{
    static const char *const columns[] = {"code", "name", "merchant", NULL};
    const char *cells[3];
    int at[3], status = EXIT_FINE;

    if (!csv_header(csv, columns, at) || at[0] < 0 || (!merchant && at[2] < 0))
        return cli_usage("the first line must name the columns code, name%s",
                         merchant ? "" : ", merchant");
    while (status == EXIT_FINE && csv_row(csv)) {
        for (int i = 0; i < 3; i++)
            cells[i] = at[i] < 0 ? "" : csv_cell(csv, at[i]);
        import->stores[import->count++] =
            (struct loyal_store){.merchant = strdup(at[2] < 0 ? merchant : cells[2]),
                                 .code = strdup(cells[0]),
                                 .name = strdup(cells[1])};
        import->read++;
        if (import->count == IMPORT_BATCH)
            status = import_flush(import);
    }
    if (csv_error(csv)[0])
        return cli_fail("%s", csv_error(csv));
    return status == EXIT_FINE ? import_flush(import) : status;
}

int cmd_store_import(struct cli *cli)
{
    static const char *const columns[] = {"read", "added", NULL};
    struct import import = {.client = cli_client(cli)};
    struct csv *csv;
    struct table *table;
    int status;

    if (!import.client)
        return EXIT_USAGE;
    csv = csv_open(cli->argument);
    status = import_rows(&import, csv, cli->values[OPT_MERCHANT]);
    csv_close(&csv);
    loyal_client_destroy(&import.client);
    if (status != EXIT_FINE)
        return status;
    table = table_create(columns);
    table_number(table, import.read);
    table_number(table, import.added);
    output_object(cli->values[OPT_JSON], table);
    return status;
}
