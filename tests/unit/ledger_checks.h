/* What must hold of a member after each decision: sums, order of lots, next change, marks for the
 * store; and how answers are compared. Tests include ledger_fixture.h. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "ledger/ledger.h"

static inline void check_lots(const struct member *member)
{
    int64_t available = 0, next_change_at_us = LEDGER_NEVER;
    for (const struct lot *lot = member->lots; lot; lot = lot->next) {
        assert_true(lot->points >= 0);
        if (lot->next)
            assert_true(lot->expires_at_us <= lot->next->expires_at_us);
        if (lot->points > 0 && lot->expires_at_us < next_change_at_us)
            next_change_at_us = lot->expires_at_us;
        if (lot->change != CHANGE_NONE)
            assert_int_equal(lot->change, lot->is_stored
                                              ? (lot->points ? CHANGE_UPDATE : CHANGE_DELETE)
                                              : CHANGE_INSERT);
        else
            assert_true(lot->is_stored == (lot->points > 0));
        available += lot->points;
    }
    assert_int_equal(member->available, available);
    assert_int_equal(member->next_change_at_us, next_change_at_us);
}

static inline void check_member(const struct member *member)
{
    int64_t debt = 0, seq = 0;
    if (member->lots_read)
        check_lots(member);
    for (const struct debt *at = member->debts; at; at = at->next) {
        assert_true(at->points >= 0);
        debt += at->points;
    }
    if (member->debts_read)
        assert_int_equal(member->debt, debt);
    for (const struct entry *entry = member->entries; entry; entry = entry->next) {
        assert_int_equal(entry->seq, ++seq);
        assert_true(entry->balance >= 0 && entry->debt >= 0 && entry->points >= 0);
        for (size_t i = 0; i < entry->leg_count; i++)
            assert_true(entry->legs[i].points > 0);
    }
    assert_int_equal(member->seq, seq);
}

static inline int64_t leg_sum(const struct entry *entry, enum leg_kind kind)
{
    int64_t points = 0;
    for (size_t i = 0; i < entry->leg_count; i++)
        if (entry->legs[i].kind == kind)
            points += entry->legs[i].points;
    return points;
}

static inline size_t entry_count(const struct member *member)
{
    size_t count = 0;
    for (const struct entry *entry = member->entries; entry; entry = entry->next)
        count++;
    return count;
}

static inline size_t refusal_count(const struct member *member)
{
    size_t count = 0;
    for (const struct refusal *refusal = member->refusals; refusal; refusal = refusal->next)
        count++;
    return count;
}

/* Two decisions give one answer, but for `recorded`. */
static inline void assert_same_answer(const struct decision *a, const struct decision *b)
{
    assert_int_equal(a->code, b->code);
    assert_int_equal(a->before_original, b->before_original);
    assert_ptr_equal(a->entry, b->entry);
    assert_int_equal(a->points, b->points);
    assert_int_equal(a->debt_repaid, b->debt_repaid);
    assert_int_equal(a->debt_made, b->debt_made);
    assert_int_equal(a->expired, b->expired);
    assert_int_equal(a->expires_at_us, b->expires_at_us);
    assert_int_equal(a->balance, b->balance);
    assert_int_equal(a->debt, b->debt);
    assert_int_equal(a->decided_at_us, b->decided_at_us);
}
