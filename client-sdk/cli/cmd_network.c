/* What an operator asks about the whole network: owed points, the conservation check, status, ping.
 * Called through the table in commands.c. */
#include "commands.h"
#include "output.h"
#include "progress.h"
#include "values.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

int cmd_owed_list(struct cli *cli)
{
    static const char *const columns[] = {"issuer", "redeemer", "points", NULL};
    struct loyal_request request = {.verb = LOYAL_LIST_OWED_POINTS};
    struct loyal_client *client = cli_client(cli);
    const struct loyal_answer *answer;
    struct table *table;
    int status;

    if (!client)
        return EXIT_USAGE;
    status = cli_call(client, &request, &answer);
    if (status == EXIT_FINE) {
        table = table_create(columns);
        for (size_t i = 0; i < answer->list_count; i++) {
            table_text(table, answer->owed[i].issuer);
            table_text(table, answer->owed[i].redeemer);
            table_number(table, answer->owed[i].points);
        }
        output_rows(cli->values[OPT_JSON], table);
    }
    loyal_client_destroy(&client);
    return status;
}

int cmd_ping(struct cli *cli)
{
    static const char *const columns[] = {"domain_time", NULL};
    struct loyal_request request = {.verb = LOYAL_PING};
    struct loyal_client *client = cli_client(cli);
    const struct loyal_answer *answer;
    char time[TIME_TEXT_SIZE];
    struct table *table;
    int status;

    if (!client)
        return EXIT_USAGE;
    status = cli_call(client, &request, &answer);
    if (status == EXIT_FINE) {
        value_time_text(loyal_server_time_us(client), time);
        table = table_create(columns);
        table_text(table, time);
        output_object(cli->values[OPT_JSON], table);
    }
    loyal_client_destroy(&client);
    return status;
}

/* ---- status ---- */

static struct table *status_table(const struct loyal_status *status)
{
    static const char *const columns[] = {"network",     "software", "schema", "ready",
                                          "domain_time", "uptime_s", NULL};
    struct table *table = table_create(columns);
    char time[TIME_TEXT_SIZE];

    value_time_text(status->domain_time_us, time);
    table_text(table, status->network);
    table_text(table, status->software);
    table_text(table, status->schema);
    table_flag(table, status->ready);
    table_text(table, time);
    table_number(table, (int64_t)status->uptime_s);
    return table;
}

static struct table *workers_table(const struct loyal_answer *answer)
{
    static const char *const columns[] = {"worker",  "pid",      "connections", "requests",
                                          "batches", "postings", "mean_batch",  "refused",
                                          "retried", "unknown",  NULL};
    struct table *table = table_create(columns);

    for (size_t i = 0; i < answer->list_count; i++) {
        const struct loyal_worker *w = &answer->workers[i];

        table_number(table, w->worker);
        table_number(table, w->pid);
        table_number(table, (int64_t)w->connections);
        table_number(table, (int64_t)w->requests);
        table_number(table, (int64_t)w->batches);
        table_number(table, (int64_t)w->postings);
        table_real(table, w->batches > 0 ? (double)w->postings / (double)w->batches : 0);
        table_number(table, (int64_t)w->refused);
        table_number(table, (int64_t)w->retried);
        table_number(table, (int64_t)w->unknown);
    }
    return table;
}

int cmd_status_asked(struct cli *cli)
{
    struct loyal_request request = {.verb = LOYAL_GET_STATUS};
    struct loyal_client *client = cli_client(cli);
    const struct loyal_answer *answer;
    int status;

    if (!client)
        return EXIT_USAGE;
    status = cli_call(client, &request, &answer);
    if (status == EXIT_FINE) {
        struct section sections[] = {{"daemon", status_table(&answer->status), true},
                                     {"workers", workers_table(answer), false}};

        output_print(cli->values[OPT_JSON], sections, 2);
    }
    loyal_client_destroy(&client);
    return status;
}

/* ---- conservation ---- */

enum { BUCKETS = 256, BUCKETS_A_CALL = 8, ISSUERS_MAX = 4096 };

static const char *const FINDING_COLUMNS[] = {"member", "row", "text", NULL};

struct sums {
    char issuer[64];
    int64_t issued, available, redeemed, expired, forfeited, clawed_back, debt;
};

struct check {
    struct sums *sums;
    size_t issuer_count;
    uint64_t members, entries, findings_total;
    struct table *findings;
};

static struct sums *check_issuer(struct check *check, const char *issuer)
{
    for (size_t i = 0; i < check->issuer_count; i++)
        if (strcmp(check->sums[i].issuer, issuer) == 0)
            return &check->sums[i];
    if (check->issuer_count == ISSUERS_MAX)
        return NULL;
    snprintf(check->sums[check->issuer_count].issuer, sizeof check->sums->issuer, "%s", issuer);
    return &check->sums[check->issuer_count++];
}

/* False: a sum leaves int64, or there are more issuers than this can hold. */
static bool check_add(struct check *check, const struct loyal_answer *answer)
{
    bool over = false;

    for (size_t i = 0; i < answer->list_count; i++) {
        const struct loyal_sums *from = &answer->sums[i];
        struct sums *to = check_issuer(check, from->issuer);

        if (!to)
            return false;
        over |= __builtin_add_overflow(to->issued, from->issued, &to->issued);
        over |= __builtin_add_overflow(to->available, from->available, &to->available);
        over |= __builtin_add_overflow(to->redeemed, from->redeemed, &to->redeemed);
        over |= __builtin_add_overflow(to->expired, from->expired, &to->expired);
        over |= __builtin_add_overflow(to->forfeited, from->forfeited, &to->forfeited);
        over |= __builtin_add_overflow(to->clawed_back, from->clawed_back, &to->clawed_back);
        over |= __builtin_add_overflow(to->debt, from->debt, &to->debt);
    }
    for (size_t i = 0; i < answer->finding_count; i++) {
        table_text(check->findings, answer->findings[i].member);
        table_text(check->findings, answer->findings[i].row);
        table_text(check->findings, answer->findings[i].text);
    }
    check->members += answer->members_checked;
    check->entries += answer->entries_checked;
    check->findings_total += answer->findings_total;
    return !over;
}

static int check_ask(struct check *check, struct loyal_client *client, uint32_t first,
                     uint32_t last)
{
    struct loyal_request request = {.verb = LOYAL_CHECK_CONSERVATION};
    const struct loyal_answer *answer;
    struct progress progress;
    int status = EXIT_FINE;

    progress_start(&progress, "checking", "buckets", last - first + 1);
    for (uint32_t b = first; status == EXIT_FINE && b <= last; b += BUCKETS_A_CALL) {
        request.bucket_first = b;
        request.bucket_last = b + BUCKETS_A_CALL - 1 < last ? b + BUCKETS_A_CALL - 1 : last;
        status = cli_call(client, &request, &answer);
        if (status == EXIT_FINE && !check_add(check, answer))
            status = cli_fail("the sums are larger than this program can hold");
        progress_set(&progress, request.bucket_last + 1 - first);
    }
    progress_end(&progress);
    return status;
}

/* R30, once more from what arrived here: a row that does not add up is a finding of its own. */
static void check_equation(struct check *check)
{
    for (size_t i = 0; i < check->issuer_count; i++) {
        const struct sums *s = &check->sums[i];
        __int128 right = (__int128)s->available + s->redeemed + s->expired + s->forfeited +
                         s->clawed_back - s->debt;

        if (right == s->issued)
            continue;
        check->findings_total++;
        table_none(check->findings);
        table_text(check->findings, s->issuer);
        table_text(check->findings,
                   "issued is not available + redeemed + expired + forfeited + clawed back - debt");
    }
}

static struct table *sums_table(const struct check *check)
{
    static const char *const columns[] = {"issuer",      "issued",  "available",
                                          "redeemed",    "expired", "forfeited",
                                          "clawed_back", "debt",    NULL};
    struct table *table = table_create(columns);

    for (size_t i = 0; i < check->issuer_count; i++) {
        table_text(table, check->sums[i].issuer);
        table_number(table, check->sums[i].issued);
        table_number(table, check->sums[i].available);
        table_number(table, check->sums[i].redeemed);
        table_number(table, check->sums[i].expired);
        table_number(table, check->sums[i].forfeited);
        table_number(table, check->sums[i].clawed_back);
        table_number(table, check->sums[i].debt);
    }
    return table;
}

static int check_show(struct cli *cli, struct check *check)
{
    static const char *const columns[] = {"members", "entries", "findings", NULL};
    struct table *totals = table_create(columns);
    bool clean;

    check_equation(check);
    clean = check->findings_total == 0;
    table_number(totals, (int64_t)check->members);
    table_number(totals, (int64_t)check->entries);
    table_number(totals, (int64_t)check->findings_total);
    struct section sections[] = {{"issuers", sums_table(check), false},
                                 {"checked", totals, true},
                                 {"findings", check->findings, false}};
    /* people need no empty list */
    bool json = cli->values[OPT_JSON];

    output_print(json, sections, clean && !json ? 2 : 3);
    if (clean && !json)
        table_destroy(&check->findings);
    return clean ? EXIT_FINE : EXIT_FINDINGS;
}

static bool read_buckets(const char *text, uint32_t *first_out, uint32_t *last_out)
{
    char *dash, *end;

    *first_out = 0;
    *last_out = BUCKETS - 1;
    if (!text)
        return true;
    unsigned long first = strtoul(text, &dash, 10);
    if (dash == text || *dash != '-')
        return false;
    unsigned long last = strtoul(dash + 1, &end, 10);
    if (end == dash + 1 || *end != '\0' || first > last || last >= BUCKETS)
        return false;
    *first_out = (uint32_t)first;
    *last_out = (uint32_t)last;
    return true;
}

int cmd_conservation_check(struct cli *cli)
{
    struct check check = {0};
    struct loyal_client *client;
    uint32_t first, last;
    int status;

    if (!read_buckets(cli->values[OPT_BUCKETS], &first, &last))
        return cli_usage("--buckets: such as 0-15, of 0 to 255");
    client = cli_client(cli);
    if (!client)
        return EXIT_USAGE;
    check.sums = calloc(ISSUERS_MAX, sizeof *check.sums);
    check.findings = table_create(FINDING_COLUMNS);
    status = check.sums ? check_ask(&check, client, first, last) : cli_fail("out of memory");
    if (status == EXIT_FINE)
        status = check_show(cli, &check);
    else
        table_destroy(&check.findings);
    loyal_client_destroy(&client);
    free(check.sums);
    return status;
}
