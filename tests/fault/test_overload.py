"""More requests than can be done: who is refused, and who is not. A lane is held at the database, and requests are counted;
nothing here is timed."""
import secrets
import time

import pytest

from support.key_updates import KeyUpdater
from support.paths import LOYALD, run
from support.proto import Request, Response
from support.wire import frame
from support.world import Till


HOLD = "lock table loyal.entry in share mode"  # a lane that writes waits until it is let go


@pytest.fixture
def narrow(daemon):
    """One lane, small batches, few places."""
    return daemon("crowded", workers=1, lanes=1, batch_max=8, queue_max=20)


def earn(till, card, deadline_ms=0):
    return till.submit("earn", till.earn_fields(card, 100), deadline_ms=deadline_ms)


def answers(till, count):
    """The next so many answers, whichever requests they are for."""
    found = list(till.connection.early.values())
    till.connection.early.clear()
    while len(found) < count:
        found.append(till.connection.next())
    return found


def batch_of(database, card):
    """The transaction of his last entry, in order of time: batches of one lane follow each other."""
    return int(database.entries(card)[-1]["xact"])


def test_a_flood_is_refused_and_nobody_else(narrow, world, database):
    """Past the bound the merchant is refused who has his share; the others' requests are in the next batch."""
    cards = {name: [world.tills[name].enrolled() for _ in range(count)] for name, count in
             (("acme", 40), ("beta", 3), ("tenth", 2))}
    gate = world.tills["acme"].enrolled()
    with world.till("acme", narrow.port) as flood, world.till("beta", narrow.port) as beta, \
            world.till("tenth", narrow.port) as tenth:
        with database.holding(HOLD):
            first = earn(flood, gate)
            database.wait_lanes()
            flooded = [earn(flood, card) for card in cards["acme"]]
            replies = answers(flood, 1 + len(flooded) - 20)  # at once, while the lane still stands
            others = [(till, earn(till, card)) for till, name in ((beta, "beta"), (tenth, "tenth"))
                      for card in cards[name]]
            beta.call("ping", {}).ok()
            tenth.call("ping", {}).ok()
            assert {reply.code for reply in replies} == {"OVERLOADED"}
            assert all(reply.kind == "RETRY" and reply.outcome.retry_after_ms > 0 for reply in replies)
            assert beta.connection.is_silent(0.2) and tenth.connection.is_silent(0)
        flood.take(first).ok()
        for till, number in others:
            till.take(number).ok()
        done = set(flooded) - {reply.response.id for reply in replies}
        done = {number for number in done if flood.take(number).code == "OK"}
    assert 0 < len(done) <= 20 - 1
    batches = sorted({batch_of(database, card) for name in cards for card in cards[name] if database.member(card)["seq"] > 1}
                   | {batch_of(database, gate)})
    next_batch = {batch_of(database, card) for name in ("beta", "tenth") for card in cards[name]}
    assert next_batch == {batches[1]}, "the others were not all in the batch that followed"
    assert not database.findings()


def test_within_a_merchant_the_busiest_terminal_is_refused(narrow, world, database):
    """A till of the merchant whose other till floods is served like anybody else."""
    gate, *cards = [world.tills["acme"].enrolled() for _ in range(41)]
    bundle = world.add_terminal("acme", f"quiet-{secrets.token_hex(4)}")
    with world.till("acme", narrow.port) as flood, Till(world, "acme", bundle, narrow.port) as quiet:
        with database.holding(HOLD):
            first = earn(flood, gate)
            database.wait_lanes()
            numbers = [earn(flood, card) for card in cards[:30]]
            refused = answers(flood, 1 + 30 - 20)
            others = [earn(quiet, card) for card in cards[30:35]]
            quiet.call("ping", {}).ok()
            assert {reply.code for reply in refused} == {"OVERLOADED"}
            assert quiet.connection.is_silent(0.2)
        flood.take(first).ok()
        for number in set(numbers) - {reply.response.id for reply in refused}:
            assert flood.take(number).code in ("OK", "OVERLOADED")
        for number in others:
            quiet.take(number).ok()


def test_an_overdue_request_is_not_decided(narrow, world, database):
    """It is told so at its deadline, whatever the lane waits for, and nothing is decided later."""
    gate, card = [world.tills["acme"].enrolled(10) for _ in range(2)]
    with world.till("acme", narrow.port) as till:
        with database.holding(HOLD):
            first = till.submit("redeem", till.redeem_fields(gate, 1))
            database.wait_lanes()
            late = till.submit("redeem", till.redeem_fields(card, 1), deadline_ms=200)
            reply = till.take(late)
            assert reply.code == "DEADLINE_EXCEEDED" and reply.kind == "RETRY"
        till.take(first).ok()
        till.call("redeem", till.redeem_fields(gate, 1)).ok()  # a later batch
        assert [entry["kind"] for entry in database.entries(card)] == [1, 2]
        assert till.balance(card).available == 10


def test_refused_early_is_refused_alike(narrow, world, database):
    """Whether it was looked at or not, a refused request may come again under its key, and is done once."""
    card = world.tills["acme"].enrolled()
    with world.till("acme", narrow.port) as till:
        with database.holding(HOLD):
            first = till.submit("earn", till.earn_fields(card, 100))
            database.wait_lanes()
            numbers = [till.submit("earn", till.earn_fields(card, 100)) for _ in range(50)]
            refused = answers(till, 1 + 50 - 20)
        till.take(first).ok()
        for number in set(numbers) - {reply.response.id for reply in refused}:
            till.take(number).ok()
        for reply in refused:
            assert reply.code == "OVERLOADED"
            till.call("earn", reply.fields).ok()
        assert till.balance(card).available == 51


def test_who_rests_loses_nothing_of_what_comes_meanwhile(narrow, world, database, dice):
    """Whoever is refused is read again after a moment, all at once: each of his requests has its answer, however many come
    together, wherever their bytes are cut and whatever records of TLS itself are between them."""
    till, gate = world.tills["acme"], world.tills["acme"].enrolled()
    peer, asked, replies = KeyUpdater(narrow.port, world.bundles["acme"], "acme"), 1, []

    def earns(count, renewals=0):
        nonlocal asked
        data = b""
        for _ in range(count):
            asked += 1
            fields = till.earn_fields(gate, 100)
            data += peer.records(renewals or dice.choice((0, 0, 0, 1, 3)),
                                 frame(Request(id=asked, earn=fields).SerializeToString()))
        return data

    def said(count):
        replies.extend(Response.FromString(message) for message in peer.messages(count))
    with database.holding(HOLD):
        peer.socket.sendall(earns(1))
        database.wait_lanes()
        for count in [1, 200] + [dice.randint(1, 12) for _ in range(40)]:
            data = earns(count)
            cut = dice.randrange(len(data))
            peer.socket.sendall(data[:cut])
            time.sleep(dice.choice((0, 0.002, 0.03)))
            peer.socket.sendall(data[cut:])
            time.sleep(dice.choice((0, 0.002, 0.03, 0.15)))
        said(asked - 1 - 20)  # each but those that wait
        peer.socket.sendall(earns(30))
        for _ in range(20):  # and then nothing more is on its way
            said(1 if len(replies) < asked - 1 - 20 else 0)
            peer.socket.sendall(earns(1, renewals=3))
        said(asked - 1 - 20 - len(replies))
    said(asked - 1 - len(replies))
    peer.close()
    codes = {reply.id: reply.outcome.code for reply in replies}
    assert sorted(codes) == list(range(2, asked + 1)) and len(replies) == asked - 1
    assert 0 < database.member(gate)["seq"] - 1 <= 20 and not database.findings()


def limits_of(*words):
    return {line.split()[0]: int(line.split()[1]) for line in run(LOYALD, "--limits", *words).stdout.splitlines()}


def test_limits_follow_the_configuration(narrow):
    mine, fallback = limits_of("--config", narrow.conf), limits_of()
    assert mine["queue_max"] == 20 and fallback["queue_max"] == 20000
    assert 0 < mine["worker_memory_mb_max"] < fallback["worker_memory_mb_max"]
