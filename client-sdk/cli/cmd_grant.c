/* A member's grants: set, revoke, list (R38). Called through the table in commands.c, by terminals
 * and operators alike; whose grants they may touch the daemon says. */
#include "arguments.h"
#include "cells.h"
#include "commands.h"
#include "listing.h"
#include "values.h"

/* ---- set ---- */

static int read_grant(const struct cli *cli, struct loyal_grant *grant_out)
{
    const char *agreed = cli->values[OPT_AGREED];

    grant_out->recipient = cli->values[OPT_RECIPIENT];
    grant_out->source = cli->values[OPT_SOURCE];
    grant_out->text_version = cli->values[OPT_TEXT];
    if (!value_fields(cli->values[OPT_FIELDS], &grant_out->fields))
        return cli_usage("--fields: of date, amount, basket, with commas between them, none twice");
    if (!value_date(cli->values[OPT_UNTIL], &grant_out->last_day))
        return cli_usage("--until: such as 2024-02-29");
    if (agreed && !value_channel(agreed, &grant_out->channel))
        return cli_usage("--channel: pos, web, mobile, call-centre or kiosk");
    return args_purpose(cli, &grant_out->purpose);
}

static void show_set(struct cli *cli, const struct loyal_request *request,
                     const struct loyal_answer *answer)
{
    static const char *const columns[] = {"ref", "until", "grant_key", "recorded", NULL};
    struct table *table = table_create(columns);

    cell_ref(table, answer->ref);
    cell_time(table, answer->until_us);
    cell_key(table, request->key);
    table_flag(table, answer->recorded);
    output_object(cli->values[OPT_JSON], table);
}

int cmd_grant_set(struct cli *cli)
{
    struct loyal_request request = {.verb = LOYAL_SET_GRANT};
    struct loyal_client *client = NULL;
    const struct loyal_answer *answer;
    int status = args_member(cli, &request.member);

    if (status == EXIT_FINE)
        status = read_grant(cli, &request.grant);
    if (status == EXIT_FINE)
        status = cli_connect(cli, &client);
    if (status == EXIT_FINE)
        status = args_key(cli, loyal_server_time_us(client), request.key);
    if (status == EXIT_FINE)
        status = cli_call(client, &request, &answer);
    if (status == EXIT_FINE)
        show_set(cli, &request, answer);
    loyal_client_destroy(&client);
    return status;
}

/* ---- revoke ---- */

int cmd_grant_revoke(struct cli *cli)
{
    static const char *const columns[] = {"revoked_towards", "purpose", NULL};
    const char *recipient = cli->values[OPT_RECIPIENT];
    struct loyal_request request = {.verb = LOYAL_REVOKE_GRANT, .grant.recipient = recipient};
    struct loyal_client *client;
    const struct loyal_answer *answer;
    int status = args_member(cli, &request.member);

    if (status == EXIT_FINE && !recipient == !cli->values[OPT_ALL])
        status = cli_usage("give either --recipient or --all");
    if (status == EXIT_FINE)
        status = args_purpose(cli, &request.grant.purpose);
    if (status != EXIT_FINE)
        return status;
    client = cli_client(cli);
    if (!client)
        return EXIT_USAGE;
    status = cli_call(client, &request, &answer);
    if (status == EXIT_FINE) {
        struct table *table = table_create(columns);

        recipient ? table_text(table, recipient) : table_means(table, "every merchant");
        request.grant.purpose ? table_text(table, value_purpose_text(request.grant.purpose))
                              : table_means(table, "every purpose");
        output_object(cli->values[OPT_JSON], table);
    }
    loyal_client_destroy(&client);
    return status;
}

/* ---- list ---- */

static void grant_rows(void *context, const struct loyal_answer *answer, size_t row_count)
{
    struct table *table = context;

    for (size_t i = 0; i < row_count; i++) {
        const struct loyal_grant_record *record = &answer->grants[i];
        const struct loyal_grant *grant = &record->grant;

        table_text(table, grant->recipient);
        grant->source[0] ? table_text(table, grant->source) : table_means(table, "all merchants");
        table_text(table, value_purpose_text(grant->purpose));
        cell_fields(table, grant->fields);
        table_text(table, value_grant_state_text(record->state));
        cell_date(table, grant->last_day);
        cell_time(table, record->granted_at_us);
        cell_time(table, record->ended_at_us);
        cell_time(table, record->until_us);
        cell_text(table, value_channel_text(grant->channel));
        cell_text(table, grant->text_version);
        cell_text(table, record->terminal);
        cell_text(table, record->operator_name);
        cell_key(table, record->grant_key);
    }
}

int cmd_grant_list(struct cli *cli)
{
    static const char *const columns[] = {
        "recipient",    "source",     "purpose",  "fields",     "state",
        "last_day",     "granted_at", "ended_at", ".until",     "channel",
        "text_version", "terminal",   "operator", ".grant_key", NULL};
    struct loyal_request request = {.verb = LOYAL_LIST_GRANTS};
    int status = args_member(cli, &request.member);

    return status == EXIT_FINE ? listing_print(cli, &request, columns, grant_rows) : status;
}
