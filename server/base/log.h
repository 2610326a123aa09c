/* Structured logs: one line an event, key=value (logfmt), to standard error. The only module
 * besides main with state of its own. Never pass secrets, identifiers or bodies. */
#pragma once

#include <stdint.h>

#include "base/err.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Once, before anything is logged or opened: makes sure that standard error never waits for its
 * reader. */
void log_open(void);

/* process: "master", "worker0", "maintenance": part of each line. */
void log_init(const char *process, enum log_level level);

/* Lines that cannot be written are lost; each process adds its own to this. */
void log_share_count(uint64_t *dropped_all);

/* Tells how many lines were lost, if any were and now it can. Called each tick, because the next
 * event may be far. */
void log_catch_up(void);

/* event: one_word; format: further key=value pairs, or "" for none. A text value that may hold
 * blanks goes through log_quote. */
void log_event(enum log_level level, const char *event, const char *format, ...) printf_like(3, 4);

/* A value in double quotes, quotes and backslashes escaped, cut to fit into size (at least 3)
 * bytes; NULL is "". Returns quoted_out. */
const char *log_quote(char *quoted_out, size_t size, const char *value);

#define log_error(event, ...)   log_event(LOG_LEVEL_ERROR, event, __VA_ARGS__)
#define log_warning(event, ...) log_event(LOG_LEVEL_WARNING, event, __VA_ARGS__)
#define log_info(event, ...)    log_event(LOG_LEVEL_INFO, event, __VA_ARGS__)
#define log_debug(event, ...)   log_event(LOG_LEVEL_DEBUG, event, __VA_ARGS__)
