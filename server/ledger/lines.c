/* A receipt's points shared over its lines, for what each product earned. Called by earn.c; never
 * changes the points' sum. */
#include "ledger/decide.h"

/* The line with the largest remainder, the first of equals; its remainder is used up. */
static size_t take_largest(__int128 *remainders, size_t count)
{
    size_t largest = 0;
    for (size_t i = 1; i < count; i++)
        if (remainders[i] > remainders[largest])
            largest = i;
    remainders[largest] = -1;
    return largest;
}

bool lines_share(struct basket_line *lines, size_t count, int64_t points, struct arena *arena)
{
    if (count == 0)
        return true;
    __int128 total = 0;
    for (size_t i = 0; i < count; i++) {
        lines[i].points = 0;
        if (lines[i].amount_minor > 0)
            total += lines[i].amount_minor;
    }
    if (total == 0) {
        lines[0].points = points;
        return true;
    }
    __int128 *remainders = arena_alloc(arena, count * sizeof *remainders);
    if (!remainders)
        return false;
    int64_t left = points;
    for (size_t i = 0; i < count; i++) {
        int64_t weight = lines[i].amount_minor > 0 ? lines[i].amount_minor : 0;
        lines[i].points = (int64_t)((__int128)points * weight / total);
        remainders[i] = (__int128)points * weight % total;
        left -= lines[i].points;
    }
    for (; left > 0; left--)
        lines[take_largest(remainders, count)].points++;
    return true;
}
