/* Turns results into responses on the wire and counts them. Called by request.c and session.c; what
 * each code means stands in the table of proto/outcome.c alone. */
#include <assert.h>

#include "base/log.h"
#include "frame.h"
#include "outcome.h"
#include "session/tally.h"
#include "session/session.h"

static uint32_t retry_after_ms(int code)
{
    switch (code) {
    case OUTCOME_CODE(OVERLOADED): return 100;
    case OUTCOME_CODE(NOT_READY): return 500;
    default: return 50;
    }
}

struct answer answer_of(int code)
{
    return (struct answer){.code = code, .response = LOYAL__V1__RESPONSE__INIT};
}

struct answer answer_invalid(const char *field, const char *text)
{
    struct answer answer = answer_of(OUTCOME_CODE(INVALID_FIELD));
    answer.field = field;
    answer.text = text;
    return answer;
}

static const struct outcome *row_of(int code)
{
    const struct outcome *row = outcome_of((Loyal__V1__ResultCode)code);
    if (row)
        return row;
    log_error("no_such_result", "code=%d", code);
    return outcome_of(OUTCOME_CODE(INTERNAL));
}

static void pack(struct conn *conn, const Loyal__V1__Response *response, size_t size)
{
    uint8_t *at = conn_reserve(conn, FRAME_HEADER_BYTES + size);
    if (!at) {
        conn_abort(conn); /* an answer that is not sent must not look as if none were due */
        return;
    }
    frame_put_header(at, (uint32_t)size);
    size_t packed = loyal__v1__response__pack(response, at + FRAME_HEADER_BYTES);
    assert(packed == size);
    conn_commit(conn, FRAME_HEADER_BYTES + size);
}

void answer_send(struct session *session, uint64_t id, const struct answer *answer)
{
    const struct outcome *row = row_of(answer->code);
    Loyal__V1__Outcome outcome = LOYAL__V1__OUTCOME__INIT;
    Loyal__V1__Response response = answer->response;
    bool is_ok = row->kind == OUTCOME_KIND(OK);
    tally_answer(session->worker, row->code);
    if (!session->conn)
        return;
    outcome.kind = row->kind;
    outcome.code = row->code;
    outcome.text = (char *)(uintptr_t)(answer->text ? answer->text : is_ok ? "" : row->text);
    if (answer->field)
        outcome.field = (char *)(uintptr_t)answer->field;
    if (row->kind == OUTCOME_KIND(RETRY))
        outcome.retry_after_ms =
            answer->retry_after_ms ? answer->retry_after_ms : retry_after_ms(row->code);
    outcome.recorded = answer->recorded;
    response.id = id;
    response.outcome = &outcome;
    size_t size = loyal__v1__response__get_packed_size(&response);
    if (size > FRAME_RESPONSE_BYTES_MAX) {
        log_error("answer_too_long", "bytes=%zu body=%d", size, (int)response.body_case);
        struct answer too_long = answer_of(OUTCOME_CODE(INTERNAL));
        too_long.text = "The answer is longer than a frame may be. Ask for less at once.";
        answer_send(session, id, &too_long);
        return;
    }
    pack(session->conn, &response, size);
    if (row->closes)
        conn_close(session->conn);
}
