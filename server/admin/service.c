/* Speaks sd_notify(3). Keeps no connection: each message stands alone. */
#include "admin/service.h"

#include <inttypes.h>
#include <systemd/sd-daemon.h>

#include "base/clock.h"
#include "base/log.h"

void service_init(struct service *service)
{
    uint64_t limit_us = 0;
    *service = (struct service){.ready_told = -1};
    if (sd_watchdog_enabled(0, &limit_us) > 0)
        service->watchdog_us = (int64_t)(limit_us / 3);
}

void service_tick(struct service *service, int ready, int workers, bool is_well)
{
    int64_t now_us = clock_monotonic_us();
    if (service->is_over)
        return;
    if (ready != service->ready_told)
        sd_notifyf(0, "STATUS=%d of %d workers ready", ready, workers);
    service->ready_told = ready;
    if (ready > 0 && !service->is_ready_told) {
        service->is_ready_told = true;
        sd_notify(0, "READY=1");
        log_info("ready", "workers=%d", workers);
    }
    if (service->watchdog_us && is_well && now_us >= service->next_sign_us) {
        service->next_sign_us = now_us + service->watchdog_us;
        sd_notify(0, "WATCHDOG=1");
    }
}

void service_reload_begins(const struct service *service)
{
    if (service->is_ready_told)
        sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRId64, clock_monotonic_us());
}

void service_reload_ends(const struct service *service)
{
    if (service->is_ready_told)
        sd_notify(0, "READY=1");
}

void service_stops(const struct service *service)
{
    if (!service->is_over)
        sd_notify(0, "STOPPING=1");
}

void service_becomes(struct service *service, pid_t pid)
{
    service->is_over = true;
    sd_notifyf(0, "MAINPID=%d", (int)pid);
}
