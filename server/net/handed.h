/* Listening sockets that another process has opened for this one: systemd's socket units, or the
 * daemon that this one succeeds (sd_listen_fds(3)). They are taken by name or by address; what
 * nobody takes is closed. */
#pragma once

#include <stddef.h>
#include <sys/socket.h>

#include "base/err.h"

#define HANDED_MAX 80

struct handed_sockets {
    int fds[HANDED_MAX]; /* -1: taken */
    char *names[HANDED_MAX];
    size_t count;
};

/* Reads the environment and empties it of them, so that no child takes them for its own. */
bool handed_receive(struct handed_sockets *handed_out, struct err *err) must_check;

/* The next of that name, or -1. */
int handed_take_name(struct handed_sockets *handed, const char *name);
/* One that listens there, or -1; *name_out: as it was called, until handed_close. */
int handed_take_address(struct handed_sockets *handed, const struct sockaddr *address,
                        const char **name_out);

/* Closes and tells what nobody took. */
void handed_close(struct handed_sockets *handed);

/* In a process about to execute another program: hands it these sockets as descriptors 3 and
 * following. Nothing else stays open but the standard files. */
bool handed_pass(const int *fds, const char *const *names, size_t count);
