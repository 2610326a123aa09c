/* The process of the admin port: /metrics, /healthz and /readyz over plain HTTP on loopback. It
 * reads the shared page and holds no keys: whatever is sent to it, or becomes of it, the master,
 * which starts it again, does not notice. */
#pragma once

#include "admin/metrics.h"
#include "net/listen.h"

/* What the master tells it by. Signals that a whole group is sent to end it are none of its
 * business: it tells how the others end. */
#define ADMIN_STOP SIGUSR1 /* accept no more; who was accepted is still answered */
#define ADMIN_END  SIGQUIT

/* Serves until ADMIN_END; the process's exit status. sockets: already listening. */
int admin_run(const struct listen_sockets *sockets, const struct admin_source *source);
