/* Keeps the names of backends left behind. A process number alone may be another's by now: hence
 * the start. */
#include "store/abandoned.h"

#include <stdio.h>
#include <string.h>

bool abandoned_judge(struct abandoned *abandoned, const char *own, const char *still)
{
    int count = 0;
    snprintf(abandoned->own, sizeof abandoned->own, "%s", own);
    snprintf(abandoned->left, sizeof abandoned->left, "%s", still);
    for (const char *at = abandoned->left; (at = strchr(at, '/')); at++)
        count++;
    return count < ABANDONED_MAX;
}

void abandoned_leave(struct abandoned *abandoned)
{
    size_t used = strlen(abandoned->left);
    snprintf(abandoned->left + used, sizeof abandoned->left - used, "%s", abandoned->own);
    abandoned->own[0] = '\0';
}
