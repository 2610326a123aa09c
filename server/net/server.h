/* The network side of one worker: accepts from the shared listening sockets and keeps all
 * connections. */
#pragma once

#include <event2/event.h>
#include <openssl/ssl.h>
#include <stddef.h>

#include "net/conn.h"
#include "net/shared_page.h"

#define HANDSHAKES_MAX          ((size_t)2000) /* of a worker; past it the oldest makes room */
#define CONN_UNSENT_BYTES_MAX   ((size_t)256 * 1024)       /* past it no more requests are read */
#define SERVER_UNSENT_BYTES_MAX ((size_t)64 * 1024 * 1024) /* past it the largest are cut */

struct net_options {
    const int *listen_fds; /* borrowed, shared with the other workers */
    size_t listen_count;
    SSL_CTX *tls;             /* taken */
    struct shared_page *page; /* this worker counts its connections in its slot */
    int slot;
    int connections_max;
    int in_flight_max;
    int handshake_timeout_s; /* of TLS, and then of the welcome */
    int idle_timeout_s;
    int stall_timeout_s; /* of a frame begun, of answers not read, of a peer that is silent */
    const struct conn_handler *handler;
    void *ctx; /* for handler->opened */
};

struct net_server *net_server_create(struct event_base *base, const struct net_options *options,
                                     struct err *err);

/* Drops all connections (closed is called for each owner). */
void net_server_destroy(struct net_server **server);

/* Takes the context for connections accepted from now on. */
void net_server_set_tls(struct net_server *server, SSL_CTX *tls);

/* Takes the five limits of `limits`, for open connections, too; nothing else of it. */
void net_server_set_limits(struct net_server *server, const struct net_options *limits);

/* Accepts no more and drops those whose handshake is under way, unless gently. */
void net_server_stop(struct net_server *server, bool gently);

/* Connections by state, to the stats. */
void net_server_publish(const struct net_server *server);

size_t net_server_connections(const struct net_server *server);
