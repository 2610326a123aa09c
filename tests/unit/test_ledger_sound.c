/* What was read of a member is decided on only when it can be true: sums that add up, points above
 * zero, rules that exist. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "ledger/ledger.h"

static const struct earn_rule rules[] = {{3, 1, 100, 12}};
static const struct ledger_terms terms = {.rules = rules, .rule_count = 1};

/* A member with two lots and a debt, and one redemption. */
struct him {
    struct member member;
    struct lot lots[2];
    struct debt debt;
    struct leg leg;
    struct entry entry;
};

static struct him *sound(struct him *him)
{
    *him = (struct him){
        .member = {.exists = true,
                   .available = 30,
                   .debt = 5,
                   .seq = 4,
                   .next_change_at_us = 100,
                   .lots_read = true,
                   .debts_read = true},
        .lots = {{.points = 10, .expires_at_us = 100}, {.points = 20, .expires_at_us = 200}},
        .debt = {.points = 5},
        .leg = {.kind = LEG_REDEEMED, .points = 7},
        .entry = {.kind = ENTRY_REDEEM, .points = 7, .leg_count = 1},
    };
    him->lots[0].next = &him->lots[1];
    him->member.lots = him->lots;
    him->member.debts = &him->debt;
    him->entry.legs = &him->leg;
    him->member.entries = &him->entry;
    assert_null(ledger_fault(&him->member, &terms));
    return him;
}

#define assert_unsound(change)                               \
    do {                                                     \
        struct him him_, *him = sound(&him_);                \
        him->change;                                         \
        assert_non_null(ledger_fault(&him->member, &terms)); \
    } while (0)

static void test_sums_add_up(void **state)
{
    (void)state;
    assert_unsound(member.available = 29);
    assert_unsound(member.debt = 6);
    assert_unsound(lots[1].points = 0);
    assert_unsound(lots[1].points = INT64_MAX);
    assert_unsound(debt.points = -5);
    assert_unsound(member.available = -1);
    assert_unsound(member.seq = -1);
    assert_unsound(member.seq = INT64_MAX);
    assert_unsound(member.next_change_at_us = 101);
}

static void test_entries_can_be_reversed(void **state)
{
    (void)state;
    assert_unsound(entry.points = 8);
    assert_unsound(entry.points = -7);
    assert_unsound(leg.points = 0);
    assert_unsound(entry.facts.amount_minor = -1);
    assert_unsound(entry.facts.paid_in_points_minor = -1);
}

/* R4: an earn is refunded by its own rule. */
static void test_the_rule_of_an_earn_exists(void **state)
{
    (void)state;
    struct him him = {0};
    sound(&him)->entry.kind = ENTRY_EARN;
    him.entry.rule_version = 3;
    assert_null(ledger_fault(&him.member, &terms));
    him.entry.rule_version = 2;
    assert_non_null(ledger_fault(&him.member, &terms));
}

/* What was not read is not asked for. */
static void test_lots_not_read_are_not_summed(void **state)
{
    (void)state;
    struct him him = {0};
    sound(&him)->member.lots_read = false;
    him.member.lots = NULL;
    assert_null(ledger_fault(&him.member, &terms));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sums_add_up),
        cmocka_unit_test(test_entries_can_be_reversed),
        cmocka_unit_test(test_the_rule_of_an_earn_exists),
        cmocka_unit_test(test_lots_not_read_are_not_summed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
