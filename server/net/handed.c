/* See handed.h. Called by main at start and by the upgrade. Never binds and never accepts. */
#include "net/handed.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/log.h"

bool handed_receive(struct handed_sockets *handed_out, struct err *err)
{
    char **names = NULL;
    int count = sd_listen_fds_with_names(1, &names);
    *handed_out = (struct handed_sockets){0};
    for (int i = 0; i < count; i++) {
        int fd = SD_LISTEN_FDS_START + i;
        if (i < HANDED_MAX) {
            handed_out->fds[i] = fd;
            handed_out->names[i] = names[i];
            handed_out->count++;
        } else {
            close(fd);
            free(names[i]);
        }
    }
    free(names);
    if (count > HANDED_MAX)
        return err_set(err, "LISTEN_FDS: %d sockets, at most %d can be taken", count, HANDED_MAX);
    return count >= 0 || err_set(err, "LISTEN_FDS: %s", strerror(-count));
}

static int take(struct handed_sockets *handed, size_t i)
{
    int fd = handed->fds[i];
    handed->fds[i] = -1;
    return fd;
}

int handed_take_name(struct handed_sockets *handed, const char *name)
{
    for (size_t i = 0; i < handed->count; i++) {
        if (handed->fds[i] >= 0 && strcmp(handed->names[i], name) == 0)
            return take(handed, i);
    }
    return -1;
}

static bool listens_at(int fd, const struct sockaddr *address)
{
    size_t size =
        address->sa_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    return sd_is_socket_sockaddr(fd, SOCK_STREAM, address, (unsigned)size, 1) > 0;
}

int handed_take_address(struct handed_sockets *handed, const struct sockaddr *address,
                        const char **name_out)
{
    for (size_t i = 0; i < handed->count; i++) {
        if (handed->fds[i] >= 0 && listens_at(handed->fds[i], address)) {
            *name_out = handed->names[i];
            return take(handed, i);
        }
    }
    return -1;
}

void handed_close(struct handed_sockets *handed)
{
    for (size_t i = 0; i < handed->count; i++) {
        if (handed->fds[i] >= 0) {
            log_warning("socket_unused",
                        "name=%s remedy=\"its address or its name must be that of listen or "
                        "admin_listen\"",
                        handed->names[i]);
            close(handed->fds[i]);
        }
        free(handed->names[i]);
    }
    *handed = (struct handed_sockets){0};
}

static void tell(const char *variable, long value)
{
    char text[24];
    snprintf(text, sizeof text, "%ld", value);
    setenv(variable, text, 1);
}

bool handed_pass(const int *fds, const char *const *names, size_t count)
{
    int above[HANDED_MAX], first_free = SD_LISTEN_FDS_START + (int)count;
    char all[HANDED_MAX * 16] = "";
    if (count > HANDED_MAX)
        return false;
    for (size_t i = 0; i < count; i++) { /* first out of the way of each other */
        above[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, first_free);
        if (above[i] < 0)
            return false;
        snprintf(all + strlen(all), sizeof all - strlen(all), "%s%s", i ? ":" : "", names[i]);
    }
    for (size_t i = 0; i < count; i++) {
        if (dup2(above[i], SD_LISTEN_FDS_START + (int)i) < 0)
            return false;
    }
    tell("LISTEN_PID", getpid());
    tell("LISTEN_FDS", (long)count);
    setenv("LISTEN_FDNAMES", all, 1);
    return close_range((unsigned)first_free, ~0U, 0) == 0;
}
