/* A file of purchases in memory, as `loyalctl replay` and `replay setup` want it: rows in file
 * order, grouped by day, with members, merchants and stores numbered. Owned by replay_data.c. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct replay_row {
    int64_t seq, event_us;
    int64_t amount_minor;
    uint32_t date; /* yyyymmdd, local */
    uint32_t member, merchant, store;
    bool refund;
    bool has_original;
    size_t original; /* index of a row */
    const char *category;
    const char *txn_id;
};

struct replay_store {
    uint32_t merchant;
    const char *code;
};

struct replay_day {
    uint32_t date;
    size_t first, count;
    int64_t end_us; /* 23:59:59 local time */
};

struct replay_data {
    struct replay_row *rows;
    size_t row_count;
    struct replay_day *days;
    size_t day_count;
    const char **merchants; /* codes */
    size_t merchant_count;
    const char **members; /* card numbers */
    size_t member_count;
    struct replay_store *stores;
    size_t store_count;
    struct replay_pool *pool;
};

/* zone: of event_time, as in /usr/share/zoneinfo; it becomes this process's TZ. False: the cause in
 * error_out. */
__attribute__((warn_unused_result)) bool replay_data_load(struct replay_data *data,
                                                          const char *path, const char *zone,
                                                          char *error_out, size_t error_size);
void replay_data_free(struct replay_data *data);
