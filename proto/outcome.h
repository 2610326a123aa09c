/* The results: what each result code means, in one table in order of precedence (R36, R33).
 *
 * Called by the server where it answers, by the SDK where it reads answers, and by the test that
 * holds PROTOCOL.md against it. Constant data, and who reads it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "loyal/v1/envelope.pb-c.h"

/* Short names for the generated constants: OUTCOME_CODE(NOT_ENOUGH_POINTS), OUTCOME_KIND(RETRY). */
#define OUTCOME_CODE(name) LOYAL__V1__RESULT_CODE__RESULT_CODE_##name
#define OUTCOME_KIND(name) LOYAL__V1__OUTCOME_KIND__OUTCOME_KIND_##name

/* Outcome.text and Outcome.field. */
#define OUTCOME_TEXT_BYTES_MAX  300
#define OUTCOME_FIELD_BYTES_MAX 160

struct outcome {
    Loyal__V1__ResultCode code;
    Loyal__V1__OutcomeKind kind;
    bool recorded;    /* a refusal kept under its key: each repeat gets the same answer (R33) */
    bool closes;      /* the server closes the connection after this answer */
    const char *name; /* "NOT_ENOUGH_POINTS" */
    /* What it is about: paths below the request's body, blanks between them, "." the body itself;
     * the first that the request has counts. "": no field of the request. */
    const char *fields;
    const char *text; /* the cause and the remedy, English, at most 300 bytes */
};

/* The row of a code; NULL for a code that this build does not know, and for UNSPECIFIED. */
const struct outcome *outcome_of(Loyal__V1__ResultCode code);

/* The field that a refusal is about, "earn.purchase.currency", as the validator would write it;
 * false where there is none. row: may be NULL. */
bool outcome_field(const struct outcome *row, const Loyal__V1__Request *request,
                   char field_out[OUTCOME_FIELD_BYTES_MAX + 1]);

/* The row of a name such as "NOT_ENOUGH_POINTS", or NULL. */
const struct outcome *outcome_by_name(const char *name);

/* All rows, the first in precedence first; the count goes to *n_out. */
const struct outcome *outcome_all(size_t *n_out);

/* "OK", "REFUSED", "RETRY", "UNKNOWN"; NULL for any other value. */
const char *outcome_kind_name(Loyal__V1__OutcomeKind kind);
