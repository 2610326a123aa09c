/* Limits of the sessions that no option changes. Printed by session_print_limits. */
#pragma once

#include <stdio.h>

#include "config/config.h"

#define PROTOCOL_VERSION        1
#define KEY_AGE_DAYS_MAX        35   /* R35 */
#define KEY_AHEAD_S_MAX         600  /* R32 */
#define PAGE_ROWS               500  /* of a list by code */
#define PAGE_ROWS_DEFAULT       50   /* of a list by cursor */
#define PAGE_LINES_MAX          4000 /* basket lines of such a page: LINES_MAX of the statements */
#define PURCHASES_SHOWN_MAX     5    /* of a member never met */
#define ENTRY_DAYS_MAX          31   /* of a listing of a merchant's entries */
#define GRANT_MONTHS_MAX        24   /* R38 */
#define REQUEST_ARENA_BYTES_MAX ((size_t)4 * 1024 * 1024)
#define TICK_MS                 100 /* of a worker */
#define REQUEST_LATE_MS_MAX     300 /* after its deadline, an answer comes whatever happens */
#define REQUEST_ARENA_KEPT      ((size_t)16 * 1024) /* a spare request keeps no more than this */

#define CROWD_SLOTS    256  /* merchants whose refusals are counted apart */
#define REQUESTS_SPARE 1024 /* of the pool: those that are no postings, and those kept */
/* Of arenas, in a worker. */
#define WORKER_REQUESTS_BYTES_MAX ((size_t)64 * 1024 * 1024)

void session_print_limits(FILE *out, const struct config *config);
