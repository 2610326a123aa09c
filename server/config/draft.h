/* What the parser makes of a file. It works in a process of its own: libconfuse ends its process
 * when memory is short. Hence all that a draft says stands in its own bytes, which two processes
 * share at the same address. Private to config/, lent to the fuzzing of the parser. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "config/config.h"

#define DRAFT_ROOM_BYTES ((size_t)128 * 1024) /* all options together take less */

struct draft {
    const char *path;     /* for messages */
    struct config config; /* its texts and lists stand in room */
    struct err err;       /* file, line, option, cause, remedy; when not good */
    bool good;
    size_t used;
    _Alignas(max_align_t) char room[DRAFT_ROOM_BYTES];
};

/* The text of the file, or NULL and *err. The caller wipes and frees it: it may hold passwords. */
char *draft_read(const char *path, struct err *err);

/* Fills a draft of zeroes but for its path. Changes the text. May end the process, by exit() or
 * abort(). */
void draft_parse(struct draft *draft, char *text);

/* A configuration on the heap. NULL and *err: the draft's fault, or no memory. */
struct config *draft_copy(const struct draft *draft, struct err *err);
