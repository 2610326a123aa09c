/* Handles what operators change: merchants, stores, terminals, rates. Adding what exists with the
 * same properties is OK, so these need no key. */
#include <string.h>

#include "outcome.h"
#include "session/query.h"
#include "session/verb.h"

#define LENGTH(array)     ((int)(sizeof(array) / sizeof(array)[0]))
#define CHANGES_REFERENCE .is_writing = true, .is_of_reference = true

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

/* ---- who may not be added with a standing ---- */

static bool check_no_standing(int standing, const char *field, struct answer *answer_out)
{
    if (standing == LOYAL__V1__STANDING__STANDING_UNSPECIFIED)
        return true;
    *answer_out = answer_invalid(field, "is of use in lists alone: whoever is added is active");
    return false;
}

bool check_add_merchant(struct request *request, struct answer *answer_out)
{
    return check_no_standing((int)request->message->add_merchant->merchant->standing,
                             "add_merchant.merchant.standing", answer_out);
}

bool check_add_stores(struct request *request, struct answer *answer_out)
{
    const Loyal__V1__AddStoresRequest *stores = request->message->add_stores;
    for (size_t i = 0; i < stores->n_stores; i++)
        if (!check_no_standing((int)stores->stores[i]->standing, "add_stores.stores.standing",
                               answer_out))
            return false;
    return true;
}

bool check_add_terminal(struct request *request, struct answer *answer_out)
{
    return check_no_standing((int)request->message->add_terminal->terminal->standing,
                             "add_terminal.terminal.standing", answer_out);
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
    struct query_call call = {STATEMENT_MERCHANT_ADD, values, LENGTH(values), on_merchant_added,
                              CHANGES_REFERENCE};
    query_begin(request, &call);
}

/* ---- stores ---- */

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
    const Loyal__V1__AddStoresRequest *stores = request->message->add_stores;
    size_t count = stores->n_stores;
    const char **items = arena_alloc(&request->arena, 3 * count * sizeof *items);
    if (!items) {
        request_answer_code(request, OUTCOME_CODE(OVERLOADED));
        return;
    }
    for (size_t i = 0; i < count; i++) {
        items[i] = stores->stores[i]->merchant;
        items[count + i] = stores->stores[i]->code;
        items[2 * count + i] = stores->stores[i]->name;
    }
    const char *values[] = {query_array(request, items, count),
                            query_array(request, items + count, count),
                            query_array(request, items + 2 * count, count)};
    struct query_call call = {STATEMENT_STORES_ADD, values, LENGTH(values), on_stores_added,
                              CHANGES_REFERENCE};
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
    const char *values[] = {terminal->merchant, terminal->code, terminal->store,
                            number_text(request, terminal->channel),
                            query_hex(request, terminal->certificate_sha256.data, HASH_BYTES)};
    struct query_call call = {STATEMENT_TERMINAL_ADD, values, LENGTH(values), on_terminal_added,
                              CHANGES_REFERENCE};
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
    struct query_call call = {STATEMENT_RATE_SET, values, LENGTH(values), on_rate_set,
                              CHANGES_REFERENCE};
    query_begin(request, &call);
}
