/* What the checks of `loyalctl doctor` share. Each looks at one thing, changes nothing, and files a
 * finding: what it found, and if that is not well, why it matters and the remedy. */
#pragma once

#include <libpq-fe.h>

#include "cli.h"
#include "fetch.h"

enum verdict { VERDICT_OK, VERDICT_WARNING, VERDICT_FAULT };

enum { CERTIFICATE_DAYS_MIN = 21 };

/* Of loyald.conf; NULL or the daemon's default where it says nothing. */
struct doctor_config {
    char *postgres, *postgres_maintenance, *admin_listen, *clock;
    char *certificate_file, *key_file, *authority_file, *keyring_file;
    long workers, lanes, partitions_ahead;
};

struct doctor {
    struct cli *cli;
    struct table *findings;
    enum verdict worst;
    struct doctor_config config;
    bool has_config;
    PGconn *pg;              /* NULL: not reached */
    struct exposition *page; /* the daemon's metrics; NULL: not reached */
    struct fetcher *fetcher;
    char *readiness;
    double domain_offset_s; /* of the domain's clock from ours, as the daemon says; NaN: unknown */
};

struct finding {
    enum verdict verdict;
    const char *area, *check;
    const char *why, *remedy; /* shown when it is not well */
};

/* format: what was found. */
__attribute__((format(printf, 3, 4))) void doctor_file(struct doctor *doctor,
                                                       const struct finding *finding,
                                                       const char *format, ...);

/* doctor_config.c. False: it cannot be read; filed. */
bool doctor_config_read(struct doctor *doctor, const char *path);
void doctor_config_free(struct doctor_config *config);
/* The same of each thing looked at; a thing that is not configured is left out. */
void doctor_files(struct doctor *doctor);    /* certificates, keys, keyring */
void doctor_daemon(struct doctor *doctor);   /* admin port, clock, certificate as clients see it */
void doctor_settings(struct doctor *doctor); /* of PostgreSQL */
void doctor_database(struct doctor *doctor); /* schema, roles, partitions, duties */

/* doctor_daemon.c: how far another clock is from ours. */
void doctor_clock(struct doctor *doctor, const char *check, double offset_s);
/* One value of a query; "" and false when it failed, with the reason filed under `check`. */
bool doctor_ask(struct doctor *doctor, const char *check, const char *sql, char *value_out,
                size_t size);
