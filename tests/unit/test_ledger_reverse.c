/* Reversals: R4 to R8, R10, R11, R16, R17. */
#include "ledger_fixture.h"

static struct ledger_request earned(struct world *world, int merchant, int64_t amount, int rule)
{
    struct ledger_request request = ask_earn(world, merchant, amount);
    request.rule = *rule_of(world, rule);
    expect(world, &request, RESULT_OK);
    return request;
}

static struct decision refund(struct world *world, const struct ledger_request *original,
                              int64_t amount)
{
    struct ledger_request request = ask_reverse(world, ENTRY_REVERSE_EARN, original, amount);
    return expect(world, &request, RESULT_OK);
}

static struct ledger_request redeemed(struct world *world, int merchant, int64_t points)
{
    struct ledger_request request = ask_redeem(world, merchant, points);
    expect(world, &request, RESULT_OK);
    return request;
}

static void r4_ten_refunds_of_1_equal_one_of_10(void **state)
{
    struct world *world = *state;
    struct ledger_request whole = earned(world, ALBA, 2190, RULE_1_PER_10_EURO);
    assert_int_equal(world->member.available, 2);
    assert_int_equal(refund(world, &whole, 1000).points, 1);
    struct ledger_request split = earned(world, ALBA, 2190, RULE_1_PER_10_EURO);
    int64_t clawed = 0;
    for (int i = 0; i < 10; i++)
        clawed += refund(world, &split, 100).points;
    assert_int_equal(clawed, 1);
    assert_int_equal(world->member.available, 2);
}

static void r4_the_rule_is_the_originals(void **state)
{
    struct world *world = *state;
    struct ledger_request original = earned(world, ALBA, 1000, RULE_1_PER_CENT);
    struct ledger_request request = ask_reverse(world, ENTRY_REVERSE_EARN, &original, 300);
    request.rule = *rule_of(world, RULE_1_PER_EURO);
    struct decision decision = expect(world, &request, RESULT_OK);
    assert_int_equal(decision.points, 300);
    assert_int_equal(decision.entry->rule_version, RULE_1_PER_CENT);
    assert_int_equal(decision.entry->facts.amount_minor, 300);
}

static void r5_never_more_than_the_receipt_earned(void **state)
{
    struct world *world = *state;
    give(world, ALBA, 100, LEDGER_NEVER);
    struct ledger_request original = earned(world, ALBA, 1990, RULE_1_PER_EURO);
    int64_t clawed = refund(world, &original, 500).points;
    clawed += refund(world, &original, 700).points;
    clawed += refund(world, &original, 0).points;
    assert_int_equal(clawed, 19);
    assert_int_equal(world->member.available, 100);
    assert_int_equal(world->member.debt, 0);
    struct ledger_request more = ask_reverse(world, ENTRY_REVERSE_EARN, &original, 1);
    expect(world, &more, RESULT_ALREADY_REVERSED);
    more = ask_reverse(world, ENTRY_REVERSE_EARN, &original, 0);
    expect(world, &more, RESULT_ALREADY_REVERSED);
}

static void r5_a_rule_read_wrongly_never_claws_back_below_zero(void **state)
{
    struct world *world = *state;
    struct ledger_request original = earned(world, ALBA, 1000, RULE_1_PER_EURO);
    world->rules[0].numerator = 5;
    assert_int_equal(refund(world, &original, 100).points, 0);
    assert_int_equal(refund(world, &original, 0).points, 10);
}

static void r6_own_lot_then_the_issuers_others_then_debt(void **state)
{
    struct world *world = *state;
    struct lot *last = give(world, ALBA, 3, LEDGER_NEVER);
    struct lot *first = give(world, ALBA, 4, utc(2026, 4, 1, 0));
    struct ledger_request original = earned(world, ALBA, 1000, RULE_1_PER_EURO);
    struct lot *own = first->next;
    assert_int_equal(own->points, 10);
    (void)redeemed(world, BORA, 10); /* all of the first, and 6 of the own */
    assert_int_equal(first->points, 0);
    assert_int_equal(own->points, 4);
    first = give(world, ALBA, 2, utc(2026, 4, 2, 0));
    struct decision decision = refund(world, &original, 0);
    assert_int_equal(decision.points, 10);
    assert_int_equal(decision.debt_made, 1);
    assert_int_equal(decision.debt, 1);
    assert_int_equal(decision.balance, 0);
    const struct leg *legs = decision.entry->legs;
    assert_int_equal(decision.entry->leg_count, 4);
    assert_memory_equal(&legs[0].lot_entry, &own->entry, UUID_BYTES);
    assert_int_equal(legs[0].points, 4);
    assert_memory_equal(&legs[1].lot_entry, &first->entry, UUID_BYTES);
    assert_int_equal(legs[1].points, 2);
    assert_memory_equal(&legs[2].lot_entry, &last->entry, UUID_BYTES);
    assert_int_equal(legs[2].points, 3);
    assert_int_equal(legs[3].kind, LEG_DEBT_MADE);
    assert_int_equal(legs[3].issuer, ALBA);
    assert_int_equal(legs[3].points, 1);
    assert_int_equal(world->member.debts->issuer, ALBA);
    assert_int_equal(world->member.debts->change, CHANGE_INSERT);
}

static void r6_own_lot_goes_first_even_when_another_expires_sooner(void **state)
{
    struct world *world = *state;
    struct lot *sooner = give(world, ALBA, 10, utc(2026, 4, 1, 0));
    struct ledger_request original = earned(world, ALBA, 1000, RULE_1_PER_EURO);
    refund(world, &original, 500);
    assert_int_equal(sooner->points, 10);
}

static void r6_an_expired_own_lot_is_not_usable(void **state)
{
    struct world *world = *state;
    struct ledger_request original = earned(world, ALBA, 1000, RULE_1_PER_EURO);
    world->now_us = utc(2027, 2, 2, 0);
    struct decision decision = refund(world, &original, 0);
    assert_int_equal(decision.debt_made, 10);
    assert_int_equal(decision.balance, 0);
}

static void r7_another_issuers_points_are_never_touched(void **state)
{
    struct world *world = *state;
    struct ledger_request original = earned(world, ALBA, 1000, RULE_1_PER_EURO);
    (void)redeemed(world, CORA, 10);
    struct lot *other = give(world, BORA, 50, LEDGER_NEVER);
    struct decision decision = refund(world, &original, 0);
    assert_int_equal(decision.debt_made, 10);
    assert_int_equal(other->points, 50);
    assert_int_equal(decision.balance, 50);
    struct ledger_request bora = earned(world, BORA, 1000, RULE_1_PER_EURO);
    (void)bora;
    assert_int_equal(world->member.debt, 10); /* and BORA's earnings do not repay ALBA's */
}

static void r1_debt_past_int64_is_refused(void **state)
{
    struct world *world = *state;
    struct debt debt = {.is_stored = true, .issuer = BORA, .points = INT64_MAX};
    struct ledger_request original = earned(world, ALBA, 1000, RULE_1_PER_EURO);
    (void)redeemed(world, CORA, 10);
    world->member.debts = &debt;
    world->member.debt = INT64_MAX;
    struct ledger_request request = ask_reverse(world, ENTRY_REVERSE_EARN, &original, 0);
    expect(world, &request, RESULT_BALANCE_LIMIT);
    world->member.debts = NULL;
}

static void r8_a_reversed_redemption_restores_lots_and_expiry(void **state)
{
    struct world *world = *state;
    struct lot *first = give(world, ALBA, 5, utc(2026, 4, 1, 0));
    struct lot *second = give(world, BORA, 10, utc(2026, 5, 1, 0));
    const struct lot first_before = *first, second_before = *second;
    struct ledger_request original = redeemed(world, CORA, 8);
    commit(world); /* the first is gone from the store */
    assert_ptr_equal(world->member.lots, second);
    struct ledger_request request = ask_reverse(world, ENTRY_REVERSE_REDEEM, &original, 0);
    struct decision decision = expect(world, &request, RESULT_OK);
    assert_int_equal(decision.points, 8);
    assert_int_equal(decision.expired, 0);
    assert_int_equal(decision.balance, 15);
    const struct lot *again = world->member.lots;
    assert_true(uuid_equal(&again->entry, &first_before.entry));
    assert_int_equal(again->number, first_before.number);
    assert_int_equal(again->issuer, ALBA);
    assert_int_equal(again->points, 5);
    assert_int_equal(again->earned_at_us, first_before.earned_at_us);
    assert_int_equal(again->expires_at_us, first_before.expires_at_us);
    assert_int_equal(again->change, CHANGE_INSERT);
    assert_ptr_equal(again->next, second);
    assert_int_equal(second->points, 10);
    assert_int_equal(second->expires_at_us, second_before.expires_at_us);
    assert_int_equal(second->change, CHANGE_UPDATE);
    assert_int_equal(world->member.next_change_at_us, utc(2026, 4, 1, 0));
}

static void r8_a_lot_past_its_expiry_comes_back_expired(void **state)
{
    struct world *world = *state;
    give(world, ALBA, 5, utc(2026, 4, 1, 0));
    give(world, BORA, 10, utc(2026, 5, 1, 0));
    struct ledger_request original = redeemed(world, CORA, 8);
    world->now_us = utc(2026, 4, 1, 0);
    struct ledger_request request = ask_reverse(world, ENTRY_REVERSE_REDEEM, &original, 0);
    struct decision decision = expect(world, &request, RESULT_OK);
    assert_int_equal(decision.points, 8);
    assert_int_equal(decision.expired, 5);
    assert_int_equal(decision.balance, 10);
    assert_int_equal(leg_sum(decision.entry, LEG_RESTORED), 8);
    assert_int_equal(leg_sum(decision.entry, LEG_EXPIRED), 5);
    struct decision again = expect(world, &request, RESULT_OK);
    assert_same_answer(&decision, &again);
}

static void r9_lots_come_back_in_reverse_order(void **state)
{
    struct world *world = *state;
    give(world, ALBA, 5, utc(2026, 4, 1, 0));
    give(world, BORA, 10, utc(2026, 5, 1, 0));
    struct ledger_request original = redeemed(world, CORA, 8);
    struct ledger_request request = ask_reverse(world, ENTRY_REVERSE_REDEEM, &original, 0);
    struct decision decision = expect(world, &request, RESULT_OK);
    assert_int_equal(decision.entry->legs[0].issuer, BORA);
    assert_int_equal(decision.entry->legs[1].issuer, ALBA);
}

static void r10_only_the_merchant_that_redeemed_can_reverse(void **state)
{
    struct world *world = *state;
    give(world, ALBA, 5, LEDGER_NEVER);
    struct ledger_request original = redeemed(world, CORA, 5);
    struct ledger_request request = ask_reverse(world, ENTRY_REVERSE_REDEEM, &original, 0);
    request.merchant_id = BORA;
    struct decision refused = expect(world, &request, RESULT_NO_ORIGINAL);
    assert_int_equal(refused.balance, 0);
    assert_int_equal(refusal_count(&world->member), 1);
    request = ask_reverse(world, ENTRY_REVERSE_EARN, &original, 0); /* not of this kind */
    expect(world, &request, RESULT_NO_ORIGINAL);
}

static void r10_never_more_than_the_original(void **state)
{
    struct world *world = *state;
    struct ledger_request original = earned(world, ALBA, 1000, RULE_1_PER_EURO);
    refund(world, &original, 400);
    struct ledger_request request = ask_reverse(world, ENTRY_REVERSE_EARN, &original, 601);
    struct decision refused = expect(world, &request, RESULT_EXCEEDS_ORIGINAL);
    assert_int_equal(refused.balance, 6);
    assert_true(expect(world, &request, RESULT_EXCEEDS_ORIGINAL).recorded);
    assert_int_equal(refund(world, &original, 600).balance, 0);
}

static void r10_a_redemption_is_reversed_once_and_whole(void **state)
{
    struct world *world = *state;
    give(world, ALBA, 5, LEDGER_NEVER);
    struct ledger_request original = redeemed(world, CORA, 5);
    struct ledger_request part = ask_reverse(world, ENTRY_REVERSE_REDEEM, &original, 2);
    expect(world, &part, RESULT_EXCEEDS_ORIGINAL);
    struct ledger_request whole = ask_reverse(world, ENTRY_REVERSE_REDEEM, &original, 0);
    expect(world, &whole, RESULT_OK);
    struct ledger_request again = ask_reverse(world, ENTRY_REVERSE_REDEEM, &original, 0);
    struct decision refused = expect(world, &again, RESULT_ALREADY_REVERSED);
    assert_int_equal(refused.balance, 5);
}

static void r11_the_part_paid_in_points_is_refunded_first(void **state)
{
    struct world *world = *state;
    struct ledger_request original = ask_earn(world, ALBA, 1000);
    original.facts.paid_in_points_minor = 400;
    assert_int_equal(expect(world, &original, RESULT_OK).points, 6);
    assert_int_equal(refund(world, &original, 400).points, 0);
    assert_int_equal(refund(world, &original, 100).points, 1);
    assert_int_equal(refund(world, &original, 0).points, 5);
}

static void r16_no_original_is_refused_and_recorded(void **state)
{
    struct world *world = *state;
    struct ledger_request request = ask(world, ENTRY_REVERSE_EARN, ALBA);
    request.is_whole = true;
    expect(world, &request, RESULT_NO_ORIGINAL);
    assert_true(expect(world, &request, RESULT_NO_ORIGINAL).recorded);
    request = ask(world, ENTRY_REVERSE_REDEEM, ALBA);
    request.is_whole = request.has_original = true;
    request.original = request.key; /* itself */
    expect(world, &request, RESULT_NO_ORIGINAL);
    assert_int_equal(refusal_count(&world->member), 2);
}

static void r16_a_reversal_before_its_original_leaves_a_tombstone(void **state)
{
    struct world *world = *state;
    give(world, ALBA, 5, LEDGER_NEVER);
    struct ledger_request late = ask_redeem(world, CORA, 5);
    struct ledger_request request = ask_reverse(world, ENTRY_REVERSE_REDEEM, &late, 0);
    struct decision first = expect(world, &request, RESULT_OK);
    assert_true(first.before_original);
    assert_null(first.entry);
    assert_int_equal(first.balance, 5);
    assert_int_equal(refusal_count(&world->member), 2);
    struct decision refused = expect(world, &late, RESULT_REVERSED_BEFORE);
    assert_int_equal(refused.balance, 5);
    assert_int_equal(world->member.available, 5);
    late.body_hash[7] ^= 1; /* it binds whatever comes */
    expect(world, &late, RESULT_REVERSED_BEFORE);
    struct ledger_request other = ask_reverse(world, ENTRY_REVERSE_REDEEM, &late, 0);
    assert_true(expect(world, &other, RESULT_OK).before_original);
    assert_int_equal(refusal_count(&world->member), 3); /* one tombstone, two records */
}

static void r16_a_tombstone_binds_only_its_own_merchant(void **state)
{
    struct world *world = *state;
    struct ledger_request late = ask_earn(world, ALBA, 1000);
    struct ledger_request foreign = ask_reverse(world, ENTRY_REVERSE_EARN, &late, 0);
    foreign.merchant_id = BORA;
    assert_true(expect(world, &foreign, RESULT_OK).before_original);
    assert_int_equal(expect(world, &late, RESULT_OK).points, 10);
}

static void r16_an_original_that_was_refused_needs_no_tombstone(void **state)
{
    struct world *world = *state;
    struct ledger_request refused = ask_redeem(world, CORA, 5);
    expect(world, &refused, RESULT_NOT_ENOUGH_POINTS);
    struct ledger_request request = ask_reverse(world, ENTRY_REVERSE_REDEEM, &refused, 0);
    assert_true(expect(world, &request, RESULT_OK).before_original);
    assert_int_equal(refusal_count(&world->member), 2);
    expect(world, &refused, RESULT_NOT_ENOUGH_POINTS);
    request = ask_reverse(world, ENTRY_REVERSE_EARN, &refused, 0);
    expect(world, &request, RESULT_NO_ORIGINAL);
}

static void r16_an_original_may_be_old_and_of_another_store(void **state)
{
    struct world *world = *state;
    struct ledger_request original = earned(world, ALBA, 1000, RULE_1_PER_EURO);
    world->now_us += 300 * DAY_US;
    struct ledger_request request = ask_reverse(world, ENTRY_REVERSE_EARN, &original, 0);
    request.facts.store_id = 99;
    assert_int_equal(expect(world, &request, RESULT_OK).points, 10);
}

static void r17_every_repeat_gets_the_same_answer(void **state)
{
    struct world *world = *state;
    struct ledger_request original = earned(world, ALBA, 1000, RULE_1_PER_EURO);
    struct ledger_request never = ask_earn(world, ALBA, 1000);
    (void)redeemed(world, BORA, 4);
    struct ledger_request request = ask_reverse(world, ENTRY_REVERSE_EARN, &original, 0);
    struct ledger_request before = ask_reverse(world, ENTRY_REVERSE_EARN, &never, 0);
    struct decision first = expect(world, &request, RESULT_OK);
    struct decision tomb = expect(world, &before, RESULT_OK);
    assert_int_equal(first.debt_made, 4);
    give(world, BORA, 77, LEDGER_NEVER);
    for (int i = 0; i < 3; i++) {
        world->now_us += 20 * DAY_US;
        commit(world);
        struct decision again = expect(world, &request, RESULT_OK);
        assert_true(again.recorded);
        assert_same_answer(&first, &again);
        again = expect(world, &before, RESULT_OK);
        assert_true(again.recorded);
        assert_same_answer(&tomb, &again);
    }
    assert_int_equal(world->member.available, 77);
}

static void a_purchase_of_nothing_is_reversed_once(void **state)
{
    struct world *world = *state;
    struct ledger_request original = earned(world, ALBA, 0, RULE_1_PER_EURO);
    refund(world, &original, 0);
    struct ledger_request again = ask_reverse(world, ENTRY_REVERSE_EARN, &original, 0);
    expect(world, &again, RESULT_ALREADY_REVERSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_world(r1_debt_past_int64_is_refused),
        in_world(r4_ten_refunds_of_1_equal_one_of_10),
        in_world(r4_the_rule_is_the_originals),
        in_world(r5_never_more_than_the_receipt_earned),
        in_world(r5_a_rule_read_wrongly_never_claws_back_below_zero),
        in_world(r6_own_lot_then_the_issuers_others_then_debt),
        in_world(r6_own_lot_goes_first_even_when_another_expires_sooner),
        in_world(r6_an_expired_own_lot_is_not_usable),
        in_world(r7_another_issuers_points_are_never_touched),
        in_world(r8_a_reversed_redemption_restores_lots_and_expiry),
        in_world(r8_a_lot_past_its_expiry_comes_back_expired),
        in_world(r9_lots_come_back_in_reverse_order),
        in_world(r10_only_the_merchant_that_redeemed_can_reverse),
        in_world(r10_never_more_than_the_original),
        in_world(r10_a_redemption_is_reversed_once_and_whole),
        in_world(r11_the_part_paid_in_points_is_refunded_first),
        in_world(r16_no_original_is_refused_and_recorded),
        in_world(r16_a_reversal_before_its_original_leaves_a_tombstone),
        in_world(r16_a_tombstone_binds_only_its_own_merchant),
        in_world(r16_an_original_that_was_refused_needs_no_tombstone),
        in_world(r16_an_original_may_be_old_and_of_another_store),
        in_world(r17_every_repeat_gets_the_same_answer),
        in_world(a_purchase_of_nothing_is_reversed_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
