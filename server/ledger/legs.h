/* The journal's form of legs: eight bigints a leg, times counted from 2000-01-01Z as PostgreSQL
 * counts them. The store writes and reads this form; the chain covers it. */
#pragma once

#include "base/epoch.h"
#include "ledger/journal.h"

#define LEG_VALUES 8

/* values_out: LEG_VALUES for each leg, in order. */
void ledger_legs_encode(const struct leg *legs, size_t count, int64_t *values_out);
void ledger_leg_decode(const int64_t values[LEG_VALUES], struct leg *out);
