/* A worker without sockets: sessions, engine and store as they are, in front of them a connection
 * that takes answers, behind them the database of database.h. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fuzz/input.h"

struct world;

/* Once a process: certificates, keyring, configuration, clock. */
void world_init(void);

/* is_operator: who connects; script: what the database answers, see database_begin. */
struct world *world_begin(bool is_operator, struct input *script, bool lies_early);
/* From now on other sessions hold all but one of the worker's requests. */
void world_crowd(struct world *world);
/* Ends all, and holds every request against its answer: none is missing, none came twice. */
void world_end(struct world *world);

/* Says Hello as it should be said. */
void world_greet(struct world *world);
/* One message, in memory of its own. In place of a cursor of one byte goes the last one answered,
 * or none; in place of a ref of zeros the one that stands for a member. */
void world_send(struct world *world, const uint8_t *bytes, size_t size);
/* Turns the loop until nothing moves any more. */
void world_turn(struct world *world);
/* Milliseconds pass, and the worker's tick comes. */
void world_pass(struct world *world, int64_t ms);
