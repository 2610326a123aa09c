/* Sends operators' statements and reads their rows as text. Called by the operators' handlers. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "outcome.h"
#include "session/query.h"

void query_begin(struct request *request, const struct query_call *call)
{
    size_t bytes = (size_t)call->value_count * sizeof *call->values;
    const char *const *values = arena_copy(&request->arena, call->values, bytes);
    if (!values) {
        request_answer_code(request, OUTCOME_CODE(OVERLOADED));
        return;
    }
    for (int i = 0; i < call->value_count; i++) {
        if (!values[i]) { /* it could not be written for want of memory */
            request_answer_code(request, OUTCOME_CODE(OVERLOADED));
            return;
        }
    }
    request->query = (struct query){
        .statement = call->statement,
        .values = values,
        .value_count = call->value_count,
        .deadline_us = request->deadline_us,
        .done = call->done,
        .ctx = request,
    };
    engine_query(request->session->worker->engine, &request->query);
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
