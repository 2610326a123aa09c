/* The doctor's look at PostgreSQL's settings, as they are in force for the role that the daemon
 * connects as: one table of what each must be, and why. */
#include "doctor.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum rule { MUST_BE, MUST_NOT_BE, AT_LEAST, AT_MOST };

struct setting {
    const char *name;
    enum rule rule;
    const char *value; /* several words are alternatives; a number is in the setting's own unit */
    enum verdict otherwise;
    const char *why, *remedy;
};

static const struct setting SETTINGS[] = {
    {"synchronous_commit", MUST_NOT_BE, "off local", VERDICT_FAULT,
     "An answer is sent after its commit is durable; with off or local it is not, and the daemon "
     "refuses to serve.",
     "Set it to on, also for the role and the database (\\drds)."},
    {"fsync", MUST_BE, "on", VERDICT_FAULT,
     "Without it a power cut destroys the database, not only the last second.",
     "fsync = on, then restart."},
    {"full_page_writes", MUST_BE, "on", VERDICT_FAULT,
     "Without it a page torn by a power cut cannot be repaired.", "full_page_writes = on"},
    {"data_checksums", MUST_BE, "on", VERDICT_WARNING,
     "Without them a rotten page is read as if it were good.",
     "Stop PostgreSQL, then pg_checksums --enable."},
    {"wal_compression", MUST_NOT_BE, "pglz on", VERDICT_WARNING,
     "pglz brings postings to a tenth for tens of seconds after each checkpoint; lz4 is not "
     "noticed.",
     "wal_compression = lz4, or off"},
    {"checkpoint_timeout", AT_LEAST, "600", VERDICT_WARNING,
     "After each checkpoint every page is written whole once more: rare ones are cheaper.",
     "checkpoint_timeout = 15min"},
    {"max_wal_size", AT_LEAST, "2048", VERDICT_WARNING,
     "A small one forces checkpoints under load, whatever checkpoint_timeout says.",
     "max_wal_size = 2GB or more; recovery takes longer"},
    {"shared_buffers", AT_LEAST, "16384", VERDICT_WARNING,
     "Members, lots and the newest pages of the journal belong into memory.",
     "A quarter of the machine's memory; at least 128MB."},
    {"effective_cache_size", AT_LEAST, "32768", VERDICT_WARNING,
     "Queries of the network are planned as if nothing were cached.",
     "About three quarters of the machine's memory."},
    {"random_page_cost", AT_MOST, "2", VERDICT_WARNING,
     "4 is for turning disks: counts and exports then read whole tables.",
     "random_page_cost = 1.1 on SSD"},
    {"autovacuum", MUST_BE, "on", VERDICT_FAULT,
     "Members are updated with each posting: without it the table grows for ever.",
     "autovacuum = on"},
    {"track_counts", MUST_BE, "on", VERDICT_FAULT, "autovacuum works by them.",
     "track_counts = on"},
    {"idle_in_transaction_session_timeout", AT_LEAST, "1", VERDICT_WARNING,
     "The daemon's sessions have their own; somebody's forgotten psql can hold a member's row, and "
     "keep vacuum from working, for days.",
     "idle_in_transaction_session_timeout = 10min"},
    {"server_version_num", AT_LEAST, "150000", VERDICT_FAULT,
     "The schema and the plans are written for PostgreSQL 15.", "Upgrade PostgreSQL."},
    {"server_encoding", MUST_BE, "UTF8", VERDICT_FAULT,
     "The hashes of the journal cover UTF-8 bytes.", "Make the database anew with -E UTF8."},
};

static bool is_word_of(const char *value, const char *words)
{
    size_t size = strlen(value);

    for (const char *at = words; (at = strstr(at, value)); at++)
        if ((at == words || at[-1] == ' ') && (at[size] == ' ' || at[size] == '\0'))
            return true;
    return false;
}

static bool holds(const struct setting *setting, const char *value)
{
    switch (setting->rule) {
    case MUST_BE: return is_word_of(value, setting->value);
    case MUST_NOT_BE: return !is_word_of(value, setting->value);
    case AT_LEAST: return strtod(value, NULL) >= strtod(setting->value, NULL);
    default: return strtod(value, NULL) <= strtod(setting->value, NULL);
    }
}

static void check(struct doctor *doctor, const struct setting *setting)
{
    struct finding finding = {VERDICT_OK, "postgresql", setting->name, setting->why,
                              setting->remedy};
    const char *const values[] = {setting->name};
    PGresult *result = PQexecParams(
        doctor->pg, "select setting, current_setting(name) from pg_settings where name = $1", 1,
        NULL, values, NULL, NULL, 0);

    if (PQntuples(result) != 1) {
        finding.verdict = VERDICT_WARNING;
        doctor_file(doctor, &finding, "this server does not know it");
    } else {
        if (!holds(setting, PQgetvalue(result, 0, 0)))
            finding.verdict = setting->otherwise;
        doctor_file(doctor, &finding, "%s", PQgetvalue(result, 0, 1));
    }
    PQclear(result);
}

/* Each worker has its lanes, one that waits behind held rows, a reader and five desks; maintenance
 * five in all. */
static void check_connections(struct doctor *doctor)
{
    struct finding finding = {
        VERDICT_OK, "postgresql", "max_connections",
        "A worker whose connections are refused is not ready; and people must get in as well.",
        "Raise max_connections, or lower workers or lanes."};
    long workers = doctor->config.workers ? doctor->config.workers : sysconf(_SC_NPROCESSORS_ONLN);
    long needed = workers * (doctor->config.lanes + 7) + 5 + 10;
    char value[64];

    if (!doctor->has_config ||
        !doctor_ask(doctor, finding.check,
                    "select current_setting('max_connections')::int -"
                    " current_setting('superuser_reserved_connections')::int",
                    value, sizeof value))
        return;
    if (strtol(value, NULL, 10) < needed)
        finding.verdict = VERDICT_FAULT;
    doctor_file(doctor, &finding, "%s, this daemon and 10 people need %ld", value, needed);
}

static void check_transport(struct doctor *doctor)
{
    const char *address = PQhostaddr(doctor->pg); /* "": a socket of this machine */
    bool is_near =
        address[0] == '\0' || strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0;
    bool is_hidden = PQsslInUse(doctor->pg);
    struct finding finding = {is_near || is_hidden ? VERDICT_OK : VERDICT_FAULT, "postgresql",
                              "transport", "Who listens on the way reads members' purchases.",
                              "sslmode=verify-full in the connection string; ssl = on there."};

    doctor_file(doctor, &finding, "%s", is_hidden ? "TLS" : is_near ? "on this machine" : "open");
}

static void check_replication(struct doctor *doctor)
{
    struct finding finding = {VERDICT_OK, "postgresql", "replication",
                              "A standby takes no posting.",
                              "Connect to the primary: target_session_attrs=read-write."};
    char standby[8], names[256];

    if (!doctor_ask(doctor, finding.check, "select pg_is_in_recovery()", standby, sizeof standby) ||
        !doctor_ask(doctor, finding.check, "select current_setting('synchronous_standby_names')",
                    names, sizeof names))
        return;
    if (standby[0] == 't')
        finding.verdict = VERDICT_FAULT;
    doctor_file(doctor, &finding, "%s%s", standby[0] == 't' ? "a standby; " : "a primary; ",
                names[0] ? "synchronous, an answer waits for the replica"
                         : "no replica is waited for: a lost disk loses what came after the last "
                           "archived WAL");
}

void doctor_settings(struct doctor *doctor)
{
    for (size_t i = 0; i < sizeof SETTINGS / sizeof *SETTINGS; i++)
        check(doctor, &SETTINGS[i]);
    check_connections(doctor);
    check_transport(doctor);
    check_replication(doctor);
}
