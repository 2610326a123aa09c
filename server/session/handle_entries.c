/* Handles ListEntries: a merchant's own entries of a member or of a period, and for operators a
 * member's whole history, which is recorded as shown to them. */
#include <string.h>

#include "outcome.h"
#include "session/cursor.h"
#include "session/shown.h"
#include "session/verb.h"

#define LENGTH(array) ((int)(sizeof(array) / sizeof(array)[0]))
#define DAY_US        INT64_C(86400000000)

/* Columns of STATEMENT_ENTRIES_OF_MEMBER and _OF_PERIOD. */
enum {
    ENTRY_MEMBER,
    ENTRY_ID,
    ENTRY_KIND,
    ENTRY_DECIDED,
    ENTRY_MERCHANT,
    ENTRY_POINTS,
    ENTRY_BALANCE,
    ENTRY_DEBT,
    ENTRY_ORIGINAL,
    ENTRY_IS_ERASED,
    ENTRY_STORE,
    ENTRY_TILL,
    ENTRY_RECEIPT,
    ENTRY_PART,
    ENTRY_DATE,
    ENTRY_OCCURRED,
    ENTRY_TERMINAL,
    ENTRY_CHANNEL,
    ENTRY_AMOUNT,
    ENTRY_PAID,
    ENTRY_CURRENCY,
    ENTRY_LINES,
    ENTRY_SEQ,
    ENTRY_HAS_MORE,
};

bool check_list_entries(struct request *request, struct answer *answer_out)
{
    const Loyal__V1__ListEntriesRequest *ask = request->message->list_entries;
    if (ask->of_case == LOYAL__V1__LIST_ENTRIES_REQUEST__OF_MEMBER)
        return target_check(request, ask->member, "list_entries.member.identifier.value",
                            answer_out);
    if (ask->period->until_us - ask->period->from_us <= ENTRY_DAYS_MAX * DAY_US)
        return true;
    *answer_out = answer_invalid("list_entries.period", "must be at most 31 days");
    return false;
}

/* ---- rows ---- */

static bool bytes_fill(struct request *request, const struct query_rows *rows, int row, int column,
                       ProtobufCBinaryData *out)
{
    struct uuid uuid = query_uuid(rows, row, column);
    uint8_t *bytes = arena_copy(&request->arena, uuid.bytes, UUID_BYTES);
    if (bytes && !query_rows_is_null(rows, row, column))
        *out = (ProtobufCBinaryData){.len = UUID_BYTES, .data = bytes};
    return bytes != NULL;
}

static bool facts_fill(struct request *request, const struct query_rows *rows, int row,
                       Loyal__V1__Entry *out)
{
    Loyal__V1__Occasion *occasion = arena_alloc(&request->arena, sizeof *occasion);
    if (!occasion)
        return false;
    loyal__v1__occasion__init(occasion);
    occasion->store = query_text(request, rows, row, ENTRY_STORE);
    occasion->till = query_text(request, rows, row, ENTRY_TILL);
    occasion->receipt = query_text(request, rows, row, ENTRY_RECEIPT);
    occasion->part = (uint32_t)query_number(rows, row, ENTRY_PART);
    occasion->business_date = (uint32_t)query_number(rows, row, ENTRY_DATE);
    occasion->occurred_at_us = query_number(rows, row, ENTRY_OCCURRED);
    out->occasion = occasion;
    out->terminal = query_text(request, rows, row, ENTRY_TERMINAL);
    out->channel = (Loyal__V1__Channel)query_number(rows, row, ENTRY_CHANNEL);
    out->amount_minor = query_number(rows, row, ENTRY_AMOUNT);
    out->paid_in_points_minor = query_number(rows, row, ENTRY_PAID);
    out->currency = query_text(request, rows, row, ENTRY_CURRENCY);
    return shown_lines(request, query_rows_value(rows, row, ENTRY_LINES), &out->n_lines,
                       &out->lines);
}

static bool entry_fill(struct request *request, const struct query_rows *rows, int row,
                       Loyal__V1__Entry *out)
{
    loyal__v1__entry__init(out);
    request->member_id = query_number(rows, row, ENTRY_MEMBER);
    out->kind = (Loyal__V1__EntryKind)query_number(rows, row, ENTRY_KIND);
    out->decided_at_us = query_number(rows, row, ENTRY_DECIDED);
    out->merchant = query_text(request, rows, row, ENTRY_MERCHANT);
    out->points = query_number(rows, row, ENTRY_POINTS);
    out->balance = query_number(rows, row, ENTRY_BALANCE);
    out->debt = query_number(rows, row, ENTRY_DEBT);
    out->erased = query_number(rows, row, ENTRY_IS_ERASED) != 0;
    return target_ref(request, &out->ref) &&
           bytes_fill(request, rows, row, ENTRY_ID, &out->entry_key) &&
           bytes_fill(request, rows, row, ENTRY_ORIGINAL, &out->original_key) &&
           (out->erased || facts_fill(request, rows, row, out));
}

static bool cursor_fill(struct request *request, const struct query_rows *rows, int last,
                        ProtobufCBinaryData *cursor)
{
    uint8_t place[24];
    put_u64(put_u64(put_u64(place, (uint64_t)query_number(rows, last, ENTRY_DECIDED)),
                    (uint64_t)query_number(rows, last, ENTRY_MEMBER)),
            (uint64_t)query_number(rows, last, ENTRY_SEQ));
    return page_seal(request, &request->message->list_entries->base,
                     &(struct page_end){place, sizeof place}, cursor);
}

static bool entries_fill(struct request *request, const struct query_rows *rows,
                         Loyal__V1__ListEntriesResponse *body)
{
    int count = query_rows_count(rows);
    Loyal__V1__Entry *items =
        query_messages(request, count, sizeof *items, (void **)&body->entries);
    for (int i = 0; items && i < count; i++) {
        if (!entry_fill(request, rows, i, &items[i]))
            return false;
    }
    body->n_entries = items ? (size_t)count : 0;
    if (!items || count == 0 || !query_number(rows, 0, ENTRY_HAS_MORE))
        return items != NULL;
    return cursor_fill(request, rows, count - 1, &body->cursor);
}

static void on_entries(struct query *query, int code, const struct query_rows *rows)
{
    struct request *request = query->ctx;
    Loyal__V1__ListEntriesResponse body = LOYAL__V1__LIST_ENTRIES_RESPONSE__INIT;
    if (code == OUTCOME_CODE(OK) && !entries_fill(request, rows, &body))
        code = OUTCOME_CODE(OVERLOADED);
    struct answer answer = answer_of(code);
    if (code == OUTCOME_CODE(OK)) {
        answer.response.body_case = LOYAL__V1__RESPONSE__BODY_LIST_ENTRIES;
        answer.response.list_entries = &body;
    }
    request_answer(request, &answer);
}

/* ---- questions ---- */

/* NULL after a refusal. */
static struct page *page_begin(struct request *request)
{
    struct page *page = arena_alloc(&request->arena, sizeof *page);
    if (!page) {
        request_answer_code(request, OUTCOME_CODE(OVERLOADED));
        return NULL;
    }
    return page_open(request, &request->message->list_entries->base, page) ? page : NULL;
}

static void on_member(struct request *request, const struct lookup *lookup)
{
    const Loyal__V1__ListEntriesRequest *ask = request->message->list_entries;
    const struct session *session = request->session;
    int64_t member_id = lookup->member_id, now_us = domain_clock_us(session->worker->clock);
    struct uuid page_id = uuid_make(now_us);
    struct page *page = page_begin(request);
    if (!page)
        return;
    int64_t before = page->size == 24 ? (int64_t)get_u64(page->place + 16) : INT64_MAX;
    const char *values[] = {number_text(request, member_id),
                            number_text(request, session->merchant_id),
                            number_text(request, before),
                            number_text(request, page->rows),
                            number_text(request, now_us),
                            uuid_as_text(request, &page_id),
                            number_text(request, session->operator_id),
                            ask->reason};
    struct query_call call = {STATEMENT_ENTRIES_OF_MEMBER,
                              values,
                              LENGTH(values),
                              on_entries,
                              .desk = DESK_COUNTER,
                              .is_disclosing = session->operator_id > 0};
    query_begin(request, &call);
}

static void period_ask(struct request *request)
{
    const Loyal__V1__ListEntriesRequest *ask = request->message->list_entries;
    struct page *page = page_begin(request);
    if (!page)
        return;
    bool goes_on = page->size == 24;
    int64_t after_us = goes_on ? (int64_t)get_u64(page->place) : ask->period->from_us;
    const char *values[] = {number_text(request, request->session->merchant_id),
                            number_text(request, ask->period->from_us),
                            number_text(request, ask->period->until_us),
                            number_text(request, after_us),
                            number_text(request, goes_on ? (int64_t)get_u64(page->place + 8) : -1),
                            number_text(request, goes_on ? (int64_t)get_u64(page->place + 16) : -1),
                            number_text(request, page->rows)};
    struct query_call call = {STATEMENT_ENTRIES_OF_PERIOD, values, LENGTH(values), on_entries,
                              .desk = DESK_COUNTER};
    query_begin(request, &call);
}

void handle_list_entries(struct request *request)
{
    const Loyal__V1__ListEntriesRequest *ask = request->message->list_entries;
    bool is_operator = request->session->operator_id != 0;
    bool is_of_member = ask->of_case == LOYAL__V1__LIST_ENTRIES_REQUEST__OF_MEMBER;
    struct answer answer;
    if (is_operator && !is_of_member)
        answer = answer_invalid("list_entries.period", "is a merchant's: name a member");
    else if (is_operator != (*ask->reason != '\0'))
        answer = answer_invalid("list_entries.reason",
                                "an operator says why; a terminal leaves it empty");
    else if (is_of_member) {
        target_find(request, ask->member, on_member);
        return;
    } else {
        period_ask(request);
        return;
    }
    request_answer(request, &answer);
}
