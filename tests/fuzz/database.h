/* A database that lies. database.c stands in for libpq at link time; its answers come from a
 * script, the rest of the fuzzer's input: none left, and it is an honest database with a few
 * members. So each byte is a lie, and all that the server does with it is its own code.
 *
 * A value of a result lies in a piece of memory of its own: who reads past its end is seen. */
#pragma once

#include <libpq-fe.h>
#include <stdbool.h>

#include "fuzz/input.h"
#include "store/statements.h"

#define FAKE_NOW_US INT64_C(1767225600000000) /* 2026-01-01Z, the domain time of all harnesses */

/* Begins anew, with this script. lies_early: connecting and preparing are scripted, too. */
void database_begin(struct input *script, bool lies_early);
/* Something was committed since: a COMMIT was answered so, and the Sync behind it. */
bool database_has_committed(void);
/* Grows with each command and result: while it does, the loop has work. */
unsigned long database_moves(void);
/* The certificates that the reference tables know: of terminal t1 of merchant alpha, of operator
 * ann. */
void database_know(const uint8_t terminal_sha256[32], const uint8_t operator_sha256[32]);

/* ---- results.c ---- */

struct fake_cell {
    char *bytes;
    int size; /* -1: null */
};

struct fake_column {
    int format;
    Oid type;
};

struct pg_result {
    ExecStatusType status;
    int rows, columns, room;
    struct fake_column *column;
    struct fake_cell *cells;
    char command[24];
    char sqlstate[6]; /* "": none */
    char *message;    /* NULL: none */
};

/* Parameters as the statement got them. */
struct fake_params {
    int count;
    const char *const *values;
    const int *sizes; /* NULL: text */
};

#define FAKE_ROWS_MAX 600

PGresult *result_new(ExecStatusType status);
/* Columns as shape.h letters say. */
void result_columns(PGresult *result, const char *letters);
/* One more row of nulls: its number. At most FAKE_ROWS_MAX. */
int result_row(PGresult *result);
void result_set(PGresult *result, int row, int column, const void *bytes, int size);
/* A number in the form of a column's letter. */
void result_number(PGresult *result, int row, int column, int64_t number);

/* NULL: there is none. */
struct fake_cell *result_cell(const PGresult *result, int row, int column);
/* Neither rows nor columns any more. */
void result_empty(PGresult *result);

/* ---- rows.c ---- */

/* The rows of an honest answer. is_full: also where it would be none, one that fits the question.
 */
void rows_fill(PGresult *result, enum statement_id statement, const struct fake_params *params,
               bool is_full);
