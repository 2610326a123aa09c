/* Handles members: EnrolMember, FindMember, GetBalance. An unknown identifier and a ref that is
 * nobody's take the same path to the same answer (R41). */
#include <stdlib.h>
#include <string.h>

#include "outcome.h"
#include "session/verb.h"

/* Fills ref_out and lends it; false after INTERNAL was answered. */
static bool put_ref(struct request *request, int64_t member_id, uint8_t ref_out[REF_BYTES],
                    ProtobufCBinaryData *ref)
{
    struct session *session = request->session;
    if (!ref_make(session->worker->refs, session->merchant_id, member_id, ref_out)) {
        /* what an enrolment did is committed: to be asked for again */
        request_answer_code(request, OUTCOME_CODE(OUTCOME_UNKNOWN));
        return false;
    }
    *ref = (ProtobufCBinaryData){.len = REF_BYTES, .data = ref_out};
    return true;
}

/* ---- EnrolMember ---- */

static int compare_hashes(const void *a, const void *b)
{
    return memcmp(a, b, HASH_BYTES);
}

/* Normalises, hashes, sorts and drops twins, as the engine wants them. */
bool check_enrol_member(struct request *request, struct answer *answer_out)
{
    static const char *const fields[] = {
        "enrol_member.identifiers[0].value", "enrol_member.identifiers[1].value",
        "enrol_member.identifiers[2].value", "enrol_member.identifiers[3].value",
        "enrol_member.identifiers[4].value", "enrol_member.identifiers[5].value",
        "enrol_member.identifiers[6].value", "enrol_member.identifiers[7].value"};
    const Loyal__V1__EnrolMemberRequest *enrol = request->message->enrol_member;
    size_t count = enrol->n_identifiers;
    uint8_t(*hashes)[HASH_BYTES] = arena_alloc(&request->arena, count * sizeof *hashes);
    if (!hashes) {
        *answer_out = answer_of(OUTCOME_CODE(OVERLOADED));
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        const char *fault = target_hash(request->session->worker, enrol->identifiers[i], hashes[i]);
        if (fault) {
            *answer_out = answer_invalid(fields[i], fault);
            return false;
        }
    }
    qsort(hashes, count, sizeof *hashes, compare_hashes);
    request->progress = hashes;
    return true;
}

static size_t drop_twins(uint8_t (*hashes)[HASH_BYTES], size_t count)
{
    size_t kept = 1;
    for (size_t i = 1; i < count; i++) {
        if (memcmp(hashes[i], hashes[kept - 1], HASH_BYTES) != 0)
            memmove(hashes[kept++], hashes[i], HASH_BYTES);
    }
    return kept;
}

/* From merchant and key, so that twins of one request meet at one member (R32). */
static int64_t new_member_id(const struct worker *worker, int32_t merchant_id,
                             const struct uuid *key)
{
    uint8_t bytes[4 + UUID_BYTES], hash[HASH_BYTES];
    put_bytes(put_u32(bytes, (uint32_t)merchant_id), key->bytes, UUID_BYTES);
    hash_hmac(keyring_enrol_key(worker->keyring), bytes, sizeof bytes, hash);
    return (int64_t)(get_u64(hash) & INT64_MAX);
}

static void on_enrolled(struct posting *posting, int code, const struct decision *decision)
{
    struct request *request = posting->ctx;
    Loyal__V1__EnrolMemberResponse body = LOYAL__V1__ENROL_MEMBER_RESPONSE__INIT;
    Loyal__V1__Balance balance = LOYAL__V1__BALANCE__INIT;
    struct answer answer = answer_of(code);
    uint8_t ref[REF_BYTES];
    posting_note(request, code, NULL);
    if (code == OUTCOME_CODE(OK) || code == OUTCOME_CODE(ALREADY_ENROLLED)) {
        request->by_identifier = true; /* by several of them */
        target_presented(request,
                         code == OUTCOME_CODE(OK) ? posting->member_id : posting->owner_id);
        if (!put_ref(request, code == OUTCOME_CODE(OK) ? posting->member_id : posting->owner_id,
                     ref, &body.ref))
            return;
        answer.response.body_case = LOYAL__V1__RESPONSE__BODY_ENROL_MEMBER;
        answer.response.enrol_member = &body;
    }
    if (code == OUTCOME_CODE(OK)) { /* of a member known before, the decision is not about him */
        balance.available = decision->balance;
        balance.debt = decision->debt;
        balance.as_of_us = decision->decided_at_us;
        body.balance = &balance;
    }
    answer.recorded = decision && decision->recorded;
    request_answer(request, &answer);
}

void handle_enrol_member(struct request *request)
{
    const Loyal__V1__EnrolMemberRequest *enrol = request->message->enrol_member;
    struct session *session = request->session;
    struct posting *posting = &request->posting;
    uint8_t(*hashes)[HASH_BYTES] = request->progress;
    posting_begin(request, ENTRY_ENROL, &enrol->key, &enrol->base);
    struct ledger_request *ledger = &posting->request;
    request->store_code = enrol->store;
    ledger->facts.occurred_at_us = uuid_time_us(&ledger->key);
    ledger->facts.business_date = worker_day(session->worker, ledger->facts.occurred_at_us);
    posting->identifiers = (const uint8_t(*)[HASH_BYTES])hashes;
    posting->identifier_count = drop_twins(hashes, enrol->n_identifiers);
    posting->member_id = new_member_id(session->worker, session->merchant_id, &ledger->key);
    posting->done = on_enrolled;
    posting_send(request);
}

/* ---- FindMember, GetBalance ---- */

bool check_find_member(struct request *request, struct answer *answer_out)
{
    return target_check_identifier(request, request->message->find_member->identifier,
                                   "find_member.identifier.value", answer_out);
}

bool check_get_balance(struct request *request, struct answer *answer_out)
{
    return target_check(request, request->message->get_balance->member,
                        "get_balance.member.identifier.value", answer_out);
}

static void on_found(struct request *request, const struct lookup *lookup)
{
    Loyal__V1__FindMemberResponse body = LOYAL__V1__FIND_MEMBER_RESPONSE__INIT;
    struct answer answer = answer_of(OUTCOME_CODE(OK));
    uint8_t ref[REF_BYTES];
    if (!put_ref(request, lookup->member_id, ref, &body.ref))
        return;
    answer.response.body_case = LOYAL__V1__RESPONSE__BODY_FIND_MEMBER;
    answer.response.find_member = &body;
    request_answer(request, &answer);
}

static void on_balance(struct request *request, const struct lookup *lookup)
{
    Loyal__V1__GetBalanceResponse body = LOYAL__V1__GET_BALANCE_RESPONSE__INIT;
    Loyal__V1__Balance balance = LOYAL__V1__BALANCE__INIT;
    struct answer answer = answer_of(OUTCOME_CODE(OK));
    uint8_t ref[REF_BYTES];
    if (!put_ref(request, lookup->member_id, ref, &body.ref))
        return;
    balance.available = lookup->available;
    balance.debt = lookup->debt;
    balance.as_of_us = lookup->as_of_us;
    body.balance = &balance;
    answer.response.body_case = LOYAL__V1__RESPONSE__BODY_GET_BALANCE;
    answer.response.get_balance = &body;
    request_answer(request, &answer);
}

void handle_find_member(struct request *request)
{
    target_find(request, NULL, on_found);
}

void handle_get_balance(struct request *request)
{
    target_find(request, request->message->get_balance->member, on_balance);
}
