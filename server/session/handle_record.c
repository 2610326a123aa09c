/* Handles what operators are asked for by members: ListDisclosures, all that was shown about one,
 * and ExportMember, all that is stored. */
#include <jansson.h>
#include <string.h>

#include "outcome.h"
#include "session/cursor.h"
#include "session/shown.h"
#include "session/verb.h"

#define LENGTH(array)    ((int)(sizeof(array) / sizeof(array)[0]))
#define EXPORT_ROWS      200
#define EXPORT_BYTES_MAX (512 << 10) /* of a page of several rows */

/* ---- ListDisclosures ---- */

/* Columns of STATEMENT_DISCLOSURES_LIST. */
enum {
    DISCLOSURE_PAGE,
    DISCLOSURE_AT,
    DISCLOSURE_MERCHANT,
    DISCLOSURE_TERMINAL,
    DISCLOSURE_OPERATOR,
    DISCLOSURE_VERB,
    DISCLOSURE_PURPOSE,
    DISCLOSURE_REASON,
    DISCLOSURE_ROWS,
};

bool check_list_disclosures(struct request *request, struct answer *answer_out)
{
    return target_check(request, request->message->list_disclosures->member,
                        "list_disclosures.member.identifier.value", answer_out);
}

/* [key as 32 digits, merchant, business date, bits of fields] */
static bool row_fill(struct request *request, const json_t *from, Loyal__V1__DisclosedRow *out)
{
    const char *key = json_string_value(json_array_get(from, 0));
    const char *merchant = json_string_value(json_array_get(from, 1));
    struct uuid uuid;
    loyal__v1__disclosed_row__init(out);
    if (!key || !merchant || !uuid_parse(key, &uuid))
        return false;
    uint8_t *bytes = arena_copy(&request->arena, uuid.bytes, UUID_BYTES);
    out->merchant = arena_copy(&request->arena, merchant, strlen(merchant) + 1);
    out->entry_key = (ProtobufCBinaryData){.len = UUID_BYTES, .data = bytes};
    out->business_date = (uint32_t)json_integer_value(json_array_get(from, 2));
    return bytes && out->merchant &&
           shown_fields(request, (int)json_integer_value(json_array_get(from, 3)), &out->n_fields,
                        &out->fields);
}

static bool rows_fill(struct request *request, const char *text, Loyal__V1__Disclosure *out)
{
    json_t *rows = *text ? json_loads(text, 0, NULL) : json_array();
    size_t n = json_array_size(rows);
    Loyal__V1__DisclosedRow *items =
        query_messages(request, (int)n, sizeof *items, (void **)&out->rows);
    bool is_whole = rows && items;
    for (size_t i = 0; is_whole && i < n; i++)
        is_whole = row_fill(request, json_array_get(rows, i), &items[i]);
    out->n_rows = n;
    json_decref(rows);
    return is_whole;
}

static bool disclosure_fill(struct request *request, const struct query_rows *rows, int row,
                            Loyal__V1__Disclosure *out)
{
    const struct verb *verb =
        verb_of((Loyal__V1__Request__BodyCase)query_number(rows, row, DISCLOSURE_VERB));
    loyal__v1__disclosure__init(out);
    out->disclosed_at_us = query_number(rows, row, DISCLOSURE_AT);
    out->merchant = query_text(request, rows, row, DISCLOSURE_MERCHANT);
    out->terminal = query_text(request, rows, row, DISCLOSURE_TERMINAL);
    out->operator_ = query_text(request, rows, row, DISCLOSURE_OPERATOR);
    out->verb = (char *)(uintptr_t)(verb ? verb->name : protobuf_c_empty_string);
    out->purpose = (Loyal__V1__Purpose)query_number(rows, row, DISCLOSURE_PURPOSE);
    out->reason = query_text(request, rows, row, DISCLOSURE_REASON);
    return rows_fill(request, query_rows_value(rows, row, DISCLOSURE_ROWS), out);
}

static bool disclosures_fill(struct request *request, const struct query_rows *rows,
                             Loyal__V1__ListDisclosuresResponse *body)
{
    int count = query_rows_count(rows);
    bool has_more = count > PAGE_ROWS_DEFAULT;
    count = has_more ? PAGE_ROWS_DEFAULT : count;
    Loyal__V1__Disclosure *items =
        query_messages(request, count, sizeof *items, (void **)&body->disclosures);
    bool is_whole = items != NULL && target_ref(request, &body->ref);
    for (int i = 0; is_whole && i < count; i++)
        is_whole = disclosure_fill(request, rows, i, &items[i]);
    body->n_disclosures = (size_t)count;
    if (!is_whole || !has_more)
        return is_whole;
    struct uuid last = query_uuid(rows, count - 1, DISCLOSURE_PAGE);
    return page_seal(request, &request->message->list_disclosures->base,
                     &(struct page_end){last.bytes, UUID_BYTES}, &body->cursor);
}

static void on_disclosures(struct query *query, int code, const struct query_rows *rows)
{
    struct request *request = query->ctx;
    Loyal__V1__ListDisclosuresResponse body = LOYAL__V1__LIST_DISCLOSURES_RESPONSE__INIT;
    if (code == OUTCOME_CODE(OK) && !disclosures_fill(request, rows, &body))
        code = OUTCOME_CODE(OVERLOADED);
    struct answer answer = answer_of(code);
    if (code == OUTCOME_CODE(OK)) {
        answer.response.body_case = LOYAL__V1__RESPONSE__BODY_LIST_DISCLOSURES;
        answer.response.list_disclosures = &body;
    }
    request_answer(request, &answer);
}

static void on_disclosed(struct request *request, const struct lookup *lookup)
{
    struct page page;
    struct uuid before;
    memset(&before, 0xff, sizeof before);
    request->member_id = lookup->member_id;
    if (!page_open(request, &request->message->list_disclosures->base, &page))
        return;
    if (page.size == UUID_BYTES)
        memcpy(before.bytes, page.place, UUID_BYTES);
    const char *values[] = {number_text(request, request->member_id),
                            uuid_as_text(request, &before),
                            number_text(request, PAGE_ROWS_DEFAULT + 1)};
    struct query_call call = {STATEMENT_DISCLOSURES_LIST, values, LENGTH(values), on_disclosures,
                              .desk = DESK_COUNTER};
    query_begin(request, &call);
}

void handle_list_disclosures(struct request *request)
{
    target_find(request, request->message->list_disclosures->member, on_disclosed);
}

/* ---- ExportMember ---- */

enum { EXPORT_PLACE, EXPORT_KEY, EXPORT_TABLE, EXPORT_JSON, EXPORT_MORE };

bool check_export_member(struct request *request, struct answer *answer_out)
{
    return target_check(request, request->message->export_member->member,
                        "export_member.member.identifier.value", answer_out);
}

static bool export_fill(struct request *request, const struct query_rows *rows,
                        Loyal__V1__ExportMemberResponse *body)
{
    int count = query_rows_count(rows);
    Loyal__V1__ExportedRow *items =
        query_messages(request, count, sizeof *items, (void **)&body->rows);
    if (!items || !target_ref(request, &body->ref))
        return false;
    for (int i = 0; i < count; i++) {
        loyal__v1__exported_row__init(&items[i]);
        items[i].table = query_text(request, rows, i, EXPORT_TABLE);
        items[i].json = query_text(request, rows, i, EXPORT_JSON);
    }
    body->n_rows = (size_t)count;
    if (count == 0 || !query_number(rows, count - 1, EXPORT_MORE))
        return true;
    const char *key = query_rows_value(rows, count - 1, EXPORT_KEY);
    uint8_t place[CURSOR_PLACE_BYTES_MAX];
    size_t size = strlen(key);
    if (size > sizeof place - 4)
        return false;
    put_bytes(put_u32(place, (uint32_t)query_number(rows, count - 1, EXPORT_PLACE)), key, size);
    return page_seal(request, &request->message->export_member->base,
                     &(struct page_end){place, 4 + size}, &body->cursor);
}

static void on_exported(struct query *query, int code, const struct query_rows *rows)
{
    struct request *request = query->ctx;
    Loyal__V1__ExportMemberResponse body = LOYAL__V1__EXPORT_MEMBER_RESPONSE__INIT;
    if (code == OUTCOME_CODE(OK) && !export_fill(request, rows, &body))
        code = OUTCOME_CODE(OVERLOADED);
    struct answer answer = answer_of(code);
    if (code == OUTCOME_CODE(OK)) {
        answer.response.body_case = LOYAL__V1__RESPONSE__BODY_EXPORT_MEMBER;
        answer.response.export_member = &body;
    }
    request_answer(request, &answer);
}

static void on_subject(struct request *request, const struct lookup *lookup)
{
    const Loyal__V1__ExportMemberRequest *ask = request->message->export_member;
    const struct session *session = request->session;
    int64_t now_us = domain_clock_us(session->worker->clock);
    struct uuid page_id = uuid_make(now_us);
    char key[CURSOR_PLACE_BYTES_MAX] = "";
    struct page page;
    request->member_id = lookup->member_id;
    if (!page_open(request, &ask->base, &page))
        return;
    if (page.size > 4)
        memcpy(key, page.place + 4, page.size - 4);
    const char *values[] = {number_text(request, request->member_id),
                            number_text(request, page.size >= 4 ? get_u32(page.place) : 0),
                            arena_copy(&request->arena, key, sizeof key),
                            number_text(request, EXPORT_ROWS),
                            number_text(request, now_us),
                            uuid_as_text(request, &page_id),
                            number_text(request, session->operator_id),
                            ask->reason,
                            number_text(request, EXPORT_BYTES_MAX)};
    struct query_call call = {STATEMENT_MEMBER_EXPORT, values,
                              LENGTH(values),          on_exported,
                              .desk = DESK_OFFICE,     .is_disclosing = true};
    query_begin(request, &call);
}

void handle_export_member(struct request *request)
{
    target_find(request, request->message->export_member->member, on_subject);
}
