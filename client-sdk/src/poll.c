/* Who turns the loop: the library with one poll(2), for one client or many, or the caller's own.
 *
 * Public functions; call.c turns the loop through here too. All of them come to the same turn. It
 * must never wait longer than the first timer of any client. */
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>

#include "client.h"

#define POLL_ON_STACK 256

static int ms_until(int64_t timer_us, int64_t now_us, int timeout_ms)
{
    if (timer_us == INT64_MAX)
        return timeout_ms;
    int64_t ms = timer_us > now_us ? (timer_us - now_us + 999) / 1000 : 0;
    if (timeout_ms >= 0 && ms > timeout_ms)
        return timeout_ms;
    return ms > INT_MAX ? INT_MAX : (int)ms;
}

static void turn_begin(struct loyal_client *client)
{
    assert(!client->turning && !client->closing);
    client->turning = true;
}

/* A client that a callback destroyed goes here. */
static void turn_end(struct loyal_client *client)
{
    client->turning = false;
    if (client->closing)
        sdk_client_free(client);
}

/* ---- the caller's loop ---- */

int loyal_client_fd(struct loyal_client *client)
{
    struct watch *watch = &client->connection.watch;
    if (watch->fd < 0)
        client->fresh = true; /* the next turn watches the socket that may be there already */
    return sdk_watch_open(watch);
}

int loyal_client_timeout_ms(const struct loyal_client *client)
{
    return ms_until(sdk_exchange_timer_us(client), sdk_now_us(), -1);
}

int loyal_client_drive(struct loyal_client *client)
{
    turn_begin(client);
    short events = sdk_watch_ready(&client->connection.watch);
    int delivered = sdk_exchange_turn(client, events, sdk_now_us());
    turn_end(client);
    return delivered;
}

/* ---- the library's ---- */

/* One turn to prepare what is waited for, and one with what came. */
static int turn(struct loyal_client *const *clients, struct pollfd *fds, size_t count,
                int timeout_ms)
{
    int64_t now_us = sdk_now_us();
    int delivered = 0;
    for (size_t i = 0; i < count; i++)
        turn_begin(clients[i]);
    for (size_t i = 0; i < count; i++)
        delivered += sdk_exchange_turn(clients[i], 0, now_us);
    int wait_ms = delivered > 0 ? 0 : timeout_ms;
    for (size_t i = 0; i < count; i++) {
        const struct connection *connection = &clients[i]->connection;
        fds[i] = (struct pollfd){.fd = sdk_connection_fd(connection),
                                 .events = sdk_connection_events(connection)};
        wait_ms = ms_until(sdk_exchange_timer_us(clients[i]), now_us, wait_ms);
    }
    int ready = poll(fds, count, wait_ms);
    assert(ready >= 0 || errno == EINTR || errno == ENOMEM);
    if (wait_ms != 0)
        now_us = sdk_now_us();
    for (size_t i = 0; i < count; i++)
        delivered += sdk_exchange_turn(clients[i], ready > 0 ? fds[i].revents : 0, now_us);
    for (size_t i = 0; i < count; i++)
        turn_end(clients[i]);
    return delivered;
}

int loyal_poll_many(struct loyal_client *const *clients, size_t count, int timeout_ms)
{
    struct pollfd stack[POLL_ON_STACK];
    if (count <= POLL_ON_STACK)
        return turn(clients, stack, count, timeout_ms);
    struct pollfd *fds = calloc(count, sizeof *fds);
    if (fds != NULL) {
        int delivered = turn(clients, fds, count, timeout_ms);
        free(fds);
        return delivered;
    }
    /* Without memory a part at a time, without waiting for any. */
    int delivered = 0;
    for (size_t i = 0; i < count; i += POLL_ON_STACK) {
        size_t n = count - i < POLL_ON_STACK ? count - i : POLL_ON_STACK;
        delivered += turn(clients + i, stack, n, 0);
    }
    return delivered;
}

int loyal_poll(struct loyal_client *client, int timeout_ms)
{
    return loyal_poll_many(&client, 1, timeout_ms);
}
