/* Many requests in flight: submitting, cancelling, and whose loop moves them. Part of libloyal;
 * include <loyal/loyal.h>. */
#ifndef LOYAL_SUBMIT_H
#define LOYAL_SUBMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <loyal/answer.h>
#include <loyal/codes.h>
#include <loyal/request.h>

#ifdef __cplusplus
extern "C" {
#endif

struct loyal_client;

/* ---- submit ---- */

/* Called exactly once for each submitted request, from loyal_poll, loyal_client_drive, a blocking
 * call or loyal_client_destroy; never from loyal_submit or loyal_cancel. It may submit, cancel and
 * ask; it may destroy its client, unless a blocking call waits for that; it must not turn a loop of
 * that client (loyal_poll, loyal_client_drive, loyal_call, loyal_connect). */
typedef void loyal_callback(void *context, const struct loyal_answer *answer);

/* Names one submission for loyal_cancel; of one client no two are alike. */
typedef uint64_t loyal_ticket;

/* Not submitted, and the callback will not come: so many requests or bytes are in flight as the
 * options allow, or there is no memory, or the client is being destroyed. */
#define LOYAL_FULL ((loyal_ticket)0)

/* Copies what it needs of the request and queues it. A writing request needs a key. */
LOYAL_API loyal_ticket loyal_submit(struct loyal_client *client,
                                    const struct loyal_request *request, loyal_callback *callback,
                                    void *context);

/* How many requests loyal_submit takes now. After LOYAL_FULL there is room again when an answer was
 * delivered. */
LOYAL_API size_t loyal_room(const struct loyal_client *client);

/* Ends a request: its callback comes at the next turn with LOYAL_CODE_CANCELLED, as RETRY when
 * nothing of it was sent, else as UNKNOWN: the server may carry it out all the same, its answer is
 * dropped, and its key stays good for asking again. False: its callback has come already, or is due
 * with another outcome. */
LOYAL_API bool loyal_cancel(struct loyal_client *client, loyal_ticket ticket);

/* Requests submitted and not yet delivered; of them, unsent bytes are in the buffer while
 * loyal_unsent > 0. */
LOYAL_API size_t loyal_in_flight(const struct loyal_client *client);
LOYAL_API size_t loyal_unsent(const struct loyal_client *client);

/* ---- the library's loop ---- */

/* Writes, reads, connects and repeats as needed; delivers answers. Waits at most timeout_ms for
 * something to happen (0: does not wait). Returns how many answers were delivered. */
LOYAL_API int loyal_poll(struct loyal_client *client, int timeout_ms);
/* The same for several clients at once. */
LOYAL_API int loyal_poll_many(struct loyal_client *const *clients, size_t count, int timeout_ms);

/* ---- the caller's loop ---- */

/* Poll it for reading, and for nothing else. It stays the same from the first asking to
 * loyal_client_destroy, which closes it; sockets come and go behind it. -1: no descriptor is left,
 * errno says more. */
LOYAL_API int loyal_client_fd(struct loyal_client *client);

/* How long the loop may wait for the descriptor before it drives the client all the same; -1: for
 * ever. Ask again after every other call on this client: a submission makes it 0. */
LOYAL_API int loyal_client_timeout_ms(const struct loyal_client *client);

/* One turn of loyal_poll that never waits: call it when the descriptor is readable or the time is
 * up; at other times it does no harm. Returns how many answers were delivered. */
LOYAL_API int loyal_client_drive(struct loyal_client *client);

#ifdef __cplusplus
}
#endif
#endif
