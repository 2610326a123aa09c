/* Owns the false libpq: connections, what is due on them, and the lies of the script; see
 * database.h. It has no socket: an eventfd that is always readable wakes the loop. */
#include "fuzz/database.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include "store/shape.h"

#define DUE_MAX 256

enum due_kind {
    DUE_RESULT,
    DUE_END,  /* of a command: NULL */
    DUE_LOSS, /* the connection is lost when this comes */
    DUE_NEVER /* nothing more comes */
};

struct due {
    enum due_kind kind;
    PGresult *result;
    bool is_commit, is_unreplicated;
};

struct pg_conn {
    struct due due[DUE_MAX];
    int first, count;
    bool is_aborted; /* until the next Sync */
    bool is_bad;
    bool has_commit; /* was answered, its Sync not yet */
    bool is_prepared;
    int unflushed; /* what the next PQflush says */
    PQnoticeReceiver receiver;
    void *receiver_ctx;
};

static struct {
    struct input *script;
    bool lies_early, has_committed;
    uint8_t refusal; /* what the next attempt to connect comes to: 0, or a REFUSES_ */
    unsigned long moves;
    int fd;
} database = {.fd = -1};

void database_begin(struct input *script, bool lies_early)
{
    database.script = script;
    database.lies_early = lies_early;
    database.has_committed = false;
    database.refusal = 0;
    if (database.fd < 0)
        database.fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    assert(database.fd >= 0);
}

bool database_has_committed(void)
{
    return database.has_committed;
}

unsigned long database_moves(void)
{
    return database.moves;
}

static PGresult *error_new(const char *sqlstate, const char *message, size_t size)
{
    PGresult *result = result_new(PGRES_FATAL_ERROR);
    snprintf(result->sqlstate, sizeof result->sqlstate, "%s", sqlstate);
    result->message = calloc(1, size + 1);
    assert(result->message);
    memcpy(result->message, message, size);
    return result;
}

/* ---- lies ---- */

/* Without it an error aborts what follows it up to the Sync, a connection that falls silent does so
 * before it says that nothing more comes, and what cannot be written yet can be soon. */
#define IS_OTHERWISE 0x20

enum lie {
    LIE_MANY = 0x80,
    LIE_VALUES,
    LIE_ERROR,
    LIE_ERROR_NAMELESS,
    LIE_NO_ROWS,
    LIE_STATUS,
    LIE_COLUMNS,
    LIE_TYPE,
    LIE_LOST,
    LIE_UNREPLICATED,
    LIE_UNSENT,
    LIE_NEVER,
    LIE_COMMAND,
    LIE_NULLS,
    LIE_MESSAGE,
    LIE_UNFLUSHED,
    LIE_END
};

static PGresult *error_make(enum lie lie)
{
    static const char *const states[] = {"22012", "40001", "40P01", "23505", "57P01", "55P03",
                                         "XX000", "08006", "25P02", "53300", "22P02", "42P01"};
    struct input *script = database.script;
    size_t size = 0;
    const char *state = lie == LIE_ERROR_NAMELESS
                            ? ""
                            : states[input_byte(script) % (sizeof states / sizeof *states)];
    const uint8_t *text = (const uint8_t *)"a lie";
    if (lie == LIE_MESSAGE)
        text = input_take(script, input_byte(script), &size);
    return error_new(state, (const char *)text, lie == LIE_MESSAGE ? size : 5);
}

static int64_t number_make(struct input *script)
{
    static const int64_t extremes[] = {INT64_MAX, INT64_MIN, -1,        0,
                                       INT32_MAX, INT32_MIN, INT16_MAX, FAKE_NOW_US};
    uint8_t kind = input_byte(script);
    if (kind < 0xf0)
        return kind;
    return kind < 0xf8 ? extremes[kind & 7] : (int64_t)input_number(script);
}

/* One byte of a value is another, or it ends earlier. */
static void value_spoil(PGresult *result, int row, int column)
{
    struct input *script = database.script;
    const struct fake_cell *cell = result_cell(result, row, column);
    uint8_t at = input_byte(script), byte = input_byte(script);
    if (cell->size <= 0)
        return;
    if (byte == 0x80)
        result_set(result, row, column, cell->bytes, at % cell->size);
    else
        cell->bytes[at % cell->size] = (char)byte;
}

/* Other values in some places: null, a number in the column's form, spoilt, or any bytes. */
static void values_change(PGresult *result)
{
    struct input *script = database.script;
    for (int left = input_byte(script) & 15; left >= 0 && result->rows && result->columns; left--) {
        int row = input_byte(script) % result->rows, column = input_byte(script) % result->columns;
        uint8_t kind = input_byte(script);
        size_t size;
        if (kind == 0) {
            result_set(result, row, column, NULL, -1);
        } else if (kind == 2) {
            value_spoil(result, row, column);
        } else if (kind & 1) {
            result_number(result, row, column, number_make(script));
        } else {
            const uint8_t *bytes = input_take(script, kind >> 1, &size);
            result_set(result, row, column, bytes, (int)size);
        }
    }
}

static void rows_multiply(PGresult *result)
{
    int rows = result->rows, wanted = rows * (2 + input_byte(database.script));
    while (rows > 0 && result->rows < wanted && result->rows < FAKE_ROWS_MAX) {
        int row = result_row(result);
        for (int column = 0; column < result->columns; column++) {
            const struct fake_cell *from = result_cell(result, row % rows, column);
            result_set(result, row, column, from->bytes, from->size);
        }
    }
}

/* As many columns as the script says, in place of its own. */
static void columns_change(PGresult *result)
{
    char letters[32] = "";
    int count = input_byte(database.script) % 30;
    for (int i = 0; i < count; i++)
        letters[i] = "248Tbusat"[input_byte(database.script) % 9];
    int rows = result->rows;
    result_empty(result);
    result_columns(result, letters);
    for (int row = 0; row < rows; row++) {
        result_row(result);
        for (int column = 0; column < count; column++)
            result_number(result, row, column, 1);
    }
}

static void lie_apply(PGresult *result, enum lie lie)
{
    struct input *script = database.script;
    size_t size;
    switch (lie) {
    case LIE_MANY:
        rows_multiply(result);
        values_change(result);
        break;
    case LIE_VALUES: values_change(result); break;
    case LIE_NO_ROWS:
        while (result->rows > 0) {
            result->rows--;
            for (int i = 0; i < result->columns; i++)
                free(result->cells[result->rows * result->columns + i].bytes);
            memset(&result->cells[result->rows * result->columns], 0,
                   (size_t)result->columns * sizeof *result->cells);
        }
        break;
    case LIE_STATUS: result->status = (ExecStatusType)(input_byte(script) % 12); break;
    case LIE_COLUMNS: columns_change(result); break;
    case LIE_TYPE:
        if (result->columns)
            result->column[input_byte(script) % result->columns] = (struct fake_column){
                input_byte(script) & 1, ((const Oid[]){20, 23, 25, 701})[input_byte(script) & 3]};
        break;
    case LIE_COMMAND: {
        const uint8_t *text = input_take(script, input_byte(script) & 15, &size);
        memset(result->command, 0, sizeof result->command);
        memcpy(result->command, text, size);
        break;
    }
    case LIE_NULLS:
        for (int row = 0; row < result->rows; row++)
            for (int column = 0; column < result->columns; column++)
                result_set(result, row, column, NULL, -1);
        break;
    default: break;
    }
}

/* ---- what is due ---- */

static struct due *due_add(PGconn *conn, enum due_kind kind, PGresult *result)
{
    assert(conn->count < DUE_MAX);
    database.moves++;
    struct due *due = &conn->due[(conn->first + conn->count++) % DUE_MAX];
    *due = (struct due){.kind = kind, .result = result};
    return due;
}

static const struct due *due_first(const PGconn *conn)
{
    return conn->count ? &conn->due[conn->first] : NULL;
}

static PGresult *honest_make(enum statement_id statement, const struct fake_params *params,
                             bool is_full)
{
    const char *letters = shape_columns(statement);
    PGresult *result = result_new(*letters ? PGRES_TUPLES_OK : PGRES_COMMAND_OK);
    result_columns(result, letters);
    rows_fill(result, statement, params, is_full);
    snprintf(result->command, sizeof result->command, "%s",
             statement == STATEMENT_COMMIT     ? "COMMIT"
             : statement == STATEMENT_ROLLBACK ? "ROLLBACK"
                                               : "BEGIN");
    return result;
}

/* What comes before the answer, or in its place. */
static void connection_lie(PGconn *conn, enum lie lie, bool is_otherwise)
{
    if (lie == LIE_UNFLUSHED)
        conn->unflushed = is_otherwise ? -1 : 1;
    for (int i = 0; i < 2 && lie == LIE_NEVER && is_otherwise; i++)
        due_add(conn, DUE_END, NULL);
    if (lie == LIE_LOST || lie == LIE_NEVER)
        due_add(conn, lie == LIE_LOST ? DUE_LOSS : DUE_NEVER, NULL);
}

/* False: it was not sent. */
static bool command_answer(PGconn *conn, enum statement_id statement,
                           const struct fake_params *params)
{
    if (conn->is_bad || conn->count > DUE_MAX - 4)
        return false;
    if (conn->is_aborted) {
        due_add(conn, DUE_RESULT, result_new(PGRES_PIPELINE_ABORTED));
        due_add(conn, DUE_END, NULL);
        return true;
    }
    bool lies = conn->is_prepared || database.lies_early;
    uint8_t script = lies ? input_byte(database.script) : 0;
    enum lie lie = script < LIE_MANY ? LIE_END : (enum lie)(LIE_MANY | (script & 15));
    if (lie == LIE_UNSENT)
        return false;
    PGresult *result;
    if (lie == LIE_ERROR || lie == LIE_ERROR_NAMELESS || lie == LIE_MESSAGE) {
        result = error_make(lie);
    } else {
        result = honest_make(statement, params, script & 0x40);
        lie_apply(result, lie);
    }
    conn->is_aborted = result->status == PGRES_FATAL_ERROR && !(script & IS_OTHERWISE);
    connection_lie(conn, lie, script & IS_OTHERWISE);
    struct due *due = due_add(conn, DUE_RESULT, result);
    due->is_commit = statement == STATEMENT_COMMIT && result->status == PGRES_COMMAND_OK &&
                     strcmp(result->command, "COMMIT") == 0;
    due->is_unreplicated = lie == LIE_UNREPLICATED;
    due_add(conn, DUE_END, NULL);
    return true;
}

/* ---- libpq ---- */

/* An attempt to connect that fails, and so does the beginning of the next. */
enum { REFUSES_START = 4, REFUSES_ALL };

PGconn *PQconnectStartParams(const char *const *keywords, const char *const *values, int expand)
{
    (void)keywords, (void)values, (void)expand;
    uint8_t refusal = database.refusal;
    database.refusal = 0;
    if (refusal == REFUSES_ALL)
        return NULL;
    PGconn *conn = calloc(1, sizeof *conn);
    assert(conn);
    conn->is_bad = refusal == REFUSES_START;
    return conn;
}

ConnStatusType PQstatus(const PGconn *conn)
{
    return conn->is_bad ? CONNECTION_BAD : CONNECTION_OK;
}

PostgresPollingStatusType PQconnectPoll(PGconn *conn)
{
    uint8_t answer = database.lies_early ? input_byte(database.script) : 0;
    (void)conn;
    database.refusal = answer == REFUSES_START || answer == REFUSES_ALL ? answer : 0;
    return answer == 1 || database.refusal ? PGRES_POLLING_FAILED
           : answer == 2                   ? PGRES_POLLING_READING
           : answer == 3                   ? PGRES_POLLING_WRITING
                                           : PGRES_POLLING_OK;
}

int PQsocket(const PGconn *conn)
{
    (void)conn;
    return database.fd;
}

void PQfinish(PGconn *conn)
{
    for (; conn->count > 0; conn->count--) {
        PQclear(conn->due[conn->first].result);
        conn->first = (conn->first + 1) % DUE_MAX;
    }
    free(conn);
}

char *PQerrorMessage(const PGconn *conn)
{
    static char text[] = "a lie\n";
    (void)conn;
    return text;
}

int PQsetnonblocking(PGconn *conn, int on)
{
    (void)conn, (void)on;
    return database.lies_early && input_byte(database.script) == 1;
}

int PQenterPipelineMode(PGconn *conn)
{
    (void)conn;
    return 1;
}

PQnoticeReceiver PQsetNoticeReceiver(PGconn *conn, PQnoticeReceiver receiver, void *ctx)
{
    conn->receiver = receiver;
    conn->receiver_ctx = ctx;
    return NULL;
}

int PQsendQueryParams(PGconn *conn, const char *command, int count, const Oid *types,
                      const char *const *values, const int *sizes, const int *formats, int format)
{
    static const struct fake_params none = {0};
    (void)command, (void)count, (void)types, (void)values, (void)sizes, (void)formats, (void)format;
    return command_answer(conn, STATEMENT_SCHEMA_READ, &none);
}

int PQsendPrepare(PGconn *conn, const char *name, const char *query, int count, const Oid *types)
{
    static const struct fake_params none = {0};
    (void)name, (void)query, (void)count, (void)types;
    return command_answer(conn, STATEMENT_BEGIN, &none);
}

int PQsendQueryPrepared(PGconn *conn, const char *name, int count, const char *const *values,
                        const int *sizes, const int *formats, int format)
{
    const struct fake_params params = {count, values, sizes};
    (void)formats, (void)format;
    return command_answer(conn, (enum statement_id)atoi(name + 1), &params);
}

int PQpipelineSync(PGconn *conn)
{
    if (conn->is_bad || conn->count > DUE_MAX - 4)
        return 0;
    conn->is_aborted = false;
    conn->is_prepared = true;
    due_add(conn, DUE_RESULT, result_new(PGRES_PIPELINE_SYNC));
    return 1;
}

int PQsendFlushRequest(PGconn *conn)
{
    return !conn->is_bad;
}

int PQflush(PGconn *conn)
{
    int left = conn->is_bad ? -1 : conn->unflushed;
    conn->unflushed = 0;
    return left;
}

int PQconsumeInput(PGconn *conn)
{
    const struct due *due = due_first(conn);
    conn->is_bad = conn->is_bad || (due && due->kind == DUE_LOSS);
    return !conn->is_bad;
}

int PQisBusy(PGconn *conn)
{
    const struct due *due = due_first(conn);
    return !due || due->kind == DUE_LOSS || due->kind == DUE_NEVER;
}

static void notice_give(const PGconn *conn)
{
    static const char text[] = "canceling wait for synchronous replication due to user request";
    PGresult *notice = error_new("01000", text, sizeof text - 1);
    if (conn->receiver)
        conn->receiver(conn->receiver_ctx, notice);
    PQclear(notice);
}

PGresult *PQgetResult(PGconn *conn)
{
    if (PQisBusy(conn))
        return NULL;
    struct due due = *due_first(conn);
    conn->first = (conn->first + 1) % DUE_MAX;
    conn->count--;
    database.moves++;
    if (due.is_unreplicated)
        notice_give(conn);
    if (due.is_commit)
        conn->has_commit = true;
    if (due.result && due.result->status == PGRES_PIPELINE_SYNC) {
        database.has_committed |= conn->has_commit;
        conn->has_commit = false;
    }
    return due.result;
}
