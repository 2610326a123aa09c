/* R30, R31 as a property: whatever happens to whom, legs, lots and the member's row agree after
 * each decision. The random numbers are a fixed sequence, so that a failure repeats. */
#include "ledger_fixture.h"

#define MEMBERS    24
#define OPERATIONS 300
#define MERCHANTS  3

struct run {
    struct world world;
    uint64_t random;
    struct ledger_request asked[OPERATIONS]; /* to be repeated and reversed */
    size_t asked_count;
    size_t results[64]; /* how often each was met */
};

static int64_t below(struct run *run, int64_t limit)
{
    run->random = run->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (int64_t)(run->random >> 33) % limit;
}

struct sums {
    int64_t by_leg[LEG_DEBT_MADE + 1];
};

static struct sums sums_of_legs(const struct member *member, int issuer)
{
    struct sums sums = {0};
    for (const struct entry *entry = member->entries; entry; entry = entry->next)
        for (size_t i = 0; i < entry->leg_count; i++)
            if (entry->legs[i].issuer == issuer)
                sums.by_leg[entry->legs[i].kind] += entry->legs[i].points;
    return sums;
}

static int64_t lots_of(const struct member *member, int issuer)
{
    int64_t points = 0;
    for (const struct lot *lot = member->lots; lot; lot = lot->next)
        points += lot->issuer == issuer ? lot->points : 0;
    return points;
}

static int64_t debts_of(const struct member *member, int issuer)
{
    int64_t points = 0;
    for (const struct debt *debt = member->debts; debt; debt = debt->next)
        points += debt->issuer == issuer ? debt->points : 0;
    return points;
}

static void check_books(const struct member *member)
{
    int64_t available = 0, debt = 0;
    for (int issuer = 1; issuer <= MERCHANTS; issuer++) {
        const int64_t *legs = sums_of_legs(member, issuer).by_leg;
        int64_t owed = debts_of(member, issuer), open = lots_of(member, issuer);
        int64_t redeemed = legs[LEG_REDEEMED] - legs[LEG_RESTORED];
        int64_t clawed_back = legs[LEG_CLAWED_BACK] + legs[LEG_DEBT_MADE];
        assert_int_equal(owed, legs[LEG_DEBT_MADE] - legs[LEG_DEBT_REPAID]);
        assert_int_equal(legs[LEG_MADE], open + redeemed + legs[LEG_EXPIRED] + clawed_back - owed);
        assert_true(open >= 0 && owed >= 0 && redeemed >= 0);
        available += open;
        debt += owed;
    }
    assert_int_equal(member->available, available);
    assert_int_equal(member->debt, debt);
    const struct entry *last = member->entries;
    while (last->next)
        last = last->next;
    assert_int_equal(last->balance, available);
    assert_int_equal(last->debt, debt);
}

static struct ledger_request next_request(struct run *run)
{
    struct world *world = &run->world;
    int merchant = 1 + (int)below(run, MERCHANTS);
    int64_t kind = below(run, 100);
    if (run->asked_count > 0 && kind < 40) {
        const struct ledger_request *original = &run->asked[below(run, (int64_t)run->asked_count)];
        if (kind < 5)
            return *original; /* a repeat */
        if (original->kind == ENTRY_EARN)
            return ask_reverse(world, ENTRY_REVERSE_EARN, original,
                               kind < 25 ? 1 + below(run, 3000) : 0);
        return ask_reverse(world, ENTRY_REVERSE_REDEEM, original, 0);
    }
    if (kind < 70) {
        struct ledger_request request = ask_earn(world, merchant, below(run, 5000));
        request.rule = *rule_of(world, 1 + (int)below(run, RULE_COUNT - 1));
        if (request.facts.amount_minor > 100)
            request.facts.paid_in_points_minor = below(run, 100);
        if (request.rule.lifetime_months > 0)
            request.rule.lifetime_months = 1 + (int)below(run, 3);
        request.facts.occurred_at_us -= below(run, 40) * DAY_US;
        return request;
    }
    return ask_redeem(world, merchant, 1 + below(run, 3000));
}

/* As the engine does: a batch starts without lots and debts, and reads them when they are asked
 * for. */
static struct decision decide_with_reads(struct run *run, const struct ledger_request *request)
{
    struct member *member = &run->world.member;
    struct lot *lots = NULL;
    struct debt *debts = NULL;
    if (below(run, 3) == 0) {
        commit(&run->world);
        lots = member->lots;
        debts = member->debts;
        member->lots = NULL;
        member->debts = NULL;
        member->lots_read = member->debts_read = false;
    }
    struct decision decision = decide(&run->world, request);
    bool undecided = decision.needs_lots || decision.needs_debts;
    while (lots) {
        struct lot *next = lots->next;
        ledger_insert_lot(member, lots);
        lots = next;
    }
    for (struct debt *next; debts; debts = next) {
        next = debts->next;
        debts->next = member->debts;
        member->debts = debts;
    }
    member->lots_read = member->debts_read = true;
    if (undecided) {
        assert_int_equal(member->seq, member->seq_stored);
        decision = decide(&run->world, request);
    }
    assert_false(decision.needs_lots || decision.needs_debts);
    return decision;
}

static void check_repeat(struct run *run, const struct ledger_request *request,
                         const struct decision *decision)
{
    int64_t seq = run->world.member.seq;
    struct decision again = decide(&run->world, request);
    assert_true(again.recorded);
    assert_same_answer(decision, &again);
    assert_int_equal(run->world.member.seq, seq);
}

static void run_member(struct run *run, uint64_t seed)
{
    run->random = seed;
    run->asked_count = 0;
    world_open(&run->world);
    for (int i = 0; i < OPERATIONS; i++) {
        if (below(run, 4) == 0)
            run->world.now_us += below(run, 12) * DAY_US / 2;
        struct ledger_request request = next_request(run);
        struct decision decision = decide_with_reads(run, &request);
        assert_in_range(decision.code, RESULT_OK, RESULT_BALANCE_LIMIT);
        run->results[decision.code]++;
        check_books(&run->world.member);
        check_repeat(run, &request, &decision);
        if (request.kind == ENTRY_EARN || request.kind == ENTRY_REDEEM)
            run->asked[run->asked_count++] = request;
    }
    world_close(&run->world);
}

static void r30_legs_lots_and_row_agree_after_each_decision(void **state)
{
    (void)state;
    struct run *run = test_calloc(1, sizeof *run);
    for (uint64_t seed = 1; seed <= MEMBERS; seed++)
        run_member(run, seed);
    /* The sequence does reach what it is about. */
    assert_true(run->results[RESULT_OK] > 2000);
    assert_true(run->results[RESULT_NOT_ENOUGH_POINTS] > 100);
    assert_true(run->results[RESULT_ALREADY_REVERSED] > 100);
    assert_true(run->results[RESULT_EXCEEDS_ORIGINAL] > 50);
    test_free(run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(r30_legs_lots_and_row_agree_after_each_decision),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
