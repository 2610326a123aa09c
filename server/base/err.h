/* An operating error: filled by the lowest layer that sees it, logged once by the layer that
 * decides what to do. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#define must_check                      __attribute__((warn_unused_result))
#define printf_like(text_at, values_at) __attribute__((format(printf, text_at, values_at)))

struct err {
    int code;         /* errno, or 0 */
    char sqlstate[6]; /* of PostgreSQL, or "" */
    char text[400];   /* the cause and, where there is one, the remedy */
};

/* Fill err and are false, so that `return err_set(err, ...)` is the whole failing branch. err may
 * be NULL. Macros, so that whoever reads the caller alone sees which way it goes. */
#define err_set(err, ...) err_set_errno(err, 0, __VA_ARGS__)
#define err_set_errno(err, code, ...)     \
    ({                                    \
        err_fill(err, code, __VA_ARGS__); \
        false;                            \
    })

/* code: errno, whose text is added; 0: none. */
void err_fill(struct err *err, int code, const char *format, ...) printf_like(3, 4);
