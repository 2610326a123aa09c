/* The thread that looks a name up, and what it shares with the client.
 *
 * Called by connection.c. The two hold a reference each, so that either may go first; of all the
 * rest the thread must never know. */
#include "lookup.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct lookup {
    pthread_t thread;
    pthread_mutex_t mutex;
    unsigned holders; /* under the mutex */
    int fd;           /* an eventfd, raised at the end */
    int rc;
    struct addrinfo *addresses;
    char *port; /* in the same memory as host */
    char host[];
};

static void let_go(struct lookup *lookup)
{
    pthread_mutex_lock(&lookup->mutex);
    bool last = --lookup->holders == 0;
    pthread_mutex_unlock(&lookup->mutex);
    if (!last)
        return;
    if (lookup->addresses != NULL)
        freeaddrinfo(lookup->addresses);
    pthread_mutex_destroy(&lookup->mutex);
    (void)close(lookup->fd);
    free(lookup);
}

static void *look_up(void *context)
{
    struct lookup *lookup = context;
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    lookup->rc = getaddrinfo(lookup->host, lookup->port, &hints, &lookup->addresses);
    if (lookup->rc != 0)
        lookup->addresses = NULL;
    (void)eventfd_write(lookup->fd, 1);
    let_go(lookup);
    return NULL;
}

/* The program's signals are its own threads' to handle. */
static bool thread_start(struct lookup *lookup)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&lookup->thread, NULL, look_up, lookup);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = rc;
    return rc == 0;
}

struct lookup *sdk_lookup_start(const char *host, const char *port)
{
    size_t host_size = strlen(host) + 1, port_size = strlen(port) + 1;
    struct lookup *lookup = calloc(1, sizeof *lookup + host_size + port_size);
    if (lookup == NULL)
        return NULL;
    memcpy(lookup->host, host, host_size);
    lookup->port = memcpy(lookup->host + host_size, port, port_size);
    lookup->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (lookup->fd < 0) {
        free(lookup);
        return NULL;
    }
    pthread_mutex_init(&lookup->mutex, NULL);
    lookup->holders = 2;
    if (!thread_start(lookup)) {
        int error = errno;
        lookup->holders = 1;
        let_go(lookup);
        errno = error;
        return NULL;
    }
    return lookup;
}

int sdk_lookup_fd(const struct lookup *lookup)
{
    return lookup->fd;
}

bool sdk_lookup_is_over(const struct lookup *lookup)
{
    struct pollfd poll_fd = {.fd = lookup->fd, .events = POLLIN};
    return poll(&poll_fd, 1, 0) > 0;
}

int sdk_lookup_take(struct lookup **lookup, struct addrinfo **addresses_out)
{
    struct lookup *taken = *lookup;
    pthread_join(taken->thread, NULL); /* all it has left to do is to end */
    int rc = taken->rc;
    *addresses_out = taken->addresses;
    taken->addresses = NULL;
    let_go(taken);
    *lookup = NULL;
    return rc;
}

void sdk_lookup_drop(struct lookup **lookup)
{
    if (*lookup == NULL)
        return;
    pthread_detach((*lookup)->thread);
    let_go(*lookup);
    *lookup = NULL;
}
