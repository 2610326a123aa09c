/* `loyalctl doctor`: looks at everything a daemon leans on, and says what is not well. Owns the
 * order of the checks, their table and the exit status. Called through the table in commands.c; it
 * reads only. */
#include "commands.h"
#include "doctor.h"
#include "exposition.h"
#include "output.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void doctor_file(struct doctor *doctor, const struct finding *finding, const char *format, ...)
{
    static const char *const VERDICTS[] = {"ok", "warning", "fault"};
    bool is_well = finding->verdict == VERDICT_OK;
    char found[512];
    va_list args;

    va_start(args, format);
    vsnprintf(found, sizeof found, format, args);
    va_end(args);
    found[strcspn(found, "\n")] = '\0';
    table_text(doctor->findings, VERDICTS[finding->verdict]);
    table_text(doctor->findings, finding->area);
    table_text(doctor->findings, finding->check);
    table_text(doctor->findings, found);
    table_text(doctor->findings, is_well ? "" : finding->why);
    table_text(doctor->findings, is_well ? "" : finding->remedy);
    if (finding->verdict > doctor->worst)
        doctor->worst = finding->verdict;
}

static void connect_database(struct doctor *doctor)
{
    const char *database = doctor->cli->values[OPT_DATABASE];
    const struct finding failed = {
        VERDICT_FAULT, "postgresql", "connection", "The daemon answers NOT_READY without it.",
        "Start PostgreSQL; compare the connection string with pg_hba.conf and listen_addresses."};

    if (!database)
        database = doctor->config.postgres;
    if (!database)
        return;
    const char *const keywords[] = {"dbname", "connect_timeout", "application_name", NULL};
    const char *const values[] = {database, "5", "loyalctl doctor", NULL};
    doctor->pg = PQconnectdbParams(keywords, values, 1);
    if (PQstatus(doctor->pg) == CONNECTION_OK) {
        PQclear(PQexec(doctor->pg, "set statement_timeout = '10s'"));
        PQclear(PQexec(doctor->pg, "set default_transaction_read_only = on"));
        return;
    }
    doctor_file(doctor, &failed, "%s", PQerrorMessage(doctor->pg));
    PQfinish(doctor->pg);
    doctor->pg = NULL;
}

static void examine(struct doctor *doctor)
{
    const char *config = doctor->cli->values[OPT_CONFIG];

    if (config && !doctor_config_read(doctor, config))
        return;
    doctor_files(doctor);
    doctor_daemon(doctor);
    connect_database(doctor);
    if (doctor->pg) {
        doctor_settings(doctor);
        doctor_database(doctor);
    }
}

int cmd_doctor(struct cli *cli)
{
    static const char *const columns[] = {"verdict", "area",   "check", "found",
                                          "why",     "remedy", NULL};
    struct doctor doctor = {.cli = cli, .domain_offset_s = NAN};
    bool json = cli->values[OPT_JSON] != NULL;

    if (!cli->values[OPT_CONFIG] && !cli->values[OPT_DATABASE] && !cli->values[OPT_URL] &&
        !cli->values[OPT_HOST])
        return cli_usage("what shall it look at? --config, --database, --url or --host");
    if (cli->values[OPT_URL] && !fetch_url_is_good(cli->values[OPT_URL]))
        return cli_usage("--url: %s is not http://HOST:PORT", cli->values[OPT_URL]);
    doctor.findings = table_create(columns);
    doctor.fetcher = fetcher_create();
    examine(&doctor);
    output_findings(json, doctor.findings);
    PQfinish(doctor.pg);
    exposition_destroy(&doctor.page);
    fetcher_destroy(&doctor.fetcher);
    free(doctor.readiness);
    doctor_config_free(&doctor.config);
    return (int)doctor.worst;
}
