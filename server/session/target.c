/* Finds out which member a request means: by identifier, normalised and hashed, or by ref. Called
 * by the handlers and their checks. Never logs an identifier. */
#include <string.h>

#include "outcome.h"
#include "session/normalise.h"
#include "session/verb.h"

const char *target_hash(const struct worker *worker, const Loyal__V1__Identifier *identifier,
                        uint8_t hash_out[HASH_BYTES])
{
    char normal[NORMALISED_BYTES_MAX + 1];
    enum identifier_kind kind = (enum identifier_kind)identifier->kind;
    const char *fault = normalise(kind, identifier->value, worker->config->country_code, normal);
    if (!fault)
        normalise_hash(keyring_identifier_key(worker->keyring), kind, normal, hash_out);
    return fault;
}

bool target_check_identifier(struct request *request, const Loyal__V1__Identifier *identifier,
                             const char *field, struct answer *answer_out)
{
    const char *fault = target_hash(request->session->worker, identifier, request->identifier_hash);
    request->by_identifier = true;
    if (fault)
        *answer_out = answer_invalid(field, fault);
    return !fault;
}

bool target_check(struct request *request, const Loyal__V1__Member *member, const char *field,
                  struct answer *answer_out)
{
    request->by_identifier = member->by_case == LOYAL__V1__MEMBER__BY_IDENTIFIER;
    return !request->by_identifier ||
           target_check_identifier(request, member->identifier, field, answer_out);
}

int64_t target_of(struct request *request, const Loyal__V1__Member *member)
{
    struct session *session = request->session;
    if (request->by_identifier || member->ref.len != REF_BYTES)
        return REF_NOBODY;
    return ref_open(session->worker->refs, session->merchant_id, member->ref.data);
}

void target_presented(struct request *request, int64_t member_id)
{
    struct session *session = request->session;
    if (request->by_identifier)
        presence_note(&session->presences, member_id, domain_clock_us(session->worker->clock));
}

static void on_found(struct lookup *lookup, int code)
{
    struct request *request = lookup->ctx;
    if (code != OUTCOME_CODE(OK)) {
        request_answer_code(request, code);
        return;
    }
    target_presented(request, lookup->member_id);
    request->found(request, lookup);
}

void target_find(struct request *request, const Loyal__V1__Member *member,
                 void (*found)(struct request *request, const struct lookup *lookup))
{
    struct session *session = request->session;
    struct worker *worker = session->worker;
    if (session->terminal_id &&
        !quota_take(worker->quota, session->terminal_id, QUOTA_LOOKUPS, clock_monotonic_us())) {
        request_answer_code(request, OUTCOME_CODE(OVERLOADED));
        return;
    }
    request->found = found;
    request->lookup = (struct lookup){
        .by_identifier = request->by_identifier,
        .party = {session->merchant_id, session->terminal_id},
        .member_id = member ? target_of(request, member) : REF_NOBODY,
        .deadline_us = request->deadline_us,
        .done = on_found,
        .ctx = request,
    };
    memcpy(request->lookup.identifier_hash, request->identifier_hash, HASH_BYTES);
    engine_lookup(worker->engine, &request->lookup);
}

bool target_ref(struct request *request, ProtobufCBinaryData *ref_out)
{
    const struct session *session = request->session;
    uint8_t *ref = arena_alloc(&request->arena, REF_BYTES);
    *ref_out = (ProtobufCBinaryData){.len = REF_BYTES, .data = ref};
    return ref && ref_make(session->worker->refs, session->merchant_id, request->member_id, ref);
}
