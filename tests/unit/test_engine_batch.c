/* A batch decided without a database: who is locked in which order, and what a posting keeps for
 * the attempt after a failed one. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "engine/batch.h"
#include "store/reference_load.h"

#define NOW_US INT64_C(1767225600000000) /* 2026-01-01Z */

static struct reference *no_reference(void)
{
    PGresult *rows = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    struct reference *reference = reference_load(rows);
    PQclear(rows);
    return reference;
}

static void enrolment(struct posting *posting, int64_t member_id, const uint8_t (*hash)[HASH_BYTES])
{
    memset(posting, 0, sizeof *posting);
    posting->request.kind = ENTRY_ENROL;
    posting->request.key = uuid_make(NOW_US);
    posting->request.merchant_id = 1;
    posting->request.facts.store_id = 1;
    posting->request.facts.occurred_at_us = NOW_US;
    posting->member_id = member_id;
    posting->identifiers = hash;
    posting->identifier_count = 1;
}

static void plan(struct batch *batch, struct posting *postings, int count)
{
    const struct ledger_terms terms = {NOW_US, INT64_C(35) * 86400000000, 600000000, NULL, 0};
    struct reference *reference = no_reference();
    batch_init(batch);
    for (int i = 0; i < count; i++)
        posting_list_push(&batch->postings, &postings[i]);
    assert_true(batch_plan(batch, reference, &terms));
    reference_release(&reference);
}

static void end(struct batch *batch)
{
    while (posting_list_pop(&batch->postings))
        ;
    batch_free(batch);
}

/* R32: an enrolment that meets a known card keeps the id that its own key gave it: the batch may
 * have to be repeated, without the one that claimed the card first. */
static void test_r32_a_refused_enrolment_keeps_its_own_member(void **state)
{
    (void)state;
    static const uint8_t card[1][HASH_BYTES] = {{7}};
    struct posting postings[2];
    struct batch batch;
    enrolment(&postings[0], 1001, card);
    enrolment(&postings[1], 2002, card);
    plan(&batch, postings, 2);
    assert_true(batch_decide(&batch, NOW_US));
    assert_int_equal(postings[0].code, RESULT_OK);
    assert_int_equal(postings[1].code, RESULT_ALREADY_ENROLLED);
    assert_int_equal(postings[1].owner_id, 1001);
    assert_int_equal(postings[1].member_id, 2002);
    end(&batch);
}

/* R32: his own id is no other member: a twin was committed after the lock found nobody. */
static void test_r32_a_twin_is_not_another_member(void **state)
{
    (void)state;
    static const uint8_t card[1][HASH_BYTES] = {{7}};
    struct posting posting;
    struct batch batch;
    enrolment(&posting, 1001, card);
    plan(&batch, &posting, 1);
    batch.known[batch.known_count++] = (struct known_identifier){card[0], 1001};
    assert_true(batch_decide(&batch, NOW_US));
    assert_int_equal(posting.code, RESULT_OK); /* the insert's guard repeats it */
    end(&batch);
}

/* Everybody locks in (bucket, member_id) order, each member once. */
static void test_members_stand_in_the_order_of_locking(void **state)
{
    (void)state;
    static const uint8_t card[1][HASH_BYTES] = {{7}};
    static const int64_t ids[] = {0x5ff, 0x101, 0x2ff, 0x101, 0x300};
    struct posting postings[5];
    struct batch batch;
    for (int i = 0; i < 5; i++)
        enrolment(&postings[i], ids[i], card);
    plan(&batch, postings, 5);
    assert_int_equal(batch.member_count, 4);
    static const int64_t expected[] = {0x300, 0x101, 0x2ff, 0x5ff};
    for (int i = 0; i < 4; i++)
        assert_int_equal(batch.members[i].member.member_id, expected[i]);
    assert_ptr_equal(postings[1].slot, postings[3].slot);
    end(&batch);
}

/* A hint that proves wrong under the lock sends its request back, unharmed. */
static void test_a_wrong_hint_is_not_decided_on(void **state)
{
    (void)state;
    struct posting posting = {.by_identifier = true, .member_id = 1001};
    struct batch batch;
    posting.request.kind = ENTRY_EARN;
    plan(&batch, &posting, 1);
    assert_true(batch_decide(&batch, NOW_US));
    assert_int_equal(batch.strangers.count, 1);
    assert_null(posting.decision);
    assert_ptr_equal(posting_list_pop(&batch.strangers), &posting);
    end(&batch);
}

/* Whom another transaction holds goes again, and the others are decided. */
static void test_a_held_member_is_left_out(void **state)
{
    (void)state;
    static const uint8_t cards[2][1][HASH_BYTES] = {{{7}}, {{8}}};
    struct posting postings[2];
    struct batch batch;
    enrolment(&postings[0], 1001, cards[0]);
    enrolment(&postings[1], 2002, cards[1]);
    plan(&batch, postings, 2);
    batch_find(&batch, 1001)->is_held = true;
    assert_true(batch_decide(&batch, NOW_US));
    assert_null(postings[0].decision);
    assert_ptr_equal(posting_list_pop(&batch.again), &postings[0]);
    assert_int_equal(postings[1].code, RESULT_OK);
    end(&batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_r32_a_refused_enrolment_keeps_its_own_member),
        cmocka_unit_test(test_r32_a_twin_is_not_another_member),
        cmocka_unit_test(test_members_stand_in_the_order_of_locking),
        cmocka_unit_test(test_a_wrong_hint_is_not_decided_on),
        cmocka_unit_test(test_a_held_member_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
