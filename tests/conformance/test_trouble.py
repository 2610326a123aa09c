"""The codes of a system in trouble, provoked: R36's retry and unknown, and what is true behind them."""
import os
import signal
import time

import pytest

from support.paths import wait_for
from support.wire import Connection
from support.world import Till


@pytest.fixture
def narrow(daemon):
    """A daemon that gives up early and takes little at once."""
    return daemon("narrow", queue_max=3, lock_timeout_ms=1500)


def test_overloaded_then_transient(narrow, world, database):
    card = world.tills["acme"].enrolled(100)
    with world.till("acme", narrow.port) as till:
        with database.holding_member(card):
            first = [till.submit("redeem", till.redeem_fields(card, 1))]
            database.wait_lanes()
            first += [till.submit("redeem", till.redeem_fields(card, 1)) for _ in range(6)]
            replies = [till.take(number) for number in first]
        codes = [reply.code for reply in replies]
        assert codes.count("OVERLOADED") == 4, codes
        assert codes.count("TRANSIENT") >= 1, codes
        assert set(codes) == {"OVERLOADED", "TRANSIENT"}
        assert database.member(card)["available"] == 100  # retry: no effect
        for reply in replies:  # and the same key is welcome afterwards
            till.call("redeem", reply.fields).ok()
        assert till.balance(card).available == 93


def test_deadline_exceeded(acme, database):
    held, other = acme.enrolled(10), acme.enrolled(10)
    with database.holding_member(held):
        slow = acme.submit("redeem", acme.redeem_fields(held, 1))
        database.wait_lanes()
        late = [acme.submit("redeem", acme.redeem_fields(held, 1), deadline_ms=1),
                acme.submit("redeem", acme.redeem_fields(other, 1), deadline_ms=1)]
        time.sleep(0.1)  # both deadlines pass
    acme.take(slow).ok()
    codes = [acme.take(number) for number in late]
    assert codes[0].code == "DEADLINE_EXCEEDED"
    assert codes[1].code in ("DEADLINE_EXCEEDED", "OK")  # by ref of its bucket he may have another lane
    assert acme.balance(held).available == 9
    acme.call("redeem", codes[0].fields).ok()
    assert acme.balance(held).available == 8


def test_a_request_that_is_being_written_is_carried_through(acme, database):
    card = acme.enrolled(10)
    fields = acme.redeem_fields(card, 1)
    with database.holding("lock table loyal.entry in share mode"):
        assert acme.call("redeem", fields, deadline_ms=500).code == "OUTCOME_UNKNOWN"
    wait_for(lambda: acme.balance(card).available == 9, "it is done")
    assert acme.call("redeem", fields).ok().balance.available == 9


def test_internal_fails_alone(acme, database):
    """A poisoned posting gets INTERNAL and has no effect; those that shared its batch are done."""
    cards = [acme.enrolled(10) for _ in range(9)]
    poisoned, gate = database.id_of(cards[4]), acme.enrolled(10)
    database.change_as_owner((f"alter table loyal.member add constraint poison check (member_id <>"
                              f" {poisoned['member_id']}) not valid",))
    try:
        with database.holding("lock table loyal.entry in share mode"):  # of the whole batch: what comes meanwhile is gathered behind it
            blocked = acme.submit("redeem", acme.redeem_fields(gate, 1))
            database.wait_lanes()
            ids = [acme.submit("redeem", acme.redeem_fields(card, 3)) for card in cards]
            acme.take(acme.submit("ping", {})).ok()
        acme.take(blocked).ok()
        codes = [acme.take(number).code for number in ids]
    finally:
        database.change_as_owner(("alter table loyal.member drop constraint poison",))
    assert codes == ["OK"] * 4 + ["INTERNAL"] + ["OK"] * 4
    assert [acme.balance(card).available for card in cards] == [7] * 4 + [10] + [7] * 4
    acme.redeem(cards[4], 3).ok()


def test_outcome_unknown_and_nothing_was_done(acme, stack, database):
    """R36: kill -9 of the lane's backend while it writes. Asked again under the same key, it is done once."""
    card = acme.enrolled(100)
    fields = acme.redeem_fields(card, 40)
    with database.holding("lock table loyal.entry in share mode"):
        number = acme.submit("redeem", fields)
        (pid,) = database.wait_lanes()
        os.kill(pid, signal.SIGKILL)
        reply = acme.take(number)
    assert reply.code == "OUTCOME_UNKNOWN" and reply.kind == "UNKNOWN"
    again = ask_until_definite(stack, acme, "redeem", fields)
    assert not again.recorded and again.ok().balance.available == 60
    assert [entry["kind"] for entry in database.entries(card)] == [1, 2, 3]


def waiting_for_a_standby(database):
    return database.rows("select pid from pg_stat_activity where application_name = 'loyald lane' and"
                         " wait_event = 'SyncRep'", user="postgres")


def until_commits_wait(till, card, database):
    """PostgreSQL takes up its new settings in its own time: asks until a commit waits, and lets that one go."""
    deadline = time.monotonic() + 30
    while True:
        assert time.monotonic() < deadline, "no commit ever waits"
        number = till.submit("earn", till.earn_fields(card, 100))
        rows = wait_for(lambda: waiting_for_a_standby(database) or not till.connection.is_silent(0.05), "an end of it")
        if rows is not True:
            database.change("select pg_cancel_backend(%s)", rows[0]["pid"])
        reply = till.take(number)
        assert reply.code in ("OK", "OUTCOME_UNKNOWN")
        if reply.code == "OUTCOME_UNKNOWN":
            wait_for(lambda: not waiting_for_a_standby(database), "nobody waits")
            return


def test_r36_outcome_unknown_although_it_was_done(acme, stack, database):
    """R36: nothing is reported as done before its commit is durable; once unknown, the same key tells the truth."""
    card, other = acme.enrolled(100), acme.enrolled(100)
    fields = acme.redeem_fields(card, 40)
    database.change("alter system set synchronous_standby_names = 'nobody'")
    database.change("select pg_reload_conf()")
    try:
        until_commits_wait(acme, other, database)
        number = acme.submit("redeem", fields)
        (row,) = wait_for(lambda: waiting_for_a_standby(database), "the commit waits for a standby")
        assert acme.connection.is_silent(0.3), "answered before the commit was durable"
        database.change("select pg_cancel_backend(%s)", row["pid"])
        reply = acme.take(number)
    finally:
        database.change("alter system reset synchronous_standby_names")
        database.change("select pg_reload_conf()")
    assert reply.code == "OUTCOME_UNKNOWN"
    again = ask_until_definite(stack, acme, "redeem", fields)
    assert again.recorded and again.ok().balance.available == 60
    assert acme.balance(card).available == 60


def ask_until_definite(stack, till, message, fields):
    """What a client must do: ask again under the same key while the answer is retry or unknown."""
    wait_for(stack.is_ready, "the daemon is ready again")
    deadline = time.monotonic() + 30
    while True:
        reply = till.call(message, fields)
        if reply.kind in ("OK", "REFUSED"):
            return reply
        assert time.monotonic() < deadline, reply
        time.sleep(reply.outcome.retry_after_ms / 1000 or 0.1)


def test_not_ready_without_a_database(acme, operator, stack, world, database):
    card = acme.enrolled(10)
    fields = acme.redeem_fields(card, 1)
    stack.postgres("stop", "immediate")
    try:
        wait_for(lambda: not stack.is_ready(), "/readyz says no")
        codes = {acme.call("redeem", fields).code for _ in range(3)}
        codes |= {acme.call("earn", acme.earn_fields(card, 100)).code,
                  acme.connection.call("get_balance", member={"identifier": {"kind": 1, "value": card}}).code,
                  operator.call("list_owed_points").code}
        assert codes == {"NOT_READY"}
        acme.connection.call("ping").ok()
        assert not operator.call("get_status").ok().ready
    finally:
        stack.postgres("start")
    assert ask_until_definite(stack, acme, "redeem", fields).ok().balance.available == 9
    assert [entry["kind"] for entry in database.entries(card)] == [1, 2, 3]
    with Connection(stack.port, world.bundles["beta"], "beta") as connection:
        connection.call("ping").ok()


def test_hello_before_the_database_was_ever_read(stack, world, daemon):
    stack.postgres("stop", "fast")
    try:
        fresh = daemon("early", wait=False)
        assert fresh.ask("/healthz") == 200 and fresh.ask("/readyz") == 503
        with Connection(fresh.port, world.bundles["acme"], hello=None) as connection:
            connection.hello("acme").refused("NOT_READY")
            stack.postgres("start")
            wait_for(fresh.is_ready, "the daemon becomes ready by itself")
            connection.hello("acme").ok()  # the session stays
    finally:
        stack.postgres("start")
    with Till(world, "acme", world.bundles["acme"], fresh.port) as till:
        till.enrolled(5)


def test_balance_limit(giant, database):
    """R1: a sum that leaves 64 bits is refused, recorded, and changes nothing."""
    card = giant.enrolled()
    reply = giant.earn(card, 10 ** 15).refused("BALANCE_LIMIT")
    assert giant.call("earn", reply.fields).refused("BALANCE_LIMIT").recorded
    large = giant.earn(card, 5 * 10 ** 12)
    assert large.ok().balance.available == 5 * 10 ** 18
    giant.earn(card, 5 * 10 ** 12).refused("BALANCE_LIMIT")
    assert giant.balance(card).available == 5 * 10 ** 18 == database.member(card)["available"]
    giant.reverse(card, large.key).ok()
    assert giant.balance(card).available == 0
