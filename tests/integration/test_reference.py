"""The register and the rates: what changes there holds for the next posting, and nothing commits under what was
withdrawn (reference_epoch)."""
import time

import pytest

from support.paths import LOYALCTL, run
from support.proto import EARN
from support.stack import Bundle
from support.wire import Closed, Connection
from support.world import Till

RAISE = ("update loyal.reference_epoch set epoch = epoch + 1",)


@pytest.fixture
def terminal(world):
    """A till of acme that tests may withdraw."""
    code = f"till-{time.monotonic_ns()}"
    bundle = world.add_terminal("acme", code)
    with Till(world, "acme", bundle) as till:
        till.code = code
        yield till


def withdraw(database, till):
    database.change_as_owner(("update loyal.terminal set active = false where code = %s", till.code), RAISE)


def test_nothing_commits_under_a_withdrawn_terminal(terminal, acme, database):
    card = acme.enrolled(100)
    terminal.redeem(card, 1).ok()
    withdraw(database, terminal)
    try:
        reply = terminal.redeem(card, 10)  # at once: the worker has not heard of it yet
        assert reply.code == "NOT_IDENTIFIED"
    except Closed:
        pass
    assert database.member(card)["available"] == 99


def test_nor_what_waited_for_a_row_meanwhile(terminal, acme, database):
    card = acme.enrolled(100)
    with database.holding_member(card):
        number = terminal.submit("redeem", terminal.redeem_fields(card, 10))
        database.wait_lanes()
        withdraw(database, terminal)
        time.sleep(0.2)
    try:
        assert terminal.take(number).code == "NOT_IDENTIFIED"
    except Closed:
        pass
    assert database.member(card)["available"] == 100
    assert len(database.entries(card)) == 2


def test_others_in_the_same_batch_are_done(terminal, acme, database):
    """Only what lost its right is refused; on the same daemon others go on."""
    cards = [acme.enrolled(100) for _ in range(2)]
    withdraw(database, terminal)
    assert acme.redeem(cards[0], 10).ok().balance.available == 90
    assert acme.redeem(cards[1], 10).ok().balance.available == 90


def test_its_connections_are_cut_within_two_seconds(terminal, world, second, database):
    with Till(world, "acme", terminal.bundle) as another, Till(world, "acme", terminal.bundle, second.port) as remote:
        withdraw(database, terminal)
        started = time.monotonic()
        for till in (terminal, another, remote):
            till.connection.wait_closed(10)
        assert time.monotonic() - started < 4  # two seconds, and as much again for a busy machine
    with Connection(world.stack.port, terminal.bundle, hello=None) as connection:
        connection.hello("acme").refused("NOT_IDENTIFIED")
        connection.wait_closed()


def test_a_withdrawn_operator_is_cut_too(world, database):
    folder = world.stack.dir + "/leaver"
    run(LOYALCTL, "cert", "operator", "--ca", world.stack.ca, "--operator", "leaver", "--out", folder)
    bundle = Bundle(folder, "operator", world.stack.authority)
    env = {"PGHOST": world.stack.socket_dir, "PGPORT": "5432", "PGUSER": "postgres", "PGDATABASE": "loyal"}
    run(LOYALCTL, "bootstrap", "--operator", "leaver", "--certificate", bundle.certificate, env=env)
    with Connection(world.stack.port, bundle) as connection:
        connection.call("list_merchants").ok()
        database.change_as_owner(("update loyal.operator set active = false where name = 'leaver'",), RAISE)
        connection.wait_closed(10)


def test_a_new_store_is_known_at_once_everywhere(world, acme, second):
    card = acme.enrolled()
    with world.till("acme", second.port) as remote:
        for number in range(5):
            store = f"new-{time.monotonic_ns()}"
            world.operator.call("add_stores", stores=[{"merchant": "acme", "code": store}]).ok()
            till = remote if number % 2 else acme
            till.earn(card, 100, store=store).ok()


def test_a_new_rate_applies_from_its_day_on(world, clock, database):
    world.add_merchant("dearer")
    with world.till("dearer") as till:
        card = till.enrolled()
        till.earn(card, 1000).ok()
        world.set_rate("dearer", 5, 100, 12, days=2).ok()
        assert till.earn(card, 1000).ok().points == 10
        clock.advance(days=1)
        assert till.earn(card, 1000).ok().points == 10
        clock.advance(days=1)
        assert till.earn(card, 1000).ok().points == 50
        yesterday = clock.now_us - 86400 * 1000000
        assert till.earn(card, 1000, date=clock.date(-1), at=yesterday).ok().points == 10  # of the day before
        versions = [entry["rule_version"] for entry in database.entries(card)]
        assert versions[1] == versions[2] == versions[3] == versions[5] != versions[4]


def test_the_refund_of_a_purchase_follows_the_purchases_rate(world, clock):
    world.add_merchant("changes")
    with world.till("changes") as till:
        card = till.enrolled()
        earn = till.earn(card, 1000)
        world.set_rate("changes", 7, 100, 12).ok()
        assert till.earn(card, 1000).ok().points == 70
        assert till.reverse(card, earn.key, EARN, amount=500).ok().points == 5


def test_r4_refunds_in_a_network_of_many_rates(world, database):
    """A purchase's rule is found again among more than ten, whichever number it has."""
    world.add_merchant("many")
    earned = []
    with world.till("many") as till:
        card = till.enrolled()
        for numerator in range(1, 14):
            world.set_rate("many", numerator, 100, 12).ok()
            earned.append((numerator, till.earn(card, 1000)))
        for numerator, earn in earned:
            assert earn.ok().points == 10 * numerator
            assert till.reverse(card, earn.key, EARN, amount=500).ok().points == 5 * numerator
        assert database.member(card)["available"] == sum(5 * numerator for numerator, _ in earned)


def test_a_purchase_that_does_not_say_when_it_happened(acme, clock, database):
    """occurred_at_us is optional: the purchase earns by its business date, and counts as of the decision."""
    card = acme.enrolled()
    body = acme.earn(card, 1000, at=0).ok()
    assert body.points == 10
    assert body.expires_at_us > clock.now_us and body.balance.available == 10
    entry = database.entries(card)[1]
    assert entry["occurred_at"] == entry["decided_at"]


def test_a_merchant_without_a_rate_gives_nothing(world):
    code = "no-rate"
    world.operator.call("add_merchant", merchant={"code": code, "name": "N", "currency": "EUR"}).ok()
    world.operator.call("add_stores", stores=[{"merchant": code, "code": "north"}]).ok()
    bundle = world.add_terminal(code, "till-1")
    with Till(world, code, bundle) as till:
        card = till.enrolled()
        assert till.earn(card, 1000).ok().points == 0
