/* A worker: one process, one event loop, its engine, its connections and sessions. */
#pragma once

#include "base/clock.h"
#include "base/keyring.h"
#include "config/config.h"
#include "net/listen.h"
#include "net/shared_page.h"
#include "net/tls.h"

struct worker_options {
    const char *config_file; /* read again on SIGHUP */
    struct config *config;   /* this process's copy */
    const struct domain_clock *clock;
    const struct keyring *keyring;
    SSL_CTX *tls; /* to begin with */
    const struct listen_sockets *sockets;
    struct shared_page *page;
    int slot;
};

/* Serves until SIGTERM, drains, and returns the process's exit status. SIGHUP: what may change
 * while it runs is as the files say by then, certificates for new connections. Call it in the
 * process that is the worker, with SIGHUP blocked. */
int worker_run(const struct worker_options *options);

/* The TLS context of the files that a configuration names; NULL and *err. */
SSL_CTX *worker_tls_create(const struct config *config, struct err *err);
