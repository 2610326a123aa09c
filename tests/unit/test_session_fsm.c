/* The session's transition table: its print-out is the contract, and the table itself is sound. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "session/fsm.h"

static const char GOLDEN[] =
    "from         event                 to           action       "
    "            why\n"
    "GREETING     HELLO_FITS            OPEN         welcome      "
    "            certificate and merchant match the reference\n"
    "GREETING     HELLO_STRANGER        IDENTIFYING  refresh      "
    "            he may have been registered after the snapshot was read\n"
    "GREETING     HELLO_NOBODY          CLOSING      say NOT_IDENT"
    "IFIED       his certificate names nobody of this network\n"
    "GREETING     HELLO_OTHER_MERCHANT  CLOSING      say WRONG_MER"
    "CHANT       he believes to be someone else than his certificate says\n"
    "GREETING     HELLO_OTHER_VERSION   GREETING     say UNSUPPORT"
    "ED_VERSION  he may say Hello again with another version\n"
    "GREETING     HELLO_NO_REFERENCE    GREETING     say NOT_READY"
    "            the database has not been read yet\n"
    "GREETING     REQUEST               GREETING     say UNEXPECTE"
    "D_MESSAGE   Hello comes first\n"
    "GREETING     MALFORMED             CLOSING      say MALFORMED"
    "            where the next frame begins is unsure\n"
    "GREETING     DRAIN                 CLOSING      close        "
    "            the worker ends\n"
    "GREETING     PEER_GONE             GONE         let go       "
    "            nobody waits for answers\n"
    "IDENTIFYING  HELLO_FITS            OPEN         welcome      "
    "            the newer reference knows him\n"
    "IDENTIFYING  HELLO_STRANGER        CLOSING      say NOT_IDENT"
    "IFIED       the newest reference does not know him either\n"
    "IDENTIFYING  HELLO_OTHER_MERCHANT  CLOSING      say WRONG_MER"
    "CHANT       he believes to be someone else than his certificate says\n"
    "IDENTIFYING  HELLO_NO_REFERENCE    GREETING     say NOT_READY"
    "            the database has not been read yet\n"
    "IDENTIFYING  DRAIN                 CLOSING      close        "
    "            the worker ends\n"
    "IDENTIFYING  PEER_GONE             GONE         let go       "
    "            nobody waits for answers\n"
    "OPEN         REQUEST               OPEN         dispatch     "
    "            its verb's handler answers\n"
    "OPEN         HELLO_FITS            OPEN         say UNEXPECTE"
    "D_MESSAGE   Hello comes once\n"
    "OPEN         HELLO_STRANGER        CLOSING      say NOT_IDENT"
    "IFIED       he lost his right\n"
    "OPEN         HELLO_OTHER_MERCHANT  CLOSING      say WRONG_MER"
    "CHANT       he believes to be someone else than his certificate says\n"
    "OPEN         HELLO_OTHER_VERSION   OPEN         say UNSUPPORT"
    "ED_VERSION  the session stays at its version\n"
    "OPEN         MALFORMED             CLOSING      say MALFORMED"
    "            where the next frame begins is unsure\n"
    "OPEN         RIGHT_LOST            CLOSING      close        "
    "            a newer reference does not know him any more\n"
    "OPEN         DRAIN                 CLOSING      close        "
    "            the worker ends\n"
    "OPEN         PEER_GONE             GONE         let go       "
    "            nobody waits for answers\n"
    "CLOSING      RIGHT_LOST            CLOSING      nothing      "
    "            it ends already\n"
    "CLOSING      DRAIN                 CLOSING      nothing      "
    "            it ends already\n"
    "CLOSING      PEER_GONE             GONE         let go       "
    "            the end that was awaited\n";

static void the_print_out_is_golden(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    fsm_print(out);
    fclose(out);
    assert_string_equal(text, GOLDEN);
    free(text);
}

static void nothing_leads_out_of_the_end(void **state)
{
    (void)state;
    for (int event = 0; event <= EVENT_PEER_GONE; event++) {
        assert_null(fsm_step(SESSION_GONE, (enum session_event)event));
        const struct session_step *step = fsm_step(SESSION_CLOSING, (enum session_event)event);
        assert_true(!step || step->to == SESSION_CLOSING || step->to == SESSION_GONE);
    }
}

static void a_peer_may_go_at_any_time(void **state)
{
    (void)state;
    for (int from = SESSION_GREETING; from < SESSION_GONE; from++) {
        const struct session_step *step = fsm_step((enum session_state)from, EVENT_PEER_GONE);
        assert_non_null(step);
        assert_int_equal(step->to, SESSION_GONE);
        assert_non_null(fsm_step((enum session_state)from, EVENT_DRAIN));
    }
}

static void only_hello_opens(void **state)
{
    (void)state;
    for (int from = SESSION_GREETING; from <= SESSION_GONE; from++) {
        for (int event = 0; event <= EVENT_PEER_GONE; event++) {
            const struct session_step *step =
                fsm_step((enum session_state)from, (enum session_event)event);
            if (step && step->to == SESSION_OPEN && from != SESSION_OPEN)
                assert_int_equal(event, EVENT_HELLO_FITS);
            if (step && step->action == ACTION_DISPATCH)
                assert_int_equal(from, SESSION_OPEN);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_print_out_is_golden),
        cmocka_unit_test(nothing_leads_out_of_the_end),
        cmocka_unit_test(a_peer_may_go_at_any_time),
        cmocka_unit_test(only_hello_opens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
