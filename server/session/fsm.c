/* Owns the transition table of sessions. Called by session.c for each step and by --dump-fsm. Holds
 * no state and runs no action. */
#include "session/fsm.h"

#define LENGTH(array) (sizeof(array) / sizeof(array)[0])
#define STEP(from, event, to, action, why)                                \
    {                                                                     \
        SESSION_##from, EVENT_##event, SESSION_##to, ACTION_##action, why \
    }

static const struct session_step STEPS[] = {
    STEP(GREETING, HELLO_FITS, OPEN, WELCOME, "certificate and merchant match the reference"),
    STEP(GREETING, HELLO_STRANGER, IDENTIFYING, REFRESH,
         "he may have been registered after the snapshot was read"),
    STEP(GREETING, HELLO_NOBODY, CLOSING, SAY_NOT_IDENTIFIED,
         "his certificate names nobody of this network"),
    STEP(GREETING, HELLO_OTHER_MERCHANT, CLOSING, SAY_WRONG_MERCHANT,
         "he believes to be someone else than his certificate says"),
    STEP(GREETING, HELLO_OTHER_VERSION, GREETING, SAY_UNSUPPORTED_VERSION,
         "he may say Hello again with another version"),
    STEP(GREETING, HELLO_NO_REFERENCE, GREETING, SAY_NOT_READY,
         "the database has not been read yet"),
    STEP(GREETING, REQUEST, GREETING, SAY_UNEXPECTED_MESSAGE, "Hello comes first"),
    STEP(GREETING, MALFORMED, CLOSING, SAY_MALFORMED, "where the next frame begins is unsure"),
    STEP(GREETING, DRAIN, CLOSING, CLOSE, "the worker ends"),
    STEP(GREETING, PEER_GONE, GONE, LET_GO, "nobody waits for answers"),

    STEP(IDENTIFYING, HELLO_FITS, OPEN, WELCOME, "the newer reference knows him"),
    STEP(IDENTIFYING, HELLO_STRANGER, CLOSING, SAY_NOT_IDENTIFIED,
         "the newest reference does not know him either"),
    STEP(IDENTIFYING, HELLO_OTHER_MERCHANT, CLOSING, SAY_WRONG_MERCHANT,
         "he believes to be someone else than his certificate says"),
    STEP(IDENTIFYING, HELLO_NO_REFERENCE, GREETING, SAY_NOT_READY,
         "the database has not been read yet"),
    STEP(IDENTIFYING, DRAIN, CLOSING, CLOSE, "the worker ends"),
    STEP(IDENTIFYING, PEER_GONE, GONE, LET_GO, "nobody waits for answers"),

    STEP(OPEN, REQUEST, OPEN, DISPATCH, "its verb's handler answers"),
    STEP(OPEN, HELLO_FITS, OPEN, SAY_UNEXPECTED_MESSAGE, "Hello comes once"),
    STEP(OPEN, HELLO_STRANGER, CLOSING, SAY_NOT_IDENTIFIED, "he lost his right"),
    STEP(OPEN, HELLO_OTHER_MERCHANT, CLOSING, SAY_WRONG_MERCHANT,
         "he believes to be someone else than his certificate says"),
    STEP(OPEN, HELLO_OTHER_VERSION, OPEN, SAY_UNSUPPORTED_VERSION,
         "the session stays at its version"),
    STEP(OPEN, MALFORMED, CLOSING, SAY_MALFORMED, "where the next frame begins is unsure"),
    STEP(OPEN, RIGHT_LOST, CLOSING, CLOSE, "a newer reference does not know him any more"),
    STEP(OPEN, DRAIN, CLOSING, CLOSE, "the worker ends"),
    STEP(OPEN, PEER_GONE, GONE, LET_GO, "nobody waits for answers"),

    STEP(CLOSING, RIGHT_LOST, CLOSING, NOTHING, "it ends already"),
    STEP(CLOSING, DRAIN, CLOSING, NOTHING, "it ends already"),
    STEP(CLOSING, PEER_GONE, GONE, LET_GO, "the end that was awaited"),
};

static const char *const STATE_NAMES[] = {"GREETING", "IDENTIFYING", "OPEN", "CLOSING", "GONE"};
static const char *const EVENT_NAMES[] = {
    "HELLO_FITS",
    "HELLO_STRANGER",
    "HELLO_NOBODY",
    "HELLO_OTHER_MERCHANT",
    "HELLO_OTHER_VERSION",
    "HELLO_NO_REFERENCE",
    "REQUEST",
    "MALFORMED",
    "RIGHT_LOST",
    "DRAIN",
    "PEER_GONE",
};
static const char *const ACTION_NAMES[] = {
    "nothing",
    "welcome",
    "refresh",
    "dispatch",
    "say MALFORMED",
    "say NOT_IDENTIFIED",
    "say WRONG_MERCHANT",
    "say UNSUPPORTED_VERSION",
    "say UNEXPECTED_MESSAGE",
    "say NOT_READY",
    "close",
    "let go",
};

const struct session_step *fsm_step(enum session_state from, enum session_event event)
{
    for (size_t i = 0; i < LENGTH(STEPS); i++) {
        if (STEPS[i].from == from && STEPS[i].event == event)
            return &STEPS[i];
    }
    return NULL;
}

void fsm_print(FILE *out)
{
    fprintf(out, "%-12s %-21s %-12s %-24s %s\n", "from", "event", "to", "action", "why");
    for (size_t i = 0; i < LENGTH(STEPS); i++) {
        const struct session_step *step = &STEPS[i];
        fprintf(out, "%-12s %-21s %-12s %-24s %s\n", STATE_NAMES[step->from],
                EVENT_NAMES[step->event], STATE_NAMES[step->to], ACTION_NAMES[step->action],
                step->why);
    }
}
