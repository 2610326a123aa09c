/* What /healthz and /readyz say. */
#pragma once

#include <event2/buffer.h>

#include "net/shared_page.h"

#define HEALTH_BEAT_S 10 /* who has not turned its loop for so long hangs */

/* Who does not turn his loop and must: the master, or at least one worker. NULL: all is well. */
const char *health_who_hangs(const struct shared_page *page);
/* Whether some worker serves; to out, as JSON: the daemon, and each worker with its reason. */
bool health_print_ready(struct evbuffer *out, const struct shared_page *page);
