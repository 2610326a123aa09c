/* Whose identifiers were presented on a connection within the last ten minutes: only then does a
 * terminal record a member's grant by his ref (R38). A few of the latest; the oldest makes room. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define PRESENCE_US      INT64_C(600000000)
#define PRESENCE_AT_ONCE 32

struct presence {
    int64_t member_id;
    int64_t at_us; /* domain time; 0: none */
};

struct presences {
    struct presence latest[PRESENCE_AT_ONCE];
};

/* Makes *presences (free ends it) when it is NULL, which most connections never need. Without
 * memory nothing is noted: the member presents himself again. */
void presence_note(struct presences **presences, int64_t member_id, int64_t now_us);
/* NULL: nobody was presented. */
bool presence_has(const struct presences *presences, int64_t member_id, int64_t now_us);
