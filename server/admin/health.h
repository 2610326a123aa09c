/* What /healthz and /readyz say. */
#pragma once

#include <event2/buffer.h>

#include "net/shared_page.h"

#define HEALTH_BEAT_S 10 /* a worker that has not turned its loop for so long hangs */

/* Whether at least one worker turns its loop. */
bool health_is_alive(const struct shared_page *page);
/* Whether some worker serves; to out, as JSON: the daemon, and each worker with its reason. */
bool health_print_ready(struct evbuffer *out, const struct shared_page *page);
