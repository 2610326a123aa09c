/* One member without a database: requests are decided and "committed" in memory, and what must hold
 * is checked after each. Tests include ledger_fixture.h. */
#pragma once

#include <time.h>

#include "base/zone.h"
#include "ledger_checks.h"

enum { ALBA = 1, BORA = 2, CORA = 3 }; /* merchants */

#define MINUTE_US INT64_C(60000000)
#define DAY_US    (1440 * MINUTE_US)

/* Versions of the rules that all tests know. */
enum { RULE_1_PER_EURO = 1, RULE_1_PER_10_EURO, RULE_1_PER_CENT, RULE_NEVER_EXPIRES, RULE_COUNT };

struct world {
    struct arena arena;
    struct member member;
    struct earn_rule rules[RULE_COUNT - 1];
    struct ledger_terms terms;
    int64_t now_us;
    uint32_t key_count;
};

static inline int64_t utc(int year, int month, int day, int hour)
{
    struct tm parts = {
        .tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day, .tm_hour = hour};
    return (int64_t)timegm(&parts) * 1000000;
}

static inline struct text text_of(const char *bytes)
{
    return (struct text){bytes, strlen(bytes)};
}

static inline const struct earn_rule *rule_of(const struct world *world, int version)
{
    return &world->rules[version - 1];
}

/* A fresh key of now, a body of its own, no receipt; earns by RULE_1_PER_EURO. */
static inline struct ledger_request ask(struct world *world, enum entry_kind kind, int merchant)
{
    struct ledger_request request = {.kind = kind, .merchant_id = merchant};
    uint8_t tail[10] = {0};
    put_u32(tail + 4, ++world->key_count);
    request.key = uuid_compose(world->now_us, tail);
    put_u32(request.body_hash, world->key_count);
    request.facts.store_id = 1;
    request.facts.till = text_of("1");
    request.facts.currency = text_of("EUR");
    request.facts.business_date = zone_day(world->now_us);
    request.facts.occurred_at_us = world->now_us;
    if (kind == ENTRY_EARN)
        request.rule = *rule_of(world, RULE_1_PER_EURO);
    return request;
}

static inline struct decision decide(struct world *world, const struct ledger_request *request)
{
    struct decision decision;
    world->terms.now_us = world->now_us;
    assert_true(ledger_decide(&world->member, request, &world->terms, &world->arena, &decision));
    check_member(&world->member);
    return decision;
}

/* A decision that must come out with this code. */
static inline struct decision expect(struct world *world, const struct ledger_request *request,
                                     enum result code)
{
    struct decision decision = decide(world, request);
    assert_int_equal(decision.code, code);
    return decision;
}

static inline void world_open(struct world *world)
{
    assert_true(zone_init("Europe/London", NULL));
    *world = (struct world){.now_us = utc(2026, 2, 1, 12)};
    arena_init(&world->arena, (size_t)1 << 30);
    const struct earn_rule rules[] = {{RULE_1_PER_EURO, 1, 100, 12},
                                      {RULE_1_PER_10_EURO, 1, 1000, 12},
                                      {RULE_1_PER_CENT, 1, 1, 12},
                                      {RULE_NEVER_EXPIRES, 1, 1, 0}};
    memcpy(world->rules, rules, sizeof rules);
    world->terms =
        (struct ledger_terms){0, 35 * DAY_US, 10 * MINUTE_US, world->rules, RULE_COUNT - 1};
    world->member = (struct member){.bucket = 7, .member_id = 42};
    struct ledger_request enrol = ask(world, ENTRY_ENROL, ALBA);
    expect(world, &enrol, RESULT_OK);
}

static inline void world_close(struct world *world)
{
    arena_free(&world->arena);
}

/* What the store does with the marks, and what a later batch would read. */
static inline void commit(struct world *world)
{
    struct member *member = &world->member;
    assert_true(ledger_chain(member, &world->arena));
    for (struct lot **at = &member->lots; *at;) {
        struct lot *lot = *at;
        lot->is_stored = lot->points > 0;
        lot->change = CHANGE_NONE;
        if (lot->points > 0)
            at = &lot->next;
        else
            *at = lot->next;
    }
    for (struct debt **at = &member->debts; *at;) {
        struct debt *debt = *at;
        debt->is_stored = debt->points > 0;
        debt->change = CHANGE_NONE;
        if (debt->points > 0)
            at = &debt->next;
        else
            *at = debt->next;
    }
    for (struct entry *entry = member->entries; entry; entry = entry->next)
        entry->is_new = false;
    for (struct refusal *refusal = member->refusals; refusal; refusal = refusal->next)
        refusal->is_new = false;
    member->seq_stored = member->seq;
    member->is_new = false;
}

static inline int set_up(void **state)
{
    struct world *world = test_calloc(1, sizeof *world);
    world_open(world);
    *state = world;
    return 0;
}

static inline int tear_down(void **state)
{
    world_close(*state);
    test_free(*state);
    return 0;
}

#define in_world(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
