/* `loyalctl replay setup`: as operator, whatever a file needs before it can be replayed. Called
 * through the table in commands.c. It adds only what is missing and changes nothing that is there.
 */
#include "cert.h"
#include "commands.h"
#include "output.h"
#include "progress.h"
#include "replay_data.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STORES_A_CALL = 500, PATH_SIZE = 4096, TERMINAL_DAYS = 825 };

/* 1 point a whole pound, for 24 months. */
enum { RATE_NUMERATOR = 1, RATE_DENOMINATOR = 100, RATE_MONTHS = 24 };

static const char TERMINAL_CODE[] = "replay";

struct setup {
    struct cli *cli;
    struct replay_data data;
    struct loyal_client *client;
};

static int call(struct setup *setup, const struct loyal_request *request)
{
    const struct loyal_answer *answer;

    return cli_call(setup->client, request, &answer);
}

static int add_merchant(struct setup *setup, const char *code)
{
    struct loyal_request request = {.verb = LOYAL_ADD_MERCHANT,
                                    .merchant = {.code = code, .name = code, .currency = "GBP"}};

    return call(setup, &request);
}

/* The bundle, made unless it is there. */
static int make_bundle(struct setup *setup, const char *code, uint8_t fingerprint_out[32])
{
    char folder[PATH_SIZE], path[PATH_SIZE + 16], error[512];
    struct cert_request request = {.role = CERT_TERMINAL,
                                   .ca_folder = setup->cli->values[OPT_CA],
                                   .out_folder = folder,
                                   .merchant = code,
                                   .terminal = TERMINAL_CODE,
                                   .days = TERMINAL_DAYS};

    snprintf(folder, sizeof folder, "%s/%s", setup->cli->values[OPT_BUNDLES], code);
    snprintf(path, sizeof path, "%s/terminal.crt", folder);
    if (access(path, R_OK) == 0)
        return cert_fingerprint(path, fingerprint_out, error, sizeof error) ? EXIT_FINE
                                                                            : cli_fail("%s", error);
    return cert_make(&request, fingerprint_out, error, sizeof error) ? EXIT_FINE
                                                                     : cli_fail("%s", error);
}

static int add_terminal(struct setup *setup, const char *code)
{
    struct loyal_request request = {
        .verb = LOYAL_ADD_TERMINAL,
        .terminal = {.merchant = code, .code = TERMINAL_CODE, .store = "", .channel = LOYAL_POS}};
    int status = make_bundle(setup, code, request.terminal.certificate_sha256);

    return status == EXIT_FINE ? call(setup, &request) : status;
}

/* A rate is a new version each time it is set: hence only where there is none yet. */
static int set_rate(struct setup *setup, const char *code)
{
    struct loyal_request list = {.verb = LOYAL_LIST_EARN_RATES, .list_merchant = code};
    struct loyal_request request = {.verb = LOYAL_SET_EARN_RATE,
                                    .rate = {.merchant = code,
                                             .numerator = RATE_NUMERATOR,
                                             .denominator = RATE_DENOMINATOR,
                                             .lifetime_months = RATE_MONTHS,
                                             .valid_from = setup->data.days[0].date}};
    const struct loyal_answer *answer;
    bool known = loyal_call(setup->client, &list, &answer) == LOYAL_OK;

    /* A merchant added a moment ago may not have reached every worker's lists yet. */
    if (!known && answer->code != LOYAL_CODE_UNKNOWN_MERCHANT)
        return cli_report(answer);
    return known && answer->list_count > 0 ? EXIT_FINE : call(setup, &request);
}

static int add_stores(struct setup *setup)
{
    const struct replay_data *data = &setup->data;
    struct loyal_store stores[STORES_A_CALL];
    struct loyal_request request = {.verb = LOYAL_ADD_STORES, .stores = stores};
    int status = EXIT_FINE;

    for (size_t i = 0; status == EXIT_FINE && i < data->store_count; i += request.store_count) {
        request.store_count = 0;
        while (request.store_count < STORES_A_CALL && i + request.store_count < data->store_count) {
            const struct replay_store *from = &data->stores[i + request.store_count];

            stores[request.store_count++] = (struct loyal_store){
                .merchant = data->merchants[from->merchant], .code = from->code, .name = ""};
        }
        status = call(setup, &request);
    }
    return status;
}

static int add_all(struct setup *setup)
{
    const struct replay_data *data = &setup->data;
    struct progress progress;
    int status = EXIT_FINE;

    progress_start(&progress, "setup ", "merchants", data->merchant_count);
    for (size_t i = 0; status == EXIT_FINE && i < data->merchant_count; i++) {
        status = add_merchant(setup, data->merchants[i]);
        if (status == EXIT_FINE)
            status = add_terminal(setup, data->merchants[i]);
        if (status == EXIT_FINE)
            status = set_rate(setup, data->merchants[i]);
        progress_set(&progress, i + 1);
    }
    if (status == EXIT_FINE)
        status = add_stores(setup);
    progress_end(&progress);
    return status;
}

static void show(const struct setup *setup)
{
    static const char *const columns[] = {"merchants", "stores", "terminals",
                                          "members",   "rows",   NULL};
    struct table *table = table_create(columns);

    table_number(table, (int64_t)setup->data.merchant_count);
    table_number(table, (int64_t)setup->data.store_count);
    table_number(table, (int64_t)setup->data.merchant_count);
    table_number(table, (int64_t)setup->data.member_count);
    table_number(table, (int64_t)setup->data.row_count);
    output_object(setup->cli->values[OPT_JSON], table);
}

int cmd_replay_setup(struct cli *cli)
{
    struct setup setup = {.cli = cli};
    const char *zone = cli->values[OPT_ZONE] ? cli->values[OPT_ZONE] : "Europe/London";
    const char *bundles = cli->values[OPT_BUNDLES];
    char error[400];
    int status;

    if (!replay_data_load(&setup.data, cli->argument, zone, error, sizeof error)) {
        replay_data_free(&setup.data);
        return cli_fail("%s: %s", cli->argument, error);
    }
    if (mkdir(bundles, 0700) < 0 && errno != EEXIST) {
        replay_data_free(&setup.data);
        return cli_fail("%s: %s", bundles, strerror(errno));
    }
    setup.client = cli_client(cli);
    status = setup.client ? add_all(&setup) : EXIT_USAGE;
    if (status == EXIT_FINE)
        show(&setup);
    loyal_client_destroy(&setup.client);
    replay_data_free(&setup.data);
    return status;
}
