/* A filter of purchases, as the values that the statements of the window and the census take. */
#pragma once

#include "session/session.h"

#define FILTER_VALUES 8

/* What the wire validator cannot know of a filter (NULL: none); verb: the request's name, for the
 * field at fault. False and INVALID_FIELD otherwise. */
bool filter_check(struct request *request, const Loyal__V1__PurchaseFilter *filter,
                  const char *verb, struct answer *answer_out);

/* Fills the values; UNKNOWN_MERCHANT when it names one that does not exist, OVERLOADED without
 * memory, else 0. */
int filter_values(struct request *request, const Loyal__V1__PurchaseFilter *filter,
                  const char *values_out[FILTER_VALUES]);
