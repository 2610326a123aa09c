/* One connection: addresses, socket, TLS, and frames in both directions. Never blocks.
 *
 * Called by exchange.c, which knows what the frames mean, and waited for by poll.c. It must never
 * repeat anything by itself: when a function here fails, the owner closes the connection. */
#ifndef LOYAL_SDK_CONNECTION_H
#define LOYAL_SDK_CONNECTION_H

#include <netdb.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "answer.h"
#include "buffer.h"
#include "lookup.h"
#include "tls.h"
#include "watch.h"

enum connection_state {
    CONNECTION_DOWN,
    CONNECTION_RESOLVING,  /* the host's name; an address needs none */
    CONNECTION_CONNECTING, /* TCP */
    CONNECTION_SECURING,   /* TLS */
    CONNECTION_GREETING,   /* Hello may be sent; its answer is awaited */
    CONNECTION_READY,
    CONNECTION_STATES,
};

struct connection {
    /* of its owner, set before it is first opened */
    struct tls tls;
    const char *host;
    const char *port;
    const char *server_name;

    enum connection_state state;
    int fd;             /* -1: none */
    struct watch watch; /* of the caller's loop; outlives the socket */
    struct lookup *lookup;
    SSL *ssl;
    struct addrinfo *addresses;
    struct addrinfo *address;    /* the one that is tried */
    int64_t deadline_us;         /* until READY */
    int64_t address_deadline_us; /* while CONNECTING */
    bool wants_write;
    bool write_broken; /* what the peer has still said is read first: it may be the reason */
    struct buffer in;
    struct buffer out;
    uint64_t put;     /* bytes of frames put into out since it was opened */
    uint64_t written; /* of them, bytes that TLS took */
};

void sdk_connection_init(struct connection *connection);
void sdk_connection_free(struct connection *connection);

/* Starts to look the host up, or to connect. False: *failure says why. */
bool sdk_connection_open(struct connection *connection, int64_t now_us, int64_t deadline_us,
                         struct failure *failure) __attribute__((warn_unused_result));
/* Between DOWN and GREETING: goes on as far as possible. */
bool sdk_connection_advance(struct connection *connection, int64_t now_us, struct failure *failure)
    __attribute__((warn_unused_result));
/* GREETING to READY: the Hello was accepted. */
void sdk_connection_accept(struct connection *connection);
/* Drops all that is in its buffers. */
void sdk_connection_close(struct connection *connection);

/* Room for one more frame of n bytes, or NULL: write first. Followed by sdk_connection_put. */
uint8_t *sdk_connection_reserve(struct connection *connection, size_t n);
void sdk_connection_put(struct connection *connection, size_t n);
/* Hands as much to the socket as it takes. That it broke is told by the next read, not here. */
bool sdk_connection_write(struct connection *connection, struct failure *failure)
    __attribute__((warn_unused_result));

enum connection_input { INPUT_NONE, INPUT_SOME, INPUT_FAILED };
/* One read of at most a TLS record. NONE: nothing is there until the socket polls readable. */
enum connection_input sdk_connection_read(struct connection *connection, struct failure *failure);
/* The next whole message of those read: SOME. Its bytes are valid until the next read. */
enum connection_input sdk_connection_next(struct connection *connection, const uint8_t **bytes_out,
                                          size_t *n_out, struct failure *failure);

/* What to poll, -1: nothing, and what for. */
int sdk_connection_fd(const struct connection *connection);
short sdk_connection_events(const struct connection *connection);
/* Tells the caller's loop of both. False: *failure says why that is not possible. */
bool sdk_connection_watch(struct connection *connection, struct failure *failure)
    __attribute__((warn_unused_result));
/* When its time is up; INT64_MAX: it has none. */
int64_t sdk_connection_timer_us(const struct connection *connection);

#endif
