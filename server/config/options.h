/* The table of options: what each is called, how it is checked and what it means. Private to
 * config/. */
#pragma once

#include <stddef.h>

#include "config/config.h"

enum option_type {
    OPTION_TEXT,
    OPTION_NUMBER,
    OPTION_CHOICE,
    OPTION_LIST /* of text */
};

/* On failure says why and what would be right: "must be ...". */
typedef const char *option_check(const char *value);

struct option {
    const char *name;
    enum option_type type;
    size_t offset;              /* in struct config */
    const char *value_default;  /* as written in the file, without quotes; NULL: must be set */
    int min, max;               /* of a number; bytes of a text; items of a list */
    const char *const *choices; /* of a choice: its value is the index; ends with NULL */
    option_check *check;        /* of a text, or of each item; may be NULL */
    bool reloads;               /* SIGHUP puts it into force; others wait for a restart */
    const char *meaning;
};

const struct option *options_all(size_t *count_out);
