/* Reads what the admin port says. Called by `loyalctl status`; knows names only as its callers give
 * them. */
#include "exposition.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct sample {
    const char *name, *labels; /* labels without braces, "" for none */
    double value;
};

struct exposition {
    char *text;
    struct sample *samples;
    size_t count, room;
};

static bool sample_add(struct exposition *page, const struct sample *sample)
{
    if (page->count == page->room) {
        size_t room = page->room ? 2 * page->room : 512;
        struct sample *grown = realloc(page->samples, room * sizeof *grown);

        if (!grown)
            return false;
        page->samples = grown;
        page->room = room;
    }
    page->samples[page->count++] = *sample;
    return true;
}

/* "name{labels} value" or "name value"; no label of ours holds a blank or a brace. */
static bool line_take(struct exposition *page, char *line)
{
    struct sample sample = {.name = line, .labels = ""};
    char *blank = strchr(line, ' '), *end;

    if (!blank)
        return false;
    *blank = '\0';
    sample.value = strtod(blank + 1, &end);
    if (end == blank + 1 || *end != '\0')
        return false;
    line[strcspn(line, "{")] = '\0';
    if (line + strlen(line) < blank) {
        sample.labels = line + strlen(line) + 1;
        if (blank[-1] != '}')
            return false;
        blank[-1] = '\0';
    }
    return sample_add(page, &sample);
}

struct exposition *exposition_create(char *text_take)
{
    struct exposition *page = calloc(1, sizeof *page);
    char *rest = text_take, *line;

    if (!page) {
        free(text_take);
        return NULL;
    }
    page->text = text_take;
    while ((line = strsep(&rest, "\n")))
        if (line[0] != '#' && line[0] != '\0' && !line_take(page, line)) {
            exposition_destroy(&page);
            return NULL;
        }
    return page;
}

void exposition_destroy(struct exposition **page)
{
    if (!*page)
        return;
    free((*page)->samples);
    free((*page)->text);
    free(*page);
    *page = NULL;
}

static bool fits(const struct sample *sample, const char *name, const char *label)
{
    return strcmp(sample->name, name) == 0 && (!label || strstr(sample->labels, label));
}

double exposition_sum(const struct exposition *page, const char *name, const char *label)
{
    double sum = 0;
    bool found = false;

    for (size_t i = 0; page && i < page->count; i++)
        if (fits(&page->samples[i], name, label)) {
            found = true;
            sum += page->samples[i].value;
        }
    return found ? sum : NAN;
}

double exposition_growth(const struct exposition *before, const struct exposition *now,
                         const char *name, const char *label)
{
    double growth = exposition_sum(now, name, label) - exposition_sum(before, name, label);

    return growth >= 0 ? growth : NAN;
}

static double bound_of(const struct sample *bucket)
{
    const char *at = strstr(bucket->labels, "le=\"");

    return at ? strtod(at + 4, NULL) : NAN; /* it reads +Inf, too */
}

/* How many observations of the bucket are new. Pages of one daemon have the same labels. */
static double bucket_growth(const struct exposition *before, const struct sample *bucket)
{
    for (size_t i = 0; before && i < before->count; i++)
        if (fits(&before->samples[i], bucket->name, NULL) &&
            strcmp(before->samples[i].labels, bucket->labels) == 0)
            return bucket->value - before->samples[i].value;
    return bucket->value;
}

double exposition_quantile(const struct exposition *before, const struct exposition *now,
                           const char *histogram, const char *label, double quantile)
{
    char name[96];
    double low = 0, below = 0, total;

    snprintf(name, sizeof name, "%s_count", histogram);
    total = exposition_sum(now, name, label) - (before ? exposition_sum(before, name, label) : 0);
    snprintf(name, sizeof name, "%s_bucket", histogram);
    if (!(total > 0))
        return NAN;
    for (size_t i = 0; i < now->count; i++) {
        double high = bound_of(&now->samples[i]), upto;

        if (!fits(&now->samples[i], name, label))
            continue;
        upto = bucket_growth(before, &now->samples[i]);
        if (upto >= quantile * total)
            return isinf(high) ? low
                               : low + (high - low) * (quantile * total - below) / (upto - below);
        low = high;
        below = upto;
    }
    return NAN;
}
