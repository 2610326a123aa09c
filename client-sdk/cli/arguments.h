/* Options that several commands share, read into the parts of a request. Each reports on stderr
 * what it does not understand, and returns an exit status. */
#pragma once

#include "cli.h"

enum { FILTER_VALUES_MAX = 20, LIMIT_DEFAULT = 50 };

/* What a filter points to. */
struct filter_values {
    const char *merchants[FILTER_VALUES_MAX], *categories[FILTER_VALUES_MAX];
};

/* By --card, --phone, --email or, where the command takes it, --ref; just once. */
int args_member(const struct cli *cli, struct loyal_member *member_out);
/* --key; else a new one of that instant, shown on stderr so that the request can be repeated. */
int args_key(const struct cli *cli, int64_t now_us, uint8_t key_out[LOYAL_KEY_BYTES]);
/* --purpose; 0 where it is not given. */
int args_purpose(const struct cli *cli, enum loyal_purpose *purpose_out);
/* All options that narrow purchases; the values live as long as the filter. */
int args_filter(struct cli *cli, struct filter_values *values, struct loyal_filter *filter_out);
/* --limit; 0: all, also for a command that takes no --limit. */
int args_limit(const struct cli *cli, int64_t *limit_out);
