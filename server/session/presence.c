/* Remembers presented members per session. Called by target.c and the handlers of postings. */
#include "session/presence.h"

#include <stdlib.h>

/* His own place, else the oldest. */
void presence_note(struct presences **at_out, int64_t member_id, int64_t now_us)
{
    struct presences *presences = *at_out;
    if (!presences)
        presences = *at_out = calloc(1, sizeof *presences);
    if (!presences)
        return;
    struct presence *place = &presences->latest[0];
    for (int i = 0; i < PRESENCE_AT_ONCE; i++) {
        struct presence *at = &presences->latest[i];
        if (at->at_us && at->member_id == member_id) {
            place = at;
            break;
        }
        if (at->at_us < place->at_us)
            place = at;
    }
    *place = (struct presence){member_id, now_us};
}

bool presence_has(const struct presences *presences, int64_t member_id, int64_t now_us)
{
    for (int i = 0; presences && i < PRESENCE_AT_ONCE; i++) {
        const struct presence *at = &presences->latest[i];
        if (at->at_us && at->member_id == member_id)
            return now_us - at->at_us <= PRESENCE_US;
    }
    return false;
}
