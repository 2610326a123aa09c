/* What operators add and list: merchants, their stores, terminals and rates. Part of libloyal;
 * include <loyal/loyal.h>. */
#ifndef LOYAL_REGISTER_H
#define LOYAL_REGISTER_H

#include <stdint.h>

#include <loyal/network.h>

struct loyal_merchant {
    const char *code, *name, *currency;
    enum loyal_standing standing; /* in answers; of a request 0 */
};

struct loyal_store {
    const char *merchant, *code, *name;
    enum loyal_standing standing; /* likewise */
};

struct loyal_terminal {
    const char *merchant, *code, *store; /* store "": any of its merchant */
    enum loyal_channel channel;
    uint8_t certificate_sha256[32];
    enum loyal_standing standing; /* likewise */
    /* In answers the one above is the newest that is good, zeros: none; this one is good beside it.
     */
    uint8_t older_certificate_sha256[32];
};

struct loyal_rate {
    const char *merchant;
    uint32_t numerator, denominator; /* points = floor(minor units x numerator / denominator) */
    uint32_t lifetime_months;        /* 0: never expires */
    uint32_t valid_from;             /* yyyymmdd */
};

#endif
