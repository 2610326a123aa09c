/* The client as its files share it.
 *
 * client.c makes it and takes requests; exchange.c moves them; poll.c turns the loop; call.c waits.
 * Nothing outside client-sdk/src may see it. */
#ifndef LOYAL_SDK_CLIENT_H
#define LOYAL_SDK_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "answer.h"
#include "connection.h"
#include "loyal/loyal.h"
#include "pending.h"
#include "request.h"
#include "retry.h"

#define CLIENT_PORT               "7400"
#define CLIENT_DEADLINE_MS        10000
#define CLIENT_CONNECT_TIMEOUT_MS 5000
/* In flight before the first Hello, where the options do not say. */
#define CLIENT_IN_FLIGHT  256
#define CLIENT_HELD_BYTES (16u << 20)

struct loyal_client {
    char *host;
    char *port;
    char *server_name;
    uint32_t deadline_ms;
    uint32_t in_flight_max; /* 0: the server's */
    uint32_t connect_timeout_ms;
    size_t held_bytes_max;
    bool no_repeat;

    struct message hello; /* encoded once */
    struct connection connection;
    struct pending_table pending;
    struct arena scratch; /* of encoding */
    struct answer_box boxes[2];
    struct answer_box *incoming; /* of the answer being delivered */
    struct answer_box *kept;     /* of the last blocking call */

    bool wants_connection; /* loyal_connect is waiting */
    bool waiting;          /* in a blocking call, which needs the client afterwards */
    bool turning;          /* in a turn: callbacks may not begin another */
    bool closing;          /* destroyed; when in a turn, its end frees it */
    bool fresh;            /* something was submitted that no turn has looked at */
    bool unread;           /* a turn stopped with input left in TLS's buffer */
    uint64_t delivered;    /* answers, ever */
    struct jitter jitter;
    uint32_t failures; /* connections lost in a row without an answer */
    int64_t not_before_us;
    uint64_t losses;     /* connections lost, ever */
    struct failure last; /* of the last connection lost */

    uint64_t hello_id;
    uint64_t sequence_before;      /* ids up to here belong to earlier connections */
    uint32_t server_in_flight_max; /* of the last Hello; 0: none yet */
    uint32_t server_deadline_ms_max;
    int64_t server_time_us; /* at server_time_at_us of the monotonic clock; 0: not known */
    int64_t server_time_at_us;
};

struct submission {
    const struct loyal_request *request;
    loyal_callback *callback;
    void *context;
    int64_t deadline_us;
    bool repeat;
};

/* client.c: loyal_submit with all its choices. */
loyal_ticket sdk_client_submit(struct loyal_client *client, const struct submission *submission);
/* The end of one that was destroyed. */
void sdk_client_free(struct loyal_client *client);

/* exchange.c: one turn: what these events of the socket bring, what is due, and sending. Never
 * waits. Returns how many answers were delivered. */
int sdk_exchange_turn(struct loyal_client *client, short events, int64_t now_us);
/* When the next turn is due without events; INT64_MAX: never. */
int64_t sdk_exchange_timer_us(const struct loyal_client *client);
/* Delivers everything in flight as failed and closes the connection. */
void sdk_exchange_abandon(struct loyal_client *client);

#endif
