/* The network's time zone: days of an instant, and the instants at which days begin. Uses the C
 * library's zone tables through the process's TZ, which zone_init sets; a process has one. */
#pragma once

#include <stdint.h>

#include "base/err.h"

/* name: of the IANA data base, such as "Europe/London". Fails when the system does not know it.
 * Call once, before other threads or forks. */
bool zone_init(const char *name, struct err *err) must_check;

/* The day of an instant as yyyymmdd. */
int32_t zone_day(int64_t at_us);

/* The instant at which the day after (the day of at_us + months) begins; month ends clamp (R19): 31
 * Jan + 1 month gives 1 March 00:00 (or 29 Feb + 1). */
int64_t zone_end_of_day_after_months(int64_t at_us, int months);

/* The instant at which a day (yyyymmdd) begins. */
int64_t zone_day_begin(int32_t day);
