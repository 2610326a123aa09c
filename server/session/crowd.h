/* What a worker does against too many requests at its door. Private to session/. */
#pragma once

#include "session/session.h"

/* Answers a posting that the engine would refuse, before anything is spent on it. False: not so. */
bool crowd_refuses(struct session *session, const uint8_t *bytes, size_t size);
/* From a certain share of the pool on whoever sends more is not read. */
void crowd_hold(struct session *session);
/* A request went back to the pool: reads them again once there is room. */
void crowd_let_go(struct worker *worker);
bool crowd_create(struct worker *worker);
void crowd_destroy(struct worker *worker);
/* Every tick of the worker. */
void crowd_tick(struct worker *worker);
/* The session's connection is gone. */
void crowd_leave(struct session *session);
