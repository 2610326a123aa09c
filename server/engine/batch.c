/* Owns a batch's members and decisions. Called by lane.c; never talks to the database. */
#include "engine/batch.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

void posting_list_init(struct posting_list *list)
{
    list->first = NULL;
    list->end = &list->first;
    list->count = 0;
}

void posting_list_push(struct posting_list *list, struct posting *posting)
{
    posting->next = NULL;
    *list->end = posting;
    list->end = &posting->next;
    list->count++;
}

struct posting *posting_list_pop(struct posting_list *list)
{
    struct posting *posting = list->first;
    if (!posting)
        return NULL;
    list->first = posting->next;
    list->count--;
    if (!list->first)
        list->end = &list->first;
    return posting;
}

void posting_list_prepend(struct posting_list *list, struct posting_list *front)
{
    if (!front->first)
        return;
    *front->end = list->first;
    if (!list->first)
        list->end = front->end;
    list->first = front->first;
    list->count += front->count;
    posting_list_init(front);
}

void batch_init(struct batch *batch)
{
    memset(batch, 0, sizeof *batch);
    posting_list_init(&batch->postings);
    posting_list_init(&batch->again);
    posting_list_init(&batch->strangers);
    arena_init(&batch->arena, BATCH_ARENA_BYTES_MAX);
}

void batch_reset(struct batch *batch)
{
    assert(!batch->postings.first && !batch->again.first && !batch->strangers.first);
    reference_release(&batch->reference);
    arena_reset(&batch->arena);
    batch->members = NULL;
    batch->known = NULL;
    batch->asked = NULL;
    batch->claims = NULL;
    batch->member_count = batch->known_count = batch->asked_count = 0;
    batch->is_broken = false;
}

void batch_free(struct batch *batch)
{
    batch_reset(batch);
    arena_free(&batch->arena);
}

static int member_compare(const void *a, const void *b)
{
    const struct batch_member *x = a, *y = b;
    if (x->member.bucket != y->member.bucket)
        return x->member.bucket < y->member.bucket ? -1 : 1;
    return (x->member.member_id > y->member.member_id) -
           (x->member.member_id < y->member.member_id);
}

struct batch_member *batch_find(const struct batch *batch, int64_t member_id)
{
    struct batch_member wanted = {
        .member = {.bucket = bucket_of(member_id), .member_id = member_id}};
    return bsearch(&wanted, batch->members, (size_t)batch->member_count, sizeof wanted,
                   member_compare);
}

/* The ledger's form of all rules, so that a reversal finds its original's. */
static bool rules_plan(struct batch *batch)
{
    size_t count;
    const struct reference_rule *rules = reference_rules(batch->reference, &count);
    struct earn_rule *copy = arena_alloc(&batch->arena, (count + 1) * sizeof *copy);
    if (!copy)
        return false;
    for (size_t i = 0; i < count; i++)
        copy[i] = (struct earn_rule){rules[i].version, rules[i].numerator, rules[i].denominator,
                                     rules[i].lifetime_months};
    batch->terms.rules = copy;
    batch->terms.rule_count = count;
    return true;
}

static bool identifiers_plan(struct batch *batch)
{
    size_t count = 0;
    for (const struct posting *posting = batch->postings.first; posting; posting = posting->next)
        count += posting->identifier_count + 1;
    batch->known = arena_alloc(&batch->arena, 2 * count * sizeof *batch->known);
    batch->asked = arena_alloc(&batch->arena, count * sizeof *batch->asked);
    batch->claims = arena_alloc(&batch->arena, count * sizeof *batch->claims);
    return batch->known && batch->asked && batch->claims;
}

bool batch_plan(struct batch *batch, struct reference *reference, const struct ledger_terms *terms)
{
    batch->reference = reference_hold(reference);
    batch->terms = *terms;
    batch->members =
        arena_alloc(&batch->arena, (size_t)batch->postings.count * sizeof *batch->members);
    if (!batch->members || !rules_plan(batch) || !identifiers_plan(batch))
        return false;
    int count = 0;
    for (struct posting *posting = batch->postings.first; posting; posting = posting->next) {
        struct member *member = &batch->members[count++].member;
        member->bucket = bucket_of(posting->member_id);
        member->member_id = posting->member_id;
    }
    qsort(batch->members, (size_t)count, sizeof *batch->members, member_compare);
    batch->member_count = 0;
    for (int i = 0; i < count; i++)
        if (!i || member_compare(&batch->members[i], &batch->members[batch->member_count - 1]))
            batch->members[batch->member_count++] = batch->members[i];
    for (struct posting *posting = batch->postings.first; posting; posting = posting->next) {
        posting->slot = batch_find(batch, posting->member_id);
        posting->slot->wants_state |= posting->wants_state;
    }
    return true;
}

/* An identifier of an enrolment that finds a member already; -1: none does. */
static int64_t identifier_owner(const struct batch *batch, const struct posting *posting)
{
    for (int i = 0; i < batch->known_count; i++)
        for (size_t j = 0; j < posting->identifier_count; j++)
            if (!memcmp(batch->known[i].hash, posting->identifiers[j], HASH_BYTES))
                return batch->known[i].member_id;
    return -1;
}

static bool posting_decide(struct batch *batch, struct posting *posting)
{
    struct member *member = &posting->slot->member;
    struct decision *decision = arena_alloc(&batch->arena, sizeof *decision);
    if (!decision)
        return false;
    posting->decision = decision;
    bool is_enrolment = posting->request.kind == ENTRY_ENROL && !member->exists;
    int64_t owner = is_enrolment ? identifier_owner(batch, posting) : -1;
    /* his own id: a twin of this enrolment was committed after the lock found nobody; then the
     * insert's guard repeats the batch, and the twin's answer is found */
    if (owner >= 0 && owner != posting->member_id) {
        posting->owner_id = owner;
        posting->code = RESULT_ALREADY_ENROLLED;
        return true;
    }
    if (!ledger_decide(member, &posting->request, &batch->terms, &batch->arena, decision))
        return false;
    posting->code = decision->code;
    for (size_t i = 0; is_enrolment && member->is_new && i < posting->identifier_count; i++)
        batch->known[batch->known_count++] =
            (struct known_identifier){posting->identifiers[i], member->member_id};
    return true;
}

/* Whoever was nobody under the lock has nothing, whatever was committed since. */
static bool is_sound(const struct batch *batch, struct member *member)
{
    if (!member->exists) {
        member->lots = NULL;
        member->debts = NULL;
    }
    const char *fault = ledger_fault(member, &batch->terms);
    if (fault)
        log_error("member_unsound", "bucket=%d fault=\"%s\" remedy=\"loyalctl conservation check\"",
                  member->bucket, fault);
    return !fault;
}

bool batch_decide(struct batch *batch, int64_t now_us)
{
    struct posting_list all = batch->postings;
    if (all.first == NULL)
        posting_list_init(&all);
    posting_list_init(&batch->postings);
    batch->terms.now_us = now_us;
    bool is_enough = !batch->is_broken;
    for (int i = 0; is_enough && i < batch->member_count; i++)
        is_enough = is_sound(batch, &batch->members[i].member);
    while (all.first) {
        struct posting *posting = posting_list_pop(&all);
        if (posting->by_identifier && !posting->is_proved) {
            posting_list_push(&batch->strangers, posting);
            continue;
        }
        posting->slot->is_deferred |= posting->slot->is_held;
        if (is_enough && !posting->slot->is_deferred)
            is_enough = posting_decide(batch, posting);
        const struct decision *decision = posting->decision;
        if (is_enough && decision && (decision->needs_lots || decision->needs_debts)) {
            posting->slot->is_deferred = true;
            posting->wants_state = true;
        }
        posting_list_push(posting->slot->is_deferred ? &batch->again : &batch->postings, posting);
    }
    for (int i = 0; is_enough && i < batch->member_count; i++)
        is_enough = ledger_chain(&batch->members[i].member, &batch->arena);
    return is_enough;
}
