/* Member refs and the keyring: a ref opens for its own merchant alone (R41). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "session/ref.h"

#define KEY_1 "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define KEY_2 "ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1eff"

static struct keyring *keyring_of(const char *text, mode_t mode, struct err *err)
{
    char path[] = "/tmp/test_ref.XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
    struct keyring *keyring = keyring_create(path, err);
    unlink(path);
    return keyring;
}

static void refs_come_back(void **state)
{
    (void)state;
    static const int64_t members[] = {0, 1, 0x123456789abcdef0, INT64_MAX};
    struct err err = {0};
    struct keyring *keyring = keyring_of("1 " KEY_1 "\n", 0600, &err);
    assert_non_null(keyring);
    struct ref_table *table = ref_table_create(keyring, &err);
    uint8_t ref[REF_BYTES], other[REF_BYTES];
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        assert_true(ref_make(table, 7, members[i], ref));
        assert_int_equal(ref[0], 1);
        assert_int_equal(ref_open(table, 7, ref), members[i]);
        assert_true(ref_make(table, 8, members[i], other));
        assert_memory_not_equal(ref, other, REF_BYTES);
        assert_int_equal(ref_open(table, 8, ref), REF_NOBODY);
        assert_int_equal(ref_open(table, 0, ref), REF_NOBODY);
    }
    ref_table_destroy(&table);
    keyring_destroy(&keyring);
}

static void r41_purchases_have_another_id_for_each_merchant(void **state)
{
    (void)state;
    static const uint8_t entry[16] = {1, 2, 3}, later[16] = {1, 2, 4};
    struct err err = {0};
    struct keyring *keyring = keyring_of("1 " KEY_1 "\n", 0600, &err);
    struct keyring *rotated = keyring_of("1 " KEY_1 "\n2 " KEY_2 "\n", 0600, &err);
    struct ref_table *table = ref_table_create(keyring, &err);
    struct ref_table *after = ref_table_create(rotated, &err);
    uint8_t id[REF_BYTES], other[REF_BYTES];
    assert_true(ref_make_purchase(table, 7, entry, id));
    assert_memory_not_equal(id + 1, entry, sizeof entry);
    assert_int_equal(ref_open(table, 7, id), REF_NOBODY);
    assert_true(ref_make_purchase(table, 8, entry, other));
    assert_memory_not_equal(id, other, REF_BYTES);
    assert_true(ref_make_purchase(table, 7, later, other));
    assert_memory_not_equal(id, other, REF_BYTES);
    /* a rotation changes refs, not these */
    assert_true(ref_make_purchase(after, 7, entry, other));
    assert_memory_equal(id, other, REF_BYTES);
    ref_table_destroy(&table);
    ref_table_destroy(&after);
    keyring_destroy(&keyring);
    keyring_destroy(&rotated);
}

static void an_announced_version_is_opened_and_not_made_with(void **state)
{
    (void)state;
    struct err err = {0};
    struct keyring *announced = keyring_of("1 " KEY_1 "\n2 " KEY_2 " announced\n", 0600, &err);
    struct keyring *rotated = keyring_of("1 " KEY_1 "\n2 " KEY_2 "\n", 0600, &err);
    struct ref_table *before = ref_table_create(announced, &err);
    struct ref_table *after = ref_table_create(rotated, &err);
    uint8_t old[REF_BYTES], fresh[REF_BYTES];
    assert_int_equal(keyring_newest(announced), 1);
    assert_true(ref_make(before, 7, 42, old));
    assert_true(ref_make(after, 7, 42, fresh));
    assert_int_equal(old[0], 1);
    assert_int_equal(fresh[0], 2);
    assert_int_equal(ref_open(before, 7, fresh), 42);
    assert_int_equal(ref_open(after, 7, old), 42);
    ref_table_destroy(&before);
    ref_table_destroy(&after);
    keyring_destroy(&announced);
    keyring_destroy(&rotated);
    assert_null(keyring_of("1 " KEY_1 " pronounced\n", 0600, &err));
    assert_null(keyring_of("1 " KEY_1 " announced\n", 0600, &err)); /* none to make with */
}

static void a_changed_byte_is_nobody(void **state)
{
    (void)state;
    struct err err = {0};
    struct keyring *keyring = keyring_of("1 " KEY_1 "\n", 0600, &err);
    struct ref_table *table = ref_table_create(keyring, &err);
    uint8_t ref[REF_BYTES];
    assert_true(ref_make(table, 7, 42, ref));
    for (size_t i = 0; i < REF_BYTES; i++) {
        ref[i] ^= 0x10;
        assert_int_equal(ref_open(table, 7, ref), REF_NOBODY);
        ref[i] ^= 0x10;
    }
    assert_int_equal(ref_open(table, 7, ref), 42);
    ref_table_destroy(&table);
    keyring_destroy(&keyring);
}

static void old_refs_open_after_a_new_key(void **state)
{
    (void)state;
    struct err err = {0};
    struct keyring *one = keyring_of("1 " KEY_1 "\n", 0600, &err);
    struct keyring *two = keyring_of("# both\n2 " KEY_2 "\n\n1 " KEY_1 " # old\n", 0400, &err);
    assert_non_null(two);
    struct ref_table *before = ref_table_create(one, &err), *after = ref_table_create(two, &err);
    uint8_t ref[REF_BYTES];
    assert_true(ref_make(before, 7, 42, ref));
    assert_int_equal(ref_open(after, 7, ref), 42);
    assert_true(ref_make(after, 7, 42, ref));
    assert_int_equal(ref[0], 2);
    assert_int_equal(ref_open(before, 7, ref), REF_NOBODY);
    assert_int_equal(keyring_newest(two), 2);
    assert_int_equal(keyring_oldest(two), 1);
    assert_memory_equal(keyring_identifier_key(one), keyring_identifier_key(two), HASH_BYTES);
    assert_memory_equal(keyring_enrol_key(one), keyring_enrol_key(two), HASH_BYTES);
    assert_memory_not_equal(keyring_enrol_key(one), keyring_identifier_key(one), HASH_BYTES);
    ref_table_destroy(&before);
    ref_table_destroy(&after);
    keyring_destroy(&one);
    keyring_destroy(&two);
}

static void keyrings_are_checked(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        mode_t mode;
        const char *part;
    } bad[] = {
        {"1 " KEY_1 "\n", 0640, "open to group or others"},
        {"1 " KEY_1 "\n", 0604, "open to group or others"},
        {"", 0600, "holds no key"},
        {"# only\n\n", 0600, "--make-keyring"},
        {"\n1 " KEY_1 "0\n", 0600, ":2:"},
        {"1 abc\n", 0600, "64 hexadecimal"},
        {"0 " KEY_1 "\n", 0600, "1 to 255"},
        {"256 " KEY_1 "\n", 0600, "1 to 255"},
        {"1x " KEY_1 "\n", 0600, "1 to 255"},
        {"1 " KEY_1 " more\n", 0600, ":1:"},
        {"1 " KEY_1 "\n1 " KEY_2 "\n", 0600, "twice"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct err err = {0};
        assert_null(keyring_of(bad[i].text, bad[i].mode, &err));
        if (!strstr(err.text, bad[i].part))
            fail_msg("no '%s' in: %s", bad[i].part, err.text);
        assert_null(strstr(err.text, KEY_1));
    }
}

static void a_keyring_is_made_once(void **state)
{
    (void)state;
    char folder[] = "/tmp/test_ref.XXXXXX", path[64];
    struct err err = {0};
    struct stat status;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/keyring", folder);
    assert_true(keyring_file_make(path, &err));
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    struct keyring *keyring = keyring_create(path, &err);
    assert_non_null(keyring);
    keyring_destroy(&keyring);
    assert_false(keyring_file_make(path, &err));
    assert_non_null(strstr(err.text, "never overwritten"));
    unlink(path);
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refs_come_back),
        cmocka_unit_test(r41_purchases_have_another_id_for_each_merchant),
        cmocka_unit_test(an_announced_version_is_opened_and_not_made_with),
        cmocka_unit_test(a_changed_byte_is_nobody),
        cmocka_unit_test(old_refs_open_after_a_new_key),
        cmocka_unit_test(keyrings_are_checked),
        cmocka_unit_test(a_keyring_is_made_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
