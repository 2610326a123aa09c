/* What each statement's result looks like: its columns and how many rows. Private to store/: pg.c
 * holds every result against it, so that whoever reads rows finds the columns, and in each as many
 * bytes as its type has. */
#pragma once

#include <libpq-fe.h>
#include <stdbool.h>

#include "store/statements.h"

/* True for what the statement is to give, and for an error: that one is for the statement's
 * callback. False: it is not the answer to this statement, and the connection cannot be trusted. */
bool shape_fits(enum statement_id statement, const PGresult *result);

/* The columns of a statement's result, a letter each; "" for one that gives none. Binary: 2, 4 and
 * 8 are integers of so many bytes, T is a time, u a uuid, b a bytea, s a text, a an array of bigint
 * without nulls. t is a value as text. */
const char *shape_columns(enum statement_id statement);
