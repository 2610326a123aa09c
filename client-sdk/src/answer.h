/* What comes back: protobuf -> struct loyal_answer, and answers that the library makes itself.
 *
 * Called by exchange.c with each frame, and by client.c for what never reached the server. It must
 * never unpack what the validator has not passed. */
#ifndef LOYAL_SDK_ANSWER_H
#define LOYAL_SDK_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "loyal/loyal.h"
#include "loyal/v1/envelope.pb-c.h"

/* Why there is no answer from the server. kind is that of a request that was never sent; of one
 * that may have been carried out it is UNKNOWN whatever this says. */
struct failure {
    enum loyal_kind kind;
    enum loyal_code code;
    uint32_t retry_after_ms;
    char text[400];
    char field[168];
};

/* An answer and the memory that its pointers lead to; valid until the next call on the box. */
struct answer_box {
    struct loyal_answer answer;
    struct arena arena;
    char text[400];
    char field[168];
};

void sdk_failure_set(struct failure *failure, enum loyal_kind kind, enum loyal_code code,
                     const char *format, ...) __attribute__((format(printf, 4, 5)));

void sdk_answer_init(struct answer_box *box);
void sdk_answer_free(struct answer_box *box);

/* Validates and unpacks one message into the box's arena. NULL, and *failure filled, when it is not
 * a Response that makes sense: then *id_out is the id it seems to be for, or 0. */
const Loyal__V1__Response *sdk_answer_unpack(struct answer_box *box, const uint8_t *bytes, size_t n,
                                             uint64_t *id_out, struct failure *failure);

/* Fills the box's answer from an unpacked response to that verb. False when the body is not the
 * verb's, or is missing from an OK. attempts is left 0. */
bool sdk_answer_fill(struct answer_box *box, enum loyal_verb verb,
                     const Loyal__V1__Response *response);

/* The outcome alone, as a failure: of a Hello, or of a response without an id. */
void sdk_answer_failure(const Loyal__V1__Response *response, struct failure *failure);

/* An answer of the library's own. The failure's texts are copied. */
void sdk_answer_make(struct answer_box *box, const struct failure *failure);

#endif
