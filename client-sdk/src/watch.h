/* What a caller's loop waits for: one descriptor that stays the same while sockets come and go
 * behind it. An epoll instance, made when it is first asked for.
 *
 * Called by connection.c and poll.c. Whoever closes a descriptor must forget it here first: a
 * forked child may keep it open, and its number comes back. */
#ifndef LOYAL_SDK_WATCH_H
#define LOYAL_SDK_WATCH_H

#include <stdbool.h>

struct watch {
    int fd; /* of epoll; -1: nobody has asked */
    int watched;
    short events; /* that it is watched for */
};

void sdk_watch_init(struct watch *watch);
void sdk_watch_free(struct watch *watch);

/* -1: errno says why. */
int sdk_watch_open(struct watch *watch);
/* Watches this one descriptor, -1: none, for these of poll(2)'s events. False: it cannot; errno. */
bool sdk_watch_set(struct watch *watch, int fd, short events) __attribute__((warn_unused_result));
void sdk_watch_forget(struct watch *watch, int fd);
/* Which of poll(2)'s events are there now. Never waits. While nobody has asked for the descriptor,
 * both: to try is the one way to know. */
short sdk_watch_ready(const struct watch *watch);

#endif
