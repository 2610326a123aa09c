/* `loyalctl bootstrap`: the first operator, who can then add everything else over the wire. The one
 * file of loyalctl that speaks to the database; it runs as the schema's owner, and only inserts an
 * operator and raises the reference epoch. */
#include "cert.h"
#include "commands.h"
#include "output.h"
#include "values.h"

#include <string.h>

#include <libpq-fe.h>

static const char INSERT_OPERATOR[] =
    "insert into loyal.operator (operator_id, name, certificate_sha256)"
    " select coalesce(max(operator_id), 0) + 1, $1, decode($2, 'hex') from loyal.operator"
    " having not exists (select from loyal.operator"
    "                    where name = $1 and certificate_sha256 = decode($2, 'hex') and active)"
    " returning operator_id";

static bool run(PGconn *pg, const char *sql, const char *const *values, int *rows_out)
{
    PGresult *result = PQexecParams(pg, sql, values ? 2 : 0, NULL, values, NULL, NULL, 0);
    ExecStatusType status = PQresultStatus(result);

    if (rows_out)
        *rows_out = PQntuples(result);
    PQclear(result);
    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

/* One transaction; the lock on the epoch's row comes first, so that two of these cannot meet. */
static bool add_operator(PGconn *pg, const char *name, const char *fingerprint, int *added_out)
{
    const char *const values[] = {name, fingerprint};

    return run(pg, "begin", NULL, NULL) && run(pg, "set local role loyal_owner", NULL, NULL) &&
           run(pg, "select epoch from loyal.reference_epoch for update", NULL, NULL) &&
           run(pg, INSERT_OPERATOR, values, added_out) &&
           (*added_out == 0 ||
            run(pg, "update loyal.reference_epoch set epoch = epoch + 1", NULL, NULL)) &&
           run(pg, "commit", NULL, NULL);
}

int cmd_bootstrap(struct cli *cli)
{
    static const char *const columns[] = {"operator", "sha256", "added", NULL};
    const char *name = cli->values[OPT_OPERATOR], *database = cli->values[OPT_DATABASE];
    uint8_t fingerprint[32];
    char text[65], error[512];
    struct table *table;
    PGconn *pg;
    int added = 0, status = EXIT_FINE;

    if (!cert_fingerprint(cli->values[OPT_CERTIFICATE], fingerprint, error, sizeof error))
        return cli_fail("%s", error);
    value_hex_text(fingerprint, sizeof fingerprint, text);
    pg = PQconnectdb(database ? database : "");
    if (PQstatus(pg) != CONNECTION_OK || !add_operator(pg, name, text, &added)) {
        snprintf(error, sizeof error, "%s", PQerrorMessage(pg));
        error[strcspn(error, "\n")] = '\0';
        status = cli_fail("%s", error);
    }
    PQfinish(pg);
    if (status != EXIT_FINE)
        return status;
    table = table_create(columns);
    table_text(table, name);
    table_text(table, text);
    table_flag(table, added > 0);
    output_object(cli->values[OPT_JSON], table);
    return EXIT_FINE;
}
