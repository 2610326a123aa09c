/* Handles what merchants ask about purchases elsewhere: QueryPurchases, ListMembersNeverMet,
 * CountMembers; and TranslateRefs. What may be seen is decided in the database (views and row
 * security, migrations/deploy/network.sql); this file asks as loyal_reader and shows what comes. */
#include "outcome.h"
#include "session/cursor.h"
#include "session/filter.h"
#include "session/shown.h"
#include "session/verb.h"

#define LENGTH(array) ((int)(sizeof(array) / sizeof(array)[0]))

/* The id of a page's disclosures, in domain time. */
static const char *page_id(struct request *request)
{
    struct uuid id = uuid_make(domain_clock_us(request->session->worker->clock));
    return uuid_as_text(request, &id);
}

static void answer_overloaded(struct request *request)
{
    request_answer_code(request, OUTCOME_CODE(OVERLOADED));
}

/* ---- QueryPurchases ---- */

#define COLUMN_MORE SHOWN_COLUMNS /* behind the purchase's */

bool check_query_purchases(struct request *request, struct answer *answer_out)
{
    const Loyal__V1__QueryPurchasesRequest *ask = request->message->query_purchases;
    return target_check(request, ask->member, "query_purchases.member.identifier.value",
                        answer_out) &&
           filter_check(request, ask->filter, "query_purchases", answer_out);
}

static bool purchases_fill(struct request *request, const struct query_rows *rows,
                           Loyal__V1__QueryPurchasesResponse *body)
{
    int count = query_rows_count(rows);
    Loyal__V1__NetworkPurchase *items =
        query_messages(request, count, sizeof *items, (void **)&body->purchases);
    bool is_whole = items != NULL && target_ref(request, &body->ref);
    for (int i = 0; is_whole && i < count; i++)
        is_whole = shown_purchase(request, rows, i, 0, &items[i]);
    body->n_purchases = (size_t)count;
    if (!is_whole || count == 0 || !query_number(rows, count - 1, COLUMN_MORE))
        return is_whole;
    uint8_t last[8];
    put_u64(last, (uint64_t)query_number(rows, count - 1, SHOWN_SEQ));
    return page_seal(request, &request->message->query_purchases->base,
                     &(struct page_end){last, sizeof last}, &body->cursor);
}

static void on_purchases(struct query *query, int code, const struct query_rows *rows)
{
    struct request *request = query->ctx;
    Loyal__V1__QueryPurchasesResponse body = LOYAL__V1__QUERY_PURCHASES_RESPONSE__INIT;
    if (code == OUTCOME_CODE(OK) && !purchases_fill(request, rows, &body))
        code = OUTCOME_CODE(OVERLOADED);
    struct answer answer = answer_of(code);
    if (code == OUTCOME_CODE(OK)) {
        body.as_of_us = query->at_us;
        answer.response.body_case = LOYAL__V1__RESPONSE__BODY_QUERY_PURCHASES;
        answer.response.query_purchases = &body;
    }
    request_answer(request, &answer);
}

static void on_member(struct request *request, const struct lookup *lookup)
{
    const Loyal__V1__QueryPurchasesRequest *ask = request->message->query_purchases;
    const char *values[5 + FILTER_VALUES];
    struct page page;
    request->member_id = lookup->member_id;
    int code = filter_values(request, ask->filter, values + 5);
    if (code) {
        request_answer_code(request, code);
        return;
    }
    if (!page_open(request, &ask->base, &page))
        return;
    values[0] = number_text(request, request->member_id);
    values[1] = number_text(request, page.size == 8 ? (int64_t)get_u64(page.place) : INT64_MAX);
    values[2] = number_text(request, page.rows);
    values[3] = page_id(request);
    values[4] = number_text(request, request->session->terminal_id);
    struct query_call call = {.desk = DESK_WINDOW,
                              .statement = STATEMENT_PURCHASES_PAGE,
                              .is_disclosing = true,
                              .values = values,
                              .value_count = LENGTH(values),
                              .done = on_purchases,
                              .purpose = (int)ask->purpose};
    query_begin(request, &call);
}

void handle_query_purchases(struct request *request)
{
    target_find(request, request->message->query_purchases->member, on_member);
}

/* ---- ListMembersNeverMet ---- */

/* Columns before the purchase's: where the next page begins, whose row, which of his. */
enum { COLUMN_NEXT_PLACE, COLUMN_NEXT_MEMBER, COLUMN_MEMBER, COLUMN_NTH, COLUMN_PURCHASE };

bool check_list_members_never_met(struct request *request, struct answer *answer_out)
{
    return filter_check(request, request->message->list_members_never_met->filter,
                        "list_members_never_met", answer_out);
}

/* The member's rows from row on, as many as rows_out; false without memory. */
static bool member_fill(struct request *request, const struct query_rows *rows, int row,
                        Loyal__V1__MemberNeverMet *out, int *rows_out)
{
    int64_t member_id = query_number(rows, row, COLUMN_MEMBER);
    int count = 0, last = query_rows_count(rows);
    while (row + count < last && query_number(rows, row + count, COLUMN_MEMBER) == member_id)
        count++;
    *rows_out = count;
    loyal__v1__member_never_met__init(out);
    bool has_any = !query_rows_is_null(rows, row, COLUMN_NTH);
    int shown = !has_any ? 0 : count < PURCHASES_SHOWN_MAX ? count : PURCHASES_SHOWN_MAX;
    Loyal__V1__NetworkPurchase *items =
        query_messages(request, shown, sizeof *items, (void **)&out->purchases);
    request->member_id = member_id;
    if (!items || !target_ref(request, &out->ref))
        return false;
    for (int i = 0; i < shown; i++)
        if (!shown_purchase(request, rows, row + i, COLUMN_PURCHASE, &items[i]))
            return false;
    out->n_purchases = (size_t)shown;
    out->more = count > PURCHASES_SHOWN_MAX;
    return true;
}

static bool members_fill(struct request *request, const struct query_rows *rows,
                         Loyal__V1__ListMembersNeverMetResponse *body)
{
    int count = query_rows_count(rows);
    bool is_empty = query_rows_is_null(rows, 0, COLUMN_MEMBER);
    Loyal__V1__MemberNeverMet *items =
        query_messages(request, count, sizeof *items, (void **)&body->members);
    for (int row = 0, taken; items && !is_empty && row < count; row += taken)
        if (!member_fill(request, rows, row, &items[body->n_members++], &taken))
            return false;
    return items != NULL;
}

static bool next_fill(struct request *request, const struct query_rows *rows,
                      ProtobufCBinaryData *cursor)
{
    uint8_t next[16];
    if (query_rows_is_null(rows, 0, COLUMN_NEXT_PLACE))
        return true;
    put_u64(put_u64(next, (uint64_t)query_number(rows, 0, COLUMN_NEXT_PLACE)),
            (uint64_t)query_number(rows, 0, COLUMN_NEXT_MEMBER));
    return page_seal(request, &request->message->list_members_never_met->base,
                     &(struct page_end){next, sizeof next}, cursor);
}

static void on_members(struct query *query, int code, const struct query_rows *rows)
{
    struct request *request = query->ctx;
    Loyal__V1__ListMembersNeverMetResponse body = LOYAL__V1__LIST_MEMBERS_NEVER_MET_RESPONSE__INIT;
    if (code == OUTCOME_CODE(OK) &&
        !(members_fill(request, rows, &body) && next_fill(request, rows, &body.cursor)))
        code = OUTCOME_CODE(OVERLOADED);
    struct answer answer = answer_of(code);
    if (code == OUTCOME_CODE(OK)) {
        body.as_of_us = query->at_us;
        answer.response.body_case = LOYAL__V1__RESPONSE__BODY_LIST_MEMBERS_NEVER_MET;
        answer.response.list_members_never_met = &body;
    }
    request_answer(request, &answer);
}

void handle_list_members_never_met(struct request *request)
{
    const Loyal__V1__ListMembersNeverMetRequest *ask = request->message->list_members_never_met;
    const char *values[5 + FILTER_VALUES];
    struct page page;
    int code = filter_values(request, ask->filter, values + 5);
    if (code) {
        request_answer_code(request, code);
        return;
    }
    if (!page_open(request, &ask->base, &page))
        return;
    bool goes_on = page.size == 16;
    values[0] = number_text(request, goes_on ? (int64_t)get_u64(page.place) : -1);
    values[1] = number_text(request, goes_on ? (int64_t)get_u64(page.place + 8) : -1);
    values[2] = number_text(request, page.rows);
    values[3] = page_id(request);
    values[4] = number_text(request, request->session->terminal_id);
    struct query_call call = {.desk = DESK_WINDOW,
                              .statement = STATEMENT_NEVER_MET_PAGE,
                              .is_disclosing = true,
                              .values = values,
                              .value_count = LENGTH(values),
                              .done = on_members,
                              .purpose = (int)ask->purpose};
    query_begin(request, &call);
}

/* ---- CountMembers ---- */

bool check_count_members(struct request *request, struct answer *answer_out)
{
    return filter_check(request, request->message->count_members->filter, "count_members",
                        answer_out);
}

static void group_fill(const struct query_rows *rows, int column, Loyal__V1__GroupCount *out)
{
    loyal__v1__group_count__init(out);
    out->fewer_than_k = query_rows_is_null(rows, 0, column);
    out->members = (uint64_t)query_number(rows, 0, column);
}

static void on_counted(struct query *query, int code, const struct query_rows *rows)
{
    struct request *request = query->ctx;
    Loyal__V1__CountMembersResponse body = LOYAL__V1__COUNT_MEMBERS_RESPONSE__INIT;
    Loyal__V1__GroupCount with_grant, without_grant;
    if (code == OUTCOME_CODE(OK) && query_rows_count(rows) == 0)
        code = OUTCOME_CODE(BUDGET_EXHAUSTED);
    struct answer answer = answer_of(code);
    if (code == OUTCOME_CODE(OK)) {
        group_fill(rows, 0, &with_grant);
        group_fill(rows, 1, &without_grant);
        body.with_grant = &with_grant;
        body.without_grant = &without_grant;
        body.k = (uint32_t)query_number(rows, 0, 2);
        body.counted_at_us = query_number(rows, 0, 3);
        body.released_before = query_number(rows, 0, 4) != 0;
        body.questions_left = (uint32_t)query_number(rows, 0, 5);
        answer.response.body_case = LOYAL__V1__RESPONSE__BODY_COUNT_MEMBERS;
        answer.response.count_members = &body;
    }
    request_answer(request, &answer);
}

void handle_count_members(struct request *request)
{
    const Loyal__V1__CountMembersRequest *ask = request->message->count_members;
    struct worker *worker = request->session->worker;
    const char *values[FILTER_VALUES + 2];
    int code = filter_values(request, ask->filter, values);
    if (code) {
        request_answer_code(request, code);
        return;
    }
    values[FILTER_VALUES] = number_text(request, ask->k);
    values[FILTER_VALUES + 1] =
        number_text(request, worker_day(worker, domain_clock_us(worker->clock)));
    struct query_call call = {STATEMENT_MEMBERS_COUNT,
                              values,
                              LENGTH(values),
                              on_counted,
                              .desk = DESK_CENSUS,
                              .is_writing = true,
                              .purpose = (int)ask->purpose};
    query_begin(request, &call);
}

/* ---- TranslateRefs ---- */

bool check_translate_refs(struct request *request, struct answer *answer_out)
{
    const Loyal__V1__TranslateRefsRequest *ask = request->message->translate_refs;
    for (size_t i = 0; i < ask->n_refs; i++) {
        if (ask->refs[i].len == REF_BYTES)
            continue;
        *answer_out = answer_invalid("translate_refs.refs", "must be refs of 17 bytes each");
        return false;
    }
    return true;
}

void handle_translate_refs(struct request *request)
{
    const Loyal__V1__TranslateRefsRequest *ask = request->message->translate_refs;
    const struct session *session = request->session;
    Loyal__V1__TranslateRefsResponse body = LOYAL__V1__TRANSLATE_REFS_RESPONSE__INIT;
    struct answer answer = answer_of(OUTCOME_CODE(OK));
    body.refs = arena_alloc(&request->arena, ask->n_refs * sizeof *body.refs);
    for (size_t i = 0; body.refs && i < ask->n_refs; i++) {
        request->member_id =
            ref_open(session->worker->refs, session->merchant_id, ask->refs[i].data);
        if (request->member_id != REF_NOBODY && !target_ref(request, &body.refs[i]))
            body.refs = NULL;
    }
    if (!body.refs) {
        answer_overloaded(request);
        return;
    }
    body.n_refs = ask->n_refs;
    answer.response.body_case = LOYAL__V1__RESPONSE__BODY_TRANSLATE_REFS;
    answer.response.translate_refs = &body;
    request_answer(request, &answer);
}
