/* Owns the options of all commands: how each is spelt, where else it may come from (environment,
 * profile), and what --help says about it. Called by main.c; it never connects. */
#include "cli.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <popt.h>

enum option_flags {
    FLAG = 1,         /* takes no value */
    FROM_OUTSIDE = 2, /* environment and profile are asked too */
    IS_FILE = 4,      /* in a profile: relative to the profile's folder */
};

struct option_spec {
    const char *name;
    const char *value; /* what stands for the value in --help */
    const char *help;
    int flags;
    const char
        *outside; /* its name in the profile; in the environment LOYALCTL_ and this in capitals */
};

static const struct option_spec OPTIONS[OPT_COUNT] = {
    [OPT_PROFILE] = {"profile", "FILE", "reads what follows from FILE; else $LOYALCTL_PROFILE", 0,
                     NULL},
    [OPT_HOST] = {"host", "HOST", "the daemon's; default localhost", FROM_OUTSIDE, "host"},
    [OPT_PORT] = {"port", "PORT", "default 7400", FROM_OUTSIDE, "port"},
    [OPT_SERVER_NAME] = {"server-name", "NAME", "expected in its certificate; default: the host",
                         FROM_OUTSIDE, "server_name"},
    [OPT_MY_CERTIFICATE] = {"my-certificate", "FILE", "PEM, whom this command connects as",
                            FROM_OUTSIDE | IS_FILE, "certificate"},
    [OPT_MY_KEY] = {"my-key", "FILE", "PEM, its private key", FROM_OUTSIDE | IS_FILE, "key"},
    [OPT_AUTHORITY] = {"authority", "FILE", "PEM, the network's authority", FROM_OUTSIDE | IS_FILE,
                       "authority"},
    [OPT_MERCHANT] = {"merchant", "CODE", "the merchant", FROM_OUTSIDE, "merchant"},
    [OPT_DEADLINE] = {"deadline", "MS", "of a call with all its repetitions; default 10000", 0,
                      NULL},
    [OPT_JSON] = {"json", NULL, "prints JSON for programs", FLAG, NULL},
    [OPT_HELP] = {"help", NULL, "shows this", FLAG, NULL},
    [OPT_CODE] = {"code", "CODE", "a to z, digits, - and _", 0, NULL},
    [OPT_NAME] = {"name", "NAME", "for people", 0, NULL},
    [OPT_CURRENCY] = {"currency", "CUR", "ISO 4217, such as GBP", 0, NULL},
    [OPT_STORE] = {"store", "CODE", "the merchant's store", 0, NULL},
    [OPT_CHANNEL] = {"channel", "CHANNEL", "pos (default), web, mobile, call-centre, kiosk", 0,
                     NULL},
    [OPT_CERTIFICATE] = {"certificate", "FILE", "PEM, the certificate to admit", 0, NULL},
    [OPT_RATE] = {"rate", "N/D", "points = amount in minor units x N / D, rounded down", 0, NULL},
    [OPT_LIFETIME] = {"lifetime", "MONTHS", "until points expire; 0: never", 0, NULL},
    [OPT_FROM] = {"from", "YYYY-MM-DD", "first day of validity, not before today", 0, NULL},
    [OPT_CARD] = {"card", "NUMBER", "the member's card", 0, NULL},
    [OPT_PHONE] = {"phone", "NUMBER", "the member's phone", 0, NULL},
    [OPT_EMAIL] = {"email", "ADDRESS", "the member's e-mail", 0, NULL},
    [OPT_REF] = {"ref", "HEX", "the member's ref, as this merchant or operator knows it", 0, NULL},
    [OPT_KEY] = {"key", "UUID", "the request's; default: a new one, shown on stderr", 0, NULL},
    [OPT_TILL] = {"till", "NAME", "the till", 0, NULL},
    [OPT_RECEIPT] = {"receipt", "NUMBER", "the receipt; none: no guard against a second posting", 0,
                     NULL},
    [OPT_PART] = {"part", "N", "of a receipt posted in parts", 0, NULL},
    [OPT_DATE] = {"date", "YYYY-MM-DD", "the receipt's business date; default: today (UTC)", 0,
                  NULL},
    [OPT_TIME] = {"time", "TIME", "when it happened, 2024-02-29T18:03:00Z; default: now", 0, NULL},
    [OPT_AMOUNT] = {"amount", "AMOUNT", "such as 21.90", 0, NULL},
    [OPT_PAID_IN_POINTS] = {"paid-in-points", "AMOUNT", "the part of it that earns nothing", 0,
                            NULL},
    [OPT_LINE] = {"line", "LINE", "product:category:quantity:amount; may be repeated", 0, NULL},
    [OPT_POINTS] = {"points", "N", "how many", 0, NULL},
    [OPT_ORIGINAL] = {"original", "UUID", "the key of what is reversed", 0, NULL},
    [OPT_ORIGINAL_KIND] = {"original-kind", "KIND", "earn (default) or redemption", 0, NULL},
    [OPT_WHOLE] = {"whole", NULL, "all that is left of it", FLAG, NULL},
    [OPT_BUCKETS] = {"buckets", "FIRST-LAST", "only these of 0-255", 0, NULL},
    [OPT_NETWORK] = {"network", "NAME", "the network", 0, NULL},
    [OPT_OUT] = {"out", "DIR", "where the files go; made if missing", 0, NULL},
    [OPT_CA] = {"ca", "DIR", "where authority.crt and authority.key lie", 0, NULL},
    [OPT_DAYS] = {"days", "N", "validity; default 3650 for an authority, else 825", 0, NULL},
    [OPT_NAMES] = {"names", "LIST", "DNS names and addresses, with commas between them", 0, NULL},
    [OPT_OPERATOR] = {"operator", "NAME", "the operator", 0, NULL},
    [OPT_DATABASE] = {"database", "CONNINFO", "as libpq reads it; default: PGHOST and so on", 0,
                      NULL},
    [OPT_BUNDLES] = {"bundles", "DIR", "of terminals: DIR/MERCHANT/terminal.crt and .key", 0, NULL},
    [OPT_CLOCK] = {"clock", "FILE", "the daemon's domain clock (clock = file:FILE)", 0, NULL},
    [OPT_ZONE] = {"zone", "NAME", "time zone of event_time; default Europe/London", 0, NULL},
    [OPT_SEED] = {"seed", "N", "the same seed gives the same file; default 1", 0, NULL},
    [OPT_ROWS] = {"rows", "N", "about how many; default 78775", 0, NULL},
    [OPT_PURPOSE] = {"purpose", "PURPOSE", "service (to himself), offer or analysis", 0, NULL},
    [OPT_FIELDS] = {"fields", "LIST", "of date, amount, basket, with commas between them", 0, NULL},
    [OPT_UNTIL] = {"until", "YYYY-MM-DD", "the last day, at most 24 months ahead", 0, NULL},
    [OPT_TEXT] = {"text", "VERSION", "of the text that the member agreed to", 0, NULL},
    [OPT_SOURCE] = {"source", "MERCHANT", "whose purchases are seen; default: all merchants'", 0,
                    NULL},
    [OPT_RECIPIENT] = {"recipient", "MERCHANT", "who may see; a terminal's default: its own", 0,
                       NULL},
    [OPT_AGREED] = {"channel", "CHANNEL",
                    "operators: how he agreed, pos, web, mobile, call-centre, kiosk", 0, NULL},
    [OPT_ALL] = {"all", NULL, "his grants towards every merchant", FLAG, NULL},
    [OPT_LIMIT] = {"limit", "N", "at most so many; 0: all; default 50", 0, NULL},
    [OPT_MERCHANTS] = {"merchants", "LIST", "bought at one of these codes", 0, NULL},
    [OPT_CATEGORIES] = {"categories", "LIST", "with a line of one of these", 0, NULL},
    [OPT_CHANNELS] = {"channels", "LIST", "of pos, web, mobile, call-centre, kiosk", 0, NULL},
    [OPT_FIRST_DAY] = {"first-day", "YYYY-MM-DD", "business dates from this one", 0, NULL},
    [OPT_LAST_DAY] = {"last-day", "YYYY-MM-DD", "up to this one", 0, NULL},
    [OPT_AMOUNT_MIN] = {"amount-min", "AMOUNT", "in this merchant's currency, such as 21.90", 0,
                        NULL},
    [OPT_AMOUNT_MAX] = {"amount-max", "AMOUNT", "likewise", 0, NULL},
    [OPT_K] = {"k", "N", "tells no group smaller than N; default: the network's", 0, NULL},
    [OPT_REASON] = {"reason", "TEXT", "why, at most 200 bytes; it is kept", 0, NULL},
    [OPT_SINCE] = {"from", "TIME", "decided at or after, 2024-02-29T18:03:00Z", 0, NULL},
    [OPT_TO] = {"to", "TIME", "decided before, at most 31 days later", 0, NULL},
    [OPT_URL] = {"url", "LIST", "of admin ports, http://127.0.0.1:7401, with commas between them",
                 FROM_OUTSIDE, "url"},
    [OPT_CONFIG] = {"config", "FILE", "the daemon's loyald.conf", 0, NULL},
    [OPT_FOLLOW] = {"follow", NULL, "again and again, until Ctrl-C", FLAG, NULL},
    [OPT_INTERVAL] = {"interval", "SECONDS", "that rates are taken over; default 1", 0, NULL},
    [OPT_TIMES] = {"count", "N", "follows N times, then ends", 0, NULL},
    [OPT_FINGERPRINT] = {"fingerprint", "HEX", "of the certificate, as `terminal list` shows it", 0,
                         NULL},
    [OPT_SHELL] = {"shell", "SHELL", "bash (default) or zsh", 0, NULL},
    [OPT_YES] = {"yes", NULL, "yes, for ever: it cannot be undone", FLAG, NULL},
};

static const unsigned char CONNECTION[] = {
    OPT_PROFILE, OPT_HOST,      OPT_PORT,     OPT_SERVER_NAME, OPT_MY_CERTIFICATE,
    OPT_MY_KEY,  OPT_AUTHORITY, OPT_MERCHANT, OPT_DEADLINE,    OPT_NONE};
static const unsigned char EVERYWHERE[] = {OPT_JSON, OPT_HELP, OPT_NONE};

static bool is_listed(const unsigned char *list, unsigned char option)
{
    for (; *list != OPT_NONE; list++)
        if (*list == option)
            return true;
    return false;
}

bool cli_takes(const struct cli *cli, enum option option)
{
    return is_listed(cli->command->required, option) || is_listed(cli->command->optional, option);
}

const char *cli_own(struct cli *cli, char *text)
{
    char **owned = text ? realloc(cli->owned, (cli->owned_count + 1) * sizeof *owned) : NULL;

    if (!owned) {
        fputs("loyalctl: out of memory\n", stderr);
        exit(EXIT_REFUSED);
    }
    cli->owned = owned;
    cli->owned[cli->owned_count++] = text;
    return text;
}

void cli_close(struct cli *cli)
{
    for (size_t i = 0; i < cli->owned_count; i++)
        free(cli->owned[i]);
    free(cli->owned);
    cli->owned = NULL;
    cli->owned_count = 0;
}

static void complain(const char *format, va_list args)
{
    fputs("loyalctl: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
}

int cli_usage(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    complain(format, args);
    va_end(args);
    return EXIT_USAGE;
}

int cli_fail(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    complain(format, args);
    va_end(args);
    return EXIT_REFUSED;
}

/* ---- the profile and the environment ---- */

static bool profile_set(struct cli *cli, char *name, const char *value, const char *folder)
{
    for (int i = 1; i < OPT_COUNT; i++) {
        const struct option_spec *spec = &OPTIONS[i];
        char *text = NULL;

        if (!spec->outside || strcmp(spec->outside, name) != 0)
            continue;
        if (cli->values[i])
            return true;
        if ((spec->flags & IS_FILE) && value[0] != '/') {
            if (asprintf(&text, "%s/%s", folder, value) < 0)
                text = NULL;
        } else {
            text = strdup(value);
        }
        cli->values[i] = cli_own(cli, text);
        return true;
    }
    return false;
}

/* One line of "name = value"; NULL where there is nothing to read. */
static char *profile_split(char *line, char **value_out)
{
    char *name = line + strspn(line, " \t"), *equals;

    name[strcspn(name, "\r\n")] = '\0';
    if (name[0] == '\0' || name[0] == '#')
        return NULL;
    equals = strchr(name, '=');
    *value_out = equals ? equals + 1 + strspn(equals + 1, " \t") : NULL;
    if (equals)
        *equals = '\0';
    for (size_t n = strlen(name); n > 0 && strchr(" \t", name[n - 1]); n--)
        name[n - 1] = '\0';
    for (size_t n = *value_out ? strlen(*value_out) : 0;
         n > 0 && strchr(" \t", (*value_out)[n - 1]); n--)
        (*value_out)[n - 1] = '\0';
    return name;
}

static bool profile_read(struct cli *cli, const char *path)
{
    FILE *file = fopen(path, "re");
    char *folder = strdup(path), *slash = folder ? strrchr(folder, '/') : NULL;
    char line[1024], *value, *name;
    bool good = true;

    if (!file) {
        cli_usage("profile %s: %s", path, strerror(errno));
        free(folder);
        return false;
    }
    if (slash)
        slash[slash == folder] = '\0';
    for (int number = 1; good && fgets(line, sizeof line, file); number++) {
        name = profile_split(line, &value);
        if (name && (!value || !profile_set(cli, name, value, slash ? folder : "."))) {
            cli_usage("profile %s:%d: not `name = value` with a known name", path, number);
            good = false;
        }
    }
    fclose(file);
    free(folder);
    return good;
}

static void environment_read(struct cli *cli)
{
    char name[64];

    for (int i = 1; i < OPT_COUNT; i++) {
        const char *value;

        if (!OPTIONS[i].outside || cli->values[i])
            continue;
        snprintf(name, sizeof name, "LOYALCTL_%s", OPTIONS[i].outside);
        for (char *c = name; *c; c++)
            if (*c >= 'a' && *c <= 'z')
                *c = (char)(*c - 'a' + 'A');
        value = getenv(name);
        if (value && value[0])
            cli->values[i] = value;
    }
}

static bool read_outside(struct cli *cli)
{
    const char *profile =
        cli->values[OPT_PROFILE] ? cli->values[OPT_PROFILE] : getenv("LOYALCTL_PROFILE");

    if (cli->command->role == ROLE_LOCAL)
        return true;
    environment_read(cli);
    return !profile || !profile[0] || profile_read(cli, profile);
}

/* ---- the command line ---- */

enum { POPT_ROWS_MAX = OPT_COUNT + 4 };

struct parser {
    struct poptOption own[POPT_ROWS_MAX], connection[POPT_ROWS_MAX], top[3];
    size_t own_count, connection_count;
};

static struct poptOption row_of(enum option option, bool required, struct cli *cli)
{
    const struct option_spec *spec = &OPTIONS[option];
    struct poptOption row = {.longName = spec->name,
                             .argInfo = spec->flags & FLAG ? POPT_ARG_NONE : POPT_ARG_STRING,
                             .val = option,
                             .descrip = spec->help,
                             .argDescrip = spec->value};
    char *text = NULL;

    if (required) {
        if (asprintf(&text, "%s (required)", spec->help) < 0)
            text = NULL;
        row.descrip = cli_own(cli, text);
    }
    return row;
}

/* A connection option that the command has beside its own. */
static bool has_connection(const struct command *command, unsigned char option)
{
    return command->role != ROLE_LOCAL && !is_listed(command->required, option) &&
           !is_listed(command->optional, option) &&
           (option != OPT_MERCHANT || command->role != ROLE_OPERATOR);
}

size_t cli_options_of(const struct command *command, unsigned char *options_out)
{
    const unsigned char *const lists[] = {command->required, command->optional, EVERYWHERE};
    size_t count = 0;

    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        for (const unsigned char *o = lists[i]; *o != OPT_NONE; o++)
            options_out[count++] = *o;
    for (const unsigned char *o = CONNECTION; *o != OPT_NONE; o++)
        if (has_connection(command, *o))
            options_out[count++] = *o;
    return count;
}

const char *cli_option_name(enum option option)
{
    return OPTIONS[option].name;
}

const char *cli_option_value(enum option option)
{
    return OPTIONS[option].value;
}

const char *cli_option_help(enum option option)
{
    return OPTIONS[option].help;
}

static void parser_fill(struct parser *parser, struct cli *cli)
{
    const struct command *command = cli->command;

    for (const unsigned char *o = command->required; *o != OPT_NONE; o++)
        parser->own[parser->own_count++] = row_of(*o, true, cli);
    for (const unsigned char *o = command->optional; *o != OPT_NONE; o++)
        parser->own[parser->own_count++] = row_of(*o, false, cli);
    for (const unsigned char *o = EVERYWHERE; *o != OPT_NONE; o++)
        parser->own[parser->own_count++] = row_of(*o, false, cli);
    for (const unsigned char *o = CONNECTION; *o != OPT_NONE; o++)
        if (has_connection(command, *o))
            parser->connection[parser->connection_count++] = row_of(*o, false, cli);
    parser->top[0] = (struct poptOption){
        .argInfo = POPT_ARG_INCLUDE_TABLE, .arg = parser->own, .descrip = "Options:"};
    if (parser->connection_count > 0)
        parser->top[1] = (struct poptOption){.argInfo = POPT_ARG_INCLUDE_TABLE,
                                             .arg = parser->connection,
                                             .descrip = "Connection options:"};
}

static bool keep_identifier(struct cli *cli, enum loyal_identifier_kind kind, const char *value)
{
    if (cli->identifier_count == IDENTIFIERS_MAX) {
        cli_usage("at most %d identifiers", IDENTIFIERS_MAX);
        return false;
    }
    cli->identifiers[cli->identifier_count++] = (struct loyal_identifier){kind, value};
    return true;
}

static bool keep(struct cli *cli, enum option option, const char *value)
{
    cli->values[option] = value;
    switch (option) {
    case OPT_CARD: return keep_identifier(cli, LOYAL_CARD, value);
    case OPT_PHONE: return keep_identifier(cli, LOYAL_PHONE, value);
    case OPT_EMAIL: return keep_identifier(cli, LOYAL_EMAIL, value);
    case OPT_LINE:
        if (cli->line_count == LINES_MAX) {
            cli_usage("at most %d lines", LINES_MAX);
            return false;
        }
        cli->lines[cli->line_count++] = value;
        return true;
    default: return true;
    }
}

static bool check_given(struct cli *cli, poptContext popt)
{
    const char *extra;

    cli->argument = poptGetArg(popt);
    if (cli->argument)
        cli->argument = cli_own(cli, strdup(cli->argument));
    extra = cli->command->argument ? poptGetArg(popt) : cli->argument;
    if (extra) {
        cli_usage("what is %s? See --help", extra);
        return false;
    }
    if (cli->command->argument && !cli->argument) {
        cli_usage("%s is missing; see --help", cli->command->argument);
        return false;
    }
    for (const unsigned char *o = cli->command->required; *o != OPT_NONE; o++)
        if (!cli->values[*o]) {
            cli_usage("--%s is missing; see --help", OPTIONS[*o].name);
            return false;
        }
    return true;
}

static void show_help(const struct cli *cli, poptContext popt)
{
    poptPrintHelp(popt, stdout, 0);
    printf("\n%s.\n", cli->command->summary);
    if (cli->command->details)
        printf("\n%s\n", cli->command->details);
}

/* False: leave with *exit_out. */
static bool parse_words(struct cli *cli, poptContext popt, int *exit_out)
{
    int option;

    *exit_out = EXIT_USAGE;
    while ((option = poptGetNextOpt(popt)) > 0) {
        char *value = poptGetOptArg(popt);

        if (option == OPT_HELP) {
            free(value);
            show_help(cli, popt);
            *exit_out = EXIT_FINE;
            return false;
        }
        if (!keep(cli, (enum option)option, value ? cli_own(cli, value) : ""))
            return false;
    }
    if (option < -1) {
        cli_usage("%s: %s; see --help", poptBadOption(popt, 0), poptStrerror(option));
        return false;
    }
    return read_outside(cli) && check_given(cli, popt);
}

bool cli_parse(struct cli *cli, int argc, char **argv, int *exit_out)
{
    struct parser parser = {0};
    poptContext popt;
    bool good;

    parser_fill(&parser, cli);
    popt = poptGetContext("loyalctl", argc, (const char **)argv, parser.top, 0);
    if (cli->command->argument) {
        char *usage = NULL;

        if (asprintf(&usage, "%s [OPTION...]", cli->command->argument) < 0)
            usage = NULL;
        poptSetOtherOptionHelp(popt, cli_own(cli, usage));
    }
    good = parse_words(cli, popt, exit_out);
    poptFreeContext(popt);
    return good;
}
