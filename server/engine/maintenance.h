/* The maintenance process: partitions ahead, expiry entries, refusals that are old enough to go. It
 * works under a lease row, so that of several daemons one does, and as a role with an owner's
 * rights; tills never wait for it. */
#pragma once

#include "base/clock.h"
#include "base/stats.h"
#include "ledger/ledger.h"

struct maintenance_options {
    const char *conninfo; /* libpq's, of the maintenance role */
    const struct domain_clock *clock;
    int partitions_ahead; /* quarters made ahead of the domain clock */
    int refusal_days;     /* that recorded refusals are kept */
    const char *holder;   /* of the lease: who this process is, unique among daemons */
    struct ledger_terms terms;
    struct maintenance_stats *stats; /* in the page that all processes share */
};

/* Works until SIGTERM or SIGINT; the process's exit status. */
int maintenance_run(const struct maintenance_options *options);
