/* A snapshot of the reference tables: merchants, stores, terminals, operators, rules, of one epoch.
 * Immutable and counted: a batch holds the one it was decided under. Loaded by the engine, read by
 * engine and sessions of one worker. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* A terminal has one, and a second one while it changes over. */
#define REFERENCE_CERTIFICATES_MAX 2

struct reference;

struct reference_merchant {
    int32_t merchant_id;
    const char *code;
    const char *name;
    char currency[4];
};

struct reference_terminal {
    int32_t terminal_id;
    int32_t merchant_id;
    const char *code;
    int32_t store_id; /* 0: any store of its merchant */
    int16_t channel;
    int certificate_count; /* that are good, the newest first */
    uint8_t certificates_sha256[REFERENCE_CERTIFICATES_MAX][32];
    bool active;
};

struct reference_operator {
    int32_t operator_id;
    const char *name;
    uint8_t certificate_sha256[32];
    bool active;
};

struct reference_rule {
    int32_t version;
    int32_t merchant_id;
    int32_t valid_from; /* yyyymmdd */
    int32_t numerator;
    int32_t denominator;
    int32_t lifetime_months;
};

struct reference *reference_hold(struct reference *reference);
void reference_release(struct reference **reference);

int64_t reference_epoch(const struct reference *reference);

/* Each returns NULL (or 0) when there is none. */
const struct reference_merchant *reference_merchant_by_code(const struct reference *reference,
                                                            const char *code);
const struct reference_merchant *reference_merchant_by_id(const struct reference *reference,
                                                          int32_t merchant_id);
const struct reference_terminal *reference_terminal_by_code(const struct reference *reference,
                                                            int32_t merchant_id, const char *code);
bool reference_terminal_has(const struct reference_terminal *terminal,
                            const uint8_t certificate_sha256[32]);
const struct reference_operator *reference_operator_by_name(const struct reference *reference,
                                                            const char *name);
int32_t reference_store_id(const struct reference *reference, int32_t merchant_id, const char *code,
                           size_t code_size);
/* The merchant's rule of a day: its last version with valid_from <= day. */
const struct reference_rule *reference_rule_of(const struct reference *reference,
                                               int32_t merchant_id, int32_t day);
/* All rules, ascending by version. */
const struct reference_rule *reference_rules(const struct reference *reference, size_t *count_out);
