/* The doctor's look at our own part of the database: schema, roles, partitions ahead, duties that
 * are not done, and its clock. */
#include "doctor.h"
#include "exposition.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

bool doctor_ask(struct doctor *doctor, const char *check, const char *sql, char *value_out,
                size_t size)
{
    const struct finding failed = {VERDICT_WARNING, "database", check, "It could not be checked.",
                                   "Run the doctor as a role that may read it."};
    PGresult *result = PQexec(doctor->pg, sql);
    bool good = PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1;

    snprintf(value_out, size, "%s", good ? PQgetvalue(result, 0, 0) : "");
    if (!good)
        doctor_file(doctor, &failed, "%s",
                    PQntuples(result) == 0 && PQresultStatus(result) == PGRES_TUPLES_OK
                        ? "no row"
                        : PQresultErrorMessage(result));
    PQclear(result);
    return good;
}

/* False: there is none of ours, and nothing more to look at. */
static bool schema(struct doctor *doctor)
{
    struct finding finding = {VERDICT_OK, "database", "schema",
                              "A daemon serves no schema but the one it knows.",
                              "migrations/migrate deploy, or install the program that fits."};
    char found[64];

    if (!doctor_ask(doctor, finding.check, "select to_regclass('loyal.schema_version') is not null",
                    found, sizeof found))
        return false;
    if (found[0] != 't') {
        finding.verdict = VERDICT_FAULT;
        doctor_file(doctor, &finding, "none of loyald's in the database %s", PQdb(doctor->pg));
        return false;
    }
    if (!doctor_ask(doctor, finding.check, "select version from loyal.schema_version", found,
                    sizeof found))
        return true;
    if (strcmp(found, SCHEMA_WANTED) != 0)
        finding.verdict = VERDICT_FAULT;
    doctor_file(doctor, &finding, "%s, this program wants %s", found, SCHEMA_WANTED);
    return true;
}

/* What each role must not be able to do; the names of those who can. */
static void roles(struct doctor *doctor)
{
    static const char SQL[] =
        "select coalesce(string_agg(what, ', ' order by what), '') from ("
        " select name || ' is missing' as what from unnest(array['loyal_owner', 'loyal_daemon',"
        "  'loyal_maintenance', 'loyal_reader', 'loyal_auditor', 'loyal_eraser', 'loyal_network'])"
        "  as name where not exists (select from pg_roles where rolname = name)"
        " union all select rolname || ' is more than it may be' from pg_roles"
        "  where rolname like 'loyal\\_%' and (rolsuper or rolbypassrls or rolcreaterole"
        "   or rolcreatedb or rolreplication)"
        " union all select rolname || ' can change the journal' from pg_roles"
        "  where rolname in ('loyal_daemon', 'loyal_reader', 'loyal_auditor', 'loyal_insight')"
        "   and has_table_privilege(rolname, 'loyal.entry', 'update, delete, truncate')"
        " union all select 'loyal_reader can read ' || relname from pg_class"
        "  where oid in ('loyal.entry'::regclass, 'loyal.basket_line'::regclass)"
        "   and exists (select from pg_roles where rolname = 'loyal_reader')"
        "   and has_table_privilege('loyal_reader', oid, 'select')"
        " union all select 'row security is off for ' || relname from pg_class"
        "  where oid in ('loyal.entry'::regclass, 'loyal.basket_line'::regclass,"
        "   'loyal.consent'::regclass, 'loyal.disclosure'::regclass) and not relrowsecurity"
        ") t";
    struct finding finding = {
        VERDICT_OK, "database", "roles",
        "The rights are the second lock: what a fault of the program could do, "
        "the database refuses.",
        "bootstrap.sql again, then migrations/migrate verify."};
    char found[480];

    if (!doctor_ask(doctor, finding.check, SQL, found, sizeof found))
        return;
    if (found[0])
        finding.verdict = VERDICT_FAULT;
    doctor_file(doctor, &finding, "%s", found[0] ? found : "as they must be");
}

/* Quarters (UTC) without a partition, of the domain's time: the first missing one decides. */
static void partitions(struct doctor *doctor)
{
    static const char SQL[] =
        "select coalesce(min(case when missing then quarter end)::date - current_at::date, 99999)"
        " || ' ' || coalesce(min(case when missing then name end), '') from"
        " (select to_timestamp(%.0f) at time zone 'UTC' as current_at) t,"
        " lateral (select q as quarter, c.relname || to_char(q, '_YYYY\"q\"Q') as name,"
        "  not exists (select from pg_inherits i join pg_class p on p.oid = i.inhrelid"
        "   where i.inhparent = c.oid and p.relname = c.relname || to_char(q, '_YYYY\"q\"Q'))"
        "   as missing"
        "  from pg_partitioned_table pt join pg_class c on c.oid = pt.partrelid,"
        "  generate_series(date_trunc('quarter', current_at),"
        "   date_trunc('quarter', current_at + %ld * interval '91 days'), '3 months') q"
        "  where c.relnamespace = 'loyal'::regnamespace) m group by current_at";
    struct finding finding = {
        VERDICT_OK, "database", "partitions",
        "A posting of a quarter without a partition is refused.",
        "Let maintenance run (postgres_maintenance), or as loyal_maintenance: select "
        "loyal.partitions_make(current_date, current_date + 200)."};
    struct timeval now;
    char sql[sizeof SQL + 64], found[160];
    double offset_s = isnan(doctor->domain_offset_s) ? 0 : doctor->domain_offset_s;
    long ahead = doctor->has_config ? doctor->config.partitions_ahead : 2;

    gettimeofday(&now, NULL);
    snprintf(sql, sizeof sql, SQL, (double)now.tv_sec + offset_s, ahead);
    if (!doctor_ask(doctor, finding.check, sql, found, sizeof found))
        return;
    long days = strtol(found, NULL, 10);
    if (days == 99999) {
        doctor_file(doctor, &finding, "made for %ld quarters ahead", ahead);
        return;
    }
    finding.verdict = days <= 31 ? VERDICT_FAULT : VERDICT_WARNING;
    doctor_file(doctor, &finding, "%s is missing; its quarter begins in %ld days",
                strchr(found, ' ') + 1, days > 0 ? days : 0);
}

static void erasures(struct doctor *doctor)
{
    static const char SQL[] =
        "select count(*) from loyal.member m where m.status = 4 and exists (select from "
        "loyal.entry "
        "e where (e.bucket, e.member_id) = (m.bucket, m.member_id) and e.salt is not null)";
    struct finding finding = {VERDICT_OK, "database", "erasures",
                              "Members who were told that they are forgotten are not, yet.",
                              "loyalctl member erase again, by ref (RUNBOOK, A member asks)."};
    char found[32];

    if (!doctor_ask(doctor, finding.check, SQL, found, sizeof found))
        return;
    if (strtol(found, NULL, 10) > 0)
        finding.verdict = VERDICT_FAULT;
    doctor_file(doctor, &finding, "%s unfinished", found);
}

static void maintenance(struct doctor *doctor)
{
    struct finding finding = {VERDICT_OK, "database", "maintenance",
                              "Nobody makes partitions ahead or enters what has expired.",
                              "Set postgres_maintenance in one daemon at least."};
    char found[32];

    if (!doctor_ask(doctor, finding.check,
                    "select count(*) from pg_stat_activity where usename = 'loyal_maintenance'",
                    found, sizeof found))
        return;
    if (strtol(found, NULL, 10) == 0)
        finding.verdict = VERDICT_WARNING;
    doctor_file(doctor, &finding, "%s connections of loyal_maintenance", found);
}

static void clocks(struct doctor *doctor)
{
    struct timeval before, after;
    char found[64];

    gettimeofday(&before, NULL);
    if (!doctor_ask(doctor, "clock", "select extract(epoch from clock_timestamp())", found,
                    sizeof found))
        return;
    gettimeofday(&after, NULL);
    doctor_clock(doctor, "database",
                 strtod(found, NULL) - ((double)before.tv_sec + (double)after.tv_sec +
                                        (double)(before.tv_usec + after.tv_usec) / 1e6) /
                                           2);
}

void doctor_database(struct doctor *doctor)
{
    clocks(doctor);
    if (!schema(doctor))
        return;
    roles(doctor);
    partitions(doctor);
    erasures(doctor);
    maintenance(doctor);
}
