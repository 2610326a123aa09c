/* What /metrics says, in Prometheus' text format. */
#pragma once

#include <event2/buffer.h>
#include <stdio.h>

#include "base/clock.h"
#include "net/shared_page.h"

/* What the admin port tells of; all borrowed. */
struct admin_source {
    struct shared_page *page;
    const struct domain_clock *clock;
    const char *version; /* "0.1.0" */
};

void metrics_print(struct evbuffer *out, const struct admin_source *source);
/* Name, type and help of each, a line each with tabs between: for --dump-metrics and the manual's
 * check. */
void metrics_list(FILE *out);
