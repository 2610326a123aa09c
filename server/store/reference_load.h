/* Makes a snapshot of the rows of STATEMENT_REFERENCE_READ; for the engine alone. */
#pragma once

#include <libpq-fe.h>

#include "store/reference.h"

/* Held once by the caller. NULL: a row is not what a reference holds, or there is no memory. */
struct reference *reference_load(const PGresult *result);
