/* What the service manager (systemd) is told: ready, reloading, stopping, a line of status, signs
 * of life for its watchdog. Without one, nothing happens. Called by the master alone. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct service {
    int64_t watchdog_us; /* between two signs of life; 0: nobody waits for them */
    int64_t next_sign_us;
    int ready_told; /* workers ready, as the status line has it; -1: none told yet */
    bool is_ready_told;
    bool is_over; /* another process is the service now */
};

/* Reads what the manager asks for from the environment. */
void service_init(struct service *service);

/* Each turn of the master: `ready` of `workers` can serve; a sign of life while all is well. */
void service_tick(struct service *service, int ready, int workers, bool is_well);

void service_reload_begins(const struct service *service);
void service_reload_ends(const struct service *service);
void service_stops(const struct service *service);
/* From now on the service is that process, and this one says no more. */
void service_becomes(struct service *service, pid_t pid);
