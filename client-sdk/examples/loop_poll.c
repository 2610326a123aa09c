/* libloyal in a poll(2) loop of the program's own, beside other work: see feed.h. */
#include <poll.h>

#include "feed.h"

static void run(struct feed *feed)
{
    while (!feed_is_over(feed)) {
        struct pollfd fds[] = {
            {.fd = loyal_client_fd(feed->client), .events = POLLIN},
            {.fd = feed_wants_input(feed) ? STDIN_FILENO : -1, .events = POLLIN},
        };
        poll(fds, 2, loyal_client_timeout_ms(feed->client));
        loyal_client_drive(feed->client); /* never waits; answers come to the callbacks */
        if (fds[1].revents != 0)
            feed_read(feed);
        feed_submit(feed); /* and the time-out is 0 */
    }
}

int main(void)
{
    struct feed feed;
    if (!feed_open(&feed))
        return 2;
    run(&feed);
    return feed_close(&feed);
}
