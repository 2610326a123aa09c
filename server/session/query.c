/* Sends sessions' statements and reads their rows as text. Called by the handlers. Each is asked
 * under the right of its session: see prepare. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "outcome.h"
#include "session/query.h"

const char QUERY_NULL[] = "";

static bool prepare(struct query *query, struct reference *reference)
{
    struct request *request = query->ctx;
    return session_is_known(request->session, reference, true);
}

/* Whoever left, or was told that it took too long, is shown nothing: nor is it recorded (R40). */
static bool may_record(struct query *query)
{
    struct request *request = query->ctx;
    request->is_recording = request->session->conn && !request->is_answered;
    return request->is_recording;
}

/* NULL: one of them could not be written. */
static const char *const *values_of(struct request *request, const struct query_call *call)
{
    size_t bytes = (size_t)call->value_count * sizeof *call->values;
    const char **values = arena_alloc(&request->arena, bytes);
    for (int i = 0; values && i < call->value_count; i++) {
        if (!call->values[i])
            return NULL;
        values[i] = call->values[i] == QUERY_NULL ? NULL : call->values[i];
    }
    return values;
}

void query_begin(struct request *request, const struct query_call *call)
{
    const struct worker *worker = request->session->worker;
    const char *const *values = values_of(request, call);
    if (!values) {
        request_answer_code(request, OUTCOME_CODE(OVERLOADED));
        return;
    }
    request->is_posting = false;
    request->query = (struct query){
        .desk = call->desk,
        .statement = call->statement,
        .values = values,
        .value_count = call->value_count,
        .is_writing = call->is_writing,
        .is_of_reference = call->is_of_reference,
        .deadline_us = request->deadline_us,
        .terminal_id = request->session->terminal_id,
        .asker = request->session->merchant_id,
        .purpose = call->purpose,
        .prepare = prepare,
        .may_commit = call->is_disclosing ? may_record : NULL,
        .done = call->done,
        .ctx = request,
    };
    engine_query(worker->engine, &request->query);
}

char *query_text(struct request *request, const struct query_rows *rows, int row, int column)
{
    const char *value = query_rows_value(rows, row, column);
    char *copy = arena_copy(&request->arena, value, strlen(value) + 1);
    return copy ? copy : (char *)(uintptr_t)protobuf_c_empty_string;
}

int64_t query_number(const struct query_rows *rows, int row, int column)
{
    return strtoll(query_rows_value(rows, row, column), NULL, 10);
}

const char *number_text(struct request *request, int64_t number)
{
    char text[24];
    int size = snprintf(text, sizeof text, "%" PRId64, number);
    return arena_copy(&request->arena, text, (size_t)size + 1);
}

const char *number_or_null(struct request *request, int64_t number)
{
    return number ? number_text(request, number) : QUERY_NULL;
}

const char *query_hex(struct request *request, const uint8_t *bytes, size_t size)
{
    char *hex = arena_alloc(&request->arena, 2 * size + 1);
    for (size_t i = 0; hex && i < size; i++)
        snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
    return hex;
}

const char *uuid_as_text(struct request *request, const struct uuid *uuid)
{
    char text[UUID_TEXT_BYTES];
    uuid_text(uuid, text);
    return arena_copy(&request->arena, text, sizeof text);
}

struct uuid query_uuid(const struct query_rows *rows, int row, int column)
{
    struct uuid uuid = {{0}};
    if (!uuid_parse(query_rows_value(rows, row, column), &uuid))
        memset(&uuid, 0, sizeof uuid);
    return uuid;
}

const char *query_array(struct request *request, const char *const *items, size_t count)
{
    size_t bytes = 3;
    if (count == 0)
        return QUERY_NULL;
    for (size_t i = 0; i < count; i++)
        bytes += 2 * strlen(items[i]) + 3;
    char *text = arena_alloc(&request->arena, bytes), *at = text;
    if (!text)
        return NULL;
    *at++ = '{';
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            *at++ = ',';
        *at++ = '"';
        for (const char *from = items[i]; *from; from++) {
            if (*from == '"' || *from == '\\')
                *at++ = '\\';
            *at++ = *from;
        }
        *at++ = '"';
    }
    *at++ = '}';
    return text;
}

const char *query_array_of_numbers(struct request *request, const int32_t *numbers, size_t count)
{
    const char **items = arena_alloc(&request->arena, (count + 1) * sizeof *items);
    for (size_t i = 0; items && i < count; i++) {
        items[i] = number_text(request, numbers[i]);
        if (!items[i])
            return NULL;
    }
    return items ? query_array(request, items, count) : NULL;
}

void *query_messages(struct request *request, int count, size_t size, void **pointers_out)
{
    size_t n = count > 0 ? (size_t)count : 1;
    char *messages = arena_alloc(&request->arena, n * size);
    void **pointers = arena_alloc(&request->arena, n * sizeof *pointers);
    for (size_t i = 0; messages && pointers && i < n; i++)
        pointers[i] = messages + i * size;
    *pointers_out = pointers;
    return pointers ? messages : NULL;
}
