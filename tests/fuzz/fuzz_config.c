/* The configuration file: read, refused with file, line and remedy, or taken whole; and read again
 * over another one, as a reload does.
 *
 *   the file's text */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "config/draft.h"
#include "fuzz/input.h"

#define PATH "/proc/self/fd/"

static struct {
    struct config *base;
    struct draft draft; /* the parser is in this process, not in one of its own */
    FILE *nowhere;
} parts;

static int file_of(const void *text, size_t size, char path_out[40])
{
    int fd = memfd_create("fuzz", 0);
    assert(fd >= 0 && write(fd, text, size) == (ssize_t)size);
    snprintf(path_out, 40, PATH "%d", fd);
    return fd;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const char text[] =
        "network = net\ncertificate_file = c\nkey_file = k\nauthority_file = a\n"
        "keyring_file = r\npostgres = \"dbname=p\"\npostgres_reader = \"dbname=p\"\n"
        "postgres_eraser = \"dbname=p\"\n"
        "listen = {\"127.0.0.1:7400\", \"[::1]:7400\"}\n";
    struct err err = {0};
    char path[40];
    (void)argc, (void)argv;
    int fd = file_of(text, sizeof text - 1, path);
    parts.base = config_create(path, &err);
    parts.nowhere = fopen("/dev/null", "w");
    struct config *numbers = config_create_numbers();
    assert(parts.base && parts.nowhere && numbers);
    assert(numbers->lanes == parts.base->lanes && numbers->queue_max == parts.base->queue_max);
    config_print_options(parts.nowhere);
    config_print_limits(parts.nowhere, numbers);
    config_destroy(&numbers);
    close(fd);
    return 0;
}

/* What every reader of a configuration relies on. */
static void check(const struct config *config)
{
    char host[256], port[6];
    assert(*config->network && config->lanes >= 1 && config->lanes <= 16);
    assert(config->listen.count >= 1 && config->listen.count <= CONFIG_LISTEN_MAX);
    for (size_t i = 0; i < config->listen.count; i++)
        assert(config_split_address(config->listen.items[i], host, port));
    assert(config->environment == CONFIG_DEVELOPMENT || strcmp(config->clock, "system") == 0);
    assert(config->deadline_ms_max >= 100 && config->log_level <= LOG_LEVEL_DEBUG);
}

/* What a reload does: the base takes what it may, and gives it back afterwards. */
static void take(struct config *fresh)
{
    struct config_changes changes = config_compare(parts.base, fresh);
    assert(memchr(changes.waiting, '\0', sizeof changes.waiting));
    const char *network = parts.base->network;
    config_take(parts.base, fresh);
    check(parts.base);
    assert(parts.base->network == network);
    assert(!*config_compare(parts.base, parts.base).reloaded);
    config_take(parts.base, fresh);
}

static struct config *parse(const char *path, struct err *err)
{
    char *text = draft_read(path, err);
    if (!text)
        return NULL;
    memset(&parts.draft, 0, sizeof parts.draft);
    parts.draft.path = path;
    draft_parse(&parts.draft, text);
    free(text);
    return draft_copy(&parts.draft, err);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct err err = {0};
    char path[40];
    int fd = file_of(bytes, size, path);
    struct config *config = parse(path, &err);
    assert(!config == (err.text[0] != '\0'));
    assert(config || strstr(err.text, PATH));
    if (config) {
        check(config);
        take(config);
    }
    config_destroy(&config);
    close(fd);
    return 0;
}
