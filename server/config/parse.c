/* Reads a configuration's text by libconfuse against the table of options. Called by draft.c, in a
 * process of its own. Lets libconfuse see only what loyald.conf(5) describes: it takes more, and
 * some of that not as it looks. Never keeps state of its own. */
#include <assert.h>
#include <confuse.h>
#include <ctype.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/draft.h"
#include "config/options.h"

#define OPTIONS_MAX 64
#define NO_MEMORY   "%s: no memory to parse it" /* also where libconfuse does not say */

/* What the callbacks need to know. */
struct parse {
    struct err *err;
    bool failed; /* err is filled: the first fault counts */
    bool seen[OPTIONS_MAX];
    size_t items[OPTIONS_MAX]; /* of a list so far */
};

/* libconfuse leaves its callbacks no place, but the title, which the file itself does not have. */
static struct parse *parse_of(const cfg_t *cfg)
{
    return (struct parse *)(void *)cfg->title;
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

/* What would be right instead of what libconfuse complains of. */
static void remedy_of(const char *complaint, char room[200])
{
    const char *name = strchr(complaint, '\''), *end = name ? strchr(name + 1, '\'') : NULL;
    const struct option *option = NULL;
    size_t index;
    char text[100];
    if (end && (size_t)(end - name) <= sizeof text) {
        snprintf(text, sizeof text, "%.*s", (int)(end - name - 1), name + 1);
        option = option_named(text, &index);
    }
    if (strstr(complaint, "no such option") == complaint)
        snprintf(room, 200, "; loyald --dump-config-options lists them");
    else if (option && option->type == OPTION_NUMBER && strstr(complaint, "integer value"))
        snprintf(room, 200, ": must be a number from %d to %d", option->min, option->max);
    else if (strstr(complaint, "option '") == complaint)
        *room = '\0'; /* ours says it */
    else
        snprintf(room, 200, ": a line is name = value, see loyald.conf(5)");
}

static void report(cfg_t *cfg, const char *format, va_list arguments)
{
    struct parse *parse = parse_of(cfg);
    char text[300], remedy[200];
    if (!parse || parse->failed)
        return;
    parse->failed = true;
    vsnprintf(text, sizeof text, format, arguments);
    remedy_of(text, remedy);
    err_set(parse->err, "%s:%d: %s%s", cfg->filename ? cfg->filename : "?", cfg->line, text,
            remedy);
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
    if (parse->seen[index])
        return refuse(cfg, opt->name, "stands in the file twice: remove one");
    /* of a list: called for each item, and again at its end */
    parse->seen[index] = option->type != OPTION_LIST || cfg_opt_size(opt) == parse->items[index];
    parse->items[index] = cfg_opt_size(opt);
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

static cfg_t *open_parser(struct parse *parse)
{
    size_t count;
    const struct option *options = options_all(&count);
    cfg_opt_t opts[OPTIONS_MAX + 1] = {0};
    assert(count <= OPTIONS_MAX);
    for (size_t i = 0; i < count; i++)
        fill_option(&opts[i], &options[i]);
    opts[count] = (cfg_opt_t)CFG_END();
    cfg_t *cfg = cfg_init(opts, CFGF_NONE);
    if (!cfg)
        return NULL;
    cfg_set_error_function(cfg, report);
    cfg->title = (char *)(void *)parse;
    return cfg;
}

/* Bytes of the draft's room; NULL and its error when that is full. */
static void *take(struct draft *draft, size_t size)
{
    size_t start = (draft->used + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    if (start > sizeof draft->room || size > sizeof draft->room - start) {
        err_set(&draft->err, "%s: more than %zu bytes of values", draft->path, sizeof draft->room);
        return NULL;
    }
    draft->used = start + size;
    return draft->room + start;
}

static char *take_text(struct draft *draft, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = take(draft, size);
    return copy ? memcpy(copy, text, size) : NULL;
}

static bool take_list(struct draft *draft, cfg_t *cfg, const struct option *option,
                      struct config_list *list)
{
    size_t count = cfg_size(cfg, option->name);
    if (count < (size_t)option->min || count > (size_t)option->max)
        return err_set(&draft->err, "%s: option '%s': must have %d to %d items, has %zu",
                       draft->path, option->name, option->min, option->max, count);
    list->items = take(draft, count * sizeof *list->items);
    for (size_t i = 0; list->items && i < count; i++) {
        list->items[i] = take_text(draft, cfg_getnstr(cfg, option->name, (unsigned int)i));
        if (!list->items[i])
            break;
        list->count++;
    }
    return list->count == count;
}

static bool take_value(struct draft *draft, cfg_t *cfg, const struct option *option)
{
    void *field = (char *)&draft->config + option->offset;
    if (option->type == OPTION_NUMBER) {
        *(int *)field = (int)cfg_getint(cfg, option->name);
        return cfg_size(cfg, option->name) == 1 || err_set(&draft->err, NO_MEMORY, draft->path);
    }
    if (option->type == OPTION_LIST)
        return take_list(draft, cfg, option, field);
    const char *value = cfg_getstr(cfg, option->name);
    if (!value && option->value_default)
        return err_set(&draft->err, NO_MEMORY, draft->path);
    if (!value)
        return err_set(&draft->err, "%s: option '%s' is missing: %s", draft->path, option->name,
                       option->meaning);
    if (option->type == OPTION_CHOICE)
        return is_choice(option, value, field);
    *(char **)field = take_text(draft, value);
    return *(char **)field != NULL;
}

static bool take_all(struct draft *draft, cfg_t *cfg)
{
    size_t count;
    const struct option *options = options_all(&count);
    const struct config *config = &draft->config;
    for (size_t i = 0; i < count; i++) {
        if (!take_value(draft, cfg, &options[i]))
            return false;
    }
    assert(config->clock); /* it has a default */
    if (config->environment != CONFIG_DEVELOPMENT && strcmp(config->clock, "system") != 0)
        return err_set(&draft->err,
                       "%s: option 'clock': a file is a clock in development only; remove it, or "
                       "set environment = development",
                       draft->path);
    if (config->environment != CONFIG_DEVELOPMENT && config->core_dumps != CONFIG_OFF)
        return err_set(&draft->err,
                       "%s: option 'core_dumps': a dump holds keys and purchases, so it may be on "
                       "in development only",
                       draft->path);
    return true;
}

/* ---- what may reach libconfuse ---- */

/* A text from its quote on: NULL, and *at is its end; or what is wrong with it. */
static const char *fault_of_text(char **at)
{
    char quote = **at;
    for (char *next = *at + 1; *next && *next != '\n'; next++) {
        if (*next == '\\' && (isdigit((unsigned char)next[1]) || next[1] == 'x'))
            return "a byte by its number is not understood: write it as it is";
        if (*next == '\\' && next[1] && next[1] != '\n') {
            next++;
        } else if (*next == quote) {
            *at = next;
            return NULL;
        } else if (quote == '"' && next[0] == '$' && next[1] == '{') {
            return "variables are not put in: write \\${ where it is meant";
        }
    }
    return "a text in quotes must end in its line";
}

static const char *fault_outside(const char *at)
{
    if (at[0] == '/' && (at[1] == '/' || at[1] == '*'))
        return "a comment begins with #; a value that has // or /* stands in quotes";
    if (at[0] == '$' && at[1] == '{')
        return "variables are not put in; a value that has ${ stands in quotes, as \\${";
    if (at[0] == '=') {
        const char *value = at + 1 + strspn(at + 1, " \t");
        if (value[0] == '0' && (isdigit((unsigned char)value[1]) || (value[1] | 32) == 'x'))
            return "a number is decimal, without zeros before it; a text stands in quotes";
    }
    return NULL;
}

/* Overwrites comments with blanks: libconfuse counts the lines of '#' comments wrongly, and an
 * error must name its line. Refuses what libconfuse would take without a word. */
static bool scan(struct draft *draft, char *text)
{
    int line = 1;
    for (char *at = text; *at; at++) {
        const char *fault = NULL;
        if (*at == '\n') {
            line++;
        } else if (*at == '#') {
            size_t size = strcspn(at, "\n");
            memset(at, ' ', size);
            at += size - 1;
        } else if (*at == '"' || *at == '\'') {
            fault = fault_of_text(&at);
        } else {
            fault = fault_outside(at);
        }
        if (fault)
            return err_set(&draft->err, "%s:%d: %s", draft->path, line, fault);
    }
    return true;
}

static bool parse_text(struct draft *draft, cfg_t *cfg, char *text, const struct parse *parse)
{
    if (!scan(draft, text))
        return false;
    cfg->filename = strdup(draft->path);
    FILE *file = *text ? fmemopen(text, strlen(text), "r") : fopen("/dev/null", "re");
    int result = file ? cfg_parse_fp(cfg, file) : CFG_FILE_ERROR;
    if (file)
        fclose(file);
    if (result != CFG_SUCCESS && !parse->failed)
        return err_set(&draft->err, NO_MEMORY, draft->path);
    return !parse->failed;
}

void draft_parse(struct draft *draft, char *text)
{
    struct parse parse = {.err = &draft->err};
    cfg_t *cfg = open_parser(&parse);
    draft->good = cfg ? parse_text(draft, cfg, text, &parse) && take_all(draft, cfg)
                      : err_set(&draft->err, NO_MEMORY, draft->path);
    if (!cfg)
        return;
    cfg->title = NULL; /* ours */
    cfg_free(cfg);
}
