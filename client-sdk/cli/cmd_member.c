/* What a terminal asks for one member: enrol, find, balance, earn, redeem, reverse. Called through
 * the table in commands.c. The key of a writing request is shown before the request leaves, so that
 * it can be repeated after a crash. */
#include "arguments.h"
#include "cells.h"
#include "commands.h"
#include "output.h"
#include "values.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *currency_of(const struct cli *cli)
{
    return cli->values[OPT_CURRENCY];
}

/* What is not given is of this moment in the server's time; hence after the connection. */
static int read_occasion(const struct cli *cli, int64_t now_us, struct loyal_occasion *occasion_out)
{
    char today[TIME_TEXT_SIZE];
    int64_t part = 0;

    *occasion_out = (struct loyal_occasion){.store = cli->values[OPT_STORE],
                                            .till = cli->values[OPT_TILL],
                                            .receipt = cli->values[OPT_RECEIPT],
                                            .occurred_at_us = now_us};
    if (cli->values[OPT_PART] && !value_integer(cli->values[OPT_PART], 0, INT32_MAX, &part))
        return cli_usage("--part: a number from 0");
    occasion_out->part = (uint32_t)part;
    if (cli->values[OPT_TIME] &&
        !value_time_utc(cli->values[OPT_TIME], &occasion_out->occurred_at_us))
        return cli_usage("--time: such as 2024-02-29T18:03:00Z");
    value_time_text(occasion_out->occurred_at_us, today);
    today[10] = '\0';
    if (!value_date(cli->values[OPT_DATE] ? cli->values[OPT_DATE] : today,
                    &occasion_out->business_date))
        return cli_usage("--date: such as 2024-02-29");
    return EXIT_FINE;
}

/* ---- basket lines ---- */

/* "2" or "0.250" pieces to thousandths. */
static bool read_quantity(const char *text, int64_t *milli_out)
{
    return value_amount(text, "KWD", milli_out) && *milli_out > 0;
}

static int read_line(struct cli *cli, const char *text, struct loyal_line *line_out)
{
    char *copy = (char *)cli_own(cli, strdup(text)), *part[4] = {copy};
    bool negative;
    int64_t minor;

    for (int i = 1; i < 4; i++) {
        part[i] = strchr(part[i - 1], ':');
        if (!part[i])
            return cli_usage("--line %s: product:category:quantity:amount", text);
        *part[i]++ = '\0';
    }
    negative = part[3][0] == '-';
    if (!read_quantity(part[2], &line_out->quantity_milli) ||
        !value_amount(part[3] + negative, currency_of(cli), &minor))
        return cli_usage("--line %s: a quantity such as 1 or 0.25, an amount such as 3.98", text);
    line_out->product = part[0];
    line_out->category = part[1];
    line_out->amount_minor = negative ? -minor : minor;
    return EXIT_FINE;
}

/* ---- answers ---- */

static void show_ref(struct cli *cli, const struct loyal_answer *answer)
{
    static const char *const columns[] = {"ref", NULL};
    struct table *table = table_create(columns);

    cell_ref(table, answer->ref);
    output_object(cli->values[OPT_JSON], table);
}

static void show_balance(struct cli *cli, const struct loyal_answer *answer)
{
    static const char *const columns[] = {"ref", "available", "debt", "as_of", NULL};
    struct table *table = table_create(columns);

    cell_ref(table, answer->ref);
    table_number(table, answer->available);
    table_number(table, answer->debt);
    cell_time(table, answer->as_of_us);
    output_object(cli->values[OPT_JSON], table);
}

static void show_posting(struct cli *cli, const struct loyal_answer *answer)
{
    static const char *const columns[] = {
        "entry_key",         "points",    "debt_repaid", "debt_made",
        "came_back_expired", "available", "debt",        "expires_at",
        "before_original",   "recorded",  NULL};
    struct table *table = table_create(columns);

    cell_key(table, answer->entry_key);
    table_number(table, answer->points);
    table_number(table, answer->debt_repaid);
    table_number(table, answer->debt_made);
    table_number(table, answer->expired);
    table_number(table, answer->available);
    table_number(table, answer->debt);
    cell_time(table, answer->expires_at_us);
    table_flag(table, answer->before_original);
    table_flag(table, answer->recorded);
    output_object(cli->values[OPT_JSON], table);
}

/* ---- commands ---- */

struct posting {
    struct cli *cli;
    struct loyal_client *client;
    struct loyal_request request;
    struct loyal_line lines[LINES_MAX];
};

/* Connects, and fills what all writing requests share: member (but of an enrolment), occasion, key.
 */
static int posting_open(struct posting *posting, struct cli *cli, enum loyal_verb verb)
{
    int64_t now_us;
    int status = EXIT_FINE;

    memset(posting, 0, sizeof *posting);
    posting->cli = cli;
    posting->request.verb = verb;
    if (verb != LOYAL_ENROL_MEMBER)
        status = args_member(cli, &posting->request.member);
    if (status == EXIT_FINE)
        status = cli_connect(cli, &posting->client);
    if (status != EXIT_FINE)
        return status;
    now_us = loyal_server_time_us(posting->client);
    status = read_occasion(cli, now_us, &posting->request.occasion);
    return status == EXIT_FINE ? args_key(cli, now_us, posting->request.key) : status;
}

static int posting_send(struct posting *posting, int status,
                        void (*show)(struct cli *, const struct loyal_answer *))
{
    const struct loyal_answer *answer = NULL;

    if (status == EXIT_FINE) {
        status = cli_call(posting->client, &posting->request, &answer);
        if (status == EXIT_FINE || answer->has_body)
            show(posting->cli, answer);
    }
    loyal_client_destroy(&posting->client);
    return status;
}

int cmd_member_enrol(struct cli *cli)
{
    struct posting posting;
    int status;

    if (cli->identifier_count == 0)
        return cli_usage("name at least one of --card, --phone, --email");
    status = posting_open(&posting, cli, LOYAL_ENROL_MEMBER);
    posting.request.identifiers = cli->identifiers;
    posting.request.identifier_count = cli->identifier_count;
    return posting_send(&posting, status, show_balance);
}

static int ask_member(struct cli *cli, enum loyal_verb verb,
                      void (*show)(struct cli *, const struct loyal_answer *))
{
    struct loyal_request request = {.verb = verb};
    struct loyal_client *client;
    const struct loyal_answer *answer;
    int status = args_member(cli, &request.member);

    if (status != EXIT_FINE)
        return status;
    client = cli_client(cli);
    if (!client)
        return EXIT_USAGE;
    status = cli_call(client, &request, &answer);
    if (status == EXIT_FINE)
        show(cli, answer);
    loyal_client_destroy(&client);
    return status;
}

int cmd_member_find(struct cli *cli)
{
    return ask_member(cli, LOYAL_FIND_MEMBER, show_ref);
}

int cmd_member_balance(struct cli *cli)
{
    return ask_member(cli, LOYAL_GET_BALANCE, show_balance);
}

static int fill_earn(struct posting *posting)
{
    struct cli *cli = posting->cli;
    struct loyal_request *request = &posting->request;
    const char *in_points = cli->values[OPT_PAID_IN_POINTS];

    request->currency = currency_of(cli);
    if (!value_amount(cli->values[OPT_AMOUNT], request->currency, &request->amount_minor))
        return cli_usage("--amount: such as 21.90");
    if (in_points && !value_amount(in_points, request->currency, &request->paid_in_points_minor))
        return cli_usage("--paid-in-points: such as 5.00");
    for (size_t i = 0; i < cli->line_count; i++)
        if (read_line(cli, cli->lines[i], &posting->lines[i]) != EXIT_FINE)
            return EXIT_USAGE;
    request->lines = posting->lines;
    request->line_count = cli->line_count;
    return EXIT_FINE;
}

int cmd_purchase_earn(struct cli *cli)
{
    struct posting posting;
    int status = posting_open(&posting, cli, LOYAL_EARN);

    if (status == EXIT_FINE)
        status = fill_earn(&posting);
    return posting_send(&posting, status, show_posting);
}

int cmd_points_redeem(struct cli *cli)
{
    struct posting posting;
    int64_t points;
    int status;

    if (!value_integer(cli->values[OPT_POINTS], 1, 1000000000000000, &points))
        return cli_usage("--points: a number from 1");
    status = posting_open(&posting, cli, LOYAL_REDEEM);
    posting.request.points = points;
    return posting_send(&posting, status, show_posting);
}

static int fill_reverse(struct posting *posting)
{
    const struct cli *cli = posting->cli;
    struct loyal_request *request = &posting->request;
    const char *kind = cli->values[OPT_ORIGINAL_KIND], *original = cli->values[OPT_ORIGINAL];

    request->whole = cli->values[OPT_WHOLE];
    if (request->whole == !!cli->values[OPT_AMOUNT])
        return cli_usage("give either --whole or --amount");
    if (!request->whole &&
        !value_amount(cli->values[OPT_AMOUNT], currency_of(cli), &request->amount_minor))
        return cli_usage("--amount: such as 21.90");
    request->has_original = original;
    if (original && !value_uuid(original, request->original_key))
        return cli_usage("--original: a UUID, 32 hexadecimal digits");
    request->original_kind = LOYAL_ORIGINAL_EARN;
    if (kind && strcmp(kind, "redemption") == 0)
        request->original_kind = LOYAL_ORIGINAL_REDEMPTION;
    else if (kind && strcmp(kind, "earn") != 0)
        return cli_usage("--original-kind: earn or redemption");
    return EXIT_FINE;
}

int cmd_points_reverse(struct cli *cli)
{
    struct posting posting;
    int status = posting_open(&posting, cli, LOYAL_REVERSE);

    if (status == EXIT_FINE)
        status = fill_reverse(&posting);
    return posting_send(&posting, status, show_posting);
}
