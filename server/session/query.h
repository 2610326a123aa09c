/* What sessions ask the database beside postings and look-ups: text in, rows of text out. Private
 * to session/. */
#pragma once

#include "session/session.h"

/* A value that is null. Any other NULL in a call's values is one that could not be written for want
 * of memory. */
extern const char QUERY_NULL[];

struct query_call {
    int statement;
    const char *const
        *values; /* text; the array is copied, what it points to lives with the request */
    int value_count;
    void (*done)(struct query *query, int code, const struct query_rows *rows);
    enum desk_id desk;
    bool is_writing;
    bool is_of_reference;
    bool is_disclosing; /* records what it shows: only while somebody waits for it */
    int purpose;        /* of the window and the census */
};
void query_begin(struct request *request, const struct query_call *call);
/* A column as text copied into the request's arena; as a number, 0 where it is none. */
char *query_text(struct request *request, const struct query_rows *rows, int row, int column);
int64_t query_number(const struct query_rows *rows, int row, int column);
const char *number_text(struct request *request, int64_t number);
/* QUERY_NULL for 0. */
const char *number_or_null(struct request *request, int64_t number);
const char *query_hex(struct request *request, const uint8_t *bytes, size_t size);
const char *uuid_as_text(struct request *request, const struct uuid *uuid);
/* Zero where the column is null. */
struct uuid query_uuid(const struct query_rows *rows, int row, int column);
/* An array literal of PostgreSQL: {"a","b"}; QUERY_NULL of none, NULL without memory. */
const char *query_array(struct request *request, const char *const *items, size_t count);
const char *query_array_of_numbers(struct request *request, const int32_t *numbers, size_t count);
/* count messages of size bytes, and in *pointers_out an array of pointers to them, as protobuf-c
 * wants a repeated field; NULL without memory. */
void *query_messages(struct request *request, int count, size_t size, void **pointers_out);
