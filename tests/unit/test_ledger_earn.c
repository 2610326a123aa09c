/* Earning: R1, R2, R3, R20, and debt repaid by it (R6). */
#include "ledger_fixture.h"

static void r1_points_past_int64_are_refused_and_recorded(void **state)
{
    struct world *world = *state;
    world->rules[0] = (struct earn_rule){RULE_1_PER_EURO, INT64_MAX, 1, 12};
    struct ledger_request request = ask_earn(world, ALBA, 2);
    struct decision refused = expect(world, &request, RESULT_BALANCE_LIMIT);
    assert_false(refused.recorded);
    assert_int_equal(refusal_count(&world->member), 1);
    struct decision again = expect(world, &request, RESULT_BALANCE_LIMIT);
    assert_true(again.recorded);
}

static void r1_a_balance_past_int64_is_refused(void **state)
{
    struct world *world = *state;
    give(world, ALBA, INT64_MAX, LEDGER_NEVER);
    struct ledger_request request = ask_earn(world, BORA, 100);
    struct decision refused = expect(world, &request, RESULT_BALANCE_LIMIT);
    assert_int_equal(refused.balance, INT64_MAX);
    assert_int_equal(world->member.available, INT64_MAX);
    request = ask_earn(world, BORA, 99);
    expect(world, &request, RESULT_OK);
}

static void r2_one_floor_for_the_whole_receipt(void **state)
{
    struct world *world = *state;
    struct basket_line lines[] = {{.amount_minor = 99}, {.amount_minor = 99}, {.amount_minor = 99}};
    struct ledger_request request = ask_earn(world, ALBA, 297);
    request.facts.lines = lines;
    request.facts.line_count = 3;
    struct decision decision = expect(world, &request, RESULT_OK);
    assert_int_equal(decision.points, 2);
    assert_int_equal(decision.balance, 2);
    const struct basket_line *shared = decision.entry->facts.lines;
    assert_int_equal(shared[0].points, 1);
    assert_int_equal(shared[1].points, 1);
    assert_int_equal(shared[2].points, 0);
    assert_int_equal(lines[0].points, 0); /* the request's own stay as they were */
}

static void r2_points_are_floored(void **state)
{
    struct world *world = *state;
    struct ledger_request request = ask_earn(world, ALBA, 199);
    assert_int_equal(expect(world, &request, RESULT_OK).points, 1);
    request = ask_earn(world, ALBA, 99);
    struct decision none = expect(world, &request, RESULT_OK);
    assert_int_equal(none.points, 0);
    assert_int_equal(none.entry->leg_count, 0);
    assert_int_equal(none.expires_at_us, 0);
}

static void share(struct world *world, const int64_t *amounts, size_t count, int64_t amount,
                  const int64_t *expected)
{
    struct basket_line lines[4] = {0};
    for (size_t i = 0; i < count; i++)
        lines[i].amount_minor = amounts[i];
    struct ledger_request request = ask_earn(world, ALBA, amount);
    request.facts.lines = lines;
    request.facts.line_count = count;
    struct decision decision = expect(world, &request, RESULT_OK);
    int64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(decision.entry->facts.lines[i].points, expected[i]);
        sum += decision.entry->facts.lines[i].points;
    }
    assert_int_equal(sum, decision.points);
}

static void r2_lines_share_by_largest_remainder(void **state)
{
    struct world *world = *state;
    /* 10 points over 1:2:4 are 1.43, 2.86, 5.71. */
    share(world, (int64_t[]){100, 200, 400}, 3, 1000, (int64_t[]){1, 3, 6});
    /* A discount line gets nothing. */
    share(world, (int64_t[]){600, -100, 500}, 3, 1000, (int64_t[]){5, 0, 5});
    /* Nothing to weigh by. */
    share(world, (int64_t[]){0, -5}, 2, 1000, (int64_t[]){10, 0});
}

static void r3_what_is_paid_in_points_earns_nothing(void **state)
{
    struct world *world = *state;
    struct ledger_request request = ask_earn(world, ALBA, 1000);
    request.facts.paid_in_points_minor = 350;
    assert_int_equal(expect(world, &request, RESULT_OK).points, 6);
    request = ask_earn(world, ALBA, 1000);
    request.facts.paid_in_points_minor = 1000;
    assert_int_equal(expect(world, &request, RESULT_OK).points, 0);
}

static void r2_without_a_rule_a_purchase_earns_nothing(void **state)
{
    struct world *world = *state;
    struct ledger_request request = ask_earn(world, ALBA, 1000);
    request.rule = (struct earn_rule){0};
    struct decision decision = expect(world, &request, RESULT_OK);
    assert_int_equal(decision.points, 0);
    assert_int_equal(decision.entry->rule_version, 0);
    struct ledger_request refund = ask_reverse(world, ENTRY_REVERSE_EARN, &request, 400);
    assert_int_equal(expect(world, &refund, RESULT_OK).points, 0);
}

static void r20_a_lots_expiry_is_fixed_when_it_is_issued(void **state)
{
    struct world *world = *state;
    struct ledger_request request = ask_earn(world, ALBA, 1000);
    struct decision decision = expect(world, &request, RESULT_OK);
    int64_t expires_at_us = utc(2027, 2, 2, 0);
    assert_int_equal(decision.expires_at_us, expires_at_us);
    assert_int_equal(world->member.lots->expires_at_us, expires_at_us);
    assert_int_equal(world->member.next_change_at_us, expires_at_us);
    world->rules[0].lifetime_months = 1;
    struct ledger_request later = ask_earn(world, ALBA, 1000);
    expect(world, &later, RESULT_OK);
    const struct lot *shorter = world->member.lots;
    assert_int_equal(shorter->expires_at_us, utc(2026, 3, 2, 0));
    assert_int_equal(shorter->next->expires_at_us, expires_at_us);
}

static void r20_no_lifetime_never_expires(void **state)
{
    struct world *world = *state;
    struct ledger_request request = ask_earn(world, ALBA, 10);
    request.rule = *rule_of(world, RULE_NEVER_EXPIRES);
    assert_int_equal(expect(world, &request, RESULT_OK).expires_at_us, 0);
    assert_int_equal(world->member.lots->expires_at_us, LEDGER_NEVER);
}

static void r20_the_lot_is_earned_when_the_purchase_occurred(void **state)
{
    struct world *world = *state;
    struct ledger_request request = ask_earn(world, ALBA, 1000);
    request.facts.occurred_at_us = utc(2026, 1, 31, 15);
    request.rule.lifetime_months = 1;
    expect(world, &request, RESULT_OK);
    assert_int_equal(world->member.lots->earned_at_us, utc(2026, 1, 31, 15));
    assert_int_equal(world->member.lots->expires_at_us, utc(2026, 3, 1, 0));
}

static void r21_a_purchase_that_comes_too_late_is_made_and_expired_at_once(void **state)
{
    struct world *world = *state;
    struct ledger_request request = ask_earn(world, ALBA, 1000);
    request.facts.occurred_at_us = world->now_us - 60 * DAY_US;
    request.rule.lifetime_months = 1;
    struct decision decision = expect(world, &request, RESULT_OK);
    assert_int_equal(decision.points, 10);
    assert_int_equal(decision.expired, 10);
    assert_int_equal(decision.balance, 0);
    assert_int_equal(leg_sum(decision.entry, LEG_MADE), 10);
    assert_int_equal(leg_sum(decision.entry, LEG_EXPIRED), 10);
    assert_null(world->member.lots);
    struct decision again = expect(world, &request, RESULT_OK);
    assert_true(again.recorded);
    assert_same_answer(&decision, &again);
}

static void r21_a_purchase_that_comes_just_at_its_expiry_is_too_late(void **state)
{
    struct world *world = *state;
    struct ledger_request request = ask_earn(world, ALBA, 1000);
    request.facts.occurred_at_us = utc(2026, 1, 1, 12);
    request.rule.lifetime_months = 1;
    world->now_us = utc(2026, 2, 2, 0) - 1;
    assert_int_equal(expect(world, &request, RESULT_OK).balance, 10);
    world->now_us = utc(2026, 2, 2, 0);
    request.key = ask_earn(world, ALBA, 1000).key;
    struct decision decision = expect(world, &request, RESULT_OK);
    assert_int_equal(decision.expired, 10);
    assert_int_equal(decision.balance, 0);
}

/* A member who owes ALBA: earned 10, spent them, refunded. */
static void owe(struct world *world, int64_t points)
{
    struct ledger_request earn = ask_earn(world, ALBA, 100 * points);
    expect(world, &earn, RESULT_OK);
    struct ledger_request redeem = ask_redeem(world, BORA, points);
    expect(world, &redeem, RESULT_OK);
    struct ledger_request refund = ask_reverse(world, ENTRY_REVERSE_EARN, &earn, 0);
    assert_int_equal(expect(world, &refund, RESULT_OK).debt, points);
}

static void r6_debt_is_repaid_first_by_its_issuers_next_earnings(void **state)
{
    struct world *world = *state;
    owe(world, 10);
    struct ledger_request elsewhere = ask_earn(world, BORA, 500);
    struct decision decision = expect(world, &elsewhere, RESULT_OK);
    assert_int_equal(decision.debt_repaid, 0);
    assert_int_equal(decision.debt, 10);
    struct ledger_request part = ask_earn(world, ALBA, 700);
    decision = expect(world, &part, RESULT_OK);
    assert_int_equal(decision.points, 7);
    assert_int_equal(decision.debt_repaid, 7);
    assert_int_equal(decision.debt, 3);
    assert_int_equal(decision.balance, 5);
    assert_int_equal(decision.expires_at_us, 0); /* no lot was made */
    assert_int_equal(entry_count(&world->member), 6);
    struct ledger_request rest = ask_earn(world, ALBA, 500);
    decision = expect(world, &rest, RESULT_OK);
    assert_int_equal(decision.debt_repaid, 3);
    assert_int_equal(decision.debt, 0);
    assert_int_equal(decision.balance, 7);
    assert_int_equal(decision.expires_at_us, utc(2027, 2, 2, 0));
    struct decision again = expect(world, &rest, RESULT_OK);
    assert_same_answer(&decision, &again);
}

static void r6_debts_are_asked_for_before_anything_changes(void **state)
{
    struct world *world = *state;
    owe(world, 10);
    commit(world);
    struct debt *debts = world->member.debts;
    world->member.debts = NULL;
    world->member.debts_read = false;
    struct ledger_request request = ask_earn(world, ALBA, 1000);
    struct decision undecided = decide(world, &request);
    assert_true(undecided.needs_debts);
    assert_int_equal(world->member.seq, world->member.seq_stored);
    world->member.debts = debts;
    world->member.debts_read = true;
    assert_int_equal(expect(world, &request, RESULT_OK).debt_repaid, 10);
    assert_int_equal(debts->change, CHANGE_DELETE);
}

static void an_earn_needs_no_lots(void **state)
{
    struct world *world = *state;
    give(world, ALBA, 50, utc(2026, 5, 1, 0));
    commit(world);
    struct lot *stored = world->member.lots;
    world->member.lots = NULL;
    world->member.lots_read = false;
    struct ledger_request request = ask_earn(world, BORA, 1000);
    struct decision decision = expect(world, &request, RESULT_OK);
    assert_int_equal(decision.balance, 60);
    assert_int_equal(world->member.next_change_at_us, utc(2026, 5, 1, 0));
    ledger_insert_lot(&world->member, stored);
    world->member.lots_read = true;
    assert_ptr_equal(world->member.lots, stored);
    check_member(&world->member);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_world(r1_points_past_int64_are_refused_and_recorded),
        in_world(r1_a_balance_past_int64_is_refused),
        in_world(r2_one_floor_for_the_whole_receipt),
        in_world(r2_points_are_floored),
        in_world(r2_lines_share_by_largest_remainder),
        in_world(r2_without_a_rule_a_purchase_earns_nothing),
        in_world(r3_what_is_paid_in_points_earns_nothing),
        in_world(r6_debt_is_repaid_first_by_its_issuers_next_earnings),
        in_world(r6_debts_are_asked_for_before_anything_changes),
        in_world(r20_a_lots_expiry_is_fixed_when_it_is_issued),
        in_world(r20_no_lifetime_never_expires),
        in_world(r20_the_lot_is_earned_when_the_purchase_occurred),
        in_world(r21_a_purchase_that_comes_too_late_is_made_and_expired_at_once),
        in_world(r21_a_purchase_that_comes_just_at_its_expiry_is_too_late),
        in_world(an_earn_needs_no_lots),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
