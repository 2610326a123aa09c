/* Handles what operators list: merchants, stores, terminals, rates, points owed. Pages of PAGE_ROWS
 * in order of code; one row more is asked for, to know whether there is another page. */
#include <ctype.h>
#include <string.h>

#include "outcome.h"
#include "session/query.h"
#include "session/verb.h"

#define LENGTH(array) ((int)(sizeof(array) / sizeof(array)[0]))

static int page_rows(const struct query_rows *rows, protobuf_c_boolean *more_out)
{
    int count = query_rows_count(rows);
    *more_out = count > PAGE_ROWS;
    return count > PAGE_ROWS ? PAGE_ROWS : count;
}

/* A list of a merchant that does not exist is one row that begins with an empty code. */
static int code_of_list(int code, const struct query_rows *rows)
{
    bool is_nobody = code == OUTCOME_CODE(OK) && query_rows_count(rows) > 0 &&
                     *query_rows_value(rows, 0, 0) == '\0';
    return is_nobody ? OUTCOME_CODE(UNKNOWN_MERCHANT) : code;
}

/* ---- merchants ---- */

static void on_merchants(struct query *query, int code, const struct query_rows *rows)
{
    struct request *request = query->ctx;
    Loyal__V1__ListMerchantsResponse body = LOYAL__V1__LIST_MERCHANTS_RESPONSE__INIT;
    struct answer answer = answer_of(code);
    if (code != OUTCOME_CODE(OK)) {
        request_answer(request, &answer);
        return;
    }
    int count = page_rows(rows, &body.more);
    Loyal__V1__Merchant *items =
        query_messages(request, count, sizeof *items, (void **)&body.merchants);
    if (!items) {
        request_answer_code(request, OUTCOME_CODE(OVERLOADED));
        return;
    }
    for (int i = 0; i < count; i++) {
        loyal__v1__merchant__init(&items[i]);
        items[i].code = query_text(request, rows, i, 0);
        items[i].name = query_text(request, rows, i, 1);
        items[i].currency = query_text(request, rows, i, 2);
        items[i].standing = (Loyal__V1__Standing)query_number(rows, i, 3);
    }
    body.n_merchants = (size_t)count;
    answer.response.body_case = LOYAL__V1__RESPONSE__BODY_LIST_MERCHANTS;
    answer.response.list_merchants = &body;
    request_answer(request, &answer);
}

void handle_list_merchants(struct request *request)
{
    const char *values[] = {request->message->list_merchants->after,
                            number_text(request, PAGE_ROWS + 1)};
    struct query_call call = {STATEMENT_MERCHANTS_LIST, values, LENGTH(values), on_merchants,
                              .desk = DESK_COUNTER};
    query_begin(request, &call);
}

/* ---- stores ---- */

static void on_stores(struct query *query, int code, const struct query_rows *rows)
{
    struct request *request = query->ctx;
    Loyal__V1__ListStoresResponse body = LOYAL__V1__LIST_STORES_RESPONSE__INIT;
    struct answer answer = answer_of(code_of_list(code, rows));
    if (answer.code != OUTCOME_CODE(OK)) {
        request_answer(request, &answer);
        return;
    }
    int count = page_rows(rows, &body.more);
    Loyal__V1__Store *items = query_messages(request, count, sizeof *items, (void **)&body.stores);
    if (!items) {
        request_answer_code(request, OUTCOME_CODE(OVERLOADED));
        return;
    }
    for (int i = 0; i < count; i++) {
        loyal__v1__store__init(&items[i]);
        items[i].merchant = query_text(request, rows, i, 0);
        items[i].code = query_text(request, rows, i, 1);
        items[i].name = query_text(request, rows, i, 2);
        items[i].standing = (Loyal__V1__Standing)query_number(rows, i, 3);
    }
    body.n_stores = (size_t)count;
    answer.response.body_case = LOYAL__V1__RESPONSE__BODY_LIST_STORES;
    answer.response.list_stores = &body;
    request_answer(request, &answer);
}

void handle_list_stores(struct request *request)
{
    const Loyal__V1__ListStoresRequest *list = request->message->list_stores;
    const char *values[] = {list->merchant, list->after, number_text(request, PAGE_ROWS + 1)};
    struct query_call call = {STATEMENT_STORES_LIST, values, LENGTH(values), on_stores,
                              .desk = DESK_COUNTER};
    query_begin(request, &call);
}

/* ---- terminals ---- */

/* Empty where there is none. */
static ProtobufCBinaryData certificate_of(struct request *request, const char *hex)
{
    uint8_t *hash = arena_alloc(&request->arena, HASH_BYTES);
    bool is_there = hash && hash_of_hex(hex, hash);
    return (ProtobufCBinaryData){.len = is_there ? HASH_BYTES : 0, .data = is_there ? hash : NULL};
}

static void fill_terminal(struct request *request, const struct query_rows *rows, int row,
                          Loyal__V1__Terminal *item)
{
    loyal__v1__terminal__init(item);
    item->merchant = query_text(request, rows, row, 0);
    item->code = query_text(request, rows, row, 1);
    item->store = query_text(request, rows, row, 2);
    item->channel = (Loyal__V1__Channel)query_number(rows, row, 3);
    item->standing = (Loyal__V1__Standing)query_number(rows, row, 5);
    item->certificate_sha256 = certificate_of(request, query_rows_value(rows, row, 4));
    item->older_certificate_sha256 = certificate_of(request, query_rows_value(rows, row, 6));
}

static void on_terminals(struct query *query, int code, const struct query_rows *rows)
{
    struct request *request = query->ctx;
    Loyal__V1__ListTerminalsResponse body = LOYAL__V1__LIST_TERMINALS_RESPONSE__INIT;
    struct answer answer = answer_of(code_of_list(code, rows));
    if (answer.code != OUTCOME_CODE(OK)) {
        request_answer(request, &answer);
        return;
    }
    int count = page_rows(rows, &body.more);
    Loyal__V1__Terminal *items =
        query_messages(request, count, sizeof *items, (void **)&body.terminals);
    if (!items) {
        request_answer_code(request, OUTCOME_CODE(OVERLOADED));
        return;
    }
    for (int i = 0; i < count; i++)
        fill_terminal(request, rows, i, &items[i]);
    body.n_terminals = (size_t)count;
    answer.response.body_case = LOYAL__V1__RESPONSE__BODY_LIST_TERMINALS;
    answer.response.list_terminals = &body;
    request_answer(request, &answer);
}

void handle_list_terminals(struct request *request)
{
    const Loyal__V1__ListTerminalsRequest *list = request->message->list_terminals;
    const char *values[] = {list->merchant, list->after, number_text(request, PAGE_ROWS + 1)};
    struct query_call call = {STATEMENT_TERMINALS_LIST, values, LENGTH(values), on_terminals,
                              .desk = DESK_COUNTER};
    query_begin(request, &call);
}

/* ---- rates ---- */

static void on_rates(struct query *query, int code, const struct query_rows *rows)
{
    struct request *request = query->ctx;
    Loyal__V1__ListEarnRatesResponse body = LOYAL__V1__LIST_EARN_RATES_RESPONSE__INIT;
    struct answer answer = answer_of(code_of_list(code, rows));
    if (answer.code != OUTCOME_CODE(OK)) {
        request_answer(request, &answer);
        return;
    }
    int count = query_rows_count(rows);
    Loyal__V1__EarnRate *items =
        query_messages(request, count, sizeof *items, (void **)&body.rates);
    if (!items) {
        request_answer_code(request, OUTCOME_CODE(OVERLOADED));
        return;
    }
    for (int i = 0; i < count; i++) {
        loyal__v1__earn_rate__init(&items[i]);
        items[i].merchant = query_text(request, rows, i, 0);
        items[i].numerator = (uint32_t)query_number(rows, i, 1);
        items[i].denominator = (uint32_t)query_number(rows, i, 2);
        items[i].lifetime_months = (uint32_t)query_number(rows, i, 3);
        items[i].valid_from = (uint32_t)query_number(rows, i, 4);
    }
    body.n_rates = (size_t)count;
    answer.response.body_case = LOYAL__V1__RESPONSE__BODY_LIST_EARN_RATES;
    answer.response.list_earn_rates = &body;
    request_answer(request, &answer);
}

void handle_list_earn_rates(struct request *request)
{
    const char *values[] = {request->message->list_earn_rates->merchant};
    struct query_call call = {STATEMENT_RATES_LIST, values, LENGTH(values), on_rates,
                              .desk = DESK_COUNTER};
    query_begin(request, &call);
}

/* ---- points owed ---- */

static void on_owed(struct query *query, int code, const struct query_rows *rows)
{
    struct request *request = query->ctx;
    Loyal__V1__ListOwedPointsResponse body = LOYAL__V1__LIST_OWED_POINTS_RESPONSE__INIT;
    struct answer answer = answer_of(code);
    if (code != OUTCOME_CODE(OK)) {
        request_answer(request, &answer);
        return;
    }
    int count = query_rows_count(rows);
    Loyal__V1__OwedPoints *items =
        query_messages(request, count, sizeof *items, (void **)&body.owed);
    if (!items) {
        request_answer_code(request, OUTCOME_CODE(OVERLOADED));
        return;
    }
    for (int i = 0; i < count; i++) {
        loyal__v1__owed_points__init(&items[i]);
        items[i].issuer = query_text(request, rows, i, 0);
        items[i].redeemer = query_text(request, rows, i, 1);
        items[i].points = query_number(rows, i, 2);
    }
    body.n_owed = (size_t)count;
    answer.response.body_case = LOYAL__V1__RESPONSE__BODY_LIST_OWED_POINTS;
    answer.response.list_owed_points = &body;
    request_answer(request, &answer);
}

void handle_list_owed_points(struct request *request)
{
    const char *values[] = {NULL};
    struct query_call call = {STATEMENT_OWED_LIST, values, 0, on_owed, .desk = DESK_OFFICE};
    query_begin(request, &call);
}
