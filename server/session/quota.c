/* Owns the look-ups left to each terminal: a bucket that refills evenly. Called by target.c. */
#include "session/quota.h"

#include <stdlib.h>

#define HASH_NONFATAL_OOM 1 /* what was not added has no table */
#include <uthash.h>

#define MINUTE_US INT64_C(60000000)

struct bucket {
    int32_t terminal_id;
    int64_t full_at_us[QUOTA_KINDS]; /* the instant from which on it is full */
    UT_hash_handle hh;
};

struct quota {
    int64_t each_us;        /* in which one look-up comes back */
    struct bucket *buckets; /* one for each terminal that ever looked up */
};

struct quota *quota_create(int lookups_a_minute)
{
    struct quota *quota = calloc(1, sizeof *quota);
    if (quota)
        quota_set(quota, lookups_a_minute);
    return quota;
}

void quota_set(struct quota *quota, int lookups_a_minute)
{
    quota->each_us = MINUTE_US / lookups_a_minute;
}

void quota_destroy(struct quota **quota)
{
    struct bucket *bucket, *next;
    if (!*quota)
        return;
    HASH_ITER (hh, (*quota)->buckets, bucket, next) {
        HASH_DEL((*quota)->buckets, bucket); /* NOLINT(clang-analyzer-unix.Malloc): the last one */
        free(bucket);
    }
    free(*quota);
    *quota = NULL;
}

/* NULL without memory. */
static struct bucket *bucket_of_terminal(struct quota *quota, int32_t terminal_id)
{
    struct bucket *bucket;
    HASH_FIND_INT(quota->buckets, &terminal_id, bucket);
    if (bucket)
        return bucket;
    bucket = calloc(1, sizeof *bucket);
    if (bucket) {
        bucket->terminal_id = terminal_id;
        HASH_ADD_INT(quota->buckets, terminal_id, bucket);
    }
    if (bucket && !bucket->hh.tbl) {
        free(bucket);
        return NULL;
    }
    return bucket;
}

bool quota_has(struct quota *quota, int32_t terminal_id, enum quota_kind kind, int64_t now_us)
{
    const struct bucket *bucket = bucket_of_terminal(quota, terminal_id);
    int64_t from_us =
        bucket && bucket->full_at_us[kind] > now_us ? bucket->full_at_us[kind] : now_us;
    return bucket && from_us + quota->each_us <= now_us + MINUTE_US;
}

bool quota_take(struct quota *quota, int32_t terminal_id, enum quota_kind kind, int64_t now_us)
{
    if (!quota_has(quota, terminal_id, kind, now_us))
        return false;
    int64_t *full_at_us = &bucket_of_terminal(quota, terminal_id)->full_at_us[kind];
    *full_at_us = (*full_at_us > now_us ? *full_at_us : now_us) + quota->each_us;
    return true;
}
