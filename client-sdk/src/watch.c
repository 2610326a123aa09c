/* The epoll instance behind loyal_client_fd.
 *
 * Called by connection.c and poll.c. It must never wait. */
#include "watch.h"

#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

_Static_assert(EPOLLIN == POLLIN && EPOLLOUT == POLLOUT && EPOLLERR == POLLERR &&
                   EPOLLHUP == POLLHUP,
               "the events of epoll are those of poll");

void sdk_watch_init(struct watch *watch)
{
    *watch = (struct watch){.fd = -1, .watched = -1};
}

void sdk_watch_free(struct watch *watch)
{
    if (watch->fd >= 0)
        (void)close(watch->fd);
    sdk_watch_init(watch);
}

int sdk_watch_open(struct watch *watch)
{
    if (watch->fd < 0)
        watch->fd = epoll_create1(EPOLL_CLOEXEC);
    return watch->fd;
}

bool sdk_watch_set(struct watch *watch, int fd, short events)
{
    struct epoll_event event = {.events = (uint32_t)events};
    if (watch->fd < 0 || (watch->watched == fd && watch->events == events))
        return true;
    if (watch->watched != fd)
        sdk_watch_forget(watch, watch->watched);
    int action = watch->watched == fd ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    if (fd >= 0 && epoll_ctl(watch->fd, action, fd, &event) != 0)
        return false;
    watch->watched = fd;
    watch->events = events;
    return true;
}

void sdk_watch_forget(struct watch *watch, int fd)
{
    if (fd < 0 || watch->watched != fd)
        return;
    (void)epoll_ctl(watch->fd, EPOLL_CTL_DEL, fd, NULL);
    watch->watched = -1;
}

short sdk_watch_ready(const struct watch *watch)
{
    struct epoll_event event = {0};
    if (watch->fd < 0)
        return POLLIN | POLLOUT;
    return epoll_wait(watch->fd, &event, 1, 0) > 0 ? (short)event.events : 0;
}
