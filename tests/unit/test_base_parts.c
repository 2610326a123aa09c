/* The small parts at the bottom: arena, checked sums, UUIDs, hashes, randomness, errors, clock, log
 * lines. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/int64.h"
#include "base/log.h"
#include "base/uuid.h"

static void an_arena_is_zeroed_aligned_and_capped(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 100000);
    for (int round = 0; round < 3; round++) {
        size_t total = 0;
        for (size_t size = 1;; size = size * 3 / 2 + 1) {
            unsigned char *bytes = arena_alloc(&arena, size);
            if (!bytes)
                break;
            assert_int_equal((uintptr_t)bytes % 16, 0);
            for (size_t i = 0; i < size; i++)
                assert_int_equal(bytes[i], 0);
            memset(bytes, 0xff, size);
            total += size;
        }
        assert_in_range(total, 30000, 100000);
        assert_true(arena.used_bytes <= 100000);
        arena_reset(&arena);
        assert_int_equal(arena.used_bytes, 0);
    }
    assert_null(arena_alloc(&arena, SIZE_MAX));
    assert_null(arena_alloc(&arena, 100001));
    assert_memory_equal(arena_copy(&arena, "points", 7), "points", 7);
    assert_non_null(arena_copy(&arena, NULL, 0));
    arena_free(&arena);
    assert_non_null(arena_alloc(&arena, 10));
    arena_free(&arena);
}

static void r1_sums_that_leave_int64_are_told(void **state)
{
    (void)state;
    int64_t out = 5;
    assert_false(int64_add(INT64_MAX, 1, &out));
    assert_false(int64_sub(INT64_MIN, 1, &out));
    assert_false(int64_mul_div_floor(INT64_MAX, 2, 1, &out));
    assert_int_equal(out, 5);
    assert_true(int64_mul_div_floor(INT64_MAX, INT64_MAX, INT64_MAX, &out));
    assert_int_equal(out, INT64_MAX);
    assert_true(int64_mul_div_floor(299, 1, 100, &out));
    assert_int_equal(out, 2);
}

static void a_uuid_carries_its_time(void **state)
{
    (void)state;
    int64_t at_us = INT64_C(1769947200123456), ms_us = at_us / 1000 * 1000;
    struct uuid first = uuid_first(at_us), last = uuid_last(at_us), made = uuid_make(at_us);
    assert_true(uuid_is_v7(&first) && uuid_is_v7(&last) && uuid_is_v7(&made));
    assert_int_equal(uuid_time_us(&first), ms_us);
    assert_int_equal(uuid_time_us(&last), ms_us);
    assert_true(uuid_compare(&first, &made) < 0 && uuid_compare(&made, &last) < 0);
    struct uuid next = uuid_first(at_us + 1000), other = uuid_make(at_us);
    assert_true(uuid_compare(&last, &next) < 0);
    assert_false(uuid_equal(&made, &other));
    char text[UUID_TEXT_BYTES];
    uuid_text(&first, text);
    assert_string_equal(text, "019c1912-fa7b-7000-8000-000000000000");
    uuid_text(&last, text);
    assert_string_equal(text, "019c1912-fa7b-7fff-bfff-ffffffffffff");
    first.bytes[6] = 0x40;
    assert_false(uuid_is_v7(&first));
}

static void hashes_are_the_standards(void **state)
{
    (void)state;
    static const uint8_t abc[] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea};
    /* HMAC with the key 00..1f of "Hi There". */
    static const uint8_t mac[] = {0x27, 0x86, 0x39, 0xec, 0x02, 0x30, 0x9d, 0x3a};
    uint8_t key[HASH_BYTES], hash[HASH_BYTES];
    for (uint8_t i = 0; i < HASH_BYTES; i++)
        key[i] = i;
    for (int round = 0; round < 2; round++) {
        hash_sha256("abc", 3, hash);
        assert_memory_equal(hash, abc, sizeof abc);
        hash_hmac(key, "Hi There", 8, hash);
        assert_memory_equal(hash, mac, sizeof mac);
    }
}

static void keys_are_derived_as_rfc_5869_says(void **state)
{
    (void)state;
    uint8_t master[HASH_BYTES] = {7, 1, 2}, expected[HASH_BYTES], key[HASH_BYTES];
    char digest[] = "SHA256", label[] = "a label of thirty-two bytes, all";
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *context = EVP_KDF_CTX_new(kdf);
    for (size_t size = 0; size <= HASH_LABEL_BYTES_MAX; size++) {
        const OSSL_PARAM parameters[] = {
            OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
            OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, master, sizeof master),
            OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, label, size),
            OSSL_PARAM_construct_end(),
        };
        assert_int_equal(EVP_KDF_derive(context, expected, HASH_BYTES, parameters), 1);
        EVP_KDF_CTX_reset(context);
        hash_derive(master, label, size, key);
        assert_memory_equal(key, expected, HASH_BYTES);
    }
    EVP_KDF_CTX_free(context);
    EVP_KDF_free(kdf);
}

static void randomness_is_not_shared_with_a_child(void **state)
{
    (void)state;
    uint8_t mine[16], childs[16], large[1000];
    hash_random(mine, sizeof mine); /* the buffer is filled now */
    hash_random(large, sizeof large);
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        hash_random(childs, sizeof childs);
        _exit(write(ends[1], childs, sizeof childs) == sizeof childs ? 0 : 1);
    }
    hash_random(mine, sizeof mine);
    assert_int_equal(read(ends[0], childs, sizeof childs), sizeof childs);
    assert_int_equal(waitpid(child, NULL, 0), child);
    close(ends[0]);
    close(ends[1]);
    assert_memory_not_equal(mine, childs, sizeof mine);
}

static void an_error_says_its_cause(void **state)
{
    (void)state;
    struct err err;
    assert_false(err_set(&err, "zone %s", "x"));
    assert_string_equal(err.text, "zone x");
    assert_int_equal(err.code, 0);
    assert_false(err_set_errno(&err, ENOENT, "file %d", 3));
    assert_string_equal(err.text, "file 3: No such file or directory");
    assert_int_equal(err.code, ENOENT);
    assert_false(err_set(NULL, "nobody listens"));
    char longer[1000];
    memset(longer, 'x', sizeof longer);
    assert_false(err_set_errno(&err, EIO, "%.*s", (int)sizeof longer, longer));
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
}

static void the_domain_clock_follows_its_file(void **state)
{
    (void)state;
    char path[] = "/tmp/loyal-clock-XXXXXX", spec[64];
    int file = mkstemp(path);
    assert_true(file >= 0);
    snprintf(spec, sizeof spec, "file:%s", path);
    struct err err;
    assert_null(domain_clock_create(spec, &err)); /* it is empty */
    int64_t at_us = 1234567;
    assert_int_equal(pwrite(file, &at_us, sizeof at_us, 0), sizeof at_us);
    struct domain_clock *clock = domain_clock_create(spec, &err);
    assert_non_null(clock);
    assert_int_equal(domain_clock_us(clock), 1234567);
    at_us = 7654321;
    assert_int_equal(pwrite(file, &at_us, sizeof at_us, 0), sizeof at_us);
    assert_int_equal(domain_clock_us(clock), 7654321);
    domain_clock_destroy(&clock);
    assert_null(clock);
    domain_clock_destroy(&clock);
    close(file);
    unlink(path);
    assert_null(domain_clock_create(spec, &err));
    assert_int_equal(err.code, ENOENT);
    assert_null(domain_clock_create("sundial", &err));
    clock = domain_clock_create("system", &err);
    int64_t before_us = clock_real_us();
    assert_true(domain_clock_us(clock) >= before_us);
    domain_clock_destroy(&clock);
    before_us = clock_monotonic_us();
    assert_true(clock_monotonic_us() >= before_us);
}

/* What one event writes to standard error. */
static void logged(char *line_out, size_t size, enum log_level level, const char *value)
{
    int ends[2], standard_error = dup(STDERR_FILENO);
    assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
    dup2(ends[1], STDERR_FILENO);
    char quoted[32];
    log_event(level, "tested", "count=%d text=%s", 3, log_quote(quoted, sizeof quoted, value));
    dup2(standard_error, STDERR_FILENO);
    ssize_t length = read(ends[0], line_out, size - 1);
    line_out[length < 0 ? 0 : length] = '\0';
    close(ends[0]);
    close(ends[1]);
    close(standard_error);
}

static void an_event_is_one_line(void **state)
{
    (void)state;
    char line[8192];
    log_init("worker0", LOG_LEVEL_INFO);
    logged(line, sizeof line, LOG_LEVEL_INFO, "a \"b\"\nc\\");
    const char *rest = strchr(line, ' ');
    assert_int_equal(rest - line, strlen("time=2026-02-01T12:00:00.123Z"));
    assert_int_equal(rest[-1], 'Z');
    assert_string_equal(rest, " level=info process=worker0 event=tested count=3 "
                              "text=\"a \\\"b\\\" c\\\\\"\n");
    logged(line, sizeof line, LOG_LEVEL_DEBUG, "");
    assert_string_equal(line, "");
    logged(line, sizeof line, LOG_LEVEL_ERROR, NULL);
    assert_non_null(strstr(line, "level=error process=worker0 event=tested count=3 text=\"\"\n"));
    logged(line, sizeof line, LOG_LEVEL_ERROR, "0123456789012345678901234567890123456789");
    assert_non_null(strstr(line, "text=\"0123456789"));
    assert_int_equal(line[strlen(line) - 2], '"');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_arena_is_zeroed_aligned_and_capped),
        cmocka_unit_test(r1_sums_that_leave_int64_are_told),
        cmocka_unit_test(a_uuid_carries_its_time),
        cmocka_unit_test(hashes_are_the_standards),
        cmocka_unit_test(keys_are_derived_as_rfc_5869_says),
        cmocka_unit_test(randomness_is_not_shared_with_a_child),
        cmocka_unit_test(an_error_says_its_cause),
        cmocka_unit_test(the_domain_clock_follows_its_file),
        cmocka_unit_test(an_event_is_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
