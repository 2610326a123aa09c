/* Handles EraseMember, in two commits: the ledger forfeits what is left and marks the member as
 * erased, so that nobody knows him any more; then the eraser blanks what is personal. The answer
 * comes after both; a repetition, under the same key or another, does what is still to be done. */
#include <string.h>

#include "outcome.h"
#include "session/query.h"
#include "session/verb.h"

#define LENGTH(array) ((int)(sizeof(array) / sizeof(array)[0]))

/* What the first commit did. */
struct erasure {
    int64_t member_id;
    int64_t points;
    bool recorded;
    uint8_t entry_key[UUID_BYTES];
    bool has_entry;
    uint8_t body_hash[LEDGER_BODY_HASH_BYTES];
};

bool check_erase_member(struct request *request, struct answer *answer_out)
{
    return target_check(request, request->message->erase_member->member,
                        "erase_member.member.identifier.value", answer_out);
}

static void on_blanked(struct query *query, int code, const struct query_rows *rows)
{
    struct request *request = query->ctx;
    struct erasure *erasure = request->progress;
    Loyal__V1__EraseMemberResponse body = LOYAL__V1__ERASE_MEMBER_RESPONSE__INIT;
    /* the first commit stands: whatever stopped the second, ask again */
    struct answer answer =
        answer_of(code == OUTCOME_CODE(OK) ? code : OUTCOME_CODE(OUTCOME_UNKNOWN));
    if (code == OUTCOME_CODE(OK)) {
        body.points = erasure->points;
        body.entries = (uint64_t)query_number(rows, 0, 0);
        if (erasure->has_entry)
            body.entry_key = (ProtobufCBinaryData){.len = UUID_BYTES, .data = erasure->entry_key};
        answer.recorded = erasure->recorded;
        answer.response.body_case = LOYAL__V1__RESPONSE__BODY_ERASE_MEMBER;
        answer.response.erase_member = &body;
    }
    request_answer(request, &answer);
}

/* His identifiers went with an erasure: if it was this one, its answer is on record. */
static void on_remembered(struct query *query, int code, const struct query_rows *rows)
{
    struct request *request = query->ctx;
    const struct erasure *erasure = request->progress;
    Loyal__V1__EraseMemberResponse body = LOYAL__V1__ERASE_MEMBER_RESPONSE__INIT;
    if (code == OUTCOME_CODE(OK) && query_rows_count(rows) == 0)
        code = OUTCOME_CODE(UNKNOWN_MEMBER);
    else if (code == OUTCOME_CODE(OK) &&
             strcmp(query_rows_value(rows, 0, 1),
                    query_hex(request, erasure->body_hash, sizeof erasure->body_hash)) != 0)
        code = OUTCOME_CODE(KEY_REUSED);
    struct answer answer = answer_of(code);
    if (code == OUTCOME_CODE(OK)) {
        answer.recorded = true;
        body.points = query_number(rows, 0, 0);
        body.entry_key = request->message->erase_member->key;
        answer.response.body_case = LOYAL__V1__RESPONSE__BODY_ERASE_MEMBER;
        answer.response.erase_member = &body;
    }
    request_answer(request, &answer);
}

static void remember(struct request *request)
{
    struct uuid key;
    memcpy(key.bytes, request->message->erase_member->key.data, UUID_BYTES);
    const char *values[] = {uuid_as_text(request, &key)};
    struct query_call call = {STATEMENT_ERASURE_FIND, values, LENGTH(values), on_remembered,
                              .desk = DESK_ERASER};
    query_begin(request, &call);
}

static void blank(struct request *request)
{
    const struct session *session = request->session;
    const struct erasure *erasure = request->progress;
    struct uuid key;
    memcpy(key.bytes, request->message->erase_member->key.data, UUID_BYTES);
    const char *values[] = {number_text(request, erasure->member_id),
                            number_text(request, domain_clock_us(session->worker->clock)),
                            number_text(request, session->operator_id),
                            uuid_as_text(request, &key),
                            number_text(request, erasure->points),
                            query_hex(request, erasure->body_hash, sizeof erasure->body_hash)};
    struct query_call call = {STATEMENT_MEMBER_ERASE, values,
                              LENGTH(values),         on_blanked,
                              .desk = DESK_ERASER,    .is_writing = true};
    query_begin(request, &call);
}

static void on_forfeited(struct posting *posting, int code, const struct decision *decision)
{
    struct request *request = posting->ctx;
    struct erasure *erasure = request->progress;
    if (code == OUTCOME_CODE(UNKNOWN_MEMBER)) {
        remember(request);
        return;
    }
    if (code != OUTCOME_CODE(OK)) {
        request_answer_code(request, code);
        return;
    }
    erasure->member_id = posting->member_id;
    erasure->points = decision->points;
    erasure->recorded = decision->recorded;
    erasure->has_entry = decision->entry != NULL;
    if (decision->entry)
        memcpy(erasure->entry_key, decision->entry->id.bytes, UUID_BYTES);
    blank(request);
}

void handle_erase_member(struct request *request)
{
    const Loyal__V1__EraseMemberRequest *ask = request->message->erase_member;
    struct session *session = request->session;
    struct posting *posting = &request->posting;
    struct erasure *erasure = arena_alloc(&request->arena, sizeof *erasure);
    request->progress = erasure;
    if (!erasure) {
        request_answer_code(request, OUTCOME_CODE(OVERLOADED));
        return;
    }
    posting_begin(request, ENTRY_FORFEIT, &ask->key, &ask->base);
    memcpy(erasure->body_hash, posting->request.body_hash, sizeof erasure->body_hash);
    posting->request.facts.occurred_at_us = domain_clock_us(session->worker->clock);
    posting->member_id = target_of(request, ask->member);
    posting->done = on_forfeited;
    engine_post(session->worker->engine, posting);
}
