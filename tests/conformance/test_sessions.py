"""Hello, versions, roles, pipelining, ids in flight."""
import random

import pytest

from support.proto import MESSAGES, Request
from support.wire import Connection, frame
from support.world import member


@pytest.fixture
def raw(world):
    with Connection(world.stack.port, world.bundles["acme"], hello=None) as made:
        yield made


def test_hello_tells_who_when_and_how_much(raw, world):
    hello = raw.hello("acme").ok()
    assert hello.version == 1 and hello.server_time_us == world.clock.now_us
    assert (hello.role, hello.network, hello.merchant, hello.name, hello.currency) == (1, "town", "acme", "till-1", "EUR")
    limits = hello.limits
    assert (limits.request_bytes_max, limits.response_bytes_max, limits.basket_lines_max) == (65536, 1048576, 200)
    assert (limits.in_flight_max, limits.deadline_ms_max) == (64, 30000)
    assert (limits.key_age_days_max, limits.key_ahead_s_max) == (35, 600)
    assert hello.software


def test_hello_of_an_operator(world):
    with Connection(world.stack.port, world.stack.operator) as connection:
        hello = connection.welcome
        assert (hello.role, hello.merchant, hello.name, hello.currency) == (2, "", "admin", "")


@pytest.mark.parametrize("first,last,code", [(1, 1, "OK"), (1, 9, "OK"), (2, 2, "UNSUPPORTED_VERSION"),
                                             (7, 65535, "UNSUPPORTED_VERSION"), (0, 1, "INVALID_FIELD"),
                                             (2, 1, "INVALID_FIELD"), (1, 65536, "INVALID_FIELD")])
def test_versions(raw, first, last, code):
    reply = raw.hello("acme", (first, last))
    assert reply.code == code
    if code == "OK":
        assert reply.body.version == 1
    else:
        raw.hello("acme").ok()  # he may try again


def test_hello_comes_first(raw, world):
    raw.call("ping").refused("UNEXPECTED_MESSAGE")
    raw.call("list_merchants").refused("UNEXPECTED_MESSAGE")
    raw.call("earn", **world.tills["acme"].earn_fields("98260001", 100)).refused("UNEXPECTED_MESSAGE")
    raw.hello("acme").ok()


def test_hello_comes_once(raw):
    raw.hello("acme").ok()
    raw.hello("acme").refused("UNEXPECTED_MESSAGE")
    raw.call("ping").ok()


@pytest.mark.parametrize("claimed", ["beta", "", "nobody"])
def test_hello_of_another_merchant(raw, claimed):
    raw.hello(claimed).refused("WRONG_MERCHANT")
    raw.wait_closed()


def test_hello_of_an_operator_who_believes_to_be_a_merchant(world):
    with Connection(world.stack.port, world.stack.operator, hello=None) as connection:
        connection.hello("acme").refused("WRONG_MERCHANT")
        connection.wait_closed()


def test_hello_and_more_in_one_piece(raw):
    """A client need not wait for Hello's answer."""
    _, hello = raw.build("hello", {"version_min": 1, "version_max": 1, "merchant": "acme"})
    ids = [raw.build("ping", {}) for _ in range(5)]
    raw.send(frame(hello) + b"".join(frame(data) for _, data in ids))
    for number in (1, *(number for number, _ in ids)):
        raw.take(number).ok()


def test_ping_tells_the_domains_time(world, acme):
    assert acme.connection.call("ping").ok().server_time_us == world.clock.now_us
    world.clock.advance(seconds=5)
    assert acme.connection.call("ping").ok().server_time_us == world.clock.now_us


TILLS_ONLY = ["enrol_member", "get_balance", "earn", "redeem", "reverse", "query_purchases", "list_members_never_met",
              "count_members"]
NOBODY = {"identifier": {"kind": 1, "value": "0000000000000000"}}
OPERATORS_ONLY = {
    "add_merchant": {"merchant": {"code": "eve", "name": "Eve", "currency": "EUR"}},
    "list_merchants": {}, "add_stores": {"stores": [{"merchant": "acme", "code": "eve"}]},
    "list_stores": {"merchant": "acme"},
    "add_terminal": {"terminal": {"merchant": "acme", "code": "eve", "channel": 1, "certificate_sha256": b"e" * 32}},
    "list_terminals": {"merchant": "acme"},
    "set_earn_rate": {"rate": {"merchant": "acme", "numerator": 9, "denominator": 1, "valid_from": 20990101}},
    "list_earn_rates": {"merchant": "acme"}, "get_status": {}, "list_owed_points": {},
    "check_conservation": {"bucket_last": 255}, "list_disclosures": {"member": NOBODY},
    "set_standing": {"merchant": "beta", "standing": 2, "reason": "r"},
    "erase_member": {"key": bytes.fromhex("01900000000070008000000000000001"), "member": NOBODY, "reason": "r"},
    "export_member": {"member": NOBODY, "reason": "r"},
}
# Both may; that each gets what is his is for other tests.
FOR_BOTH = {"ping": {}, "find_member": NOBODY, "translate_refs": {"refs": [b"r" * 17]}, "list_grants": {"member": NOBODY},
            "revoke_grant": {"member": NOBODY, "all": {}},
            "set_grant": {"key": bytes.fromhex("01900000000070008000000000000001"), "member": NOBODY, "grant": {
                "recipient": "acme", "purpose": 1, "fields": [1], "last_day": 99991231, "text_version": "1"}}}


@pytest.mark.parametrize("message", OPERATORS_ONLY)
def test_a_terminal_may_not(acme, operator, message):
    acme.connection.call(message, **OPERATORS_ONLY[message]).refused("NOT_ALLOWED")
    assert "eve" not in [row.code for row in operator.call("list_merchants").ok().merchants]


@pytest.mark.parametrize("message", TILLS_ONLY)
def test_an_operator_may_not(acme, operator, message):
    card = acme.enrolled(10)
    fields = {"enrol_member": lambda: acme.enrol_fields(acme.world.new_card()),
              "get_balance": lambda: {"member": {"identifier": {"kind": 1, "value": card}}},
              "earn": lambda: acme.earn_fields(card, 100), "redeem": lambda: acme.redeem_fields(card, 1),
              "reverse": lambda: acme.reverse_fields(card, acme.key()),
              "query_purchases": lambda: {"member": {"identifier": {"kind": 1, "value": card}}, "purpose": 1},
              "list_members_never_met": lambda: {"purpose": 1}, "count_members": lambda: {"purpose": 1}}[message]()
    operator.call(message, **fields).refused("NOT_ALLOWED")


@pytest.mark.parametrize("message", FOR_BOTH)
def test_both_may(acme, operator, message):
    for connection in (acme.connection, operator):
        assert connection.call(message, **FOR_BOTH[message]).code != "NOT_ALLOWED"


def test_every_message_has_its_senders(acme, operator):
    """The three lists name all messages; list_entries is asked differently by each."""
    named = {*TILLS_ONLY, *OPERATORS_ONLY, *FOR_BOTH, "hello", "list_entries"}
    assert named == set(MESSAGES)
    acme.connection.call("list_entries", member=NOBODY).refused("UNKNOWN_MEMBER")
    operator.call("list_entries", member=NOBODY, reason="r").refused("UNKNOWN_MEMBER")


@pytest.mark.parametrize("together", [True, False], ids=["one_record", "a_record_each"])
def test_three_hundred_in_flight(acme, together):
    """More than in_flight_max: the server stops reading until it has answered some, and then goes on where it was."""
    connection, card = acme.connection, acme.enrolled()
    ids = [connection.build("get_balance", {"member": member(card)}) for _ in range(300)]
    frames = [frame(data) for _, data in ids]
    for piece in [b"".join(frames)] if together else frames:
        connection.send(piece)
    seen = {connection.next().response.id for _ in ids}
    assert seen == {number for number, _ in ids}


def test_answers_come_in_any_order(acme, database):
    card = acme.enrolled(10)
    with database.holding_member(card):
        slow = acme.submit("redeem", acme.redeem_fields(card, 1))
        database.wait_lanes()
        quick = acme.submit("ping", {})
        acme.take(quick).ok()
        assert slow in acme.connection.asked
    acme.take(slow).ok()


def test_an_id_still_in_flight_is_refused(acme, database):
    card = acme.enrolled(10)
    with database.holding_member(card):
        number = acme.submit("redeem", acme.redeem_fields(card, 1))
        database.wait_lanes()
        acme.connection.send(frame(Request(id=number, ping={}).SerializeToString()))
        acme.connection.asked[number] = None
        twin = acme.connection.next()
        assert twin.kind == "REFUSED" and twin.code == "UNEXPECTED_MESSAGE"
        acme.connection.asked[number] = "redeem"
    assert acme.connection.next().ok().balance.available == 9
    acme.take(acme.connection.submit("ping", {}, request_id=number)).ok()  # answered, so it is free again


def test_ids_in_any_order(acme):
    numbers = random.Random(1).sample(range(1000, 1 << 40), 200)
    for number in numbers:
        acme.connection.submit("ping", {}, request_id=number)
    for number in numbers:
        acme.take(number).ok()


def test_idle_connections_are_closed_and_ping_keeps_one_open(daemon, world):
    fresh = daemon("impatient", idle_timeout_s=3, handshake_timeout_s=1)
    with Connection(fresh.port, world.bundles["acme"], "acme") as kept, \
            Connection(fresh.port, world.bundles["acme"], "acme") as idle, \
            Connection(fresh.port, world.bundles["acme"], hello=None) as silent:
        silent.wait_closed()
        for _ in range(8):
            kept.call("ping").ok()
            assert kept.is_silent(0.5)
        idle.wait_closed()
        kept.call("ping").ok()
