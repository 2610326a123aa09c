/* A page of Prometheus' text format, as the daemon's admin port writes it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct exposition;

/* Takes the malloc'ed text. NULL: out of memory, or a line that is no sample. */
struct exposition *exposition_create(char *text_take);
void exposition_destroy(struct exposition **page);

/* The samples of that name added up. label, such as process="worker1", narrows them; NULL: all.
 * NaN when there is none. */
double exposition_sum(const struct exposition *page, const char *name, const char *label);
/* How much it grew from one page to the next; NaN where there is no page before, or the counter
 * began anew. */
double exposition_growth(const struct exposition *before, const struct exposition *now,
                         const char *name, const char *label);
/* Of what a histogram observed between two pages (before NULL: ever), as Prometheus'
 * histogram_quantile reckons it. NaN: nothing. */
double exposition_quantile(const struct exposition *before, const struct exposition *now,
                           const char *histogram, const char *label, double quantile);
