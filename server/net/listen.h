/* Listening sockets: opened by the master before the fork, or handed to it, and shared by all
 * workers. */
#pragma once

#include <stddef.h>

#include "base/err.h"
#include "net/handed.h"

#define LISTEN_SOCKETS_MAX 64

enum listen_origin {
    LISTEN_BOUND, /* by us, or by the daemon that we succeed */
    LISTEN_GIVEN, /* by the service manager, which keeps it open; for an address of ours */
    LISTEN_NAMED, /* likewise, whatever its address */
};

struct listen_sockets {
    const char *role; /* "listen", "admin": what a unit calls a socket that is meant */
    int fds[LISTEN_SOCKETS_MAX];
    enum listen_origin origins[LISTEN_SOCKETS_MAX];
    size_t count;
};

/* Takes the sockets that were handed over under the name of the role. If there are none, every
 * address that each "host:port" stands for: handed over, or bound now. On failure nothing stays
 * open. */
bool listen_open(struct listen_sockets *sockets, char *const *addresses, size_t count,
                 struct handed_sockets *handed, struct err *err) must_check;
/* Whether the addresses are this machine's; takes other ports, so that a running daemon's are none.
 */
bool listen_check(char *const *addresses, size_t count, struct err *err) must_check;
void listen_close(struct listen_sockets *sockets);
/* For all processes that share them: nobody can connect any more. Those of the service manager stay
 * open: whoever connects to them waits for the next start. */
void listen_shut(const struct listen_sockets *sockets);
/* What a socket is to be called when it is handed on. */
const char *listen_name(const struct listen_sockets *sockets, size_t i);
