/* What operators ask the database: text in, rows of text out. Private to session/. */
#pragma once

#include "session/session.h"

struct query_call {
    int statement;
    const char *const
        *values; /* text; the array is copied, what it points to lives with the request */
    int value_count;
    void (*done)(struct query *query, int code, const struct query_rows *rows);
};
void query_begin(struct request *request, const struct query_call *call);
/* A column as text copied into the request's arena; as a number, 0 where it is none. */
char *query_text(struct request *request, const struct query_rows *rows, int row, int column);
int64_t query_number(const struct query_rows *rows, int row, int column);
const char *number_text(struct request *request, int64_t number);
/* count messages of size bytes, and in *pointers_out an array of pointers to them, as protobuf-c
 * wants a repeated field; NULL without memory. */
void *query_messages(struct request *request, int count, size_t size, void **pointers_out);
