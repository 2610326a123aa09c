/* Owns results: how they are made, and what libpq lets one see of them. Called by database.c and
 * rows.c, and by the server as libpq. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "fuzz/database.h"

static void *room_for(size_t count, size_t size)
{
    void *room = calloc(count ? count : 1, size);
    assert(room);
    return room;
}

PGresult *result_new(ExecStatusType status)
{
    PGresult *result = room_for(1, sizeof *result);
    result->status = status;
    return result;
}

static struct fake_column column_of(char letter)
{
    static const char letters[] = "1248Tbusa";
    static const Oid types[] = {16, 21, 23, 20, 1184, 17, 2950, 25, 1016};
    const char *at = letter ? strchr(letters, letter) : NULL;
    return at ? (struct fake_column){1, types[at - letters]} : (struct fake_column){0, 25};
}

void result_columns(PGresult *result, const char *letters)
{
    result->columns = (int)strlen(letters);
    result->column = room_for((size_t)result->columns, sizeof *result->column);
    for (int i = 0; i < result->columns; i++)
        result->column[i] = column_of(letters[i]);
}

struct fake_cell *result_cell(const PGresult *result, int row, int column)
{
    if (row < 0 || row >= result->rows || column < 0 || column >= result->columns)
        return NULL;
    return &result->cells[row * result->columns + column];
}

int result_row(PGresult *result)
{
    if (result->rows == result->room) {
        size_t row_size = (size_t)result->columns * sizeof *result->cells;
        result->room = result->room ? 2 * result->room : 2;
        result->cells = realloc(result->cells, (size_t)result->room * row_size + 1);
        assert(result->cells);
        memset(result->cells + result->rows * result->columns, 0,
               (size_t)(result->room - result->rows) * row_size);
    }
    int row = result->rows < FAKE_ROWS_MAX ? result->rows++ : FAKE_ROWS_MAX - 1;
    for (int i = 0; i < result->columns; i++)
        result_set(result, row, i, NULL, -1);
    return row;
}

/* A byte more, as in libpq: there values end with a NUL. */
void result_set(PGresult *result, int row, int column, const void *bytes, int size)
{
    struct fake_cell *cell = result_cell(result, row, column);
    char *room = room_for(1, size > 0 ? (size_t)size + 1 : 1);
    if (size > 0)
        memcpy(room, bytes, (size_t)size); /* perhaps of the old value */
    free(cell->bytes);
    cell->bytes = room;
    cell->size = size;
}

void result_number(PGresult *result, int row, int column, int64_t number)
{
    uint8_t bytes[8];
    char text[24] = "";
    const struct fake_column *of = &result->column[column];
    put_u64(bytes, (uint64_t)number);
    if (of->type == 16)
        result_set(result, row, column, bytes + 7, 1);
    else if (of->type == 21)
        result_set(result, row, column, bytes + 6, 2);
    else if (of->type == 23)
        result_set(result, row, column, bytes + 4, 4);
    else if (of->format == 1 && of->type != 25)
        result_set(result, row, column, bytes, 8);
    else
        result_set(result, row, column, text,
                   snprintf(text, sizeof text, "%lld", (long long)number));
}

void result_empty(PGresult *result)
{
    for (int row = 0; row < result->rows; row++)
        for (int column = 0; column < result->columns; column++)
            free(result_cell(result, row, column)->bytes);
    free(result->cells);
    free(result->column);
    result->rows = result->columns = result->room = 0;
    result->cells = NULL;
    result->column = NULL;
}

/* ---- libpq ---- */

void PQclear(PGresult *result)
{
    if (!result)
        return;
    result_empty(result);
    free(result->message);
    free(result);
}

PGresult *PQcopyResult(const PGresult *from, int flags)
{
    (void)flags;
    PGresult *result = result_new(PGRES_TUPLES_OK);
    result->columns = from->columns;
    result->column = room_for((size_t)from->columns, sizeof *from->column);
    memcpy(result->column, from->column, (size_t)from->columns * sizeof *from->column);
    result->cells =
        room_for((size_t)from->columns * (size_t)(from->rows + 1), sizeof *result->cells);
    result->rows = from->rows;
    for (int row = 0; row < from->rows; row++)
        for (int column = 0; column < from->columns; column++) {
            const struct fake_cell *cell = result_cell(from, row, column);
            result_set(result, row, column, cell->bytes, cell->size);
        }
    return result;
}

ExecStatusType PQresultStatus(const PGresult *result)
{
    return result ? result->status : PGRES_FATAL_ERROR;
}

char *PQresStatus(ExecStatusType status)
{
    static char text[] = "a status";
    (void)status;
    return text;
}

char *PQresultErrorField(const PGresult *result, int field)
{
    if (!result->message)
        return NULL;
    if (field == PG_DIAG_SQLSTATE)
        return result->sqlstate[0] ? (char *)(uintptr_t)result->sqlstate : NULL;
    return field == PG_DIAG_MESSAGE_PRIMARY && result->sqlstate[0] ? result->message : NULL;
}

char *PQresultErrorMessage(const PGresult *result)
{
    static char none[] = "";
    return result->message ? result->message : none;
}

char *PQcmdStatus(PGresult *result)
{
    return result->command;
}

int PQntuples(const PGresult *result)
{
    return result->rows;
}

int PQnfields(const PGresult *result)
{
    return result->columns;
}

int PQfformat(const PGresult *result, int column)
{
    return column >= 0 && column < result->columns ? result->column[column].format : 0;
}

Oid PQftype(const PGresult *result, int column)
{
    return column >= 0 && column < result->columns ? result->column[column].type : 0;
}

char *PQgetvalue(const PGresult *result, int row, int column)
{
    const struct fake_cell *cell = result_cell(result, row, column);
    return cell ? cell->bytes : NULL;
}

int PQgetlength(const PGresult *result, int row, int column)
{
    const struct fake_cell *cell = result_cell(result, row, column);
    return cell && cell->size > 0 ? cell->size : 0;
}

int PQgetisnull(const PGresult *result, int row, int column)
{
    const struct fake_cell *cell = result_cell(result, row, column);
    return !cell || cell->size < 0;
}
