/* Owns the table of options: the one place that names them. Read by config.c, by the program's
 * --dump-config-options and --limits, and through those by the check of the man page. Constant
 * data. */
#include "config/options.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <libpq-fe.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LENGTH(array) (sizeof(array) / sizeof(array)[0])
#define AT(field)     offsetof(struct config, field)
#define TEXT_MAX      4000

static const char *check_network(const char *value)
{
    bool good = islower((unsigned char)value[0]) || isdigit((unsigned char)value[0]);
    for (const char *at = value; *at; at++)
        good = good && (islower((unsigned char)*at) || isdigit((unsigned char)*at) || *at == '-' ||
                        *at == '_');
    return good ? NULL : "must be lower case letters, digits, '-' and '_'";
}

static const char *check_digits(const char *value)
{
    if (value[0] == '0' || value[strspn(value, "0123456789")] != '\0')
        return "must be a country calling code such as 44, without + or zeros before it";
    return NULL;
}

static const char *check_clock(const char *value)
{
    if (strcmp(value, "system") == 0 || strncmp(value, "file:/", 6) == 0)
        return NULL;
    return "must be system, or in development file: and an absolute path";
}

static const char *check_address(const char *value)
{
    char host[256], port[6];
    return config_split_address(value, host, port)
               ? NULL
               : "must be host:port or [address]:port, such as 0.0.0.0:7400 or [::]:7400";
}

/* The admin port has neither TLS nor names: only this machine may reach it. */
static const char *check_loopback(const char *value)
{
    char host[256], port[6];
    if (value[0] == '\0')
        return NULL;
    if (!config_split_address(value, host, port))
        return "must be host:port such as 127.0.0.1:7401, or empty for none";
    if (strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0 || strcmp(host, "localhost") == 0)
        return NULL;
    return "must be a loopback address (127.0.0.1, ::1): the admin port has no access control";
}

static const char *part_of(const PQconninfoOption *parts, const char *keyword)
{
    while (parts->keyword && strcmp(parts->keyword, keyword) != 0)
        parts++;
    return parts->keyword && parts->val ? parts->val : "";
}

/* Folders of sockets, addresses and localhost, between commas. */
static bool is_found_at_once(const char *hosts)
{
    char host[256];
    uint8_t address[16];
    for (size_t size; *hosts; hosts += size + (hosts[size] == ',')) {
        size = strcspn(hosts, ",");
        snprintf(host, sizeof host, "%.*s", (int)size, hosts);
        if (*host && !strchr("/@", *host) && strcmp(host, "localhost") != 0 &&
            inet_pton(AF_INET, host, address) != 1 && inet_pton(AF_INET6, host, address) != 1)
            return false;
    }
    return true;
}

/* What the text leaves out the environment or a service file may say. */
static bool is_host_named(const PQconninfoOption *parts)
{
    const char *host = part_of(parts, "host"), *of_environment = getenv("PGHOST");
    bool is_of_service = *part_of(parts, "service") || getenv("PGSERVICE");
    if (*part_of(parts, "hostaddr") || getenv("PGHOSTADDR"))
        return false;
    if (!*host && is_of_service)
        return true;
    return !is_found_at_once(*host || !of_environment ? host : of_environment);
}

/* libpq's own words are not shown: they repeat parts of the text, which may hold a password. It
 * looks names up while the worker that asks serves nobody: so none is left to it. */
static const char *check_conninfo(const char *value)
{
    char *fault = NULL;
    PQconninfoOption *parts = PQconninfoParse(value, &fault);
    bool is_wrong = fault != NULL;
    PQfreemem(fault);
    if (!parts && !is_wrong)
        return "cannot be looked at without memory";
    if (!parts)
        return "must be a libpq connection string, such as host=/run/postgresql dbname=loyal";
    bool is_named = is_host_named(parts);
    PQconninfoFree(parts);
    return is_named ? "names a host, here, in PGHOST or by a service, and looking it up would hold "
                      "up every "
                      "till: add its address, "
                      "hostaddr=..., and leave host for the certificate"
                    : NULL;
}

static const char *const switches[] = {"off", "on", NULL};
static const char *const environments[] = {"production", "development", NULL};
static const char *const log_levels[] = {"error", "warning", "info", "debug", NULL};

#define TEXT(name, field, fallback, check, reloads, meaning)                               \
    {                                                                                      \
        name, OPTION_TEXT, AT(field), fallback, 0, TEXT_MAX, NULL, check, reloads, meaning \
    }
#define NAME(name, field, fallback, min, max, check, meaning)                         \
    {                                                                                 \
        name, OPTION_TEXT, AT(field), fallback, min, max, NULL, check, false, meaning \
    }
#define REQUIRED(name, field, check, reloads, meaning)                                 \
    {                                                                                  \
        name, OPTION_TEXT, AT(field), NULL, 1, TEXT_MAX, NULL, check, reloads, meaning \
    }
#define NUMBER(name, field, fallback, min, max, reloads, meaning)                        \
    {                                                                                    \
        name, OPTION_NUMBER, AT(field), fallback, min, max, NULL, NULL, reloads, meaning \
    }
#define CHOICE(name, field, fallback, choices, reloads, meaning)                        \
    {                                                                                   \
        name, OPTION_CHOICE, AT(field), fallback, 0, 0, choices, NULL, reloads, meaning \
    }

static const struct option OPTIONS[] = {
    NAME("network", network, NULL, 1, 32, check_network,
         "Name of the network, as the certificates spell it: loyal://NETWORK/..."),
    CHOICE("environment", environment, "production", environments, false,
           "production, or development: only there may the clock be a file"),
    CHOICE("core_dumps", core_dumps, "off", switches, false,
           "Whether processes may dump core and be traced; on in development only"),
    NAME("time_zone", time_zone, "UTC", 1, 64, NULL,
         "IANA name of the zone whose days count for expiry, such as Europe/London"),
    NAME("country_code", country_code, "", 0, 3, check_digits,
         "Calling code that completes national phone numbers; empty: they are refused"),
    TEXT("clock", clock, "system", check_clock, false,
         "Domain time: system, or file:PATH (8 bytes of microseconds; development only)"),
    {"listen", OPTION_LIST, AT(listen), "0.0.0.0:7400", 1, CONFIG_LISTEN_MAX, NULL, check_address,
     false, "Addresses for clients: host:port or [address]:port"},
    TEXT("admin_listen", admin_listen, "127.0.0.1:7401", check_loopback, false,
         "Loopback address of /metrics, /healthz and /readyz; empty: none"),
    REQUIRED("certificate_file", certificate_file, NULL, true,
             "PEM: the server's certificate (P-256), then its chain"),
    REQUIRED("key_file", key_file, NULL, true, "PEM: its private key; not readable by others"),
    REQUIRED("authority_file", authority_file, NULL, true,
             "PEM: the authorities that sign clients' certificates"),
    REQUIRED("keyring_file", keyring_file, NULL, false,
             "Master keys of identifiers and refs; only its owner may read it"),
    REQUIRED("postgres", postgres, check_conninfo, false,
             "libpq connection string of the role loyal_daemon"),
    REQUIRED("postgres_reader", postgres_reader, check_conninfo, false,
             "The same of loyal_reader, for what merchants see of purchases elsewhere"),
    REQUIRED("postgres_eraser", postgres_eraser, check_conninfo, false,
             "The same of loyal_eraser, for members who are to be forgotten"),
    TEXT("postgres_maintenance", postgres_maintenance, "", check_conninfo, false,
         "The same of loyal_maintenance; empty: this daemon runs no maintenance"),
    NUMBER("workers", workers, "0", 0, 256, false, "Worker processes; 0: one per core"),
    NUMBER("lanes", lanes, "1", 1, 16, false, "Posting connections to PostgreSQL per worker"),
    NUMBER("batch_max", batch_max, "400", 1, 4000, true, "Postings in one transaction"),
    NUMBER("queue_max", queue_max, "20000", 1, 1000000, true,
           "Postings that wait in one worker; past it OVERLOADED"),
    NUMBER("queue_ms_max", queue_ms_max, "250", 10, 60000, true,
           "Milliseconds that postings wait in a lane under overload; past it OVERLOADED"),
    NUMBER("connections_max", connections_max, "10000", 1, 1000000, true,
           "Connections of one worker; past it it accepts none"),
    NUMBER("in_flight_max", in_flight_max, "64", 1, 4096, true,
           "Unanswered requests of one connection; past it it is not read"),
    NUMBER("idle_timeout_s", idle_timeout_s, "900", 1, 86400, true,
           "Seconds without a request until a connection is closed"),
    NUMBER("handshake_timeout_s", handshake_timeout_s, "10", 1, 300, true,
           "Seconds that TLS may take, and then Hello"),
    NUMBER(
        "stall_timeout_s", stall_timeout_s, "30", 1, 3600, true,
        "Seconds that a frame begun, or unread answers, may stand still; a vanished peer: twice"),
    NUMBER("drain_timeout_s", drain_timeout_s, "10", 0, 600, true,
           "Seconds that requests under way are given at the end"),
    NUMBER("lookups_max", lookups_max, "600", 1, 1000000, true,
           "Members that a terminal may look up in a minute, of each worker; past it OVERLOADED"),
    NUMBER("deadline_ms_max", deadline_ms_max, "30000", 100, 600000, true,
           "Longest deadline of a request in milliseconds, and the one of those without"),
    NUMBER("lock_timeout_ms", lock_timeout_ms, "2000", 10, 60000, false,
           "Milliseconds that requests wait for a member whom another transaction holds"),
    NUMBER("statement_timeout_ms", statement_timeout_ms, "10000", 100, 600000, false,
           "Milliseconds that a statement may take"),
    NUMBER("worker_timeout_s", worker_timeout_s, "10", 0, 3600, true,
           "Seconds without a sign of life until a worker is killed and replaced; 0: never"),
    NUMBER("partitions_ahead", partitions_ahead, "2", 1, 40, false,
           "Quarters whose partitions maintenance makes ahead"),
    NUMBER("refusal_days", refusal_days, "70", 36, 36500, false,
           "Days that recorded refusals are kept; longer than a key may be old"),
    CHOICE("log_level", log_level, "info", log_levels, true, "error, warning, info or debug"),
    TEXT("pid_file", pid_file, "", NULL, false, "File for the master's process id; empty: none"),
    NAME("user", user, "", 0, 64, NULL,
         "Started as root, become this user; empty: stay who we are"),
};

const struct option *options_all(size_t *count_out)
{
    *count_out = LENGTH(OPTIONS);
    return OPTIONS;
}

static const char *type_name(enum option_type type)
{
    static const char *const names[] = {"text", "number", "choice", "list"};
    return names[type];
}

static void print_range(FILE *out, const struct option *option)
{
    if (option->type == OPTION_CHOICE) {
        for (size_t i = 0; option->choices[i]; i++)
            fprintf(out, "%s%s", i ? "|" : "", option->choices[i]);
    } else {
        fprintf(out, "%d..%d", option->min, option->max);
    }
}

void config_print_options(FILE *out)
{
    for (size_t i = 0; i < LENGTH(OPTIONS); i++) {
        const struct option *option = &OPTIONS[i];
        fprintf(out, "%s\t%s\t%s\t", option->name, type_name(option->type),
                !option->value_default   ? "(required)"
                : *option->value_default ? option->value_default
                                         : "(empty)");
        print_range(out, option);
        fprintf(out, "\t%s\t%s\n", option->reloads ? "reload" : "restart", option->meaning);
    }
}

struct config *config_create_numbers(void)
{
    struct config *config = calloc(1, sizeof *config);
    for (size_t i = 0; config && i < LENGTH(OPTIONS); i++) {
        if (OPTIONS[i].type == OPTION_NUMBER)
            *(int *)(void *)((char *)config + OPTIONS[i].offset) =
                (int)strtol(OPTIONS[i].value_default, NULL, 10);
    }
    return config;
}

void config_print_limits(FILE *out, const struct config *config)
{
    for (size_t i = 0; i < LENGTH(OPTIONS); i++) {
        const struct option *option = &OPTIONS[i];
        if (option->type != OPTION_NUMBER)
            continue;
        const void *field = (const char *)config + option->offset;
        fprintf(out, "%-24s %10d  %s (option, %d..%d)\n", option->name, *(const int *)field,
                option->meaning, option->min, option->max);
    }
}
