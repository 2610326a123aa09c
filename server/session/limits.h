/* Limits of the sessions that no option changes. Printed by session_print_limits. */
#pragma once

#include <stdio.h>

#define PROTOCOL_VERSION        1
#define KEY_AGE_DAYS_MAX        35  /* R35 */
#define KEY_AHEAD_S_MAX         600 /* R32 */
#define PAGE_ROWS               500 /* of a list */
#define REQUEST_ARENA_BYTES_MAX ((size_t)4 * 1024 * 1024)
#define REQUEST_ARENA_KEPT      ((size_t)16 * 1024) /* a spare request keeps no more than this */

void session_print_limits(FILE *out);
