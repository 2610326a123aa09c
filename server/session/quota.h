/* How many members a terminal may look up in a minute (R41), so that nobody finds out by trying who
 * is a member; and apart from that how many of its postings may miss, which tell the same without a
 * trace. Of one worker, over all connections of the terminal. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct quota;

/* NULL without memory. */
struct quota *quota_create(int lookups_a_minute);
/* Another number from now on; what is used up stays so. */
void quota_set(struct quota *quota, int lookups_a_minute);
void quota_destroy(struct quota **quota);

enum quota_kind { QUOTA_LOOKUPS, QUOTA_MISSES, QUOTA_KINDS };

/* Takes one of the terminal's; false when its minute's are used up. A full minute's worth refills
 * evenly. */
bool quota_take(struct quota *quota, int32_t terminal_id, enum quota_kind kind, int64_t now_us);
/* Whether quota_take would succeed. */
bool quota_has(struct quota *quota, int32_t terminal_id, enum quota_kind kind, int64_t now_us);
