/* One configuration beside the next: what differs, and what a reload takes over. Called by main, on
 * reload by master and workers. Knows no option by name. */
#include "config/config.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "config/options.h"

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
