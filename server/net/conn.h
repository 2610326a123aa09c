/* A client's connection: TLS, frames in, answers out, its pace and its end. What the frames mean is
 * the owner's business (a session). Everything here runs in the loop of one worker. */
#pragma once

#include <openssl/x509.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct conn;
struct net_server;

/* How a connection stands. Each state has one list, one time limit and the moves it allows. */
enum conn_state {
    CONN_ACCEPTED,  /* its first record is awaited; no TLS yet, which costs memory */
    CONN_HANDSHAKE, /* TLS under way */
    CONN_GREETING,  /* TLS done, the owner has not welcomed it yet */
    CONN_OPEN,
    CONN_CLOSING, /* takes no more frames; ends after its last answer has been read */
    CONN_CLOSED,  /* freed at the end of this turn of the loop */
    CONN_STATE_COUNT
};

/* The owner's side. No callback runs inside a conn_... call of the owner's. */
struct conn_handler {
    /* TLS is done; peer: the client's verified certificate, only during the call. Returns the
     * owner, or NULL to drop the connection. */
    void *(*opened)(void *ctx, struct conn *conn, X509 *peer);
    /* One frame's message, only during the call. Not called while the connection is paused. */
    void (*frame)(void *owner, const uint8_t *bytes, size_t size);
    /* The bytes are no frames: too_long says which fault. Nothing more is read. */
    void (*garbled)(void *owner, bool too_long);
    /* The connection is gone: once for each owner; afterwards neither side knows the other. */
    void (*closed)(void *owner);
};

/* From GREETING to OPEN: from now on the idle time counts. */
void conn_welcome(struct conn *conn);

/* An answer: room for size bytes, then how many were written. NULL when the connection takes no
 * more output or there is no memory. What one turn of the loop commits leaves together at its end.
 */
uint8_t *conn_reserve(struct conn *conn, size_t size);
void conn_commit(struct conn *conn, size_t size);

/* Back-pressure: from in_flight_max requests begun and not ended the connection is not read. */
void conn_request_begins(struct conn *conn);
void conn_request_ends(struct conn *conn);

/* The owner wants no frame for a while. */
void conn_pause(struct conn *conn);
void conn_resume(struct conn *conn);
/* The socket is not read for a while; the frames that are here already are still given. */
void conn_rest(struct conn *conn);
void conn_wake(struct conn *conn);

/* Ends it after all requests begun have ended and their answers have left. */
void conn_close(struct conn *conn);
/* Ends it now. */
void conn_abort(struct conn *conn);
