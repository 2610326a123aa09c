"""Who may take part, what is on record, what was shown to whom, and what is left after an erasure (R29, R40)."""
import json
import time
import uuid

import pytest

from support.proto import ACTIVE, ANALYSIS, EARN, REDEMPTION, REVOKED, SERVICE, SUSPENDED
from support.wire import Closed, Connection
from support.world import Till, identifier, member

LINE = {"product": "milk", "category": "dairy", "quantity_milli": 1000, "amount_minor": 500}
ENROL, EARNED, REDEEMED, REVERSED_EARN, REVERSED_REDEEM, EXPIRED, FORFEITED = range(1, 8)
DAY_US = 86400 * 1000000


@pytest.fixture
def shop(world):
    """A merchant of this test's own."""
    code = "shop-" + uuid.uuid4().hex[:8]
    world.add_merchant(code)
    return code


def assert_cut(till):
    """Within 5 seconds, and never with an answer that says OK."""
    till.connection.wait_closed(5)


def assert_not_identified(world, bundle, merchant):
    """From 5 seconds on; until then a session may open, in which nothing commits."""
    deadline = time.monotonic() + 5
    while True:
        with Connection(world.stack.port, bundle, hello=None) as connection:
            reply = connection.hello(merchant)
            if reply.code == "NOT_IDENTIFIED" or time.monotonic() > deadline:
                reply.refused("NOT_IDENTIFIED")
                connection.wait_closed()
                return
        time.sleep(0.1)


def standing_of(world, message, code, **fields):
    (row,) = [row for row in getattr(world.operator.call(message, **fields).ok(), message.removeprefix("list_"))
              if row.code == code]
    return row.standing


# --- standing ---

def test_a_suspended_member_earns_and_redeems_nothing_new(acme, world):
    card = acme.enrolled(100)
    earn, redeem = acme.earn(card, 1000, receipt="s-1"), acme.redeem(card, 10)
    earn.ok()
    redeem.ok()
    world.set_standing(SUSPENDED, member=member(card)).ok()
    world.set_standing(SUSPENDED, member=member(card)).ok()  # repeating is no mistake
    refused = [acme.earn(card, 100).refused("MEMBER_SUSPENDED"), acme.redeem(card, 1).refused("MEMBER_SUSPENDED")]
    acme.earn(card, 1000, receipt="s-1").refused("MEMBER_SUSPENDED")  # before DUPLICATE_RECEIPT
    acme.redeem(card, 10 ** 6).refused("MEMBER_SUSPENDED")
    assert acme.call("earn", earn.fields).recorded  # what is known is answered
    assert acme.balance(card).available == 100
    acme.reverse(card, redeem.key, REDEMPTION).ok()
    acme.reverse(card, earn.key, EARN).ok()
    acme.enrol(card).refused("ALREADY_ENROLLED")
    world.set_standing(ACTIVE, member=member(card)).ok()
    for reply in refused:
        assert acme.call(reply.message, reply.fields).refused("MEMBER_SUSPENDED").recorded
    acme.earn(card, 100).ok()


def test_a_revoked_member_stays_so(acme, world, operator):
    card = acme.enrolled(10)
    ref = operator.call("find_member", identifier=identifier(card)).ok().ref
    world.set_standing(REVOKED, member=member(ref)).ok()
    acme.redeem(card, 1).refused("MEMBER_SUSPENDED")
    for standing in (ACTIVE, SUSPENDED):
        world.set_standing(standing, member=member(card)).refused("REVOKED")
    world.set_standing(REVOKED, member=member(card)).ok()


@pytest.mark.parametrize("subject", ["merchant", "store", "terminal"])
def test_suspended_resumed_revoked(world, shop, second, subject):
    """Nothing commits after the answer, its connections are cut, and it comes back when it is resumed."""
    bundle = world.add_terminal(shop, "south-1", store="south")
    named = {"merchant": shop, "store": {"merchant": shop, "code": "south"}, "terminal": {"merchant": shop, "code": "south-1"}}
    with Till(world, shop, bundle) as till, Till(world, shop, bundle, second.port) as remote:
        card = world.tills["acme"].enrolled()
        fields = till.earn_fields(card, 100, store="south")
        till.call("earn", till.earn_fields(card, 100, store="south")).ok()
        world.set_standing(SUSPENDED, **{subject: named[subject]}).ok()
        for one in (till, remote):
            try:
                one.call("earn", fields).refused("NOT_IDENTIFIED")
            except Closed:
                pass
            else:
                assert_cut(one)
    assert_not_identified(world, bundle, shop)
    if subject != "merchant":
        with world.till(shop) as other:
            other.earn(card, 100).ok()
            other.earn(card, 100, store="south").refused("UNKNOWN_STORE" if subject == "store" else "OK")
    world.set_standing(ACTIVE, **{subject: named[subject]}).ok()
    with Till(world, shop, bundle) as till:
        assert not till.call("earn", fields).recorded  # it had no effect
        world.set_standing(REVOKED, **{subject: named[subject]}).ok()
        assert_cut(till)
    world.set_standing(ACTIVE, **{subject: named[subject]}).refused("REVOKED")
    assert_not_identified(world, bundle, shop)


def test_idle_connections_are_cut_within_five_seconds(world, shop, second):
    with world.till(shop) as till, world.till(shop, second.port) as remote:
        world.set_standing(SUSPENDED, merchant=shop).ok()
        started = time.monotonic()
        for one in (till, remote):
            assert_cut(one)
        assert time.monotonic() - started < 5


def test_lists_show_the_standing(world, shop):
    ask = {"merchant": shop}
    assert standing_of(world, "list_merchants", shop, after=shop[:-1]) == ACTIVE
    assert standing_of(world, "list_stores", "south", **ask) == standing_of(world, "list_terminals", "till-1", **ask) == ACTIVE
    world.set_standing(SUSPENDED, store={"merchant": shop, "code": "south"}).ok()
    world.set_standing(REVOKED, terminal={"merchant": shop, "code": "till-1"}).ok()
    world.set_standing(SUSPENDED, merchant=shop).ok()
    assert standing_of(world, "list_merchants", shop, after=shop[:-1]) == SUSPENDED
    assert standing_of(world, "list_stores", "south", **ask) == SUSPENDED
    assert standing_of(world, "list_stores", "north", **ask) == ACTIVE
    assert standing_of(world, "list_terminals", "till-1", **ask) == REVOKED


def test_a_revoked_name_stays_taken(world, shop):
    terminal = {"merchant": shop, "code": "till-1", "channel": 1, "certificate_sha256": world.bundles[shop].sha256()}
    world.set_standing(REVOKED, terminal={"merchant": shop, "code": "till-1"}).ok()
    world.operator.call("add_terminal", terminal={**terminal, "certificate_sha256": b"x" * 32}).refused("ALREADY_EXISTS")
    world.operator.call("add_terminal", terminal={**terminal, "code": "till-2"}).refused("ALREADY_EXISTS")
    assert_not_identified(world, world.bundles[shop], shop)


def test_an_operators_standing(world):
    name = "clerk-" + uuid.uuid4().hex[:6]
    bundle = world.add_operator(name)
    with Connection(world.stack.port, bundle) as connection:
        connection.call("set_standing", operator=name, standing=SUSPENDED, reason="r").refused("INVALID_FIELD")
        world.set_standing(SUSPENDED, operator=name).ok()
        connection.wait_closed(5)
    assert_not_identified(world, bundle, "")
    world.set_standing(ACTIVE, operator=name).ok()
    with Connection(world.stack.port, bundle) as connection:
        connection.call("list_merchants").ok()
        world.set_standing(REVOKED, operator=name).ok()
        connection.wait_closed(5)
    world.set_standing(ACTIVE, operator=name).refused("REVOKED")


def test_subjects_that_are_not_there(world, beta):
    foreign = beta.ref(beta.enrolled())
    certificate = {"merchant": "acme", "code": "till-1", "certificate_sha256": b"c" * 32}
    for code, subject in (("UNKNOWN_MERCHANT", {"merchant": "nobody"}),
                          ("UNKNOWN_MERCHANT", {"store": {"merchant": "nobody", "code": "north"}}),
                          ("UNKNOWN_STORE", {"store": {"merchant": "acme", "code": "nowhere"}}),
                          ("UNKNOWN_MERCHANT", {"terminal": {"merchant": "nobody", "code": "till-1"}}),
                          ("UNKNOWN_SUBJECT", {"terminal": {"merchant": "acme", "code": "nothing"}}),
                          ("UNKNOWN_SUBJECT", {"operator": "nobody"}),
                          ("UNKNOWN_MERCHANT", {"certificate": {**certificate, "merchant": "nobody"}}),
                          ("UNKNOWN_SUBJECT", {"certificate": {**certificate, "code": "nothing"}}),
                          ("UNKNOWN_SUBJECT", {"certificate": certificate}),
                          ("UNKNOWN_MEMBER", {"member": member(world.new_card())}),
                          ("UNKNOWN_MEMBER", {"member": member(foreign)})):
        world.set_standing(SUSPENDED, **subject).refused(code)


# --- entries ---

def test_a_merchant_lists_its_own_entries(acme, beta, clock):
    card = acme.enrolled()
    earn = acme.earn(card, 2000, paid=100, receipt="e-1", till="7", part=2, lines=[LINE])
    beta.earn(card, 300).ok()
    redeem = acme.redeem(card, 5)
    back = acme.reverse(card, redeem.key, REDEMPTION)
    rows = acme.entries(card).ok().entries
    assert [row.kind for row in rows] == [REVERSED_REDEEM, REDEEMED, EARNED, ENROL]
    assert [row.entry_key for row in rows[:3]] == [back.key, redeem.key, earn.key]
    row = rows[2]
    assert (row.ref, row.merchant, row.points, row.balance, row.debt) == (acme.ref(card), "acme", 19, 19, 0)
    assert (row.amount_minor, row.paid_in_points_minor, row.currency) == (2000, 100, "EUR")
    assert (row.terminal, row.channel, row.decided_at_us, row.erased) == ("till-1", 1, clock.now_us, False)
    assert (row.occasion.store, row.occasion.till, row.occasion.receipt, row.occasion.part) == ("north", "7", "e-1", 2)
    assert (row.occasion.business_date, row.occasion.occurred_at_us) == (clock.date(), clock.now_us)
    assert [(line.product, line.amount_minor) for line in row.lines] == [("milk", 500)]
    assert rows[0].original_key == redeem.key and not rows[1].original_key
    assert [row.kind for row in beta.entries(card).ok().entries] == [EARNED]
    for size in (1, 3, 200):
        pages = acme.all_pages(acme.entries, "entries", who=card, page_rows=size)
        assert list(pages) == list(rows)


def test_an_operator_lists_a_members_whole_history(acme, beta, brief, operator, clock):
    card = brief.enrolled(10)
    acme.earn(card, 500).ok()
    beta.earn(card, 300).ok()
    clock.advance(days=40)
    acme.redeem(card, 8).ok()
    rows = operator.call("list_entries", member=member(card), reason="he asked").ok().entries
    assert [(row.kind, row.merchant) for row in rows] == [(REDEEMED, "acme"), (EXPIRED, ""), (EARNED, "beta"), (EARNED, "acme"),
                                                          (EARNED, "brief"), (ENROL, "brief")]
    assert {row.ref for row in rows} == {operator.call("find_member", identifier=identifier(card)).ok().ref}
    assert not any(row.erased for row in rows)


def test_entries_of_a_period(world, shop, clock):
    with world.till(shop) as till:
        cards = [till.enrolled() for _ in range(3)]
        clock.advance(seconds=1)
        start, keys = clock.now_us, []
        for number in range(12):
            reply = till.earn(cards[number % 3], 100 + number)
            reply.ok()
            keys.append(reply.key)
            clock.advance(seconds=number % 2)
        end = clock.now_us + 1
        for size in (1, 5, 200):
            pages = till.all_pages(till.entries_of_period, "entries", from_us=start, until_us=end, page_rows=size)
            assert {row.entry_key for row in pages} == set(keys) and len(pages) == 12
            assert [row.decided_at_us for row in pages] == sorted(row.decided_at_us for row in pages)
        assert len(till.entries_of_period(end - 31 * DAY_US, end).ok().entries) == 15
        assert not till.entries_of_period(end, end).ok().entries
        assert till.entries_of_period(end - 31 * DAY_US - 1, end).refused("INVALID_FIELD").field == "list_entries.period"
        last = till.entries_of_period(start, end).ok().entries[-1].decided_at_us
        assert all(row.decided_at_us < last for row in till.entries_of_period(start, last).ok().entries)


def test_a_page_of_entries_ends_where_its_lines_do_not_fit(acme):
    card = acme.enrolled()
    for _ in range(22):
        acme.earn(card, 1000, lines=[{**LINE, "product": "p" * 64, "category": "c" * 64}] * 200).ok()
    first = acme.entries(card, page_rows=200).ok()
    assert len(first.entries) == 20 and first.cursor
    assert len(acme.entries(card, page_rows=200, cursor=first.cursor).ok().entries) == 3


def test_cursors_of_entries(acme, operator):
    card = acme.enrolled()
    for _ in range(4):
        acme.earn(card, 100).ok()
    cursor = acme.entries(card, page_rows=2).ok().cursor
    now = acme.world.clock.now_us
    acme.entries_of_period(now - DAY_US, now + 1, cursor=cursor).refused("CURSOR_INVALID")
    operator.call("list_entries", member=member(card), cursor=cursor, reason="r").refused("CURSOR_INVALID")
    own = operator.call("list_entries", member=member(card), page_rows=2, reason="r").ok().cursor
    operator.call("list_entries", member=member(card), cursor=own, reason="another").refused("CURSOR_INVALID")
    assert len(operator.call("list_entries", member=member(card), cursor=own, reason="r").ok().entries) == 3
    acme.entries(card, cursor=own).refused("CURSOR_INVALID")


# --- disclosures ---

def test_r40_a_member_is_shown_all_that_was_shown_about_him(acme, beta, tenth, operator, clock):
    card = beta.enrolled()
    first, second = beta.earn(card, 500, lines=[LINE]), tenth.earn(card, 700)
    acme.purchases(card).ok()  # shows nothing
    acme.grant(card, fields=(1, 3), purpose=ANALYSIS).ok()
    assert len(acme.purchases(card, ANALYSIS).ok().purchases) == 2
    clock.advance(seconds=1)
    operator.call("list_entries", member=member(card), reason="he asked").ok()
    clock.advance(seconds=1)
    operator.call("export_member", member=member(card), reason="his right").ok()
    body = operator.call("list_disclosures", member=member(card)).ok()
    assert body.ref == operator.call("find_member", identifier=identifier(card)).ok().ref and not body.cursor
    export, entries, page = body.disclosures
    assert (page.merchant, page.terminal, page.operator, page.verb, page.purpose, page.reason) == \
        ("acme", "till-1", "", "query_purchases", ANALYSIS, "")
    assert [(row.entry_key, row.merchant, row.business_date, list(row.fields)) for row in page.rows] == \
        [(second.key, "tenth", clock.date(), [1, 3]), (first.key, "beta", clock.date(), [1, 3])]
    assert (entries.operator, entries.verb, entries.reason, entries.purpose) == ("admin", "list_entries", "he asked", 0)
    assert (export.operator, export.verb, export.reason) == ("admin", "export_member", "his right")
    assert [len(one.rows) for one in (export, entries)] == [3, 3] and not entries.rows[0].fields


def test_r40_pages_of_disclosures(acme, beta, operator, world):
    card = beta.enrolled()
    beta.earn(card, 500).ok()
    acme.grant(card).ok()
    for _ in range(103):
        acme.purchases(card).ok()
    found = acme.all_pages(lambda **more: operator.call("list_disclosures", member=member(card), **more), "disclosures")
    assert len(found) == 103
    world.clock.advance(seconds=1)
    world.add_merchant("met-nobody-" + card)
    with world.till("met-nobody-" + card) as till:
        till.grant(card).ok()
        assert len(till.never_met().ok().members) == 1
    newest = operator.call("list_disclosures", member=member(card)).ok().disclosures[0]
    assert newest.verb == "list_members_never_met" and len(newest.rows) == 1 and list(newest.rows[0].fields) == [1, 2, 3]


def test_r40_no_page_without_its_record(acme, beta, database):
    """The record cannot be written: there is no page."""
    card = beta.enrolled()
    beta.earn(card, 500).ok()
    acme.grant(card).ok()
    database.change_as_owner(("alter table loyal.disclosure add constraint never check (false) not valid",))
    try:
        assert acme.purchases(card).body is None
    finally:
        database.change_as_owner(("alter table loyal.disclosure drop constraint never",))
    assert acme.purchases(card).ok().purchases


# --- erasure and export ---

def export(operator, who, **more):
    rows, cursor = [], b""
    while True:
        body = operator.call("export_member", member=member(who), reason="r", cursor=cursor, **more).ok()
        rows += [(row.table, json.loads(row.json)) for row in body.rows]
        cursor = body.cursor
        if not cursor:
            return rows


def test_an_export_is_whole(acme, beta, operator):
    card = acme.enrolled(100)
    for number in range(150):
        acme.earn(card, 100 + number, lines=[LINE] * 2).ok()
    acme.redeem(card, 5).ok()
    acme.redeem(card, 10 ** 9).refused("NOT_ENOUGH_POINTS")
    beta.grant(card).ok()
    beta.purchases(card).ok()
    tables = [table for table, _ in export(operator, card)]
    counts = {table: tables.count(table) for table in tables}
    assert counts["entry"] == 153 and counts["basket_line"] == 300 and counts["lot"] > 140
    refusals = 2  # the one above, and the key of the grant
    assert (counts["member"], counts["identifier"], counts["refusal"], counts["consent"]) == (1, 1, refusals, 1)
    assert counts["disclosure"] >= 1 and counts["entry_leg"] >= 152


def test_r29_an_erased_member(acme, beta, operator, world):
    card = acme.enrolled(70)
    ref, own = acme.ref(card), operator.call("find_member", identifier=identifier(card)).ok().ref
    earn = beta.earn(card, 3000, lines=[LINE])
    earn.ok()
    beta.grant(card).ok()
    before = {row.issuer: row for row in operator.call("check_conservation", bucket_last=255).ok().sums}
    reply = operator.call("erase_member", key=acme.key(), member=member(own), reason="he asked")
    body = reply.ok()
    assert (body.points, body.entry_key) == (100, reply.key) and body.entries >= 3
    for who in (card, ref):
        acme.call("get_balance", {"member": member(who)}).refused("UNKNOWN_MEMBER")
        acme.earn(who, 100).refused("UNKNOWN_MEMBER")
        acme.grant(who).refused("UNKNOWN_MEMBER")
        acme.purchases(who).refused("UNKNOWN_MEMBER")
        acme.revoke(who).refused("UNKNOWN_MEMBER")
        acme.entries(who).refused("UNKNOWN_MEMBER")
    for who in (card, own):
        world.set_standing(ACTIVE, member=member(who)).refused("UNKNOWN_MEMBER")
        for message in ("list_grants", "list_disclosures"):
            operator.call(message, member=member(who)).refused("UNKNOWN_MEMBER")
        for message in ("export_member", "list_entries"):
            operator.call(message, member=member(who), reason="r").refused("UNKNOWN_MEMBER")
    beta.reverse(card, earn.key, EARN).refused("UNKNOWN_MEMBER")
    again = operator.call("erase_member", **reply.fields)
    assert again.ok().points == 100 and again.recorded and again.body.entry_key == reply.key
    other = operator.call("erase_member", key=acme.key(), member=member(own), reason="he asked").ok()
    assert other.points == 0 and not other.entry_key
    operator.call("erase_member", key=reply.key, member=member(own), reason="another").refused("KEY_REUSED")
    books = operator.call("check_conservation", bucket_last=255).ok()
    assert not books.findings_total
    after = {row.issuer: row for row in books.sums}
    for issuer, points in (("acme", 70), ("beta", 30)):
        assert after[issuer].forfeited - before[issuer].forfeited == points
        assert before[issuer].available - after[issuer].available == points
        assert after[issuer].issued == before[issuer].issued
    acme.enrol(card).ok()  # as somebody new
    assert acme.balance(card).available == 0 and acme.ref(card) != ref


def test_entries_of_an_erased_member(world, shop, operator, clock):
    """They stay in a merchant's period, without the facts."""
    with world.till(shop) as till:
        card = till.enrolled(5)
        operator.call("erase_member", key=till.key(), member=member(card), reason="r").ok()
        rows = till.entries_of_period(clock.now_us - DAY_US, clock.now_us + 1).ok().entries
        assert [(row.kind, row.points, row.erased) for row in rows] == [(ENROL, 0, True), (EARNED, 5, True)]


def test_erasure_and_keys(acme, operator):
    card = acme.enrolled()
    fields = {"member": member(card), "reason": "r"}
    operator.call("erase_member", key=acme.key(ahead_us=3600 * 1000000), **fields).refused("KEY_IN_FUTURE")
    operator.call("erase_member", key=acme.key(ahead_us=-36 * DAY_US), **fields).refused("TOO_OLD")
    operator.call("erase_member", key=acme.key(), member=member(acme.world.new_card()), reason="r").refused("UNKNOWN_MEMBER")
    assert operator.call("erase_member", key=acme.key(), **fields).ok().points == 0


def test_r41_operators_get_one_answer_too(acme, operator, world):
    foreign = acme.ref(acme.enrolled())
    for message, more in (("list_disclosures", {}), ("export_member", {"reason": "r"}), ("list_entries", {"reason": "r"}),
                          ("erase_member", {"reason": "r", "key": acme.key()}), ("list_grants", {}),
                          ("set_standing", {"standing": SUSPENDED, "reason": "r"}), ("revoke_grant", {"all": {}})):
        answers = {operator.call(message, member=member(who), **more).refused("UNKNOWN_MEMBER").outcome.SerializeToString()
                   for who in (world.new_card(), foreign, b"\x01" + b"z" * 16)}
        assert len(answers) == 1, message
    assert acme.purchases(foreign, SERVICE).ok().ref == foreign
