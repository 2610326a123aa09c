/* Handles what operators change: merchants, stores, terminals, rates. Adding what exists with the
 * same properties is OK, so these need no key. */
#include <string.h>

#include "outcome.h"
#include "session/query.h"
#include "session/verb.h"

#define LENGTH(array) ((int)(sizeof(array) / sizeof(array)[0]))

/* The result code of a statement's word. */
static int code_of_word(const char *word)
{
    static const struct {
        const char *word;
        int code;
    } words[] = {
        {"added", OUTCOME_CODE(OK)},
        {"same", OUTCOME_CODE(OK)},
        {"differs", OUTCOME_CODE(ALREADY_EXISTS)},
        {"no_merchant", OUTCOME_CODE(UNKNOWN_MERCHANT)},
        {"no_store", OUTCOME_CODE(UNKNOWN_STORE)},
    };
    for (int i = 0; i < LENGTH(words); i++) {
        if (strcmp(words[i].word, word) == 0)
            return words[i].code;
    }
    return OUTCOME_CODE(INTERNAL);
}

/* The final code of a query whose first row begins with such a word. */
static int code_of(int code, const struct query_rows *rows)
{
    if (code != OUTCOME_CODE(OK))
        return code;
    if (query_rows_count(rows) != 1)
        return OUTCOME_CODE(INTERNAL);
    return code_of_word(query_rows_value(rows, 0, 0));
}

/* ---- merchants ---- */

static void on_merchant_added(struct query *query, int code, const struct query_rows *rows)
{
    Loyal__V1__AddMerchantResponse body = LOYAL__V1__ADD_MERCHANT_RESPONSE__INIT;
    struct answer answer = answer_of(code_of(code, rows));
    if (answer.code == OUTCOME_CODE(OK)) {
        answer.response.body_case = LOYAL__V1__RESPONSE__BODY_ADD_MERCHANT;
        answer.response.add_merchant = &body;
    }
    request_answer(query->ctx, &answer);
}

void handle_add_merchant(struct request *request)
{
    const Loyal__V1__Merchant *merchant = request->message->add_merchant->merchant;
    const char *values[] = {merchant->code, merchant->name, merchant->currency};
    struct query_call call = {STATEMENT_MERCHANT_ADD, values, LENGTH(values), on_merchant_added};
    query_begin(request, &call);
}

/* ---- stores ---- */

/* An array literal of PostgreSQL: {"a","b"}, with \ before \ and ". NULL without memory. */
static const char *array_text(struct request *request, const char *(*item_of)(const void *, size_t),
                              size_t count)
{
    const Loyal__V1__AddStoresRequest *stores = request->message->add_stores;
    size_t bytes = 3;
    for (size_t i = 0; i < count; i++)
        bytes += 2 * strlen(item_of(stores, i)) + 3;
    char *text = arena_alloc(&request->arena, bytes), *at = text;
    if (!text)
        return NULL;
    *at++ = '{';
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            *at++ = ',';
        *at++ = '"';
        for (const char *from = item_of(stores, i); *from; from++) {
            if (*from == '"' || *from == '\\')
                *at++ = '\\';
            *at++ = *from;
        }
        *at++ = '"';
    }
    *at++ = '}';
    return text;
}

static const char *store_merchant(const void *stores, size_t i)
{
    return ((const Loyal__V1__AddStoresRequest *)stores)->stores[i]->merchant;
}
static const char *store_code(const void *stores, size_t i)
{
    return ((const Loyal__V1__AddStoresRequest *)stores)->stores[i]->code;
}
static const char *store_name(const void *stores, size_t i)
{
    return ((const Loyal__V1__AddStoresRequest *)stores)->stores[i]->name;
}

static void on_stores_added(struct query *query, int code, const struct query_rows *rows)
{
    Loyal__V1__AddStoresResponse body = LOYAL__V1__ADD_STORES_RESPONSE__INIT;
    if (code == OUTCOME_CODE(OK) && query_rows_count(rows) != 1)
        code = OUTCOME_CODE(INTERNAL);
    if (code == OUTCOME_CODE(OK) && query_number(rows, 0, 1) > 0)
        code = OUTCOME_CODE(UNKNOWN_MERCHANT);
    if (code == OUTCOME_CODE(OK) && query_number(rows, 0, 2) > 0)
        code = OUTCOME_CODE(ALREADY_EXISTS);
    struct answer answer = answer_of(code);
    if (code == OUTCOME_CODE(OK)) {
        body.added = (uint32_t)query_number(rows, 0, 0);
        answer.response.body_case = LOYAL__V1__RESPONSE__BODY_ADD_STORES;
        answer.response.add_stores = &body;
    }
    request_answer(query->ctx, &answer);
}

void handle_add_stores(struct request *request)
{
    size_t count = request->message->add_stores->n_stores;
    const char *values[] = {array_text(request, store_merchant, count),
                            array_text(request, store_code, count),
                            array_text(request, store_name, count)};
    struct query_call call = {STATEMENT_STORES_ADD, values, LENGTH(values), on_stores_added};
    query_begin(request, &call);
}

/* ---- terminals ---- */

static void on_terminal_added(struct query *query, int code, const struct query_rows *rows)
{
    Loyal__V1__AddTerminalResponse body = LOYAL__V1__ADD_TERMINAL_RESPONSE__INIT;
    struct answer answer = answer_of(code_of(code, rows));
    if (answer.code == OUTCOME_CODE(OK)) {
        answer.response.body_case = LOYAL__V1__RESPONSE__BODY_ADD_TERMINAL;
        answer.response.add_terminal = &body;
    }
    request_answer(query->ctx, &answer);
}

void handle_add_terminal(struct request *request)
{
    const Loyal__V1__Terminal *terminal = request->message->add_terminal->terminal;
    char hex[2 * HASH_BYTES + 1];
    for (size_t i = 0; i < HASH_BYTES; i++)
        snprintf(hex + 2 * i, 3, "%02x", terminal->certificate_sha256.data[i]);
    const char *values[] = {terminal->merchant, terminal->code, terminal->store,
                            number_text(request, terminal->channel),
                            arena_copy(&request->arena, hex, sizeof hex)};
    struct query_call call = {STATEMENT_TERMINAL_ADD, values, LENGTH(values), on_terminal_added};
    query_begin(request, &call);
}

/* ---- rates ---- */

/* A rate is never applied to days gone by. */
bool check_set_earn_rate(struct request *request, struct answer *answer_out)
{
    struct worker *worker = request->session->worker;
    int32_t today = worker_day(worker, domain_clock_us(worker->clock));
    if ((int32_t)request->message->set_earn_rate->rate->valid_from >= today)
        return true;
    *answer_out = answer_invalid("set_earn_rate.rate.valid_from",
                                 "A rate begins today or later, in the network's time zone.");
    return false;
}

static void on_rate_set(struct query *query, int code, const struct query_rows *rows)
{
    Loyal__V1__SetEarnRateResponse body = LOYAL__V1__SET_EARN_RATE_RESPONSE__INIT;
    struct answer answer = answer_of(code_of(code, rows));
    if (answer.code == OUTCOME_CODE(OK)) {
        body.rule_version = (uint32_t)query_number(rows, 0, 1);
        answer.response.body_case = LOYAL__V1__RESPONSE__BODY_SET_EARN_RATE;
        answer.response.set_earn_rate = &body;
    }
    request_answer(query->ctx, &answer);
}

void handle_set_earn_rate(struct request *request)
{
    const Loyal__V1__EarnRate *rate = request->message->set_earn_rate->rate;
    const char *values[] = {rate->merchant, number_text(request, rate->numerator),
                            number_text(request, rate->denominator),
                            number_text(request, rate->lifetime_months),
                            number_text(request, rate->valid_from)};
    struct query_call call = {STATEMENT_RATE_SET, values, LENGTH(values), on_rate_set};
    query_begin(request, &call);
}
