/* Who may wait, and who waits no more. Private to engine/. */
#pragma once

#include "engine/engine_private.h"

bool admission_create(struct engine *engine);
void admission_destroy(struct engine *engine);
/* Puts it into the queue; whoever may not wait there is told OVERLOADED, in a later callback. */
void engine_admit(struct engine *engine, struct fair_queue *queue, struct fair_item *item,
                  int count_max);
void engine_refuse(struct engine *engine, struct fair_item *item);
/* Looks for whoever waits too long, again and again while anything waits. */
void engine_sweep_soon(struct engine *engine);
/* Ends all that waits. */
void engine_end_all(struct engine *engine, struct fair_queue *queue, int code);
/* A delay with jitter, so that not all come back at once. */
uint32_t engine_delay_ms(struct engine *engine, int64_t us);
static inline struct posting *posting_of(struct fair_item *item)
{
    return (struct posting *)(void *)((char *)item - offsetof(struct posting, waiting));
}
