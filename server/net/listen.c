/* Opens the sockets that workers and the admin port accept from. Called by the master only; never
 * accepts. */
#include "net/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "config/config.h"

/* How daemons call sockets when they hand them on, beside the names of roles. */
#define BOUND "bound"
#define GIVEN "given"

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

static void add(struct listen_sockets *sockets, int fd, enum listen_origin origin)
{
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    sockets->origins[sockets->count] = origin;
    sockets->fds[sockets->count++] = fd;
}

static bool open_one(const char *address, const struct addrinfo *info,
                     struct listen_sockets *sockets, struct handed_sockets *handed, struct err *err)
{
    const char *name = BOUND;
    if (sockets->count == LISTEN_SOCKETS_MAX)
        return err_set(err, "%s: more than %d addresses", sockets->role, LISTEN_SOCKETS_MAX);
    int fd = handed_take_address(handed, info->ai_addr, &name);
    if (fd < 0)
        fd = open_socket(info);
    if (fd < 0)
        return err_set_errno(err, errno, "%s: %s cannot be bound: %s", sockets->role, address,
                             remedy_of(errno));
    add(sockets, fd, strcmp(name, BOUND) == 0 ? LISTEN_BOUND : LISTEN_GIVEN);
    return true;
}

/* any_port: a free one instead of the one that it names. */
static bool open_address(const char *address, bool any_port, struct listen_sockets *sockets,
                         struct handed_sockets *handed, struct err *err)
{
    char host[256], port[6];
    struct addrinfo *found = NULL;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    if (!config_split_address(address, host, port))
        return err_set(err, "%s: %s is no host:port", sockets->role, address);
    int result = getaddrinfo(host, any_port ? "0" : port, &hints, &found);
    if (result != 0)
        return err_set(err, "%s: %s: %s", sockets->role, address, gai_strerror(result));
    bool good = true;
    for (struct addrinfo *info = found; good && info; info = info->ai_next)
        good = open_one(address, info, sockets, handed, err);
    freeaddrinfo(found);
    return good;
}

static bool take_named(struct listen_sockets *sockets, struct handed_sockets *handed,
                       struct err *err)
{
    int fd;
    while (sockets->count < LISTEN_SOCKETS_MAX &&
           (fd = handed_take_name(handed, sockets->role)) >= 0) {
        add(sockets, fd, LISTEN_NAMED);
        if (sd_is_socket_inet(fd, AF_UNSPEC, SOCK_STREAM, 1, 0) <= 0)
            return err_set(err,
                           "LISTEN_FDS: the socket called %s is no listening TCP socket: see "
                           "ListenStream= of its unit",
                           sockets->role);
    }
    return true;
}

bool listen_check(char *const *addresses, size_t count, struct err *err)
{
    struct listen_sockets sockets = {.role = "listen"};
    struct handed_sockets none = {0};
    bool is_good = true;
    for (size_t i = 0; is_good && i < count; i++)
        is_good = open_address(addresses[i], true, &sockets, &none, err);
    listen_close(&sockets);
    return is_good;
}

bool listen_open(struct listen_sockets *sockets, char *const *addresses, size_t count,
                 struct handed_sockets *handed, struct err *err)
{
    bool good = take_named(sockets, handed, err);
    bool is_named = sockets->count > 0;
    for (size_t i = 0; good && !is_named && i < count; i++)
        good = open_address(addresses[i], false, sockets, handed, err);
    if (!good)
        listen_close(sockets);
    return good;
}

void listen_close(struct listen_sockets *sockets)
{
    while (sockets->count > 0)
        close(sockets->fds[--sockets->count]);
}

void listen_shut(const struct listen_sockets *sockets)
{
    for (size_t i = 0; i < sockets->count; i++) {
        if (sockets->origins[i] == LISTEN_BOUND)
            shutdown(sockets->fds[i], SHUT_RDWR);
    }
}

const char *listen_name(const struct listen_sockets *sockets, size_t i)
{
    switch (sockets->origins[i]) {
    case LISTEN_NAMED: return sockets->role;
    case LISTEN_GIVEN: return GIVEN;
    case LISTEN_BOUND: break;
    }
    return BOUND;
}
