"""R32 to R37: keys, records, receipts, age; twins that meet while a foreign session holds what they need."""
import re
import uuid

import pytest

from support.proto import EARN, REDEMPTION
from support.wire import frame
from support.world import uuid7

DAY_US = 86400 * 1000000
SQL_ERROR = re.compile(r"event=(batch_failed|query_failed)")


# --- R32 ---

@pytest.mark.parametrize("verb", ["enrol", "earn", "redeem", "reverse", "reverse redemption"])
def test_r32_same_key_same_body_one_effect(acme, database, verb):
    card = acme.enrolled(50)
    if verb == "enrol":
        card = acme.world.new_card()
        first = acme.enrol(card)
    elif verb == "earn":
        first = acme.earn(card, 1234, receipt="r-1")
    elif verb == "redeem":
        first = acme.redeem(card, 20)
    elif verb == "reverse":
        first = acme.reverse(card, acme.earn(card, 1000).key, EARN, amount=300)
    else:
        first = acme.reverse(card, acme.redeem(card, 20).key, REDEMPTION)
    first.ok()
    assert not first.recorded
    entries = len(database.entries(card))
    for _ in range(3):
        again = acme.call(first.message, first.fields)
        assert again.recorded and again.ok() == first.body
    assert len(database.entries(card)) == entries


def test_r32_the_recorded_answer_stays_as_it_was(acme, database):
    card = acme.enrolled()
    first = acme.earn(card, 1000)
    acme.redeem(card, 10).ok()
    again = acme.call("earn", first.fields)
    assert again.ok() == first.body and again.body.balance.available == 10
    assert database.member(card)["available"] == 0


OTHER_BODIES = {
    "amount": lambda f: f["purchase"].update(amount_minor=1001),
    "paid in points": lambda f: f["purchase"].update(paid_in_points_minor=1),
    "a line": lambda f: f["purchase"].update(lines=[{"quantity_milli": 1, "amount_minor": 1}]),
    "receipt": lambda f: f["purchase"]["occasion"].update(receipt="other"),
    "till": lambda f: f["purchase"]["occasion"].update(till="other"),
    "store": lambda f: f["purchase"]["occasion"].update(store="south"),
    "part": lambda f: f["purchase"]["occasion"].update(part=9),
    "business date": lambda f: f["purchase"]["occasion"].update(business_date=20240101),
    "occurred at": lambda f: f["purchase"]["occasion"].update(occurred_at_us=5),
}


@pytest.mark.parametrize("what", OTHER_BODIES)
def test_r32_same_key_other_body(acme, database, what):
    card = acme.enrolled()
    first = acme.earn(card, 1000)
    first.ok()
    OTHER_BODIES[what](first.fields)
    acme.call("earn", first.fields).refused("KEY_REUSED")
    assert [entry["points"] for entry in database.entries(card)] == [0, 10]


def test_r32_ref_and_identifier_do_not_replace_each_other(acme, database):
    card = acme.enrolled()
    first = acme.earn(card, 1000)
    first.fields["member"] = {"ref": acme.ref(card)}
    acme.call("earn", first.fields).refused("KEY_REUSED")
    assert len(database.entries(card)) == 2


def test_r32_same_key_other_verb(acme, database):
    card = acme.enrolled(20)
    earn = acme.earn(card, 1000)
    acme.redeem(card, 5, key=earn.key).refused("KEY_REUSED")
    acme.reverse(card, earn.key, EARN, key=earn.key).refused("KEY_REUSED")
    assert database.member(card)["available"] == 30


def test_r32_a_key_recorded_under_another_merchant(acme, beta, database):
    """Nothing of the other merchant's request is shown."""
    card = acme.enrolled(20)
    earn = acme.earn(card, 1000)
    assert beta.earn(card, 1000, key=earn.key).refused("KEY_REUSED").body is None
    refused = acme.redeem(card, 1000).refused("NOT_ENOUGH_POINTS")
    assert beta.redeem(card, 1000, key=refused.key).refused("KEY_REUSED").body is None
    assert len(database.entries(card)) == 3


def test_r32_the_hash_is_over_fields_not_bytes(acme, database):
    """Another encoder may write fields in another order, and defaults."""
    card = acme.enrolled()
    fields = acme.earn_fields(card, 1000)
    number, data = acme.connection.build("earn", fields)
    acme.connection.send(frame(data))
    first = acme.take(number)
    first.ok()
    acme.connection.asked[number] = "earn"
    acme.connection.send(frame(data[2:] + data[:2] if number < 128 else data[3:] + data[:3]))
    again = acme.connection.next()
    assert again.recorded and again.ok() == first.body
    assert len(database.entries(card)) == 2


def same_twins(tills, message, fields, hold, database):
    """The same request on each till while something is held; answers in the tills' order."""
    with hold:
        numbers = [till.submit(message, fields) for till in tills]
        database.wait_lanes(len(tills))
    return [till.take(number) for till, number in zip(tills, numbers)]


@pytest.fixture
def tills(acme, world, second):
    """One on each daemon."""
    with world.till("acme", second.port) as other:
        yield [acme, other]


@pytest.fixture
def no_sql_error(stack, second):
    starts = [(log, log.mark()) for log in (stack.log, second.log)]
    yield
    for log, start in starts:
        assert not SQL_ERROR.search(log.text(start)), log.text(start)


@pytest.mark.parametrize("verb", ["earn", "redeem", "reverse"])
def test_r32_concurrent_twins_while_the_members_row_is_held(tills, database, no_sql_error, verb):
    del no_sql_error
    card = tills[0].enrolled(50)
    earn = tills[0].earn(card, 1000)
    fields = {"earn": lambda: tills[0].earn_fields(card, 700, receipt="twin"),
              "redeem": lambda: tills[0].redeem_fields(card, 30),
              "reverse": lambda: tills[0].reverse_fields(card, earn.key, EARN)}[verb]()
    replies = same_twins(tills, verb, fields, database.holding_member(card), database)
    assert replies[0].ok() == replies[1].ok()
    assert sorted(reply.recorded for reply in replies) == [False, True]
    assert len(database.entries(card)) == 4


def test_r32_concurrent_twins_of_a_refusal(tills, database, no_sql_error):
    del no_sql_error
    card = tills[0].enrolled(50)
    fields = tills[0].redeem_fields(card, 51)
    replies = same_twins(tills, "redeem", fields, database.holding_member(card), database)
    assert [reply.code for reply in replies] == ["NOT_ENOUGH_POINTS"] * 2
    assert sorted(reply.recorded for reply in replies) == [False, True]
    assert len(database.refusals(card)) == 1


def test_r32_twins_in_one_batch(acme, database, no_sql_error):
    del no_sql_error
    card = acme.enrolled(50)
    gate, fields = acme.redeem_fields(card, 1), acme.redeem_fields(card, 10)
    with database.holding_member(card):
        first = acme.submit("redeem", gate)
        database.wait_lanes()
        numbers = [acme.submit("redeem", fields) for _ in range(5)]
        acme.connection.call("ping").ok()
    acme.take(first).ok()
    replies = [acme.take(number) for number in numbers]
    assert len({reply.ok().SerializeToString() for reply in replies}) == 1
    assert sorted(reply.recorded for reply in replies) == [False] + [True] * 4
    assert database.member(card)["available"] == 39


def test_r32_enrol_twins_meet_at_one_member(tills, world, database):
    """Both find nobody, then both write: one member, and both get his ref."""
    for _ in range(5):
        card = world.new_card()
        fields = tills[0].enrol_fields(card)
        replies = same_twins(tills, "enrol_member", fields, database.holding("lock table loyal.member in share mode"),
                             database)
        assert [reply.code for reply in replies] == ["OK", "OK"]
        assert replies[0].body == replies[1].body
        assert sorted(reply.recorded for reply in replies) == [False, True]
        world.enrolments[card] = fields["key"]
        assert len(database.entries(card)) == 1


def test_r32_two_enrolments_of_one_card_at_the_same_moment(tills, world, database):
    for _ in range(5):
        card = world.new_card()
        members = database.value("select count(*) from loyal.member")
        asked = [till.enrol_fields(card) for till in tills]
        with database.holding("lock table loyal.member in share mode"):
            numbers = [till.submit("enrol_member", fields) for till, fields in zip(tills, asked)]
            database.wait_lanes(2)
        replies = [till.take(number) for till, number in zip(tills, numbers)]
        assert sorted(reply.code for reply in replies) == ["ALREADY_ENROLLED", "OK"]
        assert replies[0].body.ref == replies[1].body.ref
        assert database.value("select count(*) from loyal.member") == members + 1


def test_r32_an_enrolment_under_a_known_key_with_another_card(acme, world, database):
    card = world.new_card()
    first = acme.enrol(card)
    first.ok()
    acme.enrol(world.new_card(), key=first.key).refused("KEY_REUSED")
    acme.enrol(card, world.new_card(), key=first.key).refused("KEY_REUSED")
    assert len(database.entries(card)) == 1


def test_r32_enrolments_of_one_card_in_one_batch(acme, world, database):
    """One lane, one transaction: the first makes the member, the others meet him."""
    gate, card = acme.enrolled(10), world.new_card()
    members = database.value("select count(*) from loyal.member")
    with database.holding_member(gate):
        blocked = acme.submit("redeem", acme.redeem_fields(gate, 1))
        database.wait_lanes()
        asked = [acme.enrol_fields(card), acme.enrol_fields(card), acme.enrol_fields(world.new_card(), card)]
        numbers = [acme.submit("enrol_member", fields) for fields in [asked[0], *asked]]
        acme.connection.call("ping").ok()
    acme.take(blocked).ok()
    replies = [acme.take(number) for number in numbers]
    assert sorted(reply.code for reply in replies) == ["ALREADY_ENROLLED", "ALREADY_ENROLLED", "OK", "OK"]
    assert len({reply.body.ref for reply in replies}) == 1
    assert database.value("select count(*) from loyal.member") == members + 1


def test_r32_a_key_in_the_future(acme, clock, database):
    card = acme.enrolled()
    acme.earn(card, 100, key=acme.key(ahead_us=601 * 1000000)).refused("KEY_IN_FUTURE")
    acme.enrol(acme.world.new_card(), key=acme.key(ahead_us=601 * 1000000)).refused("KEY_IN_FUTURE")
    early = acme.earn(card, 100, key=acme.key(ahead_us=599 * 1000000))
    early.ok()
    later = acme.redeem(card, 1, key=acme.key(ahead_us=3600 * 1000000)).refused("KEY_IN_FUTURE")
    clock.advance(seconds=3600)  # not recorded: what was ahead is not any more
    acme.call("redeem", later.fields).ok()
    assert len(database.entries(card)) == 3


# --- R33 ---

def test_r33_refusals_of_state_are_recorded(acme, database):
    card = acme.enrolled(10)
    refused = acme.redeem(card, 11).refused("NOT_ENOUGH_POINTS")
    assert not refused.recorded
    acme.earn(card, 10000).ok()
    assert acme.call("redeem", refused.fields).refused("NOT_ENOUGH_POINTS").recorded
    acme.redeem(card, 12, key=refused.key).refused("KEY_REUSED")
    (row,) = database.refusals(card)
    assert uuid.UUID(row["key"]).bytes == refused.key and row["code"] == 27 and row["points"] == 11
    acme.redeem(card, 11).ok()


def test_r33_what_is_not_recorded_may_turn_out_differently(acme, world, database):
    card = world.new_card()
    stranger = acme.earn(card, 1000).refused("UNKNOWN_MEMBER")
    acme.enrol(card).ok()
    assert acme.call("earn", stranger.fields).ok().points == 10
    nowhere = acme.earn(card, 1000, store="opens-later").refused("UNKNOWN_STORE")
    world.operator.call("add_stores", stores=[{"merchant": "acme", "code": "opens-later"}]).ok()
    reply = acme.call("earn", nowhere.fields)
    assert not reply.recorded and reply.ok().points == 10
    assert not database.refusals(card)


# --- R34 ---

RECEIPT = {"store": "north", "till": "3", "receipt": "g-1", "part": 1}
OTHERS = {"store": {"store": "south"}, "till": {"till": "4"}, "receipt": {"receipt": "g-2"}, "part": {"part": 2},
          "no receipt": {"receipt": ""}, "till in another case": {"receipt": "G-1"}}


@pytest.mark.parametrize("verb", ["earn", "redeem"])
def test_r34_the_same_receipt_under_a_new_key(acme, database, verb):
    card = acme.enrolled(100)
    call = (lambda amount: acme.earn(card, amount, **RECEIPT)) if verb == "earn" else \
        (lambda amount: acme.redeem(card, amount, **RECEIPT))
    first = call(10)
    first.ok()
    for amount in (10, 20):
        twin = call(amount).refused("DUPLICATE_RECEIPT")
        assert twin.body == first.body and twin.body.entry_key == first.key
        assert acme.call(verb, twin.fields).refused("DUPLICATE_RECEIPT").recorded
    assert len(database.entries(card)) == 3


@pytest.mark.parametrize("what", OTHERS)
def test_r34_each_component_makes_another_receipt(acme, what):
    card = acme.enrolled()
    acme.earn(card, 1000, **RECEIPT).ok()
    assert acme.earn(card, 1000, **{**RECEIPT, **OTHERS[what]}).ok().balance.available == 20


def test_r34_business_date_kind_merchant_and_member(acme, beta, clock):
    card, other = acme.enrolled(), acme.enrolled()
    acme.earn(card, 1000, **RECEIPT).ok()
    acme.earn(card, 1000, date=clock.date(-1), **RECEIPT).ok()
    acme.redeem(card, 1, **RECEIPT).ok()
    beta.earn(card, 1000, **RECEIPT).ok()
    acme.earn(other, 1000, **RECEIPT).ok()
    acme.earn(card, 1000, **RECEIPT).refused("DUPLICATE_RECEIPT")
    acme.earn(card, 1000, date=clock.date(-1), **RECEIPT).refused("DUPLICATE_RECEIPT")


def test_r34_no_receipt_number_no_guard(acme, database):
    card = acme.enrolled()
    for _ in range(3):
        acme.earn(card, 1000, store="north", till="3", receipt="").ok()
    assert database.member(card)["available"] == 30


def test_r34_a_wholly_reversed_earn_frees_its_receipt(acme):
    card = acme.enrolled()
    first = acme.earn(card, 1000, **RECEIPT)
    acme.reverse(card, first.key, EARN, amount=999).ok()
    acme.earn(card, 1000, **RECEIPT).refused("DUPLICATE_RECEIPT")
    acme.reverse(card, first.key, EARN, amount=1).ok()
    acme.earn(card, 1000, **RECEIPT).ok()
    acme.earn(card, 1000, **RECEIPT).refused("DUPLICATE_RECEIPT")


def test_r34_only_effects_count(acme):
    card = acme.enrolled(10)
    acme.redeem(card, 11, **RECEIPT).refused("NOT_ENOUGH_POINTS")
    acme.redeem(card, 10, **RECEIPT).ok()


def test_r34_a_till_that_retries_late(acme, clock, database):
    """Found among his entries since the business date, however many came between."""
    card = acme.enrolled()
    first = acme.earn(card, 1000, date=clock.date(), **RECEIPT)
    date = first.fields["purchase"]["occasion"]["business_date"]
    clock.advance(days=20)
    for _ in range(5):
        acme.earn(card, 100).ok()
    twin = acme.earn(card, 1000, date=date, **RECEIPT).refused("DUPLICATE_RECEIPT")
    assert twin.body.entry_key == first.key
    assert database.member(card)["available"] == 15


@pytest.mark.parametrize("date", [19700101, 99991231], ids=["a till without a clock", "a till ahead of its time"])
def test_r34_whatever_the_till_takes_for_its_date(acme, date):
    card = acme.enrolled()
    first = acme.earn(card, 1000, date=date, **RECEIPT)
    first.ok()
    assert acme.earn(card, 1000, date=date, **RECEIPT).refused("DUPLICATE_RECEIPT").body.entry_key == first.key


def test_what_happened_cannot_be_later_than_now(acme, clock, database):
    card = acme.enrolled()
    soon = clock.now_us + 3600 * 10 ** 6
    for answer in (acme.earn(card, 1000, at=soon), acme.redeem(card, 1, at=soon)):
        assert answer.refused("INVALID_FIELD").outcome.field.endswith("occasion.occurred_at_us")
    assert database.member(card)["available"] == 0


def test_r34_twins_under_two_keys_in_one_batch(acme, database):
    card = acme.enrolled(10)
    with database.holding_member(card):
        gate = acme.submit("redeem", acme.redeem_fields(card, 1))
        database.wait_lanes()
        numbers = [acme.submit("earn", acme.earn_fields(card, 1000, **RECEIPT)) for _ in range(3)]
        acme.connection.call("ping").ok()
    acme.take(gate).ok()
    assert sorted(acme.take(number).code for number in numbers) == ["DUPLICATE_RECEIPT"] * 2 + ["OK"]
    assert database.member(card)["available"] == 19


# --- R35 ---

def test_r35_a_known_key_at_any_age(acme, clock, database):
    card = acme.enrolled(10)
    earn = acme.earn(card, 1000)
    redeem = acme.redeem(card, 5)
    reverse = acme.reverse(card, earn.key, EARN, amount=200)
    refused = acme.redeem(card, 1000).refused("NOT_ENOUGH_POINTS")
    unknown = acme.earn_fields(card, 1000)
    clock.advance(days=36)
    acme.call("earn", unknown).refused("TOO_OLD")
    assert acme.call("redeem", refused.fields).refused("NOT_ENOUGH_POINTS").recorded
    clock.advance(days=80)
    for first in (earn, redeem, reverse):
        again = acme.call(first.message, first.fields)
        assert again.recorded and again.ok() == first.body
    acme.call("earn", unknown).refused("TOO_OLD")
    acme.enrol(acme.world.new_card(), key=unknown["key"]).refused("TOO_OLD")
    assert [entry["kind"] for entry in database.entries(card)] == [1, 2, 2, 3, 4]


def test_r35_the_window_is_35_days_of_the_domains_clock(acme, clock, database):
    card = acme.enrolled()
    acme.earn(card, 100, key=uuid7(clock.now_us - 35 * DAY_US + 2000)).ok()
    acme.earn(card, 100, key=uuid7(clock.now_us - 35 * DAY_US - 2000)).refused("TOO_OLD")
    assert database.member(card)["available"] == 1


# --- R36, R37 ---

def test_r36_every_kind_tells_what_is_certain(acme, database):
    """The table itself is held by the schema check of every reply; here, that REFUSED means no effect."""
    card = acme.enrolled(10)
    before = (database.member(card), len(database.entries(card)))
    for reply in (acme.redeem(card, 11), acme.earn(card, 1, currency="XXX"), acme.earn(card, 1, store="none"),
                  acme.reverse(card, b""), acme.earn(card, 1, key=acme.key(ahead_us=10 ** 10))):
        assert reply.kind == "REFUSED"
    assert (database.member(card), len(database.entries(card))) == before


def test_r37_one_message_each_way_with_the_balance_after_it(acme, beta):
    card = acme.enrolled()
    replies = [acme.earn(card, 1000), beta.redeem(card, 4), acme.earn(card, 250)]
    assert [reply.ok().balance.available for reply in replies] == [10, 6, 8]
    back = beta.reverse(card, replies[1].key, REDEMPTION).ok()
    assert back.balance.available == 12 == acme.balance(card).available
    assert back.balance == beta.balance(card) or back.balance.as_of_us <= beta.balance(card).as_of_us


def test_r30_three_sources_agree_on_what_an_answer_said(acme, beta, operator, database):
    """R30 for one member: the answer, his row, his lots and his journal."""
    card = acme.enrolled(30)
    beta.earn(card, 4000).ok()
    body = acme.redeem(card, 45).ok()
    lots, entries = database.lots(card), database.entries(card)
    assert body.balance.available == database.member(card)["available"] == sum(lot["points"] for lot in lots) == 25
    assert entries[-1]["balance"] == 25
    assert operator.call("check_conservation", bucket_last=255).ok().findings_total == 0
