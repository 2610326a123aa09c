/* Says what is wrong with a database's schema. Called by pg.c when it is not the one wanted. */
#include "store/schema.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "store/pg.h"

static bool is_older(const char *version)
{
    static const char *const older[] = {PG_SCHEMAS_OLDER};
    for (size_t i = 0; i < sizeof older / sizeof *older; i++)
        if (!strcmp(version, older[i]))
            return true;
    return false;
}

void schema_fault(const char *found, char why_out[300])
{
    static const char migrate[] = "run migrations/migrate deploy";
    if (!found)
        snprintf(why_out, 300, "schema is none, this program wants %s: %s", PG_SCHEMA_WANTED,
                 migrate);
    else if (is_older(found))
        snprintf(why_out, 300, "schema is %.80s, which is older; this program wants %s: %s", found,
                 PG_SCHEMA_WANTED, migrate);
    else
        snprintf(why_out, 300,
                 "schema is %.80s, which is newer than this program: it wants %s, install the "
                 "loyald that belongs to %.80s",
                 found, PG_SCHEMA_WANTED, found);
}
