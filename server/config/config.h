/* The configuration: one file, one typed table of options (options.c), one immutable struct. Read
 * by main, lent to everyone else; nobody changes a field but config_take, on reload. */
#pragma once

#include <stddef.h>
#include <stdio.h>

#include "base/err.h"
#include "base/log.h"

#define CONFIG_LISTEN_MAX  16
#define CONFIG_NAMES_BYTES 800 /* the names of all options */

enum config_environment { CONFIG_PRODUCTION, CONFIG_DEVELOPMENT };
enum config_switch { CONFIG_OFF, CONFIG_ON };

struct config_list {
    char **items;
    size_t count;
};

struct config {
    char *network;
    int environment; /* enum config_environment */
    int core_dumps;  /* enum config_switch */
    char *time_zone;
    char *country_code; /* digits, or "": national phone numbers are refused */
    char *clock;        /* as domain_clock_create takes it */
    struct config_list listen;
    char *admin_listen; /* "": no admin port */
    char *certificate_file;
    char *key_file;
    char *authority_file;
    char *keyring_file;
    char *postgres;
    char *postgres_reader;
    char *postgres_eraser;
    char *postgres_maintenance; /* "": this daemon runs no maintenance */
    int workers;                /* as configured; 0: one per core */
    int lanes;
    int batch_max;
    int queue_max;
    int queue_ms_max;
    int connections_max;
    int in_flight_max;
    int idle_timeout_s;
    int handshake_timeout_s;
    int stall_timeout_s;
    int drain_timeout_s;
    int lookups_max; /* a minute and terminal */
    int deadline_ms_max;
    int lock_timeout_ms;
    int statement_timeout_ms;
    int worker_timeout_s; /* without a sign of life; 0: for ever */
    int partitions_ahead; /* quarters */
    int refusal_days;
    int log_level;  /* enum log_level */
    char *pid_file; /* "": none */
    char *user;     /* "": stays who it is */
};

/* NULL and *err: file, line, option, cause, remedy. Looks at the text only: the files it names, the
 * time zone and the addresses are tried by who uses them. */
struct config *config_create(const char *path, struct err *err);
void config_destroy(struct config **config);

/* Names of options, separated by commas. */
struct config_changes {
    char reloaded[CONFIG_NAMES_BYTES]; /* what config_take will put into force */
    char waiting[CONFIG_NAMES_BYTES];  /* what needs a restart or an upgrade */
};

struct config_changes config_compare(const struct config *old, const struct config *fresh);

/* A reload: config gets from fresh what may change while it runs, and gives it the old values.
 * Texts that may not change stay where they are. */
void config_take(struct config *config, struct config *fresh);

/* Splits "host:port" or "[address]:port" with a port of 1..65535. */
bool config_split_address(const char *text, char host_out[256], char port_out[6]) must_check;

/* For --dump-config-options: a line an option, tabs between name, type, default, range, reload and
 * meaning. For --limits: the options that are limits, with value and range. */
void config_print_options(FILE *out);
void config_print_limits(FILE *out, const struct config *config);
/* The default numbers, and nothing else: limits without a file. NULL without memory. */
struct config *config_create_numbers(void);
