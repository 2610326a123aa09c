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
    const struct config *config;
    const struct domain_clock *clock;
    const struct keyring *keyring;
    const struct listen_sockets *sockets;
    struct shared_page *page;
    int slot;
};

/* Serves until SIGTERM, drains, and returns the process's exit status. SIGHUP: new connections get
 * the certificates as they are in the files by then. Call it in the process that is the worker. */
int worker_run(const struct worker_options *options);

/* Where a configuration keeps its TLS files. */
struct tls_files worker_tls_files(const struct config *config);
