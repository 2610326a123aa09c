/* What the fields of a message may hold, beyond their types: the one table of ranges.
 *
 * Called by the validator and by the tests that hold the table against the .proto files. Constant
 * data only; what it says is also said, in words, in the .proto files and in PROTOCOL.md.
 */
#pragma once

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RULE_KEY_BYTES         16
#define RULE_REF_BYTES         17
#define RULE_CODE_BYTES_MAX    32
#define RULE_BASKET_LINES_MAX  200
#define RULE_STORES_MAX        500
#define RULE_IDENTIFIERS_MAX   8
#define RULE_REFS_MAX          500
#define RULE_FIELD_GROUPS_MAX  3
#define RULE_FILTER_VALUES_MAX 20
#define RULE_PAGE_ROWS_MAX     200
#define RULE_CURSOR_BYTES_MAX  256
#define RULE_REASON_BYTES_MAX  200
/* 10^15: the largest number of points or minor units in one request. */
#define RULE_AMOUNT_MAX INT64_C(1000000000000000)
/* 9999-12-31T23:59:59.999999Z */
#define RULE_TIME_US_MAX INT64_C(253402300799999999)

enum rule_form {
    RULE_ANY,
    RULE_UUID7,    /* bytes: version nibble 7, variant bits 10 */
    RULE_CURRENCY, /* [A-Z]{3} */
    RULE_CODE,     /* [a-z0-9][a-z0-9_-]* */
    RULE_DATE      /* yyyymmdd, a day that exists, 1970..9999 */
};

/* min and max bound an integer's value, the bytes of a string or bytes field, or the number of
 * elements of a repeated field. A proto3 field that holds its default value counts as absent: it
 * passes where it is not required, whatever min says. A member of a oneof is present when sent. */
struct rule {
    const ProtobufCMessageDescriptor *message;
    const char *field;
    int64_t min;
    int64_t max;
    enum rule_form form;
    bool required;
};

enum rule_relation_kind {
    RULE_AT_MOST,  /* the field's value is not above the other's */
    RULE_ONLY_WITH /* the field is sent only where the other holds value */
};

struct rule_relation {
    const ProtobufCMessageDescriptor *message;
    const char *field;
    enum rule_relation_kind kind;
    const char *other;
    int64_t value;
};

/* A oneof of which a member must be present. protobuf-c keeps no names of oneofs. */
struct rule_oneof {
    const ProtobufCMessageDescriptor *message;
    const char *name;
    const char *member; /* any one of its members */
};

/* The rows of a message, one for each of its fields in the order of its descriptor, or NULL: then
 * types alone bound it. */
const struct rule *rules_of(const ProtobufCMessageDescriptor *message);

/* The whole tables; the count goes to *n_out. */
const struct rule *rules_all(size_t *n_out);
const struct rule_relation *rule_relations(size_t *n_out);
const struct rule_oneof *rule_oneofs(size_t *n_out);
