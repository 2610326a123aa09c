/* Replacing the program while it serves. The running daemon starts the program of its own command
 * line anew, hands it the listening sockets (handed.h), and between them one more, over which the
 * successor says that it is ready and hears that it is to take over. Until then it accepts nobody;
 * if it ends or is not ready in time, nothing has happened. Called by the master. */
#pragma once

#include <event2/event.h>
#include <sys/types.h>

#include "net/listen.h"

#define UPGRADE_S_MAX 30 /* from its start until the successor is ready */

/* ---- the running daemon's side ---- */

struct successor {
    pid_t pid; /* 0: none */
    int fd;    /* -1: none */
    struct event *readable;
    /* Every worker of it can serve. No callback runs inside a call of ours. */
    void (*is_ready)(void *ctx);
    void (*has_failed)(void *ctx, const char *reason);
    void *ctx;
};

/* Starts argv with the sockets of both sets. The caller has set the callbacks. */
bool successor_start(struct successor *successor, struct event_base *base, char *const *argv,
                     const struct listen_sockets *const sets[2], struct err *err) must_check;
/* It takes over. False: it is gone. Either way it is ours no more. */
bool successor_confirm(struct successor *successor) must_check;
/* Nothing comes of it. Only while its process has not been waited for. */
void successor_kill(struct successor *successor);
/* In a child of the master. */
void successor_forget(struct successor *successor);

/* ---- the successor's side ---- */

struct predecessor {
    int fd; /* -1: none, or not any more */
    bool is_told;
    struct event *readable;
    void (*take_over)(void *ctx); /* it said so, or it is dead */
    void *ctx;
};

/* How the socket between them is called. */
#define PREDECESSOR "predecessor"

/* Takes fd. The caller has set the callback. */
bool predecessor_watch(struct predecessor *predecessor, struct event_base *base, int fd) must_check;
void predecessor_tell_ready(struct predecessor *predecessor);
void predecessor_forget(struct predecessor *predecessor);
