/* What two samples of a daemon's admin port say, as tables and as a line. */
#pragma once

#include <stddef.h>

struct exposition;

struct status_daemon {
    const char *url;
    struct exposition *before, *now; /* NULL: not there then */
    char *readiness;                 /* the body of /readyz; NULL: none */
    char error[128];                 /* why now is NULL */
};

void status_forget(struct status_daemon *daemon);

/* A row a daemon; a row a worker. interval_s: between the samples. */
struct table *status_daemons(const struct status_daemon *daemons, size_t count, double interval_s);
struct table *status_workers(const struct status_daemon *daemons, size_t count, double interval_s);
/* name=value, for logs and pipes. */
void status_print_line(const struct status_daemon *daemon, double interval_s, const char *time);
