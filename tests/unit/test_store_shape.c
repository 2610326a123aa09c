/* A result is taken only when it is what its statement gives: its columns, their types, as many
 * bytes as each value has, and its rows. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "base/hash.h"
#include "store/shape.h"

#define INT4  23
#define INT8  20
#define ARRAY 1016

/* A result of these binary columns, without rows. */
static PGresult *result_of(ExecStatusType status, const Oid *types, int count)
{
    PGresAttDesc columns[32];
    assert_true(count <= 32);
    for (int i = 0; i < count; i++)
        columns[i] = (PGresAttDesc){.name = "c", .format = 1, .typid = types[i]};
    PGresult *result = PQmakeEmptyPGresult(NULL, status);
    assert_non_null(result);
    if (count)
        assert_true(PQsetResultAttrs(result, count, columns));
    return result;
}

static void put(PGresult *result, int row, int column, const void *bytes, int size)
{
    assert_true(PQsetvalue(result, row, column, (char *)(uintptr_t)bytes, size));
}

static bool takes(enum statement_id statement, PGresult *result)
{
    bool fits = shape_fits(statement, result);
    PQclear(result);
    return fits;
}

/* The epoch: one row of one bigint. */
static PGresult *epoch_of(Oid type, int size, int rows)
{
    static const uint8_t zeros[16] = {0};
    PGresult *result = result_of(PGRES_TUPLES_OK, &type, 1);
    for (int row = 0; row < rows; row++)
        put(result, row, 0, zeros, size);
    return result;
}

static void test_values_have_the_bytes_of_their_type(void **state)
{
    (void)state;
    assert_true(takes(STATEMENT_EPOCH_READ, epoch_of(INT8, 8, 1)));
    assert_false(takes(STATEMENT_EPOCH_READ, epoch_of(INT8, 7, 1)));
    assert_false(takes(STATEMENT_EPOCH_READ, epoch_of(INT8, 9, 1)));
    assert_false(takes(STATEMENT_EPOCH_READ, epoch_of(INT8, 0, 1)));
    assert_false(takes(STATEMENT_EPOCH_READ, epoch_of(701, 8, 1)));  /* a double */
    assert_true(takes(STATEMENT_EPOCH_READ, epoch_of(INT8, -1, 1))); /* null */
}

static void test_rows_are_as_many_as_they_must_be(void **state)
{
    (void)state;
    static const Oid types[] = {INT4, INT8};
    assert_false(takes(STATEMENT_EPOCH_READ, epoch_of(INT8, 8, 0)));
    assert_false(takes(STATEMENT_EPOCH_READ, epoch_of(INT8, 8, 2)));
    assert_true(takes(STATEMENT_RESOLVE, result_of(PGRES_TUPLES_OK, types, 2)));
}

static void test_columns_are_the_statements(void **state)
{
    (void)state;
    static const Oid types[] = {INT4, INT8, INT8};
    assert_false(takes(STATEMENT_RESOLVE, result_of(PGRES_TUPLES_OK, types, 1)));
    assert_false(takes(STATEMENT_RESOLVE, result_of(PGRES_TUPLES_OK, types, 3)));
    assert_false(takes(STATEMENT_RESOLVE, result_of(PGRES_TUPLES_OK, types + 1, 2)));
    assert_false(
        takes(STATEMENT_GRANTS_REVOKE, epoch_of(INT8, 8, 1))); /* binary where text is due */
}

static void test_other_results_are_no_answer(void **state)
{
    (void)state;
    static const ExecStatusType others[] = {
        PGRES_EMPTY_QUERY,  PGRES_COMMAND_OK,     PGRES_COPY_OUT,      PGRES_COPY_IN,
        PGRES_BAD_RESPONSE, PGRES_NONFATAL_ERROR, PGRES_PIPELINE_SYNC, PGRES_SINGLE_TUPLE};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_false(takes(STATEMENT_ENTRIES_FIND, result_of(others[i], NULL, 0)));
    assert_true(takes(STATEMENT_ENTRIES_FIND, result_of(PGRES_FATAL_ERROR, NULL, 0)));
    assert_true(takes(STATEMENT_COMMIT, result_of(PGRES_COMMAND_OK, NULL, 0)));
    assert_false(takes(STATEMENT_COMMIT, result_of(PGRES_TUPLES_OK, NULL, 0)));
}

/* An entry's legs alone; all else is null. The header says `count`, `size` bytes are there. */
static bool takes_legs(uint32_t dimensions, uint32_t type, uint32_t count, int size)
{
    static const Oid types[] = {20,   2950, 20, 1184, 21, 23, 20, 20,   20, 23, ARRAY,
                                2950, 17,   23, 25,   25, 23, 23, 1184, 20, 20};
    uint8_t bytes[64] = {0}, *at = put_u32(bytes, dimensions);
    at = put_u32(put_u32(put_u32(put_u32(at, 0), type), count), 1);
    for (int i = 0; i < 2; i++)
        at = put_u64(put_u32(at, 8), 1);
    PGresult *result = result_of(PGRES_TUPLES_OK, types, 21);
    for (int column = 0; column < 21; column++)
        put(result, 0, column, NULL, -1);
    put(result, 0, 10, bytes, size);
    return takes(STATEMENT_ENTRIES_FIND, result);
}

static void test_arrays_are_whole(void **state)
{
    (void)state;
    assert_true(takes_legs(1, INT8, 2, 44));
    assert_true(takes_legs(0, INT8, 0, 12));
    assert_false(takes_legs(1, INT8, 3, 44));
    assert_false(takes_legs(1, INT8, UINT32_MAX, 44));
    assert_false(takes_legs(1, INT8, 2, 43));
    assert_false(takes_legs(1, INT4, 2, 44));
    assert_false(takes_legs(2, INT8, 2, 44));
    assert_false(takes_legs(1, INT8, 2, 12));
    assert_false(takes_legs(0, INT8, 0, 11));
    assert_false(takes_legs(0, INT8, 2, 44));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_have_the_bytes_of_their_type),
        cmocka_unit_test(test_rows_are_as_many_as_they_must_be),
        cmocka_unit_test(test_columns_are_the_statements),
        cmocka_unit_test(test_other_results_are_no_answer),
        cmocka_unit_test(test_arrays_are_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
