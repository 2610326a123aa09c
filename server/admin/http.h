/* The admin port: /metrics, /healthz and /readyz over plain HTTP on loopback, in the master. Reads
 * the shared page alone, so it answers whatever workers and database do. */
#pragma once

#include <event2/event.h>

#include "net/shared_page.h"

struct admin_http;

/* address: "host:port". Binds at once. page: borrowed. */
struct admin_http *admin_http_create(struct event_base *base, const char *address,
                                     const struct shared_page *page, struct err *err);
void admin_http_destroy(struct admin_http **http);
