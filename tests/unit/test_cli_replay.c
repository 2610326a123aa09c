/* The replay's keys, which must keep the file's order, and the simulated town, which must resemble
 * the real set. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../client-sdk/cli/replay_key.c"
#include "../../client-sdk/cli/town.c"

static const int64_t EVENT_US = INT64_C(1396345802000000);

static void keys_are_uuids_of_version_7(void **state)
{
    uint8_t key[LOYAL_KEY_BYTES];
    uint64_t ms = 0;

    (void)state;
    replay_key(REPLAY_MAIN, EVENT_US, 78775, "126243", key);
    for (int i = 0; i < 6; i++)
        ms = ms << 8 | key[i];
    assert_int_equal(ms, EVENT_US / 1000);
    assert_int_equal(key[6] >> 4, 7);
    assert_int_equal(key[8] >> 6, 2);
}

static void keys_of_one_second_keep_the_order_of_rows(void **state)
{
    static const int64_t seqs[] = {1, 2, 4095, 4096, 78774, 78775, 1048575, 1048576, UINT32_MAX};
    uint8_t before[LOYAL_KEY_BYTES] = {0}, key[LOYAL_KEY_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof seqs / sizeof *seqs; i++) {
        replay_key(REPLAY_MAIN, EVENT_US, seqs[i], "receipt", key);
        assert_true(memcmp(before, key, sizeof key) < 0);
        memcpy(before, key, sizeof key);
    }
}

static void steps_of_a_row_have_keys_of_their_own_in_their_order(void **state)
{
    uint8_t enrol[LOYAL_KEY_BYTES], redeem[LOYAL_KEY_BYTES], again[LOYAL_KEY_BYTES],
        earn[LOYAL_KEY_BYTES];

    (void)state;
    replay_key(REPLAY_ENROL, EVENT_US, 7, "t", enrol);
    replay_key(REPLAY_REDEEM, EVENT_US, 7, "t", redeem);
    replay_key(REPLAY_MAIN, EVENT_US, 7, "t", earn);
    replay_key(REPLAY_MAIN, EVENT_US, 7, "t", again);
    assert_true(memcmp(enrol, redeem, sizeof enrol) < 0);
    assert_true(memcmp(redeem, earn, sizeof earn) < 0);
    assert_memory_equal(earn, again, sizeof earn);
    replay_key(REPLAY_MAIN, EVENT_US, 7, "u", again);
    assert_memory_not_equal(earn, again, sizeof earn);
}

static char *town_text(uint64_t seed, size_t rows, struct town_figures *figures_out)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);

    assert_non_null(file);
    assert_true(town_write(file, seed, rows, figures_out));
    assert_int_equal(fclose(file), 0);
    return text;
}

static void assert_near(double value, double reference)
{
    if (value < 0.8 * reference || value > 1.2 * reference)
        fail_msg("%g is not within 20 %% of %g", value, reference);
}

static void town_resembles_the_real_set(void **state)
{
    static const size_t sizes[] = {TOWN_ROWS_MIN, TOWN_ROWS};
    struct town_figures figures;

    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++)
        for (size_t i = 0; i < 2; i++) {
            free(town_text(seed, sizes[i], &figures));
            assert_near(figures.median_merchants, TOWN_MEDIAN_MERCHANTS);
            assert_near(figures.refund_share, TOWN_REFUND_SHARE);
            assert_near(figures.top_five_share, TOWN_TOP_FIVE_SHARE);
            assert_near((double)figures.rows, (double)sizes[i]);
            assert_near((double)figures.members, TOWN_MEMBERS);
            assert_int_equal(figures.merchants, TOWN_MERCHANTS);
            assert_true(figures.refunds_unnamed > 0);
        }
}

static void town_is_labelled_and_repeats_by_seed(void **state)
{
    struct town_figures figures;
    char *first = town_text(7, TOWN_ROWS_MIN, &figures),
         *again = town_text(7, TOWN_ROWS_MIN, &figures),
         *other = town_text(8, TOWN_ROWS_MIN, &figures);

    (void)state;
    assert_int_equal(strncmp(first, "# simulated", 11), 0);
    assert_string_equal(first, again);
    assert_string_not_equal(first, other);
    free(first);
    free(again);
    free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_uuids_of_version_7),
        cmocka_unit_test(keys_of_one_second_keep_the_order_of_rows),
        cmocka_unit_test(steps_of_a_row_have_keys_of_their_own_in_their_order),
        cmocka_unit_test(town_resembles_the_real_set),
        cmocka_unit_test(town_is_labelled_and_repeats_by_seed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
