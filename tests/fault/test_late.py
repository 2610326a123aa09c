"""What comes too late: it is told soon after its deadline what became of it, and what was told is true."""
import time

from support import stage as stages
from support.paths import wait_for
from support.wire import Connection

LATE_S = 0.3  # request_late_ms_max of `loyald --limits`


def test_what_waits_for_a_held_member_past_its_deadline_never_happens(daemon, world, database):
    """Its answer is definite, although the database has it, and holds when the row is free again."""
    one = daemon("late", workers=1, lanes=1, lock_timeout_ms=8000, statement_timeout_ms=9000)
    with world.till("acme", one.port) as till:
        card = till.enrolled(10)
        with database.holding_member(card):
            begin = time.monotonic()
            assert till.call("redeem", till.redeem_fields(card, 4), deadline_ms=500).code == "DEADLINE_EXCEEDED"
            assert time.monotonic() - begin < 0.5 + LATE_S + 1  # a loaded machine's second
            database.wait_lanes()  # the database is still asked for the row
        assert till.redeem(card, 1).ok().balance.available == 9
    assert [row["kind"] for row in database.entries(card)] == [1, 2, 3]


def test_a_frozen_desk_is_given_up_once_nobody_waits_for_it(daemon, world, database):
    """SIGSTOP of the one that exports. Its statement might take ten minutes; no request may wait so long."""
    def pids():
        return {row["pid"] for row in database.rows("select pid from pg_stat_activity where application_name = 'loyald office'",
                                                    user="postgres")}
    others = pids()
    one = daemon("office", workers=1, deadline_ms_max=1000)
    card = world.tills["acme"].enrolled(10)
    with Connection(one.port, world.stack.operator) as operator:
        def export():
            return operator.call("export_member", member={"identifier": {"kind": 1, "value": card}}, reason="he asks").code
        assert export() == "OK"
        (pid,) = pids() - others
        stages.stop(pid)
        try:
            assert export() == "DEADLINE_EXCEEDED"
            one.log.wait(r"event=database_lost [^\n]*is silent", seconds=30)
            wait_for(lambda: export() == "OK", "exports work again", 30)
        finally:
            stages.go_on(pid)
