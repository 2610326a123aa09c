/* Opens the sockets that workers accept from. Called by the master only; never accepts. */
#include "net/listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "config/config.h"

static int open_socket(const struct addrinfo *info)
{
    int on = 1;
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        (info->ai_family != AF_INET6 ||
         setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) == 0) &&
        bind(fd, info->ai_addr, info->ai_addrlen) == 0 && listen(fd, SOMAXCONN) == 0)
        return fd;
    int code = errno;
    close(fd);
    errno = code;
    return -1;
}

static const char *remedy_of(int code)
{
    switch (code) {
    case EADDRINUSE: return "another program has the port: stop it or change the option";
    case EACCES: return "ports below 1024 need root or CAP_NET_BIND_SERVICE";
    case EADDRNOTAVAIL: return "this machine has no such address";
    default: return "see the system's message";
    }
}

/* any_port: a free one instead of the one that it names. */
static bool open_address(const char *address, bool any_port, struct listen_sockets *sockets,
                         struct err *err)
{
    char host[256], port[6];
    struct addrinfo *found = NULL;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    if (!config_split_address(address, host, port))
        return err_set(err, "listen: %s is no host:port", address);
    int result = getaddrinfo(host, any_port ? "0" : port, &hints, &found);
    if (result != 0)
        return err_set(err, "listen: %s: %s", address, gai_strerror(result));
    bool good = true;
    for (struct addrinfo *info = found; good && info; info = info->ai_next) {
        int fd = sockets->count < LISTEN_SOCKETS_MAX ? open_socket(info) : -1;
        if (fd >= 0)
            sockets->fds[sockets->count++] = fd;
        else
            good = err_set_errno(err, errno, "listen: %s cannot be bound: %s", address,
                                 remedy_of(errno));
    }
    freeaddrinfo(found);
    return good;
}

bool listen_open(char *const *addresses, size_t count, struct listen_sockets *sockets_out,
                 struct err *err)
{
    *sockets_out = (struct listen_sockets){0};
    for (size_t i = 0; i < count; i++) {
        if (!open_address(addresses[i], false, sockets_out, err)) {
            listen_close(sockets_out);
            return false;
        }
    }
    return true;
}

bool listen_check(char *const *addresses, size_t count, struct err *err)
{
    struct listen_sockets sockets = {0};
    bool is_good = true;
    for (size_t i = 0; is_good && i < count; i++)
        is_good = open_address(addresses[i], true, &sockets, err);
    listen_close(&sockets);
    return is_good;
}

void listen_close(struct listen_sockets *sockets)
{
    while (sockets->count > 0)
        close(sockets->fds[--sockets->count]);
}

void listen_shut(const struct listen_sockets *sockets)
{
    for (size_t i = 0; i < sockets->count; i++)
        shutdown(sockets->fds[i], SHUT_RDWR);
}
