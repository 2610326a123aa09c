/* Handles CheckConservation: three statements one after the other, each sound in itself; a member
 * who moves between them shows in the later ones only. */
#include "outcome.h"
#include "session/query.h"
#include "session/verb.h"

#define LENGTH(array) ((int)(sizeof(array) / sizeof(array)[0]))

/* Kept from step to step, in the request's arena. */
struct check {
    Loyal__V1__CheckConservationResponse body;
    const char *values[3]; /* first and last bucket, as-of time */
};

static void on_counts(struct query *query, int code, const struct query_rows *rows)
{
    struct request *request = query->ctx;
    struct check *check = request->progress;
    if (code == OUTCOME_CODE(OK) && query_rows_count(rows) != 1)
        code = OUTCOME_CODE(INTERNAL);
    struct answer answer = answer_of(code);
    if (code == OUTCOME_CODE(OK)) {
        check->body.members = (uint64_t)query_number(rows, 0, 0);
        check->body.entries = (uint64_t)query_number(rows, 0, 1);
        answer.response.body_case = LOYAL__V1__RESPONSE__BODY_CHECK_CONSERVATION;
        answer.response.check_conservation = &check->body;
    }
    request_answer(request, &answer);
}

static void on_findings(struct query *query, int code, const struct query_rows *rows)
{
    struct request *request = query->ctx;
    struct check *check = request->progress;
    if (code != OUTCOME_CODE(OK)) {
        request_answer_code(request, code);
        return;
    }
    int count = query_rows_count(rows);
    Loyal__V1__Finding *items =
        query_messages(request, count, sizeof *items, (void **)&check->body.findings);
    if (!items) {
        request_answer_code(request, OUTCOME_CODE(OVERLOADED));
        return;
    }
    for (int i = 0; i < count; i++) {
        loyal__v1__finding__init(&items[i]);
        items[i].member = query_text(request, rows, i, 0);
        items[i].row = query_text(request, rows, i, 1);
        items[i].text = query_text(request, rows, i, 2);
    }
    check->body.n_findings = (size_t)count;
    check->body.findings_total = count > 0 ? (uint64_t)query_number(rows, 0, 3) : 0;
    struct query_call call = {STATEMENT_COUNTS_CHECK, check->values, 2, on_counts,
                              .desk = DESK_OFFICE};
    query_begin(request, &call);
}

static void on_sums(struct query *query, int code, const struct query_rows *rows)
{
    struct request *request = query->ctx;
    struct check *check = request->progress;
    if (code != OUTCOME_CODE(OK)) {
        request_answer_code(request, code);
        return;
    }
    int count = query_rows_count(rows);
    Loyal__V1__IssuerSums *items =
        query_messages(request, count, sizeof *items, (void **)&check->body.sums);
    if (!items) {
        request_answer_code(request, OUTCOME_CODE(OVERLOADED));
        return;
    }
    for (int i = 0; i < count; i++) {
        loyal__v1__issuer_sums__init(&items[i]);
        items[i].issuer = query_text(request, rows, i, 0);
        items[i].issued = query_number(rows, i, 1);
        items[i].available = query_number(rows, i, 2);
        items[i].redeemed = query_number(rows, i, 3);
        items[i].expired = query_number(rows, i, 4);
        items[i].clawed_back = query_number(rows, i, 5);
        items[i].debt = query_number(rows, i, 6);
        items[i].forfeited = query_number(rows, i, 7);
    }
    check->body.n_sums = (size_t)count;
    struct query_call call = {STATEMENT_FINDINGS_CHECK, check->values, LENGTH(check->values),
                              on_findings, .desk = DESK_OFFICE};
    query_begin(request, &call);
}

void handle_check_conservation(struct request *request)
{
    const Loyal__V1__CheckConservationRequest *range = request->message->check_conservation;
    struct check *check = arena_alloc(&request->arena, sizeof *check);
    if (!check) {
        request_answer_code(request, OUTCOME_CODE(OVERLOADED));
        return;
    }
    loyal__v1__check_conservation_response__init(&check->body);
    check->values[0] = number_text(request, range->bucket_first);
    check->values[1] = number_text(request, range->bucket_last);
    check->values[2] = number_text(request, domain_clock_us(request->session->worker->clock));
    request->progress = check;
    struct query_call call = {STATEMENT_SUMS_CHECK, check->values, LENGTH(check->values), on_sums,
                              .desk = DESK_OFFICE};
    query_begin(request, &call);
}
