/* Members who may not take part, and those who are erased: R17, R29, R33. */
#include "ledger_fixture.h"

static void r33_a_suspended_member_neither_earns_nor_redeems(void **state)
{
    struct world *world = *state;
    give(world, ALBA, 100, LEDGER_NEVER);
    static const enum member_status barred[] = {MEMBER_SUSPENDED, MEMBER_REVOKED};
    for (size_t i = 0; i < 2; i++) {
        world->member.status = barred[i];
        struct ledger_request earn = ask_earn(world, ALBA, 500);
        struct ledger_request redeem = ask_redeem(world, BORA, 10);
        expect(world, &earn, RESULT_MEMBER_SUSPENDED);
        expect(world, &redeem, RESULT_MEMBER_SUSPENDED);
        /* recorded: the same answer when he is welcome again */
        world->member.status = MEMBER_ACTIVE;
        assert_true(expect(world, &earn, RESULT_MEMBER_SUSPENDED).recorded);
        assert_true(expect(world, &redeem, RESULT_MEMBER_SUSPENDED).recorded);
        struct ledger_request again = ask_redeem(world, BORA, 10);
        expect(world, &again, RESULT_OK);
    }
}

static void r17_what_happened_is_still_reversed(void **state)
{
    struct world *world = *state;
    give(world, ALBA, 100, LEDGER_NEVER);
    struct ledger_request earn = ask_earn(world, ALBA, 500), redeem = ask_redeem(world, BORA, 50);
    expect(world, &earn, RESULT_OK);
    expect(world, &redeem, RESULT_OK);
    world->member.status = MEMBER_SUSPENDED;
    struct ledger_request back = ask_reverse(world, ENTRY_REVERSE_EARN, &earn, 0);
    struct ledger_request restore = ask_reverse(world, ENTRY_REVERSE_REDEEM, &redeem, 0);
    expect(world, &back, RESULT_OK);
    expect(world, &restore, RESULT_OK);
    assert_int_equal(world->member.available, 100);
}

static struct ledger_request ask_forfeit(struct world *world)
{
    struct ledger_request request = ask(world, ENTRY_FORFEIT, LEDGER_NETWORK);
    request.facts.store_id = 0;
    return request;
}

static void r29_an_erasure_forfeits_what_is_left(void **state)
{
    struct world *world = *state;
    give(world, ALBA, 70, utc(2026, 6, 1, 0));
    give(world, BORA, 30, LEDGER_NEVER);
    struct ledger_request forfeit = ask_forfeit(world);
    struct decision decision = expect(world, &forfeit, RESULT_OK);
    assert_int_equal(decision.points, 100);
    assert_int_equal(decision.balance, 0);
    assert_int_equal(decision.entry->leg_count, 2);
    assert_int_equal(decision.entry->legs[0].issuer, ALBA);
    assert_int_equal(decision.entry->legs[1].points, 30);
    assert_int_equal(world->member.available, 0);
    assert_int_equal(world->member.status, MEMBER_ERASED);
    assert_int_equal(world->member.next_change_at_us, LEDGER_NEVER);
    assert_true(expect(world, &forfeit, RESULT_OK).recorded);
}

static void r29_points_past_their_expiry_expire_and_are_not_forfeited(void **state)
{
    struct world *world = *state;
    give(world, ALBA, 70, utc(2026, 2, 2, 0));
    give(world, ALBA, 5, LEDGER_NEVER);
    world->now_us = utc(2026, 2, 3, 0);
    struct ledger_request forfeit = ask_forfeit(world);
    assert_int_equal(expect(world, &forfeit, RESULT_OK).points, 5);
    const struct entry *expiry = world->member.entries;
    while (expiry && expiry->kind != ENTRY_EXPIRY)
        expiry = expiry->next;
    assert_non_null(expiry);
    assert_int_equal(expiry->points, 70);
}

static void r7_an_erasure_leaves_the_debt(void **state)
{
    struct world *world = *state;
    struct ledger_request earn = ask_earn(world, ALBA, 1000);
    expect(world, &earn, RESULT_OK);
    struct ledger_request redeem = ask_redeem(world, BORA, 10);
    expect(world, &redeem, RESULT_OK);
    struct ledger_request back = ask_reverse(world, ENTRY_REVERSE_EARN, &earn, 0);
    expect(world, &back, RESULT_OK);
    assert_int_equal(world->member.debt, 10);
    struct ledger_request forfeit = ask_forfeit(world);
    assert_int_equal(expect(world, &forfeit, RESULT_OK).debt, 10);
    assert_int_equal(world->member.debt, 10);
}

static void r41_nobody_knows_an_erased_member(void **state)
{
    struct world *world = *state;
    struct ledger_request before = ask_earn(world, ALBA, 1000);
    expect(world, &before, RESULT_OK);
    struct ledger_request forfeit = ask_forfeit(world);
    expect(world, &forfeit, RESULT_OK);
    struct ledger_request earn = ask_earn(world, ALBA, 500), redeem = ask_redeem(world, BORA, 1);
    struct ledger_request back = ask_reverse(world, ENTRY_REVERSE_EARN, &before, 0);
    expect(world, &earn, RESULT_UNKNOWN_MEMBER);
    expect(world, &redeem, RESULT_UNKNOWN_MEMBER);
    expect(world, &back, RESULT_UNKNOWN_MEMBER);
    /* a known key is answered at any time (R35) */
    assert_true(expect(world, &before, RESULT_OK).recorded);
    /* another erasure finds nothing left to do */
    int64_t seq = world->member.seq;
    struct ledger_request again = ask_forfeit(world);
    struct decision decision = expect(world, &again, RESULT_OK);
    assert_null(decision.entry);
    assert_int_equal(world->member.seq, seq);
}

static void lots_are_asked_for_before_they_are_forfeited(void **state)
{
    struct world *world = *state;
    give(world, ALBA, 10, LEDGER_NEVER);
    commit(world);
    struct lot *lots = world->member.lots;
    world->member.lots = NULL;
    world->member.lots_read = false;
    struct ledger_request forfeit = ask_forfeit(world);
    assert_true(decide(world, &forfeit).needs_lots);
    assert_int_equal(world->member.status, MEMBER_ACTIVE);
    world->member.lots = lots;
    world->member.lots_read = true;
    assert_int_equal(expect(world, &forfeit, RESULT_OK).points, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_world(r33_a_suspended_member_neither_earns_nor_redeems),
        in_world(r17_what_happened_is_still_reversed),
        in_world(r29_an_erasure_forfeits_what_is_left),
        in_world(r29_points_past_their_expiry_expire_and_are_not_forfeited),
        in_world(r7_an_erasure_leaves_the_debt),
        in_world(r41_nobody_knows_an_erased_member),
        in_world(lots_are_asked_for_before_they_are_forfeited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
