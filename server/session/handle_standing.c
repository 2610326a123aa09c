/* Handles SetStanding: suspends, resumes and revokes merchants, stores, terminals, their
 * certificates, operators and members. Of all but the last the reference changes, behind everybody
 * who still decides on the old one; a member's standing is read under his lock. */
#include <string.h>

#include "outcome.h"
#include "session/query.h"
#include "session/verb.h"

#define LENGTH(array) ((int)(sizeof(array) / sizeof(array)[0]))

/* Of loyal.standing_change. */
enum { SUBJECT_MERCHANT = 1, SUBJECT_STORE, SUBJECT_TERMINAL, SUBJECT_OPERATOR };

bool check_set_standing(struct request *request, struct answer *answer_out)
{
    const Loyal__V1__SetStandingRequest *ask = request->message->set_standing;
    return ask->subject_case != LOYAL__V1__SET_STANDING_REQUEST__SUBJECT_MEMBER ||
           target_check(request, ask->member, "set_standing.member.identifier.value", answer_out);
}

static int code_of_word(const char *word)
{
    static const struct {
        const char *word;
        int code;
    } words[] = {
        {"added", OUTCOME_CODE(OK)},
        {"same", OUTCOME_CODE(OK)},
        {"revoked", OUTCOME_CODE(REVOKED)},
        {"too_many", OUTCOME_CODE(ALREADY_EXISTS)},
        {"unknown", OUTCOME_CODE(UNKNOWN_MEMBER)},
        {"no_merchant", OUTCOME_CODE(UNKNOWN_MERCHANT)},
        {"no_store", OUTCOME_CODE(UNKNOWN_STORE)},
        {"no_subject", OUTCOME_CODE(UNKNOWN_SUBJECT)},
    };
    for (int i = 0; i < LENGTH(words); i++)
        if (strcmp(words[i].word, word) == 0)
            return words[i].code;
    return OUTCOME_CODE(INTERNAL);
}

static void on_set(struct query *query, int code, const struct query_rows *rows)
{
    Loyal__V1__SetStandingResponse body = LOYAL__V1__SET_STANDING_RESPONSE__INIT;
    if (code == OUTCOME_CODE(OK))
        code = code_of_word(query_rows_value(rows, 0, 0));
    struct answer answer = answer_of(code);
    if (code == OUTCOME_CODE(OK)) {
        answer.response.body_case = LOYAL__V1__RESPONSE__BODY_SET_STANDING;
        answer.response.set_standing = &body;
    }
    request_answer(query->ctx, &answer);
}

static void on_member(struct request *request, const struct lookup *lookup)
{
    const Loyal__V1__SetStandingRequest *ask = request->message->set_standing;
    const struct session *session = request->session;
    const char *values[] = {number_text(request, lookup->member_id),
                            number_text(request, (int64_t)ask->standing),
                            number_text(request, domain_clock_us(session->worker->clock)),
                            number_text(request, session->operator_id), ask->reason};
    struct query_call call = {STATEMENT_MEMBER_STANDING_SET, values, LENGTH(values), on_set,
                              .is_writing = true};
    query_begin(request, &call);
}

/* Of a subject of the reference: which kind, whose, and its code. */
struct named {
    int kind;
    const char *merchant, *code;
};

static struct named named_of(const Loyal__V1__SetStandingRequest *ask)
{
    switch (ask->subject_case) {
    case LOYAL__V1__SET_STANDING_REQUEST__SUBJECT_STORE:
        return (struct named){SUBJECT_STORE, ask->store->merchant, ask->store->code};
    case LOYAL__V1__SET_STANDING_REQUEST__SUBJECT_TERMINAL:
        return (struct named){SUBJECT_TERMINAL, ask->terminal->merchant, ask->terminal->code};
    case LOYAL__V1__SET_STANDING_REQUEST__SUBJECT_OPERATOR:
        return (struct named){SUBJECT_OPERATOR, "", ask->operator_};
    default: return (struct named){SUBJECT_MERCHANT, ask->merchant, ""};
    }
}

static void of_certificate(struct request *request)
{
    const Loyal__V1__SetStandingRequest *ask = request->message->set_standing;
    const struct session *session = request->session;
    const char *values[] = {
        ask->certificate->merchant,
        ask->certificate->code,
        query_hex(request, ask->certificate->certificate_sha256.data, HASH_BYTES),
        number_text(request, (int64_t)ask->standing),
        number_text(request, domain_clock_us(session->worker->clock)),
        number_text(request, session->operator_id),
        ask->reason};
    struct query_call call = {STATEMENT_CERTIFICATE_STANDING_SET,
                              values,
                              LENGTH(values),
                              on_set,
                              .is_writing = true,
                              .is_of_reference = true};
    query_begin(request, &call);
}

void handle_set_standing(struct request *request)
{
    const Loyal__V1__SetStandingRequest *ask = request->message->set_standing;
    const struct session *session = request->session;
    if (ask->subject_case == LOYAL__V1__SET_STANDING_REQUEST__SUBJECT_MEMBER) {
        target_find(request, ask->member, on_member);
        return;
    }
    if (ask->subject_case == LOYAL__V1__SET_STANDING_REQUEST__SUBJECT_CERTIFICATE) {
        of_certificate(request);
        return;
    }
    struct named named = named_of(ask);
    if (named.kind == SUBJECT_OPERATOR && !strcmp(named.code, session->identity.name)) {
        struct answer answer = answer_invalid("set_standing.operator",
                                              "must be another operator: nobody locks himself out");
        request_answer(request, &answer);
        return;
    }
    const char *values[] = {number_text(request, named.kind),
                            named.merchant,
                            named.code,
                            number_text(request, (int64_t)ask->standing),
                            number_text(request, domain_clock_us(session->worker->clock)),
                            number_text(request, session->operator_id),
                            ask->reason};
    struct query_call call = {STATEMENT_STANDING_SET, values,
                              LENGTH(values),         on_set,
                              .is_writing = true,     .is_of_reference = true};
    query_begin(request, &call);
}
