/* libloyal: the client of a loyald network, for tills, shops and back offices.
 *
 * A `loyal_client` is one connection over mutual TLS with many requests in flight. Two ways to use
 * it, which may be mixed: blocking    loyal_call() sends one request and waits for its answer; it
 * connects, reconnects and repeats by itself. submit/poll loyal_submit() queues a request;
 * loyal_poll() moves bytes and delivers answers to callbacks. Not thread-safe: one client belongs
 * to one thread at a time; different clients are independent.
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

#ifdef __cplusplus
extern "C" {
#endif

#define LOYAL_VERSION "0.1.0"
#define LOYAL_API     __attribute__((visibility("default")))

struct loyal_options {
    const char *host;             /* name or address */
    const char *port;             /* "7400" when NULL */
    const char *certificate_file; /* PEM: this terminal's, chain included */
    const char *key_file;         /* PEM */
    const char *authority_file;   /* PEM: the network's authority */
    const char *server_name;      /* expected in the server's certificate; host when NULL */
    const char
        *merchant; /* the merchant that this client believes it is; NULL or "" for an operator */
    const char *software;        /* program and version, for the server's log; may be NULL */
    uint32_t deadline_ms;        /* of a call, all repetitions included; 0: 10,000 */
    uint32_t in_flight_max;      /* 0: what the server allows */
    uint32_t connect_timeout_ms; /* 0: 5,000 */
    bool no_repeat; /* loyal_submit never repeats by itself: a broken connection gives UNKNOWN or
                       RETRY at once */
};

struct loyal_client;

/* ---- life ---- */

/* Reads the certificate files; does not connect. NULL on failure, the cause in error_out (may be
 * NULL). */
LOYAL_API struct loyal_client *loyal_client_create(const struct loyal_options *options,
                                                   char *error_out, size_t error_size);
/* Callbacks of requests still in flight are called with UNKNOWN or RETRY before it returns. */
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

/* ---- submit and poll ---- */

/* Called exactly once for each submitted request, from loyal_poll or loyal_client_destroy, never
 * from loyal_submit. It may submit again. */
typedef void loyal_callback(void *context, const struct loyal_answer *answer);

/* Copies what it needs of the request. False when in_flight_max are in flight already: poll first.
 */
LOYAL_API bool loyal_submit(struct loyal_client *client, const struct loyal_request *request,
                            loyal_callback *callback, void *context);

/* Writes, reads, connects and repeats as needed; delivers answers. Waits at most timeout_ms for
 * something to happen (0: does not wait). Returns how many answers were delivered. */
LOYAL_API int loyal_poll(struct loyal_client *client, int timeout_ms);
/* The same for several clients at once. */
LOYAL_API int loyal_poll_many(struct loyal_client *const *clients, size_t count, int timeout_ms);

/* Requests submitted and not yet delivered; of them, unsent bytes are in the buffer while
 * loyal_unsent > 0. */
LOYAL_API size_t loyal_in_flight(const struct loyal_client *client);
LOYAL_API size_t loyal_unsent(const struct loyal_client *client);

/* For tests of recovery: shuts the socket down at once; what is in flight is repeated (or delivered
 * as UNKNOWN with no_repeat). */
LOYAL_API void loyal_disconnect(struct loyal_client *client);

LOYAL_API const char *loyal_code_name(enum loyal_code code);
LOYAL_API const char *loyal_version(void);

#ifdef __cplusplus
}
#endif
#endif
