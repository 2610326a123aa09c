/* The decoding of each verb's body, in one table; the fillers of those about grants, purchases
 * elsewhere and records lie in answer_network.c.
 *
 * Called by exchange.c and client.c. It must never unpack what the validator has not passed, nor
 * trust a length that it has not compared. */
#include "answer.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "answer_parts.h"
#include "outcome.h"
#include "validate.h"

void sdk_failure_set(struct failure *failure, enum loyal_kind kind, enum loyal_code code,
                     const char *format, ...)
{
    va_list arguments;
    *failure = (struct failure){.kind = kind, .code = code};
    va_start(arguments, format);
    (void)vsnprintf(failure->text, sizeof failure->text, format, arguments);
    va_end(arguments);
}

static void answer_clear(struct loyal_answer *answer)
{
    *answer = (struct loyal_answer){0};
    answer->code_name = answer->text = answer->field = "";
    answer->status.software = answer->status.network = answer->status.schema = "";
}

void sdk_answer_init(struct answer_box *box)
{
    answer_clear(&box->answer);
    sdk_arena_init(&box->arena);
}

void sdk_answer_free(struct answer_box *box)
{
    sdk_arena_free(&box->arena);
}

const Loyal__V1__Response *sdk_answer_unpack(struct answer_box *box, const uint8_t *bytes, size_t n,
                                             uint64_t *id_out, struct failure *failure)
{
    struct validation validation;
    sdk_arena_reset(&box->arena);
    *id_out = 0;
    if (!validate_message(&loyal__v1__response__descriptor, bytes, n, VALIDATE_ALLOW_UNKNOWN,
                          &validation)) {
        *id_out = validate_peek_id(bytes, n);
        sdk_failure_set(failure, LOYAL_RETRY, LOYAL_CODE_PROTOCOL, "the answer is invalid: %s: %s",
                        validation.field, validation.text);
        return NULL;
    }
    Loyal__V1__Response *response = loyal__v1__response__unpack(&box->arena.allocator, n, bytes);
    if (response == NULL) {
        *id_out = validate_peek_id(bytes, n);
        sdk_failure_set(failure, LOYAL_RETRY, LOYAL_CODE_PROTOCOL,
                        "the answer of %zu bytes does not fit into memory", n);
        return NULL;
    }
    *id_out = response->id;
    const Loyal__V1__Outcome *outcome = response->outcome;
    if (outcome == NULL || outcome_kind_name(outcome->kind) == NULL) {
        sdk_failure_set(failure, LOYAL_RETRY, LOYAL_CODE_PROTOCOL,
                        "the answer has no outcome that this library knows");
        return NULL;
    }
    return response;
}

/* ---- pieces ---- */

bool sdk_answer_bytes(uint8_t *out, size_t n, const ProtobufCBinaryData *from)
{
    if (from->len == 0)
        return true;
    if (from->len != n)
        return false;
    memcpy(out, from->data, n);
    return true;
}

static bool ref_fill(struct loyal_answer *out, const ProtobufCBinaryData *from)
{
    return sdk_answer_bytes(out->ref, sizeof out->ref, from);
}

static bool entry_key_fill(struct loyal_answer *out, const ProtobufCBinaryData *from)
{
    return sdk_answer_bytes(out->entry_key, sizeof out->entry_key, from);
}

static void balance_fill(struct loyal_answer *out, const Loyal__V1__Balance *from)
{
    if (from == NULL)
        return;
    out->available = from->available;
    out->debt = from->debt;
    out->as_of_us = from->as_of_us;
}

/* ---- members and points ---- */

static bool fill_nothing(struct answer_box *box, const Loyal__V1__Response *response)
{
    (void)box;
    (void)response;
    return true;
}

static bool fill_ping(struct answer_box *box, const Loyal__V1__Response *response)
{
    box->answer.as_of_us = response->ping->server_time_us;
    return true;
}

static bool fill_enrol_member(struct answer_box *box, const Loyal__V1__Response *response)
{
    balance_fill(&box->answer, response->enrol_member->balance);
    return ref_fill(&box->answer, &response->enrol_member->ref);
}

static bool fill_find_member(struct answer_box *box, const Loyal__V1__Response *response)
{
    return ref_fill(&box->answer, &response->find_member->ref);
}

static bool fill_get_balance(struct answer_box *box, const Loyal__V1__Response *response)
{
    balance_fill(&box->answer, response->get_balance->balance);
    return ref_fill(&box->answer, &response->get_balance->ref);
}

static bool fill_earn(struct answer_box *box, const Loyal__V1__Response *response)
{
    const Loyal__V1__EarnResponse *from = response->earn;
    struct loyal_answer *out = &box->answer;
    out->points = from->points;
    out->debt_repaid = from->debt_repaid;
    out->expires_at_us = from->expires_at_us;
    balance_fill(out, from->balance);
    return ref_fill(out, &from->ref) && entry_key_fill(out, &from->entry_key);
}

static bool fill_redeem(struct answer_box *box, const Loyal__V1__Response *response)
{
    const Loyal__V1__RedeemResponse *from = response->redeem;
    struct loyal_answer *out = &box->answer;
    out->points = from->points;
    balance_fill(out, from->balance);
    return ref_fill(out, &from->ref) && entry_key_fill(out, &from->entry_key);
}

static bool fill_reverse(struct answer_box *box, const Loyal__V1__Response *response)
{
    const Loyal__V1__ReverseResponse *from = response->reverse;
    struct loyal_answer *out = &box->answer;
    out->points = from->points;
    out->debt_made = from->debt_made;
    out->expired = from->expired;
    out->before_original = from->before_original;
    balance_fill(out, from->balance);
    return ref_fill(out, &from->ref) && entry_key_fill(out, &from->entry_key);
}

/* ---- operators ---- */

static bool fill_list_merchants(struct answer_box *box, const Loyal__V1__Response *response)
{
    const Loyal__V1__ListMerchantsResponse *from = response->list_merchants;
    struct loyal_merchant *out = sdk_arena_array(&box->arena, from->n_merchants, sizeof *out);
    if (out == NULL)
        return false;
    for (size_t i = 0; i < from->n_merchants; i++) {
        const Loyal__V1__Merchant *item = from->merchants[i];
        out[i] = (struct loyal_merchant){.code = item->code,
                                         .name = item->name,
                                         .currency = item->currency,
                                         .standing = (enum loyal_standing)item->standing};
    }
    box->answer.merchants = out;
    box->answer.list_count = from->n_merchants;
    box->answer.more = from->more;
    return true;
}

static bool fill_add_stores(struct answer_box *box, const Loyal__V1__Response *response)
{
    box->answer.added = response->add_stores->added;
    return true;
}

static bool fill_list_stores(struct answer_box *box, const Loyal__V1__Response *response)
{
    const Loyal__V1__ListStoresResponse *from = response->list_stores;
    struct loyal_store *out = sdk_arena_array(&box->arena, from->n_stores, sizeof *out);
    if (out == NULL)
        return false;
    for (size_t i = 0; i < from->n_stores; i++) {
        const Loyal__V1__Store *item = from->stores[i];
        out[i] = (struct loyal_store){.merchant = item->merchant,
                                      .code = item->code,
                                      .name = item->name,
                                      .standing = (enum loyal_standing)item->standing};
    }
    box->answer.stores = out;
    box->answer.list_count = from->n_stores;
    box->answer.more = from->more;
    return true;
}

/* None is zeros, as the array was made. */
static bool fill_certificate(uint8_t out[32], const ProtobufCBinaryData *from)
{
    return from->len == 0 || sdk_answer_bytes(out, 32, from);
}

static bool fill_list_terminals(struct answer_box *box, const Loyal__V1__Response *response)
{
    const Loyal__V1__ListTerminalsResponse *from = response->list_terminals;
    struct loyal_terminal *out = sdk_arena_array(&box->arena, from->n_terminals, sizeof *out);
    if (out == NULL)
        return false;
    for (size_t i = 0; i < from->n_terminals; i++) {
        const Loyal__V1__Terminal *item = from->terminals[i];
        out[i].merchant = item->merchant;
        out[i].code = item->code;
        out[i].store = item->store;
        out[i].channel = (enum loyal_channel)item->channel;
        out[i].standing = (enum loyal_standing)item->standing;
        if (!fill_certificate(out[i].certificate_sha256, &item->certificate_sha256) ||
            !fill_certificate(out[i].older_certificate_sha256, &item->older_certificate_sha256))
            return false;
    }
    box->answer.terminals = out;
    box->answer.list_count = from->n_terminals;
    box->answer.more = from->more;
    return true;
}

static bool fill_set_earn_rate(struct answer_box *box, const Loyal__V1__Response *response)
{
    box->answer.rule_version = response->set_earn_rate->rule_version;
    return true;
}

static bool fill_list_earn_rates(struct answer_box *box, const Loyal__V1__Response *response)
{
    const Loyal__V1__ListEarnRatesResponse *from = response->list_earn_rates;
    struct loyal_rate *out = sdk_arena_array(&box->arena, from->n_rates, sizeof *out);
    if (out == NULL)
        return false;
    for (size_t i = 0; i < from->n_rates; i++) {
        const Loyal__V1__EarnRate *item = from->rates[i];
        out[i] = (struct loyal_rate){.merchant = item->merchant,
                                     .numerator = item->numerator,
                                     .denominator = item->denominator,
                                     .lifetime_months = item->lifetime_months,
                                     .valid_from = item->valid_from};
    }
    box->answer.rates = out;
    box->answer.list_count = from->n_rates;
    return true;
}

static bool fill_get_status(struct answer_box *box, const Loyal__V1__Response *response)
{
    const Loyal__V1__GetStatusResponse *from = response->get_status;
    struct loyal_worker *out = sdk_arena_array(&box->arena, from->n_workers, sizeof *out);
    if (out == NULL)
        return false;
    for (size_t i = 0; i < from->n_workers; i++) {
        const Loyal__V1__WorkerStatus *item = from->workers[i];
        out[i] = (struct loyal_worker){.worker = item->worker,
                                       .pid = item->pid,
                                       .connections = item->connections,
                                       .requests = item->requests,
                                       .batches = item->batches,
                                       .postings = item->postings,
                                       .refused = item->refused,
                                       .retried = item->retried,
                                       .unknown = item->unknown};
    }
    box->answer.workers = out;
    box->answer.list_count = from->n_workers;
    box->answer.status = (struct loyal_status){.software = from->software,
                                               .network = from->network,
                                               .schema = from->schema,
                                               .domain_time_us = from->domain_time_us,
                                               .uptime_s = from->uptime_s,
                                               .ready = from->ready};
    return true;
}

static bool fill_list_owed_points(struct answer_box *box, const Loyal__V1__Response *response)
{
    const Loyal__V1__ListOwedPointsResponse *from = response->list_owed_points;
    struct loyal_owed *out = sdk_arena_array(&box->arena, from->n_owed, sizeof *out);
    if (out == NULL)
        return false;
    for (size_t i = 0; i < from->n_owed; i++) {
        const Loyal__V1__OwedPoints *item = from->owed[i];
        out[i] = (struct loyal_owed){item->issuer, item->redeemer, item->points};
    }
    box->answer.owed = out;
    box->answer.list_count = from->n_owed;
    return true;
}

static bool fill_check_conservation(struct answer_box *box, const Loyal__V1__Response *response)
{
    const Loyal__V1__CheckConservationResponse *from = response->check_conservation;
    struct loyal_sums *sums = sdk_arena_array(&box->arena, from->n_sums, sizeof *sums);
    struct loyal_finding *findings =
        sdk_arena_array(&box->arena, from->n_findings, sizeof *findings);
    if (sums == NULL || findings == NULL)
        return false;
    for (size_t i = 0; i < from->n_sums; i++) {
        const Loyal__V1__IssuerSums *item = from->sums[i];
        sums[i] = (struct loyal_sums){.issuer = item->issuer,
                                      .issued = item->issued,
                                      .available = item->available,
                                      .redeemed = item->redeemed,
                                      .expired = item->expired,
                                      .forfeited = item->forfeited,
                                      .clawed_back = item->clawed_back,
                                      .debt = item->debt};
    }
    for (size_t i = 0; i < from->n_findings; i++) {
        const Loyal__V1__Finding *item = from->findings[i];
        findings[i] = (struct loyal_finding){item->member, item->row, item->text};
    }
    box->answer.sums = sums;
    box->answer.list_count = from->n_sums;
    box->answer.findings = findings;
    box->answer.finding_count = from->n_findings;
    box->answer.findings_total = from->findings_total;
    box->answer.members_checked = from->members;
    box->answer.entries_checked = from->entries;
    return true;
}

struct body {
    Loyal__V1__Response__BodyCase body_case;
    filler *fill;
};

#define ROW(VERB, fill) [LOYAL_##VERB] = {LOYAL__V1__RESPONSE__BODY_##VERB, fill}

static const struct body bodies[] = {
    ROW(PING, fill_ping),
    ROW(ENROL_MEMBER, fill_enrol_member),
    ROW(FIND_MEMBER, fill_find_member),
    ROW(GET_BALANCE, fill_get_balance),
    ROW(EARN, fill_earn),
    ROW(REDEEM, fill_redeem),
    ROW(REVERSE, fill_reverse),
    ROW(ADD_MERCHANT, fill_nothing),
    ROW(LIST_MERCHANTS, fill_list_merchants),
    ROW(ADD_STORES, fill_add_stores),
    ROW(LIST_STORES, fill_list_stores),
    ROW(ADD_TERMINAL, fill_nothing),
    ROW(LIST_TERMINALS, fill_list_terminals),
    ROW(SET_EARN_RATE, fill_set_earn_rate),
    ROW(LIST_EARN_RATES, fill_list_earn_rates),
    ROW(GET_STATUS, fill_get_status),
    ROW(LIST_OWED_POINTS, fill_list_owed_points),
    ROW(CHECK_CONSERVATION, fill_check_conservation),
    ROW(SET_GRANT, sdk_fill_set_grant),
    ROW(REVOKE_GRANT, fill_nothing),
    ROW(LIST_GRANTS, sdk_fill_list_grants),
    ROW(TRANSLATE_REFS, sdk_fill_translate_refs),
    ROW(QUERY_PURCHASES, sdk_fill_query_purchases),
    ROW(LIST_MEMBERS_NEVER_MET, sdk_fill_list_members_never_met),
    ROW(COUNT_MEMBERS, sdk_fill_count_members),
    ROW(LIST_ENTRIES, sdk_fill_list_entries),
    ROW(LIST_DISCLOSURES, sdk_fill_list_disclosures),
    ROW(SET_STANDING, fill_nothing),
    ROW(ERASE_MEMBER, sdk_fill_erase_member),
    ROW(EXPORT_MEMBER, sdk_fill_export_member),
};

bool sdk_answer_fill(struct answer_box *box, enum loyal_verb verb,
                     const Loyal__V1__Response *response)
{
    struct loyal_answer *out = &box->answer;
    const Loyal__V1__Outcome *outcome = response->outcome;
    assert((size_t)verb < sizeof bodies / sizeof bodies[0] && bodies[verb].fill != NULL);
    answer_clear(out);
    out->kind = (enum loyal_kind)outcome->kind;
    out->code = (enum loyal_code)outcome->code;
    out->code_name = loyal_code_name(out->code);
    out->text = outcome->text;
    out->field = outcome->field;
    out->retry_after_ms = outcome->retry_after_ms;
    out->recorded = outcome->recorded;
    if (response->body_case == LOYAL__V1__RESPONSE__BODY__NOT_SET)
        return out->kind != LOYAL_OK;
    out->has_body = true;
    return response->body_case == bodies[verb].body_case && bodies[verb].fill(box, response);
}

void sdk_answer_failure(const Loyal__V1__Response *response, struct failure *failure)
{
    const Loyal__V1__Outcome *outcome = response->outcome;
    sdk_failure_set(failure, (enum loyal_kind)outcome->kind, (enum loyal_code)outcome->code, "%s",
                    outcome->text);
    failure->retry_after_ms = outcome->retry_after_ms;
    (void)snprintf(failure->field, sizeof failure->field, "%s", outcome->field);
}

void sdk_answer_make(struct answer_box *box, const struct failure *failure)
{
    struct loyal_answer *out = &box->answer;
    answer_clear(out);
    memcpy(box->text, failure->text, sizeof box->text);
    memcpy(box->field, failure->field, sizeof box->field);
    out->kind = failure->kind;
    out->code = failure->code;
    out->code_name = loyal_code_name(failure->code);
    out->text = box->text;
    out->field = box->field;
    out->retry_after_ms = failure->retry_after_ms;
}
