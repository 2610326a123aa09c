/* libloyal in a libevent loop, beside other work: see feed.h. At SIGINT it cancels what is in
 * flight, says of each whether it may have been booked, and ends. */
#include <event2/event.h>
#include <signal.h>

#include "feed.h"

struct loop {
    struct event_base *base;
    struct event *client, *input, *interrupt;
    struct feed feed;
};

/* After whatever happened: what the loop waits for next. */
static void wait_for(struct loop *loop)
{
    feed_submit(&loop->feed);
    int ms = loyal_client_timeout_ms(loop->feed.client);
    struct timeval time = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000L};
    if (ms >= 0)
        event_add(loop->client, &time);
    else
        event_remove_timer(loop->client);
    if (feed_wants_input(&loop->feed))
        event_add(loop->input, NULL);
    else
        event_del(loop->input);
    if (feed_is_over(&loop->feed))
        event_base_loopbreak(loop->base);
}

static void on_client(evutil_socket_t fd, short what, void *context)
{
    struct loop *loop = context;
    (void)fd;
    (void)what; /* readable, or the time is up: it is all the same */
    loyal_client_drive(loop->feed.client);
    wait_for(loop);
}

static void on_input(evutil_socket_t fd, short what, void *context)
{
    struct loop *loop = context;
    (void)fd;
    (void)what;
    feed_read(&loop->feed);
    wait_for(loop);
}

static void on_interrupt(evutil_socket_t number, short what, void *context)
{
    struct loop *loop = context;
    struct purchase *purchase;
    (void)number;
    (void)what;
    loop->feed.ended = true;
    loop->feed.size = 0;
    TAILQ_FOREACH (purchase, &loop->feed.in_flight, entry)
        loyal_cancel(loop->feed.client, purchase->ticket); /* its callback comes later */
    wait_for(loop);
    if (!loop->feed.connected)
        event_base_loopbreak(loop->base);
}

int main(void)
{
    struct loop loop;
    if (!feed_open(&loop.feed))
        return 2;
    /* The descriptor stays the same, however often the client reconnects. */
    loop.base = event_base_new();
    loop.client = event_new(loop.base, loyal_client_fd(loop.feed.client), EV_READ | EV_PERSIST,
                            on_client, &loop);
    loop.input = event_new(loop.base, STDIN_FILENO, EV_READ | EV_PERSIST, on_input, &loop);
    loop.interrupt = evsignal_new(loop.base, SIGINT, on_interrupt, &loop);
    event_add(loop.client, NULL);
    event_add(loop.interrupt, NULL);
    wait_for(&loop);
    event_base_dispatch(loop.base);
    event_free(loop.interrupt);
    event_free(loop.input);
    event_free(loop.client);
    event_base_free(loop.base);
    return feed_close(&loop.feed);
}
