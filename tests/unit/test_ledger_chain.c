/* The hash chain and the journal's form of legs. The expected hashes were computed by another
 * program from the encoding's description alone. */
#include "ledger_fixture.h"

#include "ledger/legs.h"

#define DECIDED_US INT64_C(1769947200123456)

static const char facts_1[] = "894bee84be267428c9ac92ffc2f61bbf682e0224ca7741554183c4829abd894f";
static const char chain_1[] = "12041564e89cb87649cf7144bfea0d6adc4435f797146c26fdb62fcebbb9833a";
static const char facts_2[] = "5919f857db7c4613107701d03c931cf29de73784e7fde2b7946d88c65a21f3b7";
static const char chain_2[] = "ebd8b332bdeb0d7999cc2489ef2f66f459087686e39a9b1cacddfc495d7502ca";

static void assert_hash(const uint8_t hash[HASH_BYTES], const char *expected)
{
    char text[2 * HASH_BYTES + 1];
    for (size_t i = 0; i < HASH_BYTES; i++)
        snprintf(text + 2 * i, 3, "%02x", hash[i]);
    assert_string_equal(text, expected);
}

/* Bytes that count up. */
static void count_from(uint8_t *bytes, uint8_t first)
{
    for (size_t i = 0; i < 16; i++)
        bytes[i] = (uint8_t)(first + i);
}

/* A member with an earn and a reversal of it. */
struct books {
    struct member member;
    struct entry earn;
    struct entry reversal;
    struct leg legs[2];
    struct basket_line lines[2];
    struct arena arena;
};

static void make_earn(struct books *books)
{
    struct entry *earn = &books->earn;
    *earn = (struct entry){.is_new = true,
                           .seq = 1,
                           .decided_at_us = DECIDED_US,
                           .kind = ENTRY_EARN,
                           .merchant_id = 3,
                           .points = 7,
                           .balance = 7,
                           .rule_version = 9,
                           .legs = books->legs,
                           .leg_count = 2};
    count_from(earn->id.bytes, 0x10);
    count_from(earn->body_hash, 0xa0);
    books->legs[0] = (struct leg){LEG_MADE, earn->id, 1, 3, 7, DECIDED_US - 1, DECIDED_US + 10};
    books->legs[1] = (struct leg){LEG_DEBT_REPAID, earn->id, 1, 3, 2, DECIDED_US - 1, LEDGER_NEVER};
    books->lines[0] = (struct basket_line){text_of("bread"), text_of("food"), 2000, 600, 4};
    books->lines[1] = (struct basket_line){{NULL, 0}, {NULL, 0}, 1, 400, 3};
    earn->facts = (struct facts){.store_id = 5,
                                 .terminal_id = 6,
                                 .channel = 2,
                                 .till = text_of("till"),
                                 .receipt = text_of("receipt"),
                                 .part = 1,
                                 .business_date = 20260201,
                                 .occurred_at_us = DECIDED_US - 1,
                                 .amount_minor = 1000,
                                 .paid_in_points_minor = 300,
                                 .currency = text_of("EUR"),
                                 .lines = books->lines,
                                 .line_count = 2};
    count_from(earn->facts.salt, 0);
}

static int open_books(void **state)
{
    struct books *books = test_calloc(1, sizeof *books);
    arena_init(&books->arena, 1 << 20);
    make_earn(books);
    books->reversal = (struct entry){.is_new = true,
                                     .seq = 2,
                                     .decided_at_us = DECIDED_US,
                                     .kind = ENTRY_REVERSE_EARN,
                                     .merchant_id = 3,
                                     .balance = 7,
                                     .rule_version = 9,
                                     .has_original = true,
                                     .original = books->earn.id,
                                     .facts.occurred_at_us = DECIDED_US};
    count_from(books->reversal.id.bytes, 0xf0);
    books->earn.next = &books->reversal;
    books->member = (struct member){.bucket = 7, .member_id = 42, .entries = &books->earn};
    *state = books;
    return 0;
}

static int close_books(void **state)
{
    struct books *books = *state;
    arena_free(&books->arena);
    test_free(books);
    return 0;
}

static void the_encoding_is_the_described_one(void **state)
{
    struct books *books = *state;
    assert_true(ledger_chain(&books->member, &books->arena));
    assert_hash(books->earn.facts_hash, facts_1);
    assert_hash(books->earn.chain, chain_1);
    assert_hash(books->reversal.facts_hash, facts_2);
    assert_hash(books->reversal.chain, chain_2);
    assert_hash(books->member.chain, chain_2);
}

static void only_new_entries_are_chained_to_the_head_as_read(void **state)
{
    struct books *books = *state;
    assert_true(ledger_chain(&books->member, &books->arena));
    memcpy(books->member.chain, books->earn.chain, HASH_BYTES);
    memset(books->reversal.chain, 0, HASH_BYTES);
    books->earn.is_new = false; /* a later batch: the earn was read, its hashes were not */
    memset(books->earn.chain, 0, HASH_BYTES);
    assert_true(ledger_chain(&books->member, &books->arena));
    assert_hash(books->reversal.chain, chain_2);
    assert_hash(books->earn.chain,
                "0000000000000000000000000000000000000000000000000000000000000000");
}

static void the_salt_is_part_of_the_facts_hash(void **state)
{
    struct books *books = *state;
    assert_true(ledger_chain(&books->member, &books->arena));
    uint8_t before[HASH_BYTES];
    memcpy(before, books->earn.facts_hash, HASH_BYTES);
    books->earn.facts.salt[0] ^= 1;
    memset(books->member.chain, 0, HASH_BYTES);
    assert_true(ledger_chain(&books->member, &books->arena));
    assert_memory_not_equal(before, books->earn.facts_hash, HASH_BYTES);
}

static void legs_come_back_as_they_went(void **state)
{
    struct books *books = *state;
    books->legs[0].lot_entry.bytes[0] = 0xff; /* a negative half */
    int64_t values[2 * LEG_VALUES];
    ledger_legs_encode(books->legs, 2, values);
    assert_int_equal(values[6], DECIDED_US - 1 - INT64_C(946684800000000));
    assert_int_equal(values[LEG_VALUES + 7], INT64_MAX);
    for (size_t i = 0; i < 2; i++) {
        struct leg leg;
        ledger_leg_decode(values + i * LEG_VALUES, &leg);
        assert_memory_equal(&leg, &books->legs[i], sizeof leg);
    }
}

static void an_exhausted_arena_is_reported(void **state)
{
    struct books *books = *state;
    arena_init(&books->arena, 100);
    assert_false(ledger_chain(&books->member, &books->arena));
}

#define with_books(test) cmocka_unit_test_setup_teardown(test, open_books, close_books)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_books(the_encoding_is_the_described_one),
        with_books(only_new_entries_are_chained_to_the_head_as_read),
        with_books(the_salt_is_part_of_the_facts_hash),
        with_books(legs_come_back_as_they_went),
        with_books(an_exhausted_arena_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
