/* What server.c, accept.c and conn.c share. Private to net/. */
#pragma once

#include <event2/bufferevent.h>
#include <event2/event.h>
#include <sys/queue.h>

#include "net/server.h"

#define OUT_BYTES 16384 /* one TLS record */

TAILQ_HEAD(conn_list, conn);

struct conn {
    TAILQ_ENTRY(conn) in_state; /* in the list of its state, the longest quiet first */
    TAILQ_ENTRY(conn) in_turn;
    struct net_server *server;
    struct bufferevent *bev;
    SSL *ssl; /* the bufferevent's */
    void *owner;
    enum conn_state state;
    int in_flight;
    bool is_paused;
    bool is_shut;      /* CLOSING: the end has been sent */
    bool is_in_turn;   /* has work for the end of this turn */
    int64_t active_us; /* clock_monotonic_us of entering the state or of the last frame */
    uint8_t *out;      /* of this turn; NULL between turns */
    size_t out_used;
    size_t out_size;
};

/* Buffers of OUT_BYTES for the turn's answers, most of them idle. */
struct out_pool {
    void *free;
    size_t free_count;
};

struct listener {
    struct net_server *server;
    struct event *readable;
    int fd;
};

struct net_server {
    struct event_base *base;
    struct net_options options;
    struct worker_stats *stats;
    struct conn_list conns[CONN_STATE_COUNT];
    size_t counts[CONN_STATE_COUNT];
    size_t count; /* all but the closed ones */
    struct conn_list turn;
    struct conn_list spare; /* a pool, linked by in_state */
    struct event *turn_end;
    struct event *tick;
    int64_t tick_us; /* of the last tick */
    struct listener *listeners;
    struct event *accept_again; /* after a shortage, or after leaving one to others */
    bool is_stopped;
    bool is_full;        /* at connections_max */
    bool must_accept;    /* it was left to the others and they did not take it */
    int64_t shortage_us; /* when a shortage was logged last */
    struct out_pool out_pool;
};

bool accept_start(struct net_server *server, struct err *err) must_check;
void accept_stop(struct net_server *server);
/* After a connection went: the server may have room again. */
void accept_reconsider(struct net_server *server);

/* Takes fd. */
void conn_accept(struct net_server *server, int fd);
void conn_free(struct conn *conn);
/* Work for the end of this turn. */
void conn_want_turn(struct conn *conn);
/* At the end of a turn: output, then frames that waited. */
void conn_turn(struct conn *conn);
/* The time limit of its state has passed. */
void conn_expire(struct conn *conn);
