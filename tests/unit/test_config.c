/* Configuration: what is read, what is refused, and that each refusal names file, line and remedy.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/draft.h"

#define REQUIRED                                                                                 \
    "network = \"net\"\ncertificate_file = \"/c\"\nkey_file = \"/k\"\nauthority_file = \"/a\"\n" \
    "keyring_file = \"/r\"\npostgres = \"dbname=x\"\npostgres_reader = \"dbname=x\"\n"           \
    "postgres_eraser = \"dbname=x\"\n"

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* The parser in this process says the same as the one in its own. */
static void assert_same_here(const char *path, const struct config *config, const struct err *err)
{
    static struct draft draft;
    struct err own = {0};
    char *text = draft_read(path, &own);
    assert_non_null(text);
    memset(&draft, 0, sizeof draft);
    draft.path = path;
    draft_parse(&draft, text);
    free(text);
    struct config *here = draft_copy(&draft, &own);
    assert_int_equal(here != NULL, config != NULL);
    assert_string_equal(own.text, err->text);
    if (here) {
        struct config_changes changes = config_compare(config, here);
        assert_string_equal(changes.reloaded, "");
        assert_string_equal(changes.waiting, "");
    }
    config_destroy(&here);
}

static struct config *read_text(const char *text, struct err *err)
{
    char path[] = "/tmp/test_config.XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    write_file(path, text);
    struct config *config = config_create(path, err);
    assert_same_here(path, config, err);
    unlink(path);
    return config;
}

static void assert_refused(const char *text, int line, const char *part)
{
    struct err err = {0};
    char where[20];
    struct config *config = read_text(text, &err);
    assert_null(config);
    snprintf(where, sizeof where, ":%d: ", line);
    if (line > 0 && !strstr(err.text, where))
        fail_msg("no %s in: %s", where, err.text);
    if (!strstr(err.text, part))
        fail_msg("no '%s' in: %s", part, err.text);
}

static void defaults_fill_what_is_not_set(void **state)
{
    (void)state;
    struct err err = {0};
    struct config *config = read_text(REQUIRED, &err);
    assert_non_null(config);
    assert_string_equal(config->network, "net");
    assert_int_equal(config->environment, CONFIG_PRODUCTION);
    assert_string_equal(config->clock, "system");
    assert_int_equal(config->listen.count, 1);
    assert_int_equal(config->batch_max, 400);
    assert_int_equal(config->log_level, LOG_LEVEL_INFO);
    assert_string_equal(config->user, "");
    config_destroy(&config);
    assert_null(config);
}

static void values_are_read(void **state)
{
    (void)state;
    struct err err = {0};
    struct config *config = read_text(
        "# comment with \"quotes\"\n" REQUIRED "listen = {\"[::1]:1\", \"h:65535\"} # c\n"
        "environment = development\nclock = \"file:/x#y\"\nlanes = 3\nlog_level = debug\n",
        &err);
    if (!config)
        fail_msg("%s", err.text);
    assert_int_equal(config->listen.count, 2);
    assert_string_equal(config->listen.items[0], "[::1]:1");
    assert_string_equal(config->clock, "file:/x#y");
    assert_int_equal(config->lanes, 3);
    assert_int_equal(config->log_level, LOG_LEVEL_DEBUG);
    config_destroy(&config);
}

static void faults_name_line_and_remedy(void **state)
{
    (void)state;
    assert_refused("# one\n# two\nwrokers = 3\n", 3, "no such option 'wrokers'");
    assert_refused("wrokers = 3\n", 1, "--dump-config-options");
    assert_refused(REQUIRED "lanes = many\n", 9, "'lanes': must be a number from 1 to 16");
    assert_refused(REQUIRED "lanes = {1}\n", 9, "a line is name = value");
    assert_refused(REQUIRED "lanes\n", 0, "a line is name = value");
    assert_refused(REQUIRED "lanes = 0\n", 9, "from 1 to 16, is 0");
    assert_refused(REQUIRED "lanes = 17\n", 9, "from 1 to 16, is 17");
    assert_refused(REQUIRED "lanes = 2\nlanes = 2\n", 10, "twice");
    assert_refused(REQUIRED "environment = test\n", 9, "must be one of: production development");
    assert_refused(REQUIRED "listen = {\"nonsense\"}\n", 9, "host:port");
    assert_refused(REQUIRED "listen = {\"h:0\"}\n", 9, "host:port");
    assert_refused(REQUIRED "admin_listen = \"0.0.0.0:1\"\n", 9, "loopback");
    assert_refused(REQUIRED "country_code = \"+44\"\n", 9, "must");
    assert_refused(REQUIRED "country_code = \"044\"\n", 9, "without +");
    assert_refused("network = \"Net\"\n", 1, "lower case");
    assert_refused("network = \"\"\n", 1, "1 to 32 bytes");
    assert_refused("network = net\n", 0, "option 'certificate_file' is missing");
}

/* Each of them libconfuse takes, and not as it looks. */
static void nothing_is_taken_without_a_word(void **state)
{
    (void)state;
    assert_refused(REQUIRED "/* number # of\nlanes = 7 */\nlanes = 8\n", 9, "begins with #");
    assert_refused(REQUIRED "// lanes\n", 9, "begins with #");
    assert_refused(REQUIRED "user = a//b\n", 9, "stands in quotes");
    assert_refused(REQUIRED "\nuser = \"a\n", 10, "must end in its line");
    assert_refused(REQUIRED "user = 'a\nb'\n", 9, "must end in its line");
    assert_refused(REQUIRED "user = \"${HOME}\"\n", 9, "not put in");
    assert_refused(REQUIRED "user = ${HOME}\n", 9, "not put in");
    assert_refused(REQUIRED "user = \"a\\000b\"\n", 9, "by its number");
    assert_refused(REQUIRED "lanes = 010\n", 9, "decimal");
    assert_refused(REQUIRED "lanes = 0x3\n", 9, "decimal");
    assert_refused(REQUIRED "listen = {\"h:1\"}\nlisten = {\"h:2\"}\n", 10, "twice");
    assert_refused(REQUIRED "\"parse state\" = 1\n", 9, "no such option");
}

static void a_file_is_a_clock_in_development_only(void **state)
{
    (void)state;
    assert_refused(REQUIRED "clock = \"file:/tmp/clock\"\n", 0, "development only");
    assert_refused(REQUIRED "clock = \"sundial\"\n", 9, "must be system");
}

static void dumps_are_for_development_only(void **state)
{
    (void)state;
    assert_refused(REQUIRED "core_dumps = on\n", 0, "development only");
    assert_refused(REQUIRED "core_dumps = maybe\n", 9, "off on");
}

/* Looking it up would hold up whoever a worker serves. */
static void a_host_of_postgresql_has_its_address(void **state)
{
    (void)state;
    static const char *const bad[] = {"host=db.example", "postgresql://a@db/loyal",
                                      "host=/run/postgresql,db", "service=loyal"};
    static const char *const good[] = {"host=db.example hostaddr=192.0.2.7",
                                       "host=192.0.2.7",
                                       "host=::1",
                                       "host=/run/postgresql",
                                       "host=localhost",
                                       "host=@socket,192.0.2.7",
                                       "postgresql:///loyal"};
    char text[900];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        snprintf(text, sizeof text, "postgres = \"%s\"\n", bad[i]);
        assert_refused(text, 1, "add its address, hostaddr=");
    }
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct err err = {0};
        snprintf(text, sizeof text, REQUIRED "postgres_maintenance = \"%s\"\n", good[i]);
        struct config *config = read_text(text, &err);
        if (!config)
            fail_msg("%s: %s", good[i], err.text);
        config_destroy(&config);
    }
}

static void a_host_of_the_environment_counts(void **state)
{
    (void)state;
    assert_int_equal(setenv("PGHOST", "db.example", 1), 0);
    assert_refused("postgres = \"dbname=loyal\"\n", 1, "add its address, hostaddr=");
    assert_refused("postgres = \"host=/run/postgresql\"\n", 0, "is missing");
    assert_int_equal(setenv("PGHOST", "/run/postgresql", 1), 0);
    assert_refused("postgres = \"dbname=loyal\"\n", 0, "is missing");
    assert_int_equal(unsetenv("PGHOST"), 0);
    assert_int_equal(setenv("PGSERVICE", "loyal", 1), 0);
    assert_refused("postgres = \"dbname=loyal\"\n", 1, "add its address, hostaddr=");
    assert_int_equal(unsetenv("PGSERVICE"), 0);
}

/* libpq's words would repeat the half of it. */
static void no_fault_shows_a_password(void **state)
{
    (void)state;
    static const char *const bad[] = {"host=x password=hunter 2", "postgresql://a:hunter2@[::1/x",
                                      "host=x password='hunter2", "password=hunter2 wrong=1",
                                      "postgresql://a:hunter2@h:1?x"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char text[200];
        struct err err = {0};
        snprintf(text, sizeof text, "postgres = \"%s\"\n", bad[i]);
        assert_refused(text, 1, "option 'postgres': must be a libpq connection string");
        assert_null(read_text(text, &err));
        if (strstr(err.text, "hunter") || strstr(err.text, " 2"))
            fail_msg("shows it: %s", err.text);
    }
}

static void a_missing_file_is_named(void **state)
{
    (void)state;
    struct err err = {0};
    assert_null(config_create("/nonexistent/loyald.conf", &err));
    assert_non_null(strstr(err.text, "/nonexistent/loyald.conf"));
}

static void reload_keeps_what_needs_a_restart(void **state)
{
    (void)state;
    char path[] = "/tmp/test_config.XXXXXX";
    struct err err = {0};
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    write_file(path, REQUIRED "lanes = 2\nlog_level = info\n");
    struct config *old = config_create(path, &err);
    assert_non_null(old);
    const char *postgres = old->postgres;
    write_file(path, REQUIRED "lanes = 3\nlog_level = debug\nlisten = {\"h:1\", \"h:2\"}\n"
                              "idle_timeout_s = 7\n");
    struct config *fresh = config_create(path, &err);
    assert_non_null(fresh);
    struct config_changes changes = config_compare(old, fresh);
    assert_string_equal(changes.waiting, "listen,lanes");
    assert_string_equal(changes.reloaded, "idle_timeout_s,log_level");
    config_take(old, fresh);
    assert_int_equal(old->lanes, 2);
    assert_int_equal(old->listen.count, 1);
    assert_int_equal(old->log_level, LOG_LEVEL_DEBUG);
    assert_int_equal(old->idle_timeout_s, 7);
    assert_ptr_equal(old->postgres, postgres);
    unlink(path);
    config_destroy(&fresh);
    config_destroy(&old);
}

static void addresses_are_split(void **state)
{
    (void)state;
    char host[256], port[6];
    assert_true(config_split_address("[2001:db8::1]:7400", host, port));
    assert_string_equal(host, "2001:db8::1");
    assert_string_equal(port, "7400");
    assert_true(config_split_address("example.org:1", host, port));
    static const char *const bad[] = {"",     ":1",    "h",       "h:",       "h:65536",
                                      "h:-1", "::1:1", "[::1]",   "[::1:1",   "[]:1",
                                      "h: 1", "h:1x",  "h:99999", "h:123456", "]:1"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0] - 1; i++)
        assert_false(config_split_address(bad[i], host, port));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_fill_what_is_not_set),
        cmocka_unit_test(values_are_read),
        cmocka_unit_test(faults_name_line_and_remedy),
        cmocka_unit_test(nothing_is_taken_without_a_word),
        cmocka_unit_test(a_file_is_a_clock_in_development_only),
        cmocka_unit_test(dumps_are_for_development_only),
        cmocka_unit_test(a_host_of_postgresql_has_its_address),
        cmocka_unit_test(a_host_of_the_environment_counts),
        cmocka_unit_test(no_fault_shows_a_password),
        cmocka_unit_test(a_missing_file_is_named),
        cmocka_unit_test(reload_keeps_what_needs_a_restart),
        cmocka_unit_test(addresses_are_split),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
