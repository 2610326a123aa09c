/* libloyal: the client of a loyald network, for tills, shops and back offices.
 *
 * A `loyal_client` is one connection over mutual TLS with many requests in flight. It is used
 *   blocking        loyal_call() sends one request and waits for its answer; or with
 *   loyal_submit()  which queues requests whose answers come to callbacks, while the program turns
 *                   the library's loop, loyal_poll(), or drives the client from a loop of its own:
 *                   loyal_client_fd(), loyal_client_timeout_ms(), loyal_client_drive().
 * These may be mixed. All of them connect, reconnect and repeat by themselves.
 *
 * Threads: a client belongs to one thread at a time; to hand it over is the program's business.
 * Different clients are independent. loyal_client_create, loyal_key_make, loyal_code_name and
 * loyal_version may be called by any thread at any time.
 *
 * A writing request carries a key, a UUIDv7 (loyal_key_make). When the answer is unknown, because
 * the connection broke or the time was up, the library asks again under the same key; the effect
 * happens once. Keep the key with the receipt before you call, and call again with it after a
 * crash.
 *
 * Points are whole numbers; amounts are minor units (cents, pence); times are microseconds since
 * 1970-01-01T00:00:00Z; dates are yyyymmdd. Strings are UTF-8, borrowed for the call. */
#ifndef LOYAL_LOYAL_H
#define LOYAL_LOYAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <loyal/answer.h>
#include <loyal/codes.h>
#include <loyal/network.h>
#include <loyal/record.h>
#include <loyal/register.h>
#include <loyal/request.h>
#include <loyal/submit.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LOYAL_VERSION "0.1.0"

struct loyal_options {
    const char *host;             /* name or address */
    const char *port;             /* "7400" when NULL */
    const char *certificate_file; /* PEM: this terminal's, chain included */
    const char *key_file;         /* PEM */
    const char *authority_file;   /* PEM: the network's authority */
    const char *server_name;      /* expected in the server's certificate; host when NULL */
    const char
        *merchant; /* the merchant that this client believes it is; NULL or "" for an operator */
    const char *software;         /* program and version, for the server's log; may be NULL */
    uint32_t deadline_ms;         /* of a call, all repetitions included; 0: 10,000 */
    uint32_t in_flight_max;       /* 0: what the server allows; at most 65,536 */
    uint32_t connect_timeout_ms;  /* 0: 5,000 */
    uint32_t in_flight_bytes_max; /* of encoded requests, plus at most one; 0: 16 MiB */
    bool no_repeat; /* loyal_submit never repeats by itself: a broken connection gives UNKNOWN or
                       RETRY at once */
};

struct loyal_client;

/* ---- life ---- */

/* Reads the certificate files; does not connect. NULL on failure, the cause in error_out (may be
 * NULL). */
LOYAL_API struct loyal_client *loyal_client_create(const struct loyal_options *options,
                                                   char *error_out, size_t error_size);
/* Callbacks of requests still in flight are called with UNKNOWN or RETRY before it returns. Called
 * from a callback it ends the life of the answer there too. */
LOYAL_API void loyal_client_destroy(struct loyal_client **client);

/* Microseconds of the server's domain clock: Hello's, moved on by the monotonic clock. 0 before the
 * first connection. */
LOYAL_API int64_t loyal_server_time_us(const struct loyal_client *client);

/* A new key of this instant (loyal_server_time_us, or another in the server's time). */
LOYAL_API void loyal_key_make(int64_t at_us, uint8_t key_out[LOYAL_KEY_BYTES]);

/* ---- blocking ---- */

/* Connects if need be, Hello included. */
LOYAL_API enum loyal_kind loyal_connect(struct loyal_client *client,
                                        const struct loyal_answer **answer_out);

/* Sends the request and waits; repeats it under the same key, with jittered back-off, while the
 * outcome is RETRY or UNKNOWN and the deadline is not over. *answer_out is never NULL afterwards. A
 * key of zeroes in a writing request is replaced by a new one (lost with this process). */
LOYAL_API enum loyal_kind loyal_call(struct loyal_client *client,
                                     const struct loyal_request *request,
                                     const struct loyal_answer **answer_out);

/* For tests of recovery: shuts the socket down at once; what is in flight is repeated (or delivered
 * as UNKNOWN with no_repeat). */
LOYAL_API void loyal_disconnect(struct loyal_client *client);

LOYAL_API const char *loyal_code_name(enum loyal_code code);
LOYAL_API const char *loyal_version(void);

#ifdef __cplusplus
}
#endif
#endif
