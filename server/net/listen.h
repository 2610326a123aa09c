/* Listening sockets: opened by the master before the fork and shared by all workers. */
#pragma once

#include <stddef.h>

#include "base/err.h"

#define LISTEN_SOCKETS_MAX 64

struct listen_sockets {
    int fds[LISTEN_SOCKETS_MAX];
    size_t count;
};

/* Binds every address that each "host:port" stands for. On failure nothing stays open. */
bool listen_open(char *const *addresses, size_t count, struct listen_sockets *sockets_out,
                 struct err *err) must_check;
/* Whether the addresses are this machine's; takes other ports, so that a running daemon's are none.
 */
bool listen_check(char *const *addresses, size_t count, struct err *err) must_check;
void listen_close(struct listen_sockets *sockets);
/* For all processes that share them: nobody can connect any more. */
void listen_shut(const struct listen_sockets *sockets);
