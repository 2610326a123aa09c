/* The states of a session as a table: from, event, to, action, why. The table is the specification:
 * the sessions look each step up in it, and it prints itself for the documentation. */
#pragma once

#include <stddef.h>
#include <stdio.h>

enum session_state {
    SESSION_GREETING,    /* TLS is done, Hello is awaited */
    SESSION_IDENTIFYING, /* Hello waits for a newer reference */
    SESSION_OPEN,
    SESSION_CLOSING, /* answers under way still leave */
    SESSION_GONE     /* the connection is gone, requests may still be at the engine */
};

enum session_event {
    EVENT_HELLO_FITS,
    EVENT_HELLO_STRANGER,
    EVENT_HELLO_NOBODY,
    EVENT_HELLO_OTHER_MERCHANT,
    EVENT_HELLO_OTHER_VERSION,
    EVENT_HELLO_NO_REFERENCE,
    EVENT_REQUEST,
    EVENT_MALFORMED,
    EVENT_RIGHT_LOST,
    EVENT_DRAIN,
    EVENT_PEER_GONE
};

enum session_action {
    ACTION_NOTHING,
    ACTION_WELCOME,
    ACTION_REFRESH,
    ACTION_DISPATCH,
    ACTION_SAY_MALFORMED,
    ACTION_SAY_NOT_IDENTIFIED,
    ACTION_SAY_WRONG_MERCHANT,
    ACTION_SAY_UNSUPPORTED_VERSION,
    ACTION_SAY_UNEXPECTED_MESSAGE,
    ACTION_SAY_NOT_READY,
    ACTION_CLOSE,
    ACTION_LET_GO
};

struct session_step {
    enum session_state from;
    enum session_event event;
    enum session_state to;
    enum session_action action;
    const char *why;
};

/* The step of an event in a state, or NULL: it cannot happen there. */
const struct session_step *fsm_step(enum session_state from, enum session_event event);

void fsm_print(FILE *out);
