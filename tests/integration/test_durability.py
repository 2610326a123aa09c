"""What an answer is worth. OK is said only after the Sync behind COMMIT has come back; what the daemon cannot know it calls
unknown, and the key tells the truth afterwards (R36). A proxy stands between a daemon and PostgreSQL, and stops the
stream where it matters. Then the classes of errors that a batch can meet."""
import contextlib
import os

import pytest

from support.paths import wait_for
from support.pgproxy import BEGIN, COMMIT, COMMITTED, READY_AFTER_COMMIT, PgProxy
from support.stack import Daemon, Log
from support.world import EARN

SILENCE_S = 1.0
RETRY = ("NOT_READY", "TRANSIENT")


@pytest.fixture(scope="module")
def proxied(stack, shared_world):
    """A daemon of one lane whose every word with PostgreSQL goes through a proxy."""
    del shared_world
    with PgProxy(stack.socket_dir) as proxy:
        daemon = Daemon(stack, "proxied", postgres=f'"host={proxy.folder} port=5432 dbname=loyal user=loyal_daemon"')
        try:
            daemon.start()
            daemon.proxy = proxy
            yield daemon
        finally:
            proxy.forget()
            daemon.stop()


@pytest.fixture
def proxy(proxied):
    wait_for(proxied.is_ready, "the daemon behind the proxy is ready")
    yield proxied.proxy
    proxied.proxy.forget()


@pytest.fixture
def till(world, proxy, proxied):
    del proxy
    with world.till("acme", proxied.port) as made:
        yield made


@pytest.fixture
def pg_log(stack):
    """PostgreSQL's log, read from here on."""
    log = Log(os.path.join(stack.dir, "cluster", "log"))
    start = log.mark()
    return lambda: log.text(start)


def effects(database, card):
    return [row for row in database.entries(card) if row["kind"] != 1]


def available(database, card):
    return database.member(card)["available"]


def take_again(till, proxied, message, fields):
    """The same request until it has another kind than RETRY, as a client must (R36)."""
    wait_for(proxied.is_ready, "the daemon behind the proxy is ready")
    return wait_for(lambda: (reply := till.call(message, fields)).kind != "RETRY" and reply, "a definite answer")


# --- the Sync behind COMMIT --------------------------------------------------------------------------

@pytest.mark.parametrize("point", [COMMIT, COMMITTED, READY_AFTER_COMMIT])
def test_r36_no_answer_before_the_sync_behind_commit(acme, till, proxy, database, point):
    card = acme.enrolled(10)
    stop = proxy.stop_at(point)
    request = till.submit("earn", till.earn_fields(card, 500))
    stop.wait()
    assert till.connection.is_silent(SILENCE_S), f"answered while held back: {point}"
    assert len(effects(database, card)) == (1 if point == COMMIT else 2)
    stop.go()
    reply = till.take(request)
    assert reply.ok().balance.available == 15 and not reply.recorded
    assert available(database, card) == 15


@pytest.mark.parametrize("make", [
    lambda till, card, new_card: ("redeem", till.redeem_fields(card, 4)),
    lambda till, card, new_card: ("redeem", till.redeem_fields(card, 4000)),  # a refusal that is recorded (R33)
    lambda till, card, new_card: ("reverse", till.reverse_fields(card, till.key(), EARN)),
    lambda till, card, new_card: ("enrol_member", till.enrol_fields(new_card)),
], ids=["redeem", "refusal", "tombstone", "enrol"])
def test_r36_whatever_is_written_waits_for_the_sync(world, acme, till, proxy, make):
    card = acme.enrolled(10)
    message, fields = make(till, card, world.new_card())
    stop = proxy.stop_at(READY_AFTER_COMMIT)
    request = till.submit(message, fields)
    stop.wait()
    assert till.connection.is_silent(SILENCE_S)
    stop.go()
    assert till.take(request).code in ("OK", "NOT_ENOUGH_POINTS")


# --- the connection to the database is lost ----------------------------------------------------------

@pytest.mark.parametrize("point", [COMMITTED, READY_AFTER_COMMIT])
def test_r36_lost_after_commit_is_unknown_and_the_key_tells(acme, till, proxy, proxied, database, point):
    card = acme.enrolled(10)
    stop = proxy.stop_at(point)
    request = till.submit("earn", fields := till.earn_fields(card, 500))
    stop.wait()
    wait_for(lambda: len(effects(database, card)) == 2, "the commit is there")
    stop.cut()
    reply = till.take(request)
    assert (reply.code, reply.kind) == ("OUTCOME_UNKNOWN", "UNKNOWN")
    reply = take_again(till, proxied, "earn", fields)
    assert reply.ok().points == 5 and reply.recorded and reply.body.balance.available == 15
    assert len(effects(database, card)) == 2 and available(database, card) == 15


def test_r36_lost_before_commit_was_passed_on_is_unknown_and_the_key_tells(acme, till, proxy, proxied, database):
    """The daemon has sent COMMIT and cannot know that it never arrived."""
    card = acme.enrolled(10)
    stop = proxy.stop_at(COMMIT)
    request = till.submit("redeem", fields := till.redeem_fields(card, 4))
    stop.wait()
    stop.cut()
    assert till.take(request).code == "OUTCOME_UNKNOWN"
    wait_for(lambda: not database.lanes_waiting() and available(database, card) == 10, "rolled back")
    assert len(effects(database, card)) == 1
    reply = take_again(till, proxied, "redeem", fields)
    assert reply.ok().points == 4 and not reply.recorded
    assert len(effects(database, card)) == 2 and available(database, card) == 6


def test_r36_lost_while_reading_is_retry_and_without_effect(acme, till, proxy, proxied, database):
    card = acme.enrolled(10)
    stop = proxy.stop_at(BEGIN)
    request = till.submit("earn", fields := till.earn_fields(card, 500))
    stop.wait()
    stop.cut()
    reply = till.take(request)
    assert (reply.code, reply.kind) == ("NOT_READY", "RETRY") and reply.outcome.retry_after_ms > 0
    assert len(effects(database, card)) == 1
    reply = take_again(till, proxied, "earn", fields)
    assert reply.ok().points == 5 and not reply.recorded
    assert len(effects(database, card)) == 2


def test_r36_a_whole_batch_is_unknown_together(acme, till, proxy, proxied, database):
    cards = [acme.enrolled() for _ in range(5)]
    with gathered(acme, till, proxy) as submit:
        asked = [submit("earn", till.earn_fields(acme.ref(card), 100 * (n + 1))) for n, card in enumerate(cards)]
        stop = proxy.stop_at(READY_AFTER_COMMIT)  # the first is taken already: this is the batch behind it
    stop.wait()
    stop.cut()
    replies = [till.take(request) for request, _ in asked]
    assert {reply.code for reply in replies} == {"OUTCOME_UNKNOWN"}
    for number, (_, fields) in enumerate(asked):
        reply = take_again(till, proxied, "earn", fields)
        assert reply.ok().points == number + 1 and reply.recorded
        assert len(effects(database, cards[number])) == 1


@contextlib.contextmanager
def gathered(acme, till, proxy):
    """What is submitted inside becomes one batch: it waits behind one of which the end is held back. Members are named by
    refs, so that nothing else is asked first."""
    first = acme.enrolled()
    stop = proxy.stop_at(READY_AFTER_COMMIT)
    before = till.submit("earn", till.earn_fields(first, 100))
    stop.wait()
    yield lambda message, fields: (till.submit(message, fields), fields)
    till.balance(first)  # answered behind all that was submitted, which therefore waits
    stop.go()
    till.take(before).ok()


# --- a batch that PostgreSQL refuses -----------------------------------------------------------------

@contextlib.contextmanager
def unmoved(database, card):
    """Updates of this member's row do nothing, and say so only by their count."""
    member = database.member(card)
    database.change("create function public.hold_still() returns trigger language plpgsql as"
                    " 'begin return null; end'")
    try:
        database.change("create trigger hold_still before update on loyal.member for each row"
                        f" when (old.member_id = {member['member_id']}) execute function public.hold_still()")
        yield
    finally:
        database.change("drop function public.hold_still() cascade")


def test_r31_a_write_that_touches_no_row_undoes_the_batch(acme, database, pg_log):
    card = acme.enrolled(10)
    before = database.member(card)
    with unmoved(database, card):
        fields = acme.redeem_fields(card, 4)
        reply = acme.call("redeem", fields)
        assert (reply.code, reply.kind) == ("TRANSIENT", "RETRY")
        assert database.member(card) == before and len(effects(database, card)) == 1
        assert sum(lot["points"] for lot in database.lots(card)) == 10
        assert "division by zero" in pg_log()
    reply = acme.call("redeem", fields)
    assert reply.ok().balance.available == 6 and not reply.recorded
    assert not database.findings()


def test_r31_a_lot_that_is_gone_undoes_the_batch(acme, database):
    """The same guard on lots: a foreign hand lets an update of a lot hit nothing."""
    card = acme.enrolled(10)
    database.change("create function public.hold_lot() returns trigger language plpgsql as 'begin return null; end'")
    try:
        database.change("create trigger hold_lot before update on loyal.lot for each row"
                        f" when (old.member_id = {database.member(card)['member_id']})"
                        " execute function public.hold_lot()")
        assert acme.redeem(card, 4).code == "TRANSIENT"
        assert available(database, card) == 10 and len(effects(database, card)) == 1
    finally:
        database.change("drop function public.hold_lot() cascade")
    acme.redeem(card, 4).ok()


def test_strangers_do_not_hold_up_the_search_for_a_poisoned_posting(daemon, world, acme, database):
    """Batches of two: beside the poisoned one each time another, whose card is nobody's any more, so that it leaves the batch.
    The batch then may have failed because of it, which is believed twice."""
    single = daemon("single", workers=1, lanes=1, batch_max=2)
    with world.till("acme", single.port) as till:
        first, poisoned, *lost = [acme.enrolled() for _ in range(12)]
        for card in (first, poisoned, *lost):
            till.earn(card, 100).ok()  # from now on the daemon knows whose card it is
        database.change_as_owner(
            ("alter table loyal.member add constraint poison check (member_id <> %s or available < 5) not valid",
             database.member(poisoned)["member_id"]))
        try:
            database.change_as_owner(*(("update loyal.identifier set identifier_hash = sha256(identifier_hash)"
                                        " where member_id = %s", database.member(card)["member_id"]) for card in lost))
            start = single.log.mark()
            with database.holding("lock table loyal.entry in share mode"):
                asked = [till.submit("earn", till.earn_fields(first, 100))]
                database.wait_lanes()
                asked += [till.submit("earn", till.earn_fields(card, 500)) for card in (poisoned, *lost)]
                till.connection.call("ping").ok()
            codes = [till.take(number).code for number in asked]
            assert codes == ["OK", "INTERNAL"] + ["UNKNOWN_MEMBER"] * len(lost)
            assert single.log.text(start).count("event=batch_failed") <= 4  # twice as it is, and alone
        finally:
            database.change_as_owner(("alter table loyal.member drop constraint poison",))


def test_a_poisoned_posting_stands_alone(acme, till, proxy, database):
    cards = [acme.enrolled() for _ in range(7)]
    poisoned = cards[3]
    database.change_as_owner(("alter table loyal.member add constraint poison check"
                              f" (member_id <> {database.member(poisoned)['member_id']} or available < 5) not valid",))
    try:
        with gathered(acme, till, proxy) as submit:
            asked = [submit("earn", till.earn_fields(acme.ref(card), 500)) for card in cards]
        replies = [till.take(request) for request, _ in asked]
        assert [reply.code for reply in replies] == ["INTERNAL" if card == poisoned else "OK" for card in cards]
        for card in cards:
            assert available(database, card) == (0 if card == poisoned else 5)
            assert len(effects(database, card)) == (0 if card == poisoned else 1)
    finally:
        database.change_as_owner(("alter table loyal.member drop constraint poison",))
    assert till.earn(poisoned, 500).ok().points == 5


# --- twins on two daemons ----------------------------------------------------------------------------

@pytest.mark.parametrize("message", ["earn", "redeem", "refusal"])
def test_r32_twins_that_wait_for_the_lock_have_one_effect(world, acme, second, database, pg_log, message):
    card = acme.enrolled(10)
    fields = acme.earn_fields(card, 500) if message == "earn" else acme.redeem_fields(
        card, 4 if message == "redeem" else 4000)
    message = "earn" if message == "earn" else "redeem"
    with world.till("acme", second.port) as other:
        with database.holding_member(card):
            asked = [(till, till.submit(message, fields)) for till in (acme, other)]
            database.wait_lanes(2)
        replies = [till.take(request) for till, request in asked]
    assert sorted(reply.recorded for reply in replies) == [False, True]
    assert replies[0].code == replies[1].code
    assert replies[0].body == replies[1].body
    assert len(effects(database, card)) + len(database.refusals(card)) == 2
    assert "ERROR" not in pg_log(), pg_log()


def test_r32_twins_of_an_enrolment_make_one_member(world, acme, second, database, pg_log):
    """No row to lock yet: the second meets the first's insert, repeats, and finds what is recorded."""
    card = world.new_card()
    fields = acme.enrol_fields(card)
    world.enrolments[card] = fields["key"]
    with world.till("acme", second.port) as other:
        with database.holding("lock table loyal.identifier in share mode"):
            asked = [(till, till.submit("enrol_member", fields)) for till in (acme, other)]
            database.wait_lanes(2)
        replies = [till.take(request) for till, request in asked]
    assert [reply.code for reply in replies] == ["OK", "OK"]
    assert sorted(reply.recorded for reply in replies) == [False, True]
    assert replies[0].body.ref == replies[1].body.ref
    assert len(database.entries(card)) == 1
    assert "duplicate key" not in pg_log()


def test_r31_two_daemons_never_redeem_more_than_there_is(world, acme, second, database, pg_log):
    card = acme.enrolled(10)
    with world.till("acme", second.port) as other:
        with database.holding_member(card):
            asked = [(till, till.submit("redeem", till.redeem_fields(card, 7))) for till in (acme, other)]
            database.wait_lanes(2)
        codes = sorted(till.take(request).code for till, request in asked)
    assert codes == ["NOT_ENOUGH_POINTS", "OK"]
    assert available(database, card) == 3
    assert "ERROR" not in pg_log(), pg_log()


def test_r2_a_lane_reads_the_rates_again_when_they_were_changed_elsewhere(world, acme, second, database):
    """What the second daemon decides on is never older than the epoch it reads under the lock; and a network has more
    than nine rates."""
    del acme
    world.add_merchant("epoch", 1, 100, 12)
    with world.till("epoch") as here, world.till("epoch", second.port) as there:
        card = here.enrolled()
        for numerator in range(2, 12):
            there.earn(card, 100).ok()
            world.set_rate("epoch", numerator, 100, 12).ok()
            earned = there.earn(card, 100)
            assert earned.ok().points == numerator
            assert there.reverse(card, earned.key, amount=50).ok().points == numerator - numerator // 2  # R4
    assert not database.findings()
