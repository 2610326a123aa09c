/* What the files of the server side of net/ share. Private to net/. */
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
    TAILQ_ENTRY(conn) in_watched;
    TAILQ_ENTRY(conn) in_refused;
    struct net_server *server;
    struct event *first;     /* ACCEPTED: its socket is readable; else NULL */
    struct bufferevent *bev; /* NULL while ACCEPTED */
    SSL *ssl;                /* the bufferevent's */
    void *owner;
    enum conn_state state;
    int in_flight;
    bool is_paused;
    bool is_resting;
    bool is_refused;          /* CLOSING: before its TLS was done */
    bool is_shut;             /* CLOSING: the end has been sent */
    bool is_in_turn;          /* has work for the end of this turn */
    bool is_watched;          /* one of the two times of a stall is set */
    int awaited_bytes;        /* ACCEPTED: of its first record, once that has begun */
    int64_t active_us;        /* clock_monotonic_us of entering the state or of the last frame */
    int64_t frame_since_us;   /* the frame that is not whole began; 0: none */
    int64_t answers_since_us; /* what waits was written or last went on; 0: nothing waits */
    uint64_t queued_bytes;    /* ever given to the bufferevent */
    uint64_t taken_bytes;     /* of these by the peer, when it was looked at last */
    uint8_t *out;             /* of this turn; NULL between turns */
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

/* Those that do not get as far as GREETING. */
struct handshakes {
    int in_turn;              /* begun in this turn */
    struct conn_list refused; /* CLOSING, so that they read why; the oldest first */
    size_t refused_count;
    /* since the last report */
    unsigned int timed_out, dropped, failed;
    int64_t reported_us;
};

struct net_server {
    struct event_base *base;
    struct net_options options;
    struct worker_stats *stats;
    struct conn_list conns[CONN_STATE_COUNT];
    size_t counts[CONN_STATE_COUNT];
    size_t count;        /* all but the closed ones */
    size_t count_before; /* at the last tick */
    size_t crowd;        /* the most since memory was given back last */
    struct handshakes handshakes;
    struct conn_list watched; /* linked by in_watched */
    struct conn_list turn;
    struct conn_list spare; /* a pool, linked by in_state */
    struct event *turn_end;
    struct event *tick;
    int64_t tick_us;    /* of the last tick */
    int64_t started_us; /* likewise monotonic */
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
/* What accepted sockets inherit, by the options. */
void accept_set_terms(const struct net_server *server);
/* After a connection went: the server may have room again. */
void accept_reconsider(struct net_server *server);

/* ---- handshake.c ---- */
/* Whether one more can be accepted: fewer than connections_max have done their TLS. */
bool handshake_has_room(const struct net_server *server);
/* Takes fd. The oldest whose TLS is not done may make room for it. */
void conn_accept(struct net_server *server, int fd);
void handshake_timed_out(struct conn *conn);
/* It goes. */
void handshake_forget(struct conn *conn);
/* One line about those that came to nothing, at most one each ten seconds. */
void handshake_report(struct net_server *server, int64_t now_us);

/* ---- stall.c ---- */
/* After reading: whether whole frames were taken, and whether one is begun and not whole. */
void stall_watch_frame(struct conn *conn, bool took_any, bool is_begun);
/* So many bytes were given to the bufferevent: the socket did not take them. */
void stall_watch_answers(struct conn *conn, size_t added);
void stall_forget(struct conn *conn);
/* The process was stopped for so long. */
void stall_forgive(struct net_server *server, int64_t us);
void stall_tick(struct net_server *server, int64_t now_us);

/* ---- conn.c ---- */
void conn_set_state(struct conn *conn, enum conn_state state);
/* Bytes of answers that the socket has not taken. */
size_t conn_unsent(const struct conn *conn);
void conn_on_readable(struct bufferevent *bev, void *ctx);
void conn_on_written(struct bufferevent *bev, void *ctx);
void conn_free(struct conn *conn);
/* Work for the end of this turn. */
void conn_want_turn(struct conn *conn);
/* At the end of a turn: output, then frames that waited. */
void conn_turn(struct conn *conn);
/* The time limit of its state has passed. */
void conn_expire(struct conn *conn);
