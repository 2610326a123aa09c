/* Counting, for the admin port. Private to session/. */
#pragma once

#include "session/session.h"

/* body: of loyal.v1.Request, 0 if it could not be read. tally_end: it is answered. tally_worker:
 * gauges. */
void tally_request(struct worker *worker, uint32_t body);
void tally_answer(struct worker *worker, int code);
void tally_end(struct worker *worker, const struct request *request);
void tally_worker(struct worker *worker);
