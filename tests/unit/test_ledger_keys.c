/* Keys, windows and receipts: R32 to R35. */
#include "ledger_fixture.h"

static void r32_twins_have_one_effect_and_one_answer(void **state)
{
    struct world *world = *state;
    struct ledger_request request = ask_earn(world, ALBA, 1000);
    struct decision first = expect(world, &request, RESULT_OK);
    assert_false(first.recorded);
    struct decision twin = expect(world, &request, RESULT_OK); /* in the same batch */
    assert_true(twin.recorded);
    assert_same_answer(&first, &twin);
    assert_int_equal(world->member.available, 10);
    assert_int_equal(entry_count(&world->member), 2);
    commit(world);
    world->now_us += DAY_US;
    twin = expect(world, &request, RESULT_OK);
    assert_same_answer(&first, &twin);
    assert_int_equal(world->member.seq, world->member.seq_stored);
}

/* No effect, and nothing shown. */
static void assert_reused(struct world *world, const struct ledger_request *request)
{
    int64_t seq = world->member.seq;
    size_t refusals = refusal_count(&world->member);
    struct decision decision = decide(world, request);
    assert_int_equal(decision.code, RESULT_KEY_REUSED);
    decision.code = 0;
    assert_memory_equal(&decision, &(struct decision){0}, sizeof decision);
    assert_int_equal(world->member.seq, seq);
    assert_int_equal(refusal_count(&world->member), refusals);
}

static void r32_same_key_with_another_body_is_reused(void **state)
{
    struct world *world = *state;
    struct ledger_request request = ask_earn(world, ALBA, 1000);
    expect(world, &request, RESULT_OK);
    for (size_t i = 0; i < LEDGER_BODY_HASH_BYTES; i += 15) { /* its first byte, and its last */
        struct ledger_request other = request;
        other.body_hash[i] ^= 0x80;
        assert_reused(world, &other);
    }
    struct ledger_request other_verb = request;
    other_verb.kind = ENTRY_REDEEM;
    other_verb.points = 1;
    assert_reused(world, &other_verb);
}

static void r32_a_key_of_another_merchant_is_reused(void **state)
{
    struct world *world = *state;
    struct ledger_request request = ask_earn(world, ALBA, 1000);
    expect(world, &request, RESULT_OK);
    request.merchant_id = BORA;
    assert_reused(world, &request);
    request = ask_redeem(world, ALBA, 11); /* refused, and recorded */
    expect(world, &request, RESULT_NOT_ENOUGH_POINTS);
    request.merchant_id = BORA;
    assert_reused(world, &request);
    request.merchant_id = ALBA;
    request.body_hash[0] ^= 1;
    assert_reused(world, &request);
}

static void r32_an_expiry_entry_answers_nobody(void **state)
{
    struct world *world = *state;
    give(world, ALBA, 10, world->now_us + 1);
    world->now_us += 1;
    struct ledger_request expiry = {.kind = ENTRY_EXPIRY};
    struct decision decision = expect(world, &expiry, RESULT_OK);
    struct ledger_request request = ask_earn(world, ALBA, 100);
    request.key = decision.entry->id;
    memset(request.body_hash, 0, sizeof request.body_hash);
    assert_reused(world, &request);
}

static void r32_enrolment_makes_a_member_once(void **state)
{
    struct world *world = *state;
    struct member fresh = {.bucket = 1, .member_id = 43}, known = world->member;
    world->member = fresh;
    struct ledger_request earn = ask_earn(world, ALBA, 100);
    expect(world, &earn, RESULT_UNKNOWN_MEMBER);
    struct ledger_request enrol = ask(world, ENTRY_ENROL, ALBA);
    struct decision first = expect(world, &enrol, RESULT_OK);
    assert_true(world->member.exists && world->member.is_new);
    assert_int_equal(world->member.seq, 1);
    assert_int_equal(world->member.next_change_at_us, LEDGER_NEVER);
    assert_int_equal(first.balance, 0);
    struct decision twin = expect(world, &enrol, RESULT_OK);
    assert_true(twin.recorded);
    assert_same_answer(&first, &twin);
    enrol = ask(world, ENTRY_ENROL, ALBA);
    assert_reused(world, &enrol);
    world->member = known;
}

static void r33_a_refusal_is_recorded_and_repeated(void **state)
{
    struct world *world = *state;
    struct ledger_request request = ask_redeem(world, ALBA, 10);
    struct decision first = expect(world, &request, RESULT_NOT_ENOUGH_POINTS);
    assert_false(first.recorded);
    const struct refusal *refusal = world->member.refusals;
    assert_true(refusal->is_new && refusal->has_body_hash);
    assert_int_equal(refusal->kind, ENTRY_REDEEM);
    assert_int_equal(refusal->points, 10);
    give(world, ALBA, 100, LEDGER_NEVER); /* enough by now, yet the answer stands */
    world->now_us += DAY_US;
    struct decision again = expect(world, &request, RESULT_NOT_ENOUGH_POINTS);
    assert_true(again.recorded);
    assert_same_answer(&first, &again);
    assert_int_equal(world->member.available, 100);
}

static void r33_what_is_not_the_members_doing_is_not_recorded(void **state)
{
    struct world *world = *state;
    struct ledger_request request = ask_earn(world, ALBA, 100);
    request.facts.store_id = 0;
    request.wrong_currency = true;
    expect(world, &request, RESULT_UNKNOWN_STORE); /* the first of the two */
    request.facts.store_id = 1;
    expect(world, &request, RESULT_WRONG_CURRENCY);
    request.wrong_currency = false;
    assert_false(expect(world, &request, RESULT_OK).recorded);
    assert_int_equal(refusal_count(&world->member), 0);
}

static struct ledger_request ask_with_receipt(struct world *world)
{
    struct ledger_request request = ask_earn(world, ALBA, 1000);
    request.facts.receipt = text_of("4711");
    request.facts.part = 2;
    return request;
}

static void r34_the_same_receipt_gives_the_originals_result(void **state)
{
    struct world *world = *state;
    struct ledger_request request = ask_with_receipt(world);
    struct decision first = expect(world, &request, RESULT_OK);
    give(world, BORA, 5, LEDGER_NEVER);
    struct ledger_request retry = ask_with_receipt(world);
    struct decision refused = expect(world, &retry, RESULT_DUPLICATE_RECEIPT);
    first.code = RESULT_DUPLICATE_RECEIPT;
    assert_same_answer(&first, &refused);
    assert_int_equal(world->member.available, 15);
    assert_true(uuid_equal(&world->member.refusals->original, &request.key));
    struct decision again = expect(world, &retry, RESULT_DUPLICATE_RECEIPT);
    assert_true(again.recorded);
    assert_same_answer(&refused, &again);
}

static void r34_each_component_tells_receipts_apart(void **state)
{
    struct world *world = *state;
    struct ledger_request first = ask_with_receipt(world);
    expect(world, &first, RESULT_OK);
    for (int component = 0; component < 8; component++) {
        struct ledger_request other = ask_with_receipt(world);
        switch (component) {
        case 0: other.merchant_id = BORA; break;
        case 1: other.facts.store_id = 2; break;
        case 2: other.facts.till = text_of("2"); break;
        case 3: other.facts.business_date++; break;
        case 4: other.facts.receipt = text_of("4712"); break;
        case 5: other.facts.receipt = text_of("471"); break;
        case 6: other.facts.part = 3; break;
        case 7:
            other.kind = ENTRY_REDEEM;
            other.points = 1;
            break;
        }
        expect(world, &other, RESULT_OK);
    }
    struct ledger_request elsewhere = ask_with_receipt(world);
    elsewhere.facts.terminal_id = 9; /* no component of it */
    elsewhere.facts.amount_minor = 1;
    expect(world, &elsewhere, RESULT_DUPLICATE_RECEIPT);
}

static void r34_no_receipt_no_guard(void **state)
{
    struct world *world = *state;
    for (int i = 0; i < 2; i++) {
        struct ledger_request request = ask_with_receipt(world);
        request.facts.receipt = (struct text){0};
        expect(world, &request, RESULT_OK);
    }
    assert_int_equal(world->member.available, 20);
}

static void r34_a_wholly_reversed_earn_frees_its_receipt(void **state)
{
    struct world *world = *state;
    struct ledger_request request = ask_with_receipt(world);
    expect(world, &request, RESULT_OK);
    struct ledger_request part = ask_reverse(world, ENTRY_REVERSE_EARN, &request, 999);
    expect(world, &part, RESULT_OK);
    struct ledger_request retry = ask_with_receipt(world);
    expect(world, &retry, RESULT_DUPLICATE_RECEIPT);
    struct ledger_request rest = ask_reverse(world, ENTRY_REVERSE_EARN, &request, 0);
    expect(world, &rest, RESULT_OK);
    struct ledger_request anew = ask_with_receipt(world);
    assert_int_equal(expect(world, &anew, RESULT_OK).points, 10);
    retry = ask_with_receipt(world);
    assert_ptr_equal(expect(world, &retry, RESULT_DUPLICATE_RECEIPT).entry,
                     expect(world, &anew, RESULT_OK).entry);
}

static void r34_only_effects_count(void **state)
{
    struct world *world = *state;
    struct ledger_request refused = ask_redeem(world, ALBA, 5);
    refused.facts.receipt = text_of("1");
    expect(world, &refused, RESULT_NOT_ENOUGH_POINTS);
    give(world, ALBA, 20, LEDGER_NEVER);
    struct ledger_request request = ask_redeem(world, ALBA, 5);
    request.facts.receipt = text_of("1");
    expect(world, &request, RESULT_OK);
    struct ledger_request retry = ask_redeem(world, ALBA, 5);
    retry.facts.receipt = text_of("1");
    expect(world, &retry, RESULT_DUPLICATE_RECEIPT);
    struct ledger_request back = ask_reverse(world, ENTRY_REVERSE_REDEEM, &request, 0);
    expect(world, &back, RESULT_OK);
    retry = ask_redeem(world, ALBA, 5);
    retry.facts.receipt = text_of("1");
    expect(world, &retry, RESULT_OK);
}

static void r34_a_refund_has_a_receipt_of_its_own(void **state)
{
    struct world *world = *state;
    struct ledger_request request = ask_with_receipt(world);
    expect(world, &request, RESULT_OK);
    struct ledger_request refund = ask_reverse(world, ENTRY_REVERSE_EARN, &request, 300);
    refund.facts.receipt = text_of("4711");
    refund.facts.part = 2;
    struct decision first = expect(world, &refund, RESULT_OK);
    struct ledger_request retry = refund;
    retry.key = ask(world, ENTRY_REVERSE_EARN, ALBA).key;
    struct decision refused = expect(world, &retry, RESULT_DUPLICATE_RECEIPT);
    assert_ptr_equal(refused.entry, first.entry);
    assert_int_equal(refused.points, 3);
}

static void r35_a_known_key_is_answered_at_any_age(void **state)
{
    struct world *world = *state;
    struct ledger_request request = ask_earn(world, ALBA, 1000);
    struct decision first = expect(world, &request, RESULT_OK);
    struct ledger_request redeem = ask_redeem(world, ALBA, 11);
    expect(world, &redeem, RESULT_NOT_ENOUGH_POINTS);
    commit(world);
    world->now_us += 400 * DAY_US; /* long past the lot's expiry, too */
    struct decision again = expect(world, &request, RESULT_OK);
    assert_same_answer(&first, &again);
    expect(world, &redeem, RESULT_NOT_ENOUGH_POINTS);
    assert_int_equal(world->member.seq, world->member.seq_stored); /* no change at all */
    assert_int_equal(world->member.available, 10);
}

static void r35_an_unknown_key_past_the_window_is_too_old(void **state)
{
    struct world *world = *state;
    struct ledger_request request = ask_earn(world, ALBA, 1000);
    int64_t key_us = uuid_time_us(&request.key);
    world->now_us = key_us + 35 * DAY_US + 1;
    expect(world, &request, RESULT_TOO_OLD);
    request.kind = ENTRY_REDEEM;
    request.points = 1;
    expect(world, &request, RESULT_TOO_OLD);
    assert_int_equal(refusal_count(&world->member), 0);
    world->now_us = key_us + 35 * DAY_US;
    request.kind = ENTRY_EARN;
    expect(world, &request, RESULT_OK);
}

static void r32_a_key_of_the_future_is_refused(void **state)
{
    struct world *world = *state;
    int64_t now_us = world->now_us;
    world->now_us = now_us + 10 * MINUTE_US + 1000;
    struct ledger_request ahead = ask_earn(world, ALBA, 1000);
    world->now_us = now_us + 10 * MINUTE_US;
    struct ledger_request just = ask_earn(world, ALBA, 1000);
    world->now_us = now_us;
    expect(world, &ahead, RESULT_KEY_IN_FUTURE);
    expect(world, &just, RESULT_OK);
    assert_int_equal(refusal_count(&world->member), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_world(r32_twins_have_one_effect_and_one_answer),
        in_world(r32_same_key_with_another_body_is_reused),
        in_world(r32_a_key_of_another_merchant_is_reused),
        in_world(r32_an_expiry_entry_answers_nobody),
        in_world(r32_enrolment_makes_a_member_once),
        in_world(r32_a_key_of_the_future_is_refused),
        in_world(r33_a_refusal_is_recorded_and_repeated),
        in_world(r33_what_is_not_the_members_doing_is_not_recorded),
        in_world(r34_the_same_receipt_gives_the_originals_result),
        in_world(r34_each_component_tells_receipts_apart),
        in_world(r34_no_receipt_no_guard),
        in_world(r34_a_wholly_reversed_earn_frees_its_receipt),
        in_world(r34_only_effects_count),
        in_world(r34_a_refund_has_a_receipt_of_its_own),
        in_world(r35_a_known_key_is_answered_at_any_age),
        in_world(r35_an_unknown_key_past_the_window_is_too_old),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
