/* Knows what PostgreSQL's errors mean for those who asked. Called by the engine and by pg.c. Never
 * touches a connection. */
#include <string.h>

#include "store/pg.h"

enum pg_failure pg_failure_of(const PGresult *result)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    if (!sqlstate)
        return PG_RETRY;
    if (!strcmp(sqlstate, "22012"))
        return PG_REPEAT; /* division by zero: a guard's signal, see statements.c */
    if (!strncmp(sqlstate, "40", 2))
        return PG_REPEAT;
    static const char *const passing[] = {"08", "25", "53", "55", "57", "58"};
    for (size_t i = 0; i < sizeof passing / sizeof *passing; i++)
        if (!strncmp(sqlstate, passing[i], 2))
            return PG_RETRY;
    return PG_POISON;
}

void pg_error_text(const PGresult *result, char *text_out, size_t size)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    snprintf(text_out, size, "%s: %s", sqlstate ? sqlstate : "-----",
             text ? text : PQresultErrorMessage(result));
    for (char *c = text_out; *c; c++)
        if (*c == '"' || *c == '\n')
            *c = '\'';
}
