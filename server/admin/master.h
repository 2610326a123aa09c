/* The master process: forks workers, maintenance and the admin port's process, starts again what
 * dies, passes signals on, starts its successor. What the children do is given by main. */
#pragma once

#include "config/config.h"
#include "net/listen.h"
#include "net/shared_page.h"

struct master;

struct master_options {
    const struct config *config; /* of the start */
    struct shared_page *page;    /* a slot for each worker */
    /* In the child, which exits with the value returned. */
    int (*worker_main)(void *ctx, int slot);
    int (*maintenance_main)(void *ctx); /* NULL: none */
    int (*admin_main)(void *ctx);       /* likewise */
    /* The end begins: whoever connects from now on is turned away at once. */
    void (*turn_away)(void *ctx);
    /* SIGHUP: true when the workers are to reload as well; logs why not itself. */
    bool (*reload)(void *ctx);
    const struct listen_sockets *listen, *admin;
    char *const *argv;  /* of the successor: our own command line */
    int predecessor_fd; /* to the daemon that we succeed; -1: none */
    /* This daemon becomes the one that is known by the pid file, and is it no more. */
    void (*take_over)(void *ctx);
    void (*hand_over)(void *ctx);
    void *ctx;
};

struct master *master_create(const struct master_options *options, struct err *err);
void master_destroy(struct master **master);

/* Forks and serves until SIGTERM or SIGINT and the last child's end. In a child it returns as well:
 * with is_child_out set and the child's exit status. */
int master_run(struct master *master, bool *is_child_out);
