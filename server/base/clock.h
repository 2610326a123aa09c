/* Domain time: the time of keys, windows, expiry and grants. Real and monotonic time (TLS,
 * deadlines, back-off, leases, logs) come from clock_real_us and clock_monotonic_us. Microseconds
 * since 1970-01-01T00:00:00Z. */
#pragma once

#include <stdint.h>

#include "base/err.h"

struct domain_clock;

/* spec: "system", or "file:PATH" (development only): 8 bytes of microseconds, host byte order,
 * mapped by every process; whoever writes it never goes back. Create it before forking. NULL and
 * *err on failure. */
struct domain_clock *domain_clock_create(const char *spec, struct err *err);
void domain_clock_destroy(struct domain_clock **clock);

int64_t domain_clock_us(const struct domain_clock *clock);

int64_t clock_real_us(void);
int64_t clock_monotonic_us(void);
