/* The admin port: /metrics, /healthz and /readyz over plain HTTP on loopback, in the master. */
#pragma once

#include <event2/event.h>

#include "admin/metrics.h"

struct admin_http;

/* address: "host:port". Binds at once. */
struct admin_http *admin_http_create(struct event_base *base, const char *address,
                                     const struct admin_source *source, struct err *err);
void admin_http_destroy(struct admin_http **http);
