/* `loyalctl replay`: reads the file, connects a terminal for each merchant, and takes the days one
 * by one. Called through the table in commands.c; the flow of a day is replay.c's. */
#include "commands.h"
#include "output.h"
#include "progress.h"
#include "replay.h"
#include "town.h"
#include "values.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { REPLAY_DEADLINE_MS = 60000, PATH_SIZE = 4096 };

/* Everything one replay holds open. */
struct session {
    struct cli *cli;
    struct replay_data data;
    struct loyal_client **clients;
    struct loyal_client *operator_client; /* NULL: no certificate of one */
    struct replay_clock clock;
    struct replay replay;
};

static const char *zone_of(const struct cli *cli)
{
    return cli->values[OPT_ZONE] ? cli->values[OPT_ZONE] : "Europe/London";
}

static bool connect_merchant(struct session *session, size_t merchant)
{
    const char *bundles = session->cli->values[OPT_BUNDLES],
               *code = session->data.merchants[merchant];
    struct loyal_options options;
    const struct loyal_answer *answer;
    char certificate[PATH_SIZE], key[PATH_SIZE], error[256];

    if (!cli_connection(session->cli, &options))
        return false;
    snprintf(certificate, sizeof certificate, "%s/%s/terminal.crt", bundles, code);
    snprintf(key, sizeof key, "%s/%s/terminal.key", bundles, code);
    options.certificate_file = certificate;
    options.key_file = key;
    options.merchant = code;
    options.deadline_ms = REPLAY_DEADLINE_MS;
    session->clients[merchant] = loyal_client_create(&options, error, sizeof error);
    if (!session->clients[merchant]) {
        cli_fail("%s: %s", code, error);
        return false;
    }
    if (loyal_connect(session->clients[merchant], &answer) == LOYAL_OK)
        return true;
    fprintf(stderr, "loyalctl: terminal of %s: ", code);
    cli_report(answer);
    return false;
}

static bool session_open(struct session *session)
{
    struct cli *cli = session->cli;
    char error[400];

    if (!replay_data_load(&session->data, cli->argument, zone_of(cli), error, sizeof error)) {
        cli_fail("%s: %s", cli->argument, error);
        return false;
    }
    if (!replay_clock_open(&session->clock, cli->values[OPT_CLOCK], error, sizeof error)) {
        cli_fail("%s", error);
        return false;
    }
    if (cli->values[OPT_MY_CERTIFICATE]) {
        session->operator_client = cli_client(cli);
        if (!session->operator_client)
            return false;
    }
    session->clients = calloc(session->data.merchant_count, sizeof(struct loyal_client *));
    if (!session->clients || !replay_create(&session->replay, &session->data, session->clients)) {
        cli_fail("out of memory");
        return false;
    }
    /* The first day's time, so that no key is ahead of the server's clock. */
    replay_clock_set(&session->clock, session->data.days[0].end_us);
    for (size_t i = 0; i < session->data.merchant_count; i++)
        if (!connect_merchant(session, i))
            return false;
    return true;
}

static void session_close(struct session *session)
{
    for (size_t i = 0; session->clients && i < session->data.merchant_count; i++)
        loyal_client_destroy(&session->clients[i]);
    loyal_client_destroy(&session->operator_client);
    free(session->clients);
    replay_clock_close(&session->clock);
    replay_free(&session->replay);
    replay_data_free(&session->data);
}

/* The daemon's counters; false when nobody can ask for them. */
static bool read_load(struct session *session, struct replay_load *load_out)
{
    struct loyal_request request = {.verb = LOYAL_GET_STATUS};
    const struct loyal_answer *answer;

    *load_out = (struct replay_load){0};
    if (!session->operator_client ||
        loyal_call(session->operator_client, &request, &answer) != LOYAL_OK)
        return false;
    for (size_t i = 0; i < answer->list_count; i++) {
        load_out->batches += answer->workers[i].batches;
        load_out->postings += answer->workers[i].postings;
    }
    return true;
}

static bool run_days(struct session *session)
{
    struct replay *replay = &session->replay;
    struct progress progress;
    bool good = true;

    progress_start(&progress, "replay", "rows", session->data.row_count);
    for (size_t i = 0; good && i < session->data.day_count; i++) {
        replay_clock_set(&session->clock, session->data.days[i].end_us);
        good = replay_day(replay, &session->data.days[i]);
        progress_set(&progress, replay->counts.rows);
    }
    progress_end(&progress);
    if (!good) {
        /* what is still in flight is answered into nothing */
        fprintf(stderr, "loyalctl: replay stopped after %llu rows: %s\n",
                (unsigned long long)replay->counts.rows, replay->failure);
    }
    return good;
}

int cmd_replay(struct cli *cli)
{
    struct session session = {.cli = cli};
    struct replay_load before, after;
    int64_t started_us;
    bool good, known;

    good = session_open(&session);
    if (good) {
        known = read_load(&session, &before);
        started_us = progress_now_us();
        good = run_days(&session);
        double seconds = (double)(progress_now_us() - started_us) / 1e6;

        known = read_load(&session, &after) && known;
        after.batches -= before.batches;
        after.postings -= before.postings;
        replay_report(cli->values[OPT_JSON], &session.replay.counts, known ? &after : NULL,
                      seconds);
    }
    session_close(&session);
    return good ? EXIT_FINE : EXIT_REFUSED;
}

int cmd_replay_simulate(struct cli *cli)
{
    static const char *const columns[] = {"file", "rows", "members", "merchants", NULL};
    const char *seed_text = cli->values[OPT_SEED], *rows_text = cli->values[OPT_ROWS];
    int64_t seed = 1, rows = TOWN_ROWS;
    struct town_figures figures;
    struct table *table;
    FILE *file;

    if (seed_text && !value_integer(seed_text, 0, INT64_MAX, &seed))
        return cli_usage("--seed: a number from 0");
    if (rows_text && !value_integer(rows_text, TOWN_ROWS_MIN, TOWN_ROWS_MAX, &rows))
        return cli_usage("--rows: %d to %d", TOWN_ROWS_MIN, TOWN_ROWS_MAX);
    file = fopen(cli->argument, "we");
    if (!file)
        return cli_fail("%s: %s", cli->argument, strerror(errno));
    if (!town_write(file, (uint64_t)seed, (size_t)rows, &figures) || fclose(file) != 0)
        return cli_fail("%s: cannot write it whole", cli->argument);
    table = table_create(columns);
    table_text(table, cli->argument);
    table_number(table, (int64_t)figures.rows);
    table_number(table, (int64_t)figures.members);
    table_number(table, (int64_t)figures.merchants);
    output_object(cli->values[OPT_JSON], table);
    return EXIT_FINE;
}
