/* Owns what `loyald --limits` prints of workers, and the sum of their memory. Called by main.
 * Enforces nothing: each bound stands where it is enforced. */
#include "session/limits.h"

#include "engine/batch.h"
#include "frame.h"
#include "net/server.h"
#include "rules.h"
#include "store/abandoned.h"
#include "validate.h"

#define MB ((size_t)1024 * 1024)
#define PROGRAM_BYTES \
    (96 * MB) /* itself, libraries, hints, reference tables, database connections */
#define RESULTS_BYTES   (16 * MB)           /* of one statement of a lane */
#define CONN_BYTES      ((size_t)48 * 1024) /* TLS 20 KB, one read of 16 KB, session */
#define HANDSHAKE_BYTES ((size_t)45 * 1024)
#define REQUEST_BYTES   ((size_t)8 * 1024) /* without what is unpacked */

/* Of one worker. Blocks of an arena are up to twice what is used of them, and what clients do not
 * read is looked at four times a second. */
static size_t memory_max(const struct config *config)
{
    size_t lanes = (size_t)config->lanes + 1, requests = (size_t)config->queue_max + REQUESTS_SPARE;
    return PROGRAM_BYTES + (size_t)config->connections_max * CONN_BYTES +
           HANDSHAKES_MAX * HANDSHAKE_BYTES + 2 * SERVER_UNSENT_BYTES_MAX +
           requests * REQUEST_BYTES + 2 * WORKER_REQUESTS_BYTES_MAX +
           lanes * (BATCH_ARENA_BYTES_MAX + RESULTS_BYTES);
}

void session_print_limits(FILE *out, const struct config *config)
{
    fprintf(out, "%-24s %10d  bytes of a request (frame)\n", "request_bytes_max",
            FRAME_REQUEST_BYTES_MAX);
    fprintf(out, "%-24s %10d  bytes of a response (frame)\n", "response_bytes_max",
            FRAME_RESPONSE_BYTES_MAX);
    fprintf(out, "%-24s %10d  levels of messages in messages\n", "depth_max", VALIDATE_DEPTH_MAX);
    fprintf(out, "%-24s %10d  messages and repeated elements in a request\n", "elements_max",
            VALIDATE_ELEMENTS_MAX);
    fprintf(out, "%-24s %10zu  bytes that one request may take in memory\n", "request_arena_max",
            REQUEST_ARENA_BYTES_MAX);
    fprintf(out, "%-24s %10d  milliseconds after its deadline in which a request is answered\n",
            "request_late_ms_max", REQUEST_LATE_MS_MAX);
    fprintf(out,
            "%-24s %10zu  handshakes under way in a worker (45 KB each at most); past it the "
            "oldest goes\n",
            "handshakes_max", HANDSHAKES_MAX);
    fprintf(out, "%-24s %10zu  bytes of answers a client has not read; past it it is not read\n",
            "connection_unsent_max", CONN_UNSENT_BYTES_MAX);
    fprintf(out,
            "%-24s %10zu  such bytes and those of frames not ended in a worker; past it the "
            "largest are cut\n",
            "worker_unsent_max", SERVER_UNSENT_BYTES_MAX);
    fprintf(out, "%-24s %10d  backends given up that a connection leaves until they end\n",
            "abandoned_backends_max", ABANDONED_MAX);
    fprintf(out, "%-24s %10d  lines of a basket\n", "basket_lines_max", RULE_BASKET_LINES_MAX);
    fprintf(out, "%-24s %10d  identifiers of an enrolment\n", "identifiers_max",
            RULE_IDENTIFIERS_MAX);
    fprintf(out, "%-24s %10d  stores added at once\n", "stores_max", RULE_STORES_MAX);
    fprintf(out, "%-24s %10d  rows of a list's page\n", "page_rows", PAGE_ROWS);
    fprintf(out, "%-24s %10d  rows of a page with a cursor\n", "cursor_page_rows",
            RULE_PAGE_ROWS_MAX);
    fprintf(out, "%-24s %10d  basket lines of such a page\n", "cursor_page_lines", PAGE_LINES_MAX);
    fprintf(out, "%-24s %10d  refs translated at once\n", "refs_max", RULE_REFS_MAX);
    fprintf(out, "%-24s %10d  months that a grant may last (R38)\n", "grant_months_max",
            GRANT_MONTHS_MAX);
    fprintf(out, "%-24s %10d  days of a listing of entries\n", "entry_days_max", ENTRY_DAYS_MAX);
    fprintf(out, "%-24s %10d  days that an unknown key may be old (R35)\n", "key_age_days_max",
            KEY_AGE_DAYS_MAX);
    fprintf(out, "%-24s %10d  seconds that a key may be ahead (R32)\n", "key_ahead_s_max",
            KEY_AHEAD_S_MAX);
    fprintf(out,
            "%-24s %10zu  bytes of all requests that a worker has unpacked; past it OVERLOADED\n",
            "worker_requests_max", WORKER_REQUESTS_BYTES_MAX);
    fprintf(out, "%-24s %10zu  megabytes that a worker takes at most with these settings\n",
            "worker_memory_mb_max", memory_max(config) / MB + 1);
}
