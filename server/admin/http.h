/* The admin port: /metrics, /healthz and /readyz over plain HTTP on loopback, in the master. */
#pragma once

#include <event2/event.h>

#include "admin/metrics.h"
#include "net/listen.h"

struct admin_http;

/* sockets: already listening; stay the caller's. */
struct admin_http *admin_http_create(struct event_base *base, const struct listen_sockets *sockets,
                                     const struct admin_source *source, struct err *err);
/* Accepts no more; who was accepted is still answered. */
void admin_http_stop(struct admin_http *http);
void admin_http_destroy(struct admin_http **http);
