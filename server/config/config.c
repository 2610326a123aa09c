/* Reads the file by libconfuse against the table of options. Called by main at start and on reload.
 * Never keeps state of its own: what libconfuse's callbacks need hangs in a hidden option. */
#include "config/config.h"

#include <assert.h>
#include <confuse.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/options.h"

#define OPTIONS_MAX    64
#define FILE_BYTES_MAX 65536
#define PARSE_OPTION   "parse state" /* has a blank: no file can set it */

/* What the callbacks need to know. */
struct parse {
    struct err *err;
    bool failed; /* err is filled: the first fault counts */
    bool seen[OPTIONS_MAX];
};

static struct parse *parse_of(cfg_t *cfg)
{
    cfg_opt_t *option = cfg->opts;
    while (strcmp(option->name, PARSE_OPTION) != 0)
        option++;
    return option->simple_value.ptr ? *(struct parse **)option->simple_value.ptr : NULL;
}

static void report(cfg_t *cfg, const char *format, va_list arguments)
{
    struct parse *parse = parse_of(cfg);
    if (!parse || parse->failed)
        return;
    parse->failed = true;
    char text[300];
    vsnprintf(text, sizeof text, format, arguments);
    const char *remedy =
        strstr(text, "no such option") == text ? "; loyald --dump-config-options lists them" : "";
    err_set(parse->err, "%s:%d: %s%s", cfg->filename ? cfg->filename : "?", cfg->line, text,
            remedy);
}

static const struct option *option_named(const char *name, size_t *index_out)
{
    size_t count;
    const struct option *options = options_all(&count);
    assert(count <= OPTIONS_MAX);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(options[i].name, name) == 0) {
            *index_out = i;
            return &options[i];
        }
    }
    return NULL;
}

static bool is_choice(const struct option *option, const char *value, int *index_out)
{
    for (int i = 0; option->choices[i]; i++) {
        if (strcmp(option->choices[i], value) == 0) {
            *index_out = i;
            return true;
        }
    }
    return false;
}

/* The fault of a value, or NULL. room: for texts that hold numbers. */
static const char *fault_of(const struct option *option, const char *value, char room[200])
{
    int index;
    if (option->type == OPTION_CHOICE && !is_choice(option, value, &index)) {
        size_t used = (size_t)snprintf(room, 200, "must be one of:");
        for (size_t i = 0; option->choices[i]; i++)
            used += (size_t)snprintf(room + used, 200 - used, " %s", option->choices[i]);
        return room;
    }
    if (option->type == OPTION_TEXT) {
        size_t size = strlen(value);
        if (size < (size_t)option->min || size > (size_t)option->max) {
            snprintf(room, 200, "must have %d to %d bytes, has %zu", option->min, option->max,
                     size);
            return room;
        }
    }
    if (!option->check || (*value == '\0' && option->min == 0 && option->type == OPTION_TEXT &&
                           option->value_default && *option->value_default == '\0'))
        return NULL;
    return option->check(value);
}

static int refuse(cfg_t *cfg, const char *name, const char *fault)
{
    cfg_error(cfg, "option '%s': %s", name, fault);
    return -1;
}

static int validate(cfg_t *cfg, cfg_opt_t *opt)
{
    size_t index = 0;
    const struct option *option = option_named(opt->name, &index);
    struct parse *parse = parse_of(cfg);
    char room[200];
    if (!option || !parse)
        return 0;
    if (option->type == OPTION_NUMBER) {
        long value = cfg_opt_getnint(opt, 0);
        if (value < option->min || value > option->max) {
            snprintf(room, sizeof room, "must be from %d to %d, is %ld", option->min, option->max,
                     value);
            return refuse(cfg, opt->name, room);
        }
    } else {
        for (unsigned int i = 0; i < cfg_opt_size(opt); i++) {
            const char *fault = fault_of(option, cfg_opt_getnstr(opt, i), room);
            if (fault)
                return refuse(cfg, opt->name, fault);
        }
    }
    if (option->type != OPTION_LIST && parse->seen[index])
        return refuse(cfg, opt->name, "stands in the file twice: remove one");
    parse->seen[index] = true;
    return 0;
}

/* Numbers and their default as text: NULL never reaches libconfuse. */
static void fill_option(cfg_opt_t *opt, const struct option *option)
{
    char *fallback = (char *)(uintptr_t)option->value_default;
    switch (option->type) {
    case OPTION_NUMBER:
        *opt = (cfg_opt_t)CFG_INT(option->name, strtol(fallback, NULL, 10), CFGF_NONE);
        break;
    case OPTION_LIST: *opt = (cfg_opt_t)CFG_STR_LIST(option->name, fallback, CFGF_NONE); break;
    case OPTION_TEXT:
    case OPTION_CHOICE: *opt = (cfg_opt_t)CFG_STR(option->name, fallback, CFGF_NONE); break;
    }
    opt->validcb = validate;
}

static cfg_t *open_parser(struct parse **parse)
{
    size_t count;
    const struct option *options = options_all(&count);
    cfg_opt_t opts[OPTIONS_MAX + 2] = {0};
    assert(count <= OPTIONS_MAX);
    for (size_t i = 0; i < count; i++)
        fill_option(&opts[i], &options[i]);
    opts[count] = (cfg_opt_t)CFG_STR(PARSE_OPTION, NULL, CFGF_NODEFAULT);
    opts[count + 1] = (cfg_opt_t)CFG_END();
    cfg_t *cfg = cfg_init(opts, CFGF_NONE);
    if (!cfg)
        return NULL;
    cfg_set_error_function(cfg, report);
    cfg->opts[count].simple_value.ptr = (void **)parse;
    return cfg;
}

static bool take_list(cfg_t *cfg, const struct option *option, struct config_list *list,
                      struct err *err)
{
    size_t count = cfg_size(cfg, option->name);
    if (count < (size_t)option->min || count > (size_t)option->max)
        return err_set(err, "%s: option '%s': must have %d to %d items, has %zu", cfg->filename,
                       option->name, option->min, option->max, count);
    list->items = calloc(count, sizeof *list->items);
    for (size_t i = 0; list->items && i < count; i++) {
        list->items[i] = strdup(cfg_getnstr(cfg, option->name, (unsigned int)i));
        if (!list->items[i])
            break;
        list->count++;
    }
    return list->count == count || err_set(err, "no memory");
}

static bool take_value(cfg_t *cfg, const struct option *option, struct config *config,
                       struct err *err)
{
    void *field = (char *)config + option->offset;
    if (option->type == OPTION_NUMBER) {
        *(int *)field = (int)cfg_getint(cfg, option->name);
        return true;
    }
    if (option->type == OPTION_LIST)
        return take_list(cfg, option, field, err);
    const char *value = cfg_getstr(cfg, option->name);
    if (!value)
        return err_set(err, "%s: option '%s' is missing: %s", cfg->filename, option->name,
                       option->meaning);
    if (option->type == OPTION_CHOICE)
        return is_choice(option, value, field);
    *(char **)field = strdup(value);
    return *(char **)field || err_set(err, "no memory");
}

static bool take_all(cfg_t *cfg, struct config *config, struct err *err)
{
    size_t count;
    const struct option *options = options_all(&count);
    for (size_t i = 0; i < count; i++) {
        if (!take_value(cfg, &options[i], config, err))
            return false;
    }
    assert(config->clock); /* it has a default */
    if (config->environment != CONFIG_DEVELOPMENT && strcmp(config->clock, "system") != 0)
        return err_set(err,
                       "%s: option 'clock': a file is a clock in development only; remove it, or "
                       "set environment = development",
                       cfg->filename);
    if (config->environment != CONFIG_DEVELOPMENT && config->core_dumps != CONFIG_OFF)
        return err_set(err,
                       "%s: option 'core_dumps': a dump holds keys and purchases, so it may be on "
                       "in development only",
                       cfg->filename);
    return true;
}

/* Overwrites comments with blanks: libconfuse counts the lines of '#' comments wrongly, and an
 * error must name its line. */
static void blank_comments(char *text)
{
    char quote = '\0';
    for (char *at = text; *at; at++) {
        if (quote) {
            if (*at == '\\' && at[1])
                at++;
            else if (*at == quote)
                quote = '\0';
        } else if (*at == '"' || *at == '\'') {
            quote = *at;
        } else if (*at == '#') {
            size_t size = strcspn(at, "\n");
            memset(at, ' ', size);
            at += size - 1;
        }
    }
}

static char *read_file(const char *path, struct err *err)
{
    char *text = calloc(1, FILE_BYTES_MAX + 1);
    FILE *file = fopen(path, "re");
    bool good = text && file;
    if (good) {
        size_t size = fread(text, 1, FILE_BYTES_MAX + 1, file);
        good = !ferror(file) && size <= FILE_BYTES_MAX && strlen(text) == size;
        if (!good && !ferror(file))
            errno = EFBIG;
    }
    if (file)
        fclose(file);
    if (good)
        return text;
    err_set_errno(err, errno, "%s: cannot be read as text of at most %d bytes", path,
                  FILE_BYTES_MAX);
    free(text);
    return NULL;
}

static bool parse_file(cfg_t *cfg, const char *path, struct parse *parse, struct err *err)
{
    char *text = read_file(path, err);
    if (!text)
        return false;
    blank_comments(text);
    cfg->filename = strdup(path);
    FILE *file = *text ? fmemopen(text, strlen(text), "r") : fopen("/dev/null", "re");
    int result = file ? cfg_parse_fp(cfg, file) : CFG_FILE_ERROR;
    if (file)
        fclose(file);
    free(text);
    if (result != CFG_SUCCESS && !parse->failed)
        return err_set(err, "%s: cannot be parsed", path);
    return !parse->failed;
}

struct config *config_create(const char *path, struct err *err)
{
    struct parse parse = {.err = err}, *parse_at = &parse;
    struct config *config = calloc(1, sizeof *config);
    cfg_t *cfg = open_parser(&parse_at);
    bool good = config && cfg ? parse_file(cfg, path, &parse, err) : err_set(err, "no memory");
    good = good && take_all(cfg, config, err);
    if (cfg)
        cfg_free(cfg);
    if (!good)
        config_destroy(&config);
    return config;
}

static bool list_equal(const struct config_list *a, const struct config_list *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        if (strcmp(a->items[i], b->items[i]) != 0)
            return false;
    }
    return true;
}

static bool value_equal(const struct option *option, const void *a, const void *b)
{
    if (option->type == OPTION_TEXT)
        return strcmp(*(char *const *)a, *(char *const *)b) == 0;
    if (option->type == OPTION_LIST)
        return list_equal(a, b);
    return *(const int *)a == *(const int *)b;
}

static void list_free(struct config_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
    *list = (struct config_list){0};
}

void config_destroy(struct config **config)
{
    size_t count;
    const struct option *options = options_all(&count);
    if (!*config)
        return;
    for (size_t i = 0; i < count; i++) {
        void *field = (char *)*config + options[i].offset;
        if (options[i].type == OPTION_TEXT && *(char **)field) {
            explicit_bzero(*(char **)field, strlen(*(char **)field)); /* it may hold a password */
            free(*(char **)field);
        }
        if (options[i].type == OPTION_LIST)
            list_free(field);
    }
    free(*config);
    *config = NULL;
}

static void name_add(char names[CONFIG_NAMES_BYTES], const char *name)
{
    size_t used = strlen(names);
    snprintf(names + used, CONFIG_NAMES_BYTES - used, "%s%s", used ? "," : "", name);
}

struct config_changes config_compare(const struct config *old, const struct config *fresh)
{
    size_t count;
    const struct option *options = options_all(&count);
    struct config_changes changes = {0};
    for (size_t i = 0; i < count; i++) {
        const void *his = (const char *)old + options[i].offset;
        const void *mine = (const char *)fresh + options[i].offset;
        if (!value_equal(&options[i], mine, his))
            name_add(options[i].reloads ? changes.reloaded : changes.waiting, options[i].name);
    }
    return changes;
}

/* Bytes are swapped, so that each value keeps its owner. */
void config_take(struct config *config, struct config *fresh)
{
    size_t count;
    const struct option *options = options_all(&count);
    for (size_t i = 0; i < count; i++) {
        size_t size = options[i].type == OPTION_TEXT ? sizeof(char *) : sizeof(int);
        char *field = (char *)config + options[i].offset, kept[sizeof(char *)];
        char *other = (char *)fresh + options[i].offset;
        if (!options[i].reloads)
            continue;
        assert(options[i].type != OPTION_LIST);
        memcpy(kept, field, size);
        memcpy(field, other, size);
        memcpy(other, kept, size);
    }
}

bool config_split_address(const char *text, char host_out[256], char port_out[6])
{
    const char *host = text, *colon = strrchr(text, ':'), *end = colon;
    if (!colon)
        return false;
    if (*text == '[') {
        host = text + 1;
        end = colon - 1;
        if (end <= host || *end != ']')
            return false;
    } else if (memchr(text, ':', (size_t)(colon - text))) {
        return false;
    }
    size_t host_size = (size_t)(end - host), port_size = strlen(colon + 1);
    if (host_size == 0 || host_size > 255 || port_size == 0 || port_size > 5 ||
        strspn(colon + 1, "0123456789") != port_size)
        return false;
    long port = strtol(colon + 1, NULL, 10);
    if (port < 1 || port > 65535)
        return false;
    memcpy(host_out, host, host_size);
    host_out[host_size] = '\0';
    memcpy(port_out, colon + 1, port_size + 1);
    return true;
}
