"""Every message, answered OK and refused in the ways of its own; every result code that a healthy system gives."""
import uuid

import pytest

from support.proto import EARN, REDEMPTION
from support.world import CURRENCY, Till


@pytest.fixture
def shop(world):
    """A merchant of this test's own."""
    code = "shop-" + uuid.uuid4().hex[:8]
    world.operator.call("add_merchant", merchant={"code": code, "name": "Shop", "currency": "GBP"}).ok()
    return code


def test_merchants(operator, shop):
    same = {"code": shop, "name": "Shop", "currency": "GBP"}
    operator.call("add_merchant", merchant=same).ok()  # what exists with the same properties is no mistake
    operator.call("add_merchant", merchant={**same, "currency": "EUR"}).refused("ALREADY_EXISTS")
    operator.call("add_merchant", merchant={**same, "name": "Other"}).refused("ALREADY_EXISTS")
    listed = operator.call("list_merchants").ok()
    assert [(row.name, row.currency) for row in listed.merchants if row.code == shop] == [("Shop", "GBP")]
    codes = [row.code for row in listed.merchants]
    assert codes == sorted(codes) and not listed.more
    assert operator.call("list_merchants", after=codes[0]).ok().merchants[0].code == codes[1]
    assert not operator.call("list_merchants", after="zzzz").ok().merchants


def test_stores_in_pages(operator, shop):
    stores = [{"merchant": shop, "code": f"s{number:04}", "name": "S"} for number in range(1100)]
    for first in (0, 500, 1000):
        assert operator.call("add_stores", stores=stores[first:first + 500]).ok().added == min(500, 1100 - first)
    assert operator.call("add_stores", stores=stores[:2]).ok().added == 0
    found, after = [], ""
    for _ in range(4):
        page = operator.call("list_stores", merchant=shop, after=after).ok()
        found += [row.code for row in page.stores]
        after = found[-1]
        if not page.more:
            break
    assert found == [store["code"] for store in stores]
    operator.call("list_stores", merchant="nobody").refused("UNKNOWN_MERCHANT")


def test_stores_all_or_none(operator, shop):
    good = {"merchant": shop, "code": "good"}
    operator.call("add_stores", stores=[good, {"merchant": "nobody", "code": "bad"}]).refused("UNKNOWN_MERCHANT")
    assert not operator.call("list_stores", merchant=shop).ok().stores
    operator.call("add_stores", stores=[good]).ok()
    operator.call("add_stores", stores=[{"merchant": shop, "code": "new"}, {**good, "name": "other"}]) \
        .refused("ALREADY_EXISTS")
    assert [row.code for row in operator.call("list_stores", merchant=shop).ok().stores] == ["good"]


def test_the_same_store_twice_in_one_message(operator, shop):
    store = {"merchant": shop, "code": "once"}
    reply = operator.call("add_stores", stores=[store, store])
    assert reply.code in ("OK", "ALREADY_EXISTS", "INVALID_FIELD")
    rows = operator.call("list_stores", merchant=shop).ok().stores
    assert len(rows) == (1 if reply.code == "OK" else 0)
    assert reply.code != "OK" or reply.body.added == 1


def test_terminals(operator, shop):
    terminal = {"merchant": shop, "code": "t1", "store": "", "channel": 2, "certificate_sha256": uuid.uuid4().bytes * 2}
    operator.call("add_terminal", terminal=terminal).ok()
    operator.call("add_terminal", terminal=terminal).ok()
    operator.call("add_terminal", terminal={**terminal, "channel": 3}).refused("ALREADY_EXISTS")
    operator.call("add_terminal", terminal={**terminal, "code": "t2"}).refused("ALREADY_EXISTS")  # its certificate is taken
    operator.call("add_terminal", terminal={**terminal, "code": "t3", "store": "nowhere",
                                            "certificate_sha256": b"3" * 32}).refused("UNKNOWN_STORE")
    operator.call("add_terminal", terminal={**terminal, "merchant": "nobody"}).refused("UNKNOWN_MERCHANT")
    (row,) = operator.call("list_terminals", merchant=shop).ok().terminals
    assert (row.code, row.store, row.channel, row.certificate_sha256) == ("t1", "", 2, terminal["certificate_sha256"])
    operator.call("list_terminals", merchant="nobody").refused("UNKNOWN_MERCHANT")


def test_rates(operator, shop, clock):
    rate = {"merchant": shop, "numerator": 1, "denominator": 100, "lifetime_months": 24, "valid_from": clock.date()}
    version = operator.call("set_earn_rate", rate=rate).ok().rule_version
    assert version > 0
    later = {**rate, "numerator": 3, "valid_from": clock.date(5)}
    assert operator.call("set_earn_rate", rate=later).ok().rule_version != version
    rates = operator.call("list_earn_rates", merchant=shop).ok().rates
    assert [(row.numerator, row.valid_from) for row in rates] == [(1, clock.date()), (3, clock.date(5))]
    operator.call("set_earn_rate", rate={**rate, "merchant": "nobody"}).refused("UNKNOWN_MERCHANT")
    assert operator.call("set_earn_rate", rate={**rate, "valid_from": clock.date(-1)}) \
        .refused("INVALID_FIELD").field == "set_earn_rate.rate.valid_from"
    operator.call("list_earn_rates", merchant="nobody").refused("UNKNOWN_MERCHANT")


def test_status(operator, clock, stack, database):
    status = operator.call("get_status").ok()
    assert status.ready and status.network == "town" and status.domain_time_us == clock.now_us and status.software
    assert status.schema == database.value("select version from loyal.schema_version")
    children = stack.children()
    assert {row.pid for row in status.workers} == {children["worker0"], children["worker1"]}
    assert sum(row.connections for row in status.workers) >= 6
    before = sum(row.requests for row in status.workers)
    operator.call("ping").ok()
    assert sum(row.requests for row in operator.call("get_status").ok().workers) > before


def test_members(acme, beta, world):
    card, phone, mail = world.new_card(), "+4412149600" + world.new_card()[-2:], world.new_card() + "@Example.org"
    world.secrets.add(mail.lower())
    body = acme.enrol(card, phone, mail).ok()
    assert body.balance.available == 0 and body.balance.debt == 0
    spaced = " ".join(card[at:at + 4] for at in range(0, 16, 4))
    for kind, value in ((1, card), (1, spaced), (1, spaced.replace(" ", "-")), (2, phone), (2, "0" + phone[3:]),
                        (3, mail), (3, f"  {mail.upper()} ")):
        found = acme.connection.call("find_member", identifier={"kind": kind, "value": value}).ok()
        assert found.ref == body.ref, (kind, value)
    known = acme.enrol(card).refused("ALREADY_ENROLLED")
    assert known.body.ref == body.ref
    elsewhere = beta.enrol(mail).refused("ALREADY_ENROLLED")
    assert elsewhere.body.ref == beta.ref(card) != body.ref
    assert acme.balance(body.ref) == acme.balance(card)


def test_r41_one_answer_for_whoever_cannot_be_found(acme, beta, world):
    """R41: an unknown identifier, a ref of another merchant and one made up get one code, one text, no body."""
    card = acme.enrolled(10)
    foreign, invented = beta.ref(card), b"\x01" + b"z" * 16
    asked = [world.new_card(), foreign, invented, b"\x00" * 17, b"\xff" * 17]
    for message, fields in (("get_balance", lambda who: {"member": member_of(who)}),
                            ("earn", lambda who: acme.earn_fields(who, 100)),
                            ("redeem", lambda who: acme.redeem_fields(who, 1)),
                            ("reverse", lambda who: acme.reverse_fields(who, acme.key()))):
        answers = {acme.call(message, fields(who)).refused("UNKNOWN_MEMBER").outcome.SerializeToString()
                   for who in asked}
        assert len(answers) == 1, message
    assert acme.balance(card).available == 10


def member_of(who):
    return {"ref": who} if isinstance(who, bytes) else {"identifier": {"kind": 1, "value": who}}


def test_earn_redeem_reverse(acme, beta, operator, world):
    before = {(row.issuer, row.redeemer): row.points for row in operator.call("list_owed_points").ok().owed}
    card = acme.enrolled()
    earn = acme.earn(card, 1999, receipt="m-1").ok()
    assert (earn.points, earn.debt_repaid, earn.balance.available) == (19, 0, 19)
    assert earn.expires_at_us > world.clock.now_us and earn.ref == acme.ref(card)
    redeem = beta.redeem(card, 7)
    body = redeem.ok()
    assert (body.points, body.balance.available, body.ref, body.entry_key) == (7, 12, beta.ref(card), redeem.key)
    owed = {(row.issuer, row.redeemer): row.points for row in operator.call("list_owed_points").ok().owed}
    assert owed[("acme", "beta")] - before.get(("acme", "beta"), 0) == 7
    back = beta.reverse(card, redeem.key, REDEMPTION).ok()
    assert (back.points, back.expired, back.debt_made, back.balance.available) == (7, 0, 0, 19)
    again = {(row.issuer, row.redeemer): row.points for row in operator.call("list_owed_points").ok().owed}
    assert again.get(("acme", "beta"), 0) == before.get(("acme", "beta"), 0)
    assert all(row != 0 for row in again.values())


def test_conservation_by_buckets(operator):
    whole = operator.call("check_conservation", bucket_first=0, bucket_last=255).ok()
    assert whole.findings_total == 0 and not whole.findings
    parts = [operator.call("check_conservation", bucket_first=first, bucket_last=first + 63).ok()
             for first in range(0, 256, 64)]
    assert sum(part.members for part in parts) == whole.members > 0
    assert sum(part.entries for part in parts) == whole.entries > 0
    issued = {row.issuer: row.issued for row in whole.sums}
    assert issued == {code: sum(row.issued for part in parts for row in part.sums if row.issuer == code)
                      for code in issued}


def test_codes_of_state(acme, beta, world):
    """The refusals that follow from a member's state, each once; R-named tests look closer."""
    card = acme.enrolled(100)
    acme.redeem(card, 101).refused("NOT_ENOUGH_POINTS")
    acme.earn(card, 100, store="nowhere").refused("UNKNOWN_STORE")
    acme.earn(card, 100, currency="USD").refused("WRONG_CURRENCY")
    acme.earn(card, 100, key=acme.key(ahead_us=3600 * 1000000)).refused("KEY_IN_FUTURE")
    acme.earn(card, 100, key=acme.key(ahead_us=-36 * 86400 * 1000000)).refused("TOO_OLD")
    acme.reverse(card, b"").refused("NO_ORIGINAL")
    earn = acme.earn(card, 1000, receipt="c-1")
    earn.ok()
    acme.earn(card, 999, key=earn.key).refused("KEY_REUSED")
    twin = acme.earn(card, 1000, receipt="c-1").refused("DUPLICATE_RECEIPT")
    assert twin.body.entry_key == earn.key and twin.body.points == 10
    acme.reverse(card, earn.key, EARN, amount=1001).refused("EXCEEDS_ORIGINAL")
    acme.reverse(card, earn.key, EARN).ok()
    acme.reverse(card, earn.key, EARN).refused("ALREADY_REVERSED")
    late = acme.key()
    assert acme.reverse(card, late, EARN).ok().before_original
    acme.earn(card, 500, key=late).refused("REVERSED_BEFORE")
    beta.enrol(card).refused("ALREADY_ENROLLED")


def test_a_terminal_that_stands_in_a_store(world):
    bundle = world.add_terminal("acme", "till-south", store="south")
    with Till(world, "acme", bundle) as till:
        card = world.tills["acme"].enrolled()
        till.earn(card, 100, store="south").ok()
        till.earn(card, 100, store="north").refused("UNKNOWN_STORE")


PRECEDENCE = [
    # where several would apply, the one higher in the table is answered
    ("UNKNOWN_MEMBER", dict(who="nobody", ahead_us=3600 * 1000000, store="nowhere", currency="USD")),
    ("KEY_IN_FUTURE", dict(ahead_us=3600 * 1000000, store="nowhere", currency="USD")),
    ("TOO_OLD", dict(ahead_us=-36 * 86400 * 1000000, store="nowhere", currency="USD")),
    ("UNKNOWN_STORE", dict(store="nowhere", currency="USD", receipt="p-1")),
    ("WRONG_CURRENCY", dict(currency="USD", receipt="p-1")),
    ("DUPLICATE_RECEIPT", dict(receipt="p-1")),
    ("KEY_REUSED", dict(known_key=True, store="nowhere", currency="USD")),
]


@pytest.mark.parametrize("code,case", PRECEDENCE, ids=lambda value: value if isinstance(value, str) else "")
def test_precedence(acme, world, code, case):
    case = dict(case)
    card = acme.enrolled()
    known = acme.earn(card, 100, receipt="p-1", currency=CURRENCY)
    known.ok()
    who = world.new_card() if case.pop("who", None) else card
    key = known.key if case.pop("known_key", None) else acme.key(ahead_us=case.pop("ahead_us", 0))
    acme.earn(who, 200, key=key, **case).refused(code)


def test_precedence_of_a_field_over_a_right(acme):
    acme.connection.call("list_stores", merchant="").refused("INVALID_FIELD")
    acme.connection.call("list_stores", merchant="acme").refused("NOT_ALLOWED")
