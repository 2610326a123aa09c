"""Grants and what they open: purchases at other merchants, members never met, counts (R38, R39, R41)."""
import itertools
import uuid

import pytest

from support.proto import AMOUNT, ANALYSIS, BASKET, EMAIL, MERCHANT_AND_DATE, OFFER, SERVICE, SUSPENDED
from support.world import Till, identifier, member

MILK = {"product": "milk", "category": "dairy", "quantity_milli": 2000, "amount_minor": 198}
COFFEE = {"product": "beans", "category": "coffee", "quantity_milli": 250, "amount_minor": 899}
ACTIVE, OVER, REVOKED, REPLACED, ERASED = 1, 2, 3, 4, 5
OPEN = {"recipient": "acme", "source": "", "purpose": SERVICE, "fields": [1, 2, 3], "text_version": "v1", "channel": 1}
MINUTE = 60
HOUR = 3600


@pytest.fixture
def shop(world):
    """A merchant of this test's own, which met nobody yet."""
    code = "shop-" + uuid.uuid4().hex[:8]
    world.add_merchant(code)
    with world.till(code) as till:
        yield till


def bought(till, amount=1097, lines=(MILK, COFFEE), **more):
    """A new member with one purchase at the till."""
    card = till.enrolled()
    till.earn(card, amount, lines=lines, **more).ok()
    return card


def operators_grant(operator, till, card, **grant):
    return operator.call("set_grant", key=till.key(), member=member(card), grant={
        **OPEN, "recipient": till.merchant, "last_day": till.world.clock.date(10), **grant})


# --- grants ---

def test_r38_nothing_without_a_grant_and_nothing_after_its_revocation(acme, beta, clock):
    card = bought(beta)
    assert not acme.purchases(card).ok().purchases
    granted = acme.grant(card, days=10).ok()
    day = clock.local()
    assert granted.ref == acme.ref(card)
    assert granted.until_us == clock.us_of(day.year, day.month, day.day) + 11 * 86400 * 1000000
    body = acme.purchases(card).ok()
    (row,) = body.purchases
    assert (row.merchant, row.business_date, row.channel) == ("beta", clock.date(), 1)
    assert (row.amount_minor, row.currency, row.points, row.kind) == (1097, "EUR", 10, 1)
    assert [(line.product, line.category, line.quantity_milli, line.amount_minor) for line in row.lines] == \
        [("milk", "dairy", 2000, 198), ("beans", "coffee", 250, 899)]
    assert body.ref == acme.ref(card) and body.as_of_us == clock.now_us and not body.cursor
    assert not acme.purchases(card, OFFER).ok().purchases  # each purpose for itself
    assert not beta.purchases(card).ok().purchases  # nor does it open anything to others
    acme.revoke(card, "acme").ok()
    assert not acme.purchases(card).ok().purchases
    acme.revoke(card, "acme").ok()  # nothing is left to revoke


def test_own_purchases_are_not_elsewhere(acme, beta):
    card = bought(beta)
    acme.earn(card, 500).ok()
    acme.grant(card).ok()
    assert [row.merchant for row in acme.purchases(card).ok().purchases] == ["beta"]


@pytest.mark.parametrize("fields", [groups for size in (1, 2, 3) for groups in itertools.combinations((1, 2, 3), size)])
def test_r38_what_is_not_granted_is_masked(acme, beta, fields):
    """That masked fields are empty is the schema's business; here that granted ones are not."""
    card = bought(beta)
    acme.grant(card, fields=fields).ok()
    (row,) = acme.purchases(card).ok().purchases
    assert tuple(row.fields) == fields
    assert bool(row.merchant) == bool(row.business_date) == bool(row.channel) == (MERCHANT_AND_DATE in fields)
    assert bool(row.amount_minor) == bool(row.currency) == bool(row.points) == (AMOUNT in fields)
    assert len(row.lines) == (2 if BASKET in fields else 0)
    assert all(bool(line.amount_minor) == (AMOUNT in fields) for line in row.lines)


def test_r38_a_source_opens_its_purchases_alone_and_several_add_up(acme, beta, tenth):
    card = bought(beta)
    tenth.earn(card, 5000).ok()
    acme.grant(card, fields=(1, 2), source="beta").ok()
    assert [row.merchant for row in acme.purchases(card).ok().purchases] == ["beta"]
    acme.grant(card, fields=(1,)).ok()
    acme.grant(card, fields=(3,), source="tenth").ok()
    shown = {row.merchant: tuple(row.fields) for row in acme.purchases(card).ok().purchases}
    assert shown == {"beta": (1, 2), "tenth": (1, 3)}
    acme.revoke(card, purpose=OFFER).ok()  # of another purpose
    assert len(acme.purchases(card).ok().purchases) == 2
    beta.revoke(card).ok()  # any terminal may
    assert not acme.purchases(card).ok().purchases


def test_a_refund_is_shown_as_one(acme, beta):
    card = beta.enrolled()
    earn = beta.earn(card, 1000)
    earn.ok()
    beta.reverse(card, earn.key, amount=400).ok()
    acme.grant(card).ok()
    assert [(row.kind, row.amount_minor) for row in acme.purchases(card).ok().purchases] == [(2, 400), (1, 1000)]


def test_purchase_ids_are_stable_and_each_merchants_own(acme, beta, tenth, world, second):
    card = bought(beta)
    acme.grant(card).ok()
    tenth.grant(card).ok()
    (row,) = acme.purchases(card).ok().purchases
    (other,) = tenth.purchases(card).ok().purchases
    with world.till("acme", second.port) as remote:
        (again,) = remote.purchases(card).ok().purchases
    assert row.purchase_id == again.purchase_id != other.purchase_id


def test_a_terminal_grants_to_its_own_merchant_only(acme, beta):
    card = beta.enrolled()
    acme.grant(card, recipient="acme").ok()
    acme.grant(card, recipient="beta").refused("NOT_ALLOWED")
    acme.grant(card, source="nobody").refused("UNKNOWN_MERCHANT")
    acme.revoke(card, "nobody").refused("UNKNOWN_MERCHANT")


def test_an_operators_grant(acme, beta, operator, clock):
    card = bought(beta)
    reply = operators_grant(operator, acme, card, channel=4)
    assert reply.ok().ref not in (acme.ref(card), beta.ref(card))
    assert len(acme.purchases(card).ok().purchases) == 1
    (row,) = acme.grants(card).ok().grants
    assert (row.grant.recipient, row.grant.source, row.grant.purpose, list(row.grant.fields)) == ("acme", "", 1, [1, 2, 3])
    assert (row.grant.last_day, row.grant.text_version, row.grant.channel) == (clock.date(10), "v1", 4)
    assert (row.grant_key, row.state, row.granted_at_us, row.ended_at_us) == (reply.key, ACTIVE, clock.now_us, 0)
    assert (row.terminal, row.operator) == ("", "")
    (told,) = operator.call("list_grants", member=member(card)).ok().grants
    assert (told.terminal, told.operator) == ("", "admin")
    operators_grant(operator, acme, card, recipient="nobody").refused("UNKNOWN_MERCHANT")
    for field, value in (("recipient", ""), ("channel", 0)):
        assert operators_grant(operator, acme, card, **{field: value}).refused("INVALID_FIELD").field == \
            "set_grant.grant." + field
    operator.call("revoke_grant", member=member(card), recipient="acme", purpose=SERVICE).ok()
    assert not acme.purchases(card).ok().purchases


def test_states_of_grants_and_whose_are_listed(acme, beta, world):
    """R38: a merchant sees the grants it holds, never those of others; an operator all."""
    card = bought(beta)
    keys = []
    for text in ("v1", "v2"):
        reply = acme.grant(card, text=text, days=1)
        reply.ok()
        keys.append(reply.key)
        world.clock.advance(seconds=1)
    offer = acme.grant(card, purpose=OFFER)
    offer.ok()
    beta.grant(card, purpose=ANALYSIS, source="acme").ok()
    acme.revoke(card, "acme", OFFER).ok()
    listed = acme.grants(card).ok()
    assert listed.ref == acme.ref(card) and not listed.cursor
    assert [(row.grant_key, row.state) for row in listed.grants] == \
        [(offer.key, REVOKED), (keys[1], ACTIVE), (keys[0], REPLACED)]
    assert {row.terminal for row in listed.grants} == {"till-1"}
    assert [bool(row.ended_at_us) for row in listed.grants] == [True, False, True]
    assert [row.grant.recipient for row in beta.grants(card).ok().grants] == ["beta"]
    assert len(world.operator.call("list_grants", member=member(card)).ok().grants) == 4
    world.clock.advance(days=2)
    assert acme.grants(card).ok().grants[1].state == OVER
    assert not acme.purchases(card).ok().purchases


def test_grants_in_pages(acme):
    card = acme.enrolled()
    for _ in range(103):
        acme.grant(card).ok()
    rows = acme.all_pages(acme.grants, "grants", who=card)
    assert len({row.grant_key for row in rows}) == len(rows) == 103
    assert [row.state for row in rows].count(ACTIVE) == 1
    assert len(acme.grants(card).ok().grants) == 50


def test_the_last_day(acme, beta, clock):
    card = bought(beta)
    for days in (-1, 732):  # a leap day may lie between
        assert acme.grant(card, days=days).refused("INVALID_FIELD").field == "set_grant.grant.last_day"
    fields = acme.grant_fields(card)
    fields["grant"]["last_day"] = clock.date() + 20000  # the same day in 24 months
    acme.call("set_grant", fields).ok()
    acme.grant(card, days=0).ok()
    assert acme.purchases(card).ok().purchases
    clock.advance(days=1)
    assert not acme.purchases(card).ok().purchases


def test_grants_and_keys(acme, beta, world):
    """R32, R35 for grants."""
    card = acme.enrolled()
    first = acme.grant(card)
    until = first.ok().until_us
    again = acme.call("set_grant", first.fields)
    assert again.ok().until_us == until and again.recorded and not first.recorded
    acme.grant(card, key=first.key, days=7).refused("KEY_REUSED")
    beta.grant(card, key=first.key).refused("KEY_REUSED")
    acme.grant(card, key=acme.key(ahead_us=3600 * 1000000)).refused("KEY_IN_FUTURE")
    acme.grant(card, key=acme.key(ahead_us=-36 * 86400 * 1000000)).refused("TOO_OLD")
    earn = acme.earn(card, 100)
    earn.ok()
    acme.grant(card, key=earn.key).refused("KEY_REUSED")
    acme.revoke(card).ok()
    assert acme.call("set_grant", first.fields).recorded  # what is recorded gives nothing new
    assert acme.grants(card).ok().grants[0].state == REVOKED
    world.clock.advance(days=40)
    assert acme.call("set_grant", first.fields).recorded


def test_a_suspended_members_grants(acme, beta, world):
    """A refusal that is not recorded; what he granted stays, and he can revoke it."""
    card = bought(beta)
    acme.grant(card).ok()
    world.set_standing(SUSPENDED, member=member(card)).ok()
    refused = acme.grant(card, purpose=OFFER).refused("MEMBER_SUSPENDED")
    assert not acme.call("set_grant", refused.fields).refused("MEMBER_SUSPENDED").recorded
    assert acme.purchases(card).ok().purchases
    acme.revoke(card).ok()
    assert not acme.purchases(card).ok().purchases
    world.set_standing(1, member=member(card)).ok()
    acme.call("set_grant", refused.fields).ok()


# --- presence ---

@pytest.mark.parametrize("how", ["find_member", "get_balance", "earn", "redeem", "enrol_member", "list_grants",
                                 "query_purchases", "set_grant"])
def test_r38_an_identifier_presents_him(acme, world, how):
    card = acme.enrolled(10)
    ref = acme.ref(card)
    with world.till("acme") as till, world.till("acme") as other:
        till.grant(ref).refused("NOT_PRESENT")
        {"find_member": lambda: till.call(how, {"identifier": identifier(card)}),
         "get_balance": lambda: till.call(how, {"member": member(card)}),
         "earn": lambda: till.earn(card, 100), "redeem": lambda: till.redeem(card, 1),
         "enrol_member": lambda: till.enrol(card), "list_grants": lambda: till.grants(card),
         "query_purchases": lambda: till.purchases(card), "set_grant": lambda: till.grant(card)}[how]()
        till.grant(ref).ok()
        other.grant(ref).refused("NOT_PRESENT")  # on this connection, not on another
        world.clock.advance(seconds=10 * MINUTE)
        till.grant(ref).ok()
        world.clock.advance(seconds=MINUTE)
        till.grant(ref).refused("NOT_PRESENT")


def test_a_ref_presents_nobody(acme, world):
    ref = acme.ref(acme.enrolled(10))
    with world.till("acme") as till:
        till.balance(ref)
        till.earn(ref, 100).ok()
        till.redeem(ref, 1).ok()
        till.grants(ref).ok()
        till.grant(ref).refused("NOT_PRESENT")


def test_the_latest_32_count_as_present(acme, world):
    cards = [acme.enrolled() for _ in range(33)]
    refs = [acme.ref(card) for card in cards]
    with world.till("acme") as till:
        for card in cards:
            till.ref(card)
            world.clock.advance(seconds=1)
        till.grant(refs[0]).refused("NOT_PRESENT")
        for ref in refs[1:]:
            till.grant(ref).ok()


# --- filters ---

def test_each_filter_narrows(acme, beta, tenth, world, clock):
    card = beta.enrolled()
    first = clock.date()
    beta.earn(card, 500, lines=[MILK]).ok()
    clock.advance(days=2)
    tenth.earn(card, 900, lines=[COFFEE, {**MILK, "category": "a \"b\\c,{}"}]).ok()
    world.bundles["tenth-web"] = world.add_terminal("tenth", "web-" + uuid.uuid4().hex[:6], channel=2)
    with Till(world, "tenth", world.bundles["tenth-web"]) as web:
        web.earn(card, 1300).ok()
    acme.grant(card).ok()

    def amounts(**purchase_filter):
        return sorted(row.amount_minor for row in acme.purchases(card, **purchase_filter).ok().purchases)

    assert amounts() == [500, 900, 1300]
    assert amounts(merchants=["beta"]) == [500] and amounts(merchants=["beta", "tenth"]) == [500, 900, 1300]
    assert amounts(merchants=["acme"]) == []
    assert amounts(categories=["dairy"]) == [500] and amounts(categories=["dairy", "coffee"]) == [500, 900]
    assert amounts(categories=["a \"b\\c,{}"]) == [900] and amounts(categories=["DAIRY"]) == []
    assert amounts(date_last=first) == [500] and amounts(date_first=clock.date()) == [900, 1300]
    assert amounts(date_first=first, date_last=first) == [500] and amounts(date_last=clock.date(-3)) == []
    assert amounts(amount_minor_min=900) == [900, 1300] and amounts(amount_minor_max=900) == [500, 900]
    assert amounts(amount_minor_min=900, amount_minor_max=900) == [900]
    assert amounts(channels=[2]) == [1300] and amounts(channels=[1, 2]) == [500, 900, 1300] and amounts(channels=[3]) == []
    assert amounts(categories=["dairy"], merchants=["tenth"]) == []
    acme.purchases(card, merchants=["nobody"]).refused("UNKNOWN_MERCHANT")


def test_what_is_masked_matches_no_filter(acme, beta, clock):
    card = bought(beta)
    filters = {1: {"merchants": ["beta"]}, 2: {"amount_minor_min": 1}, 3: {"categories": ["dairy"]}}
    more = {1: [{"date_first": clock.date()}, {"channels": [1]}], 2: [{"amount_minor_max": 10 ** 9}], 3: []}
    for granted in (1, 2, 3):
        acme.grant(card, fields=(granted,)).ok()
        for needed, first in filters.items():
            for purchase_filter in [first, *more[needed]]:
                rows = acme.purchases(card, **purchase_filter).ok().purchases
                assert len(rows) == (1 if granted == needed else 0), (granted, purchase_filter)


def test_amounts_are_of_the_askers_currency(beta, world, operator):
    code = "sterling-" + uuid.uuid4().hex[:6]
    operator.call("add_merchant", merchant={"code": code, "name": "S", "currency": "GBP"}).ok()
    operator.call("add_stores", stores=[{"merchant": code, "code": "north"}]).ok()
    bundle = world.add_terminal(code, "till-1")
    card = bought(beta)
    with Till(world, code, bundle) as till:
        till.grant(card).ok()
        assert len(till.purchases(card).ok().purchases) == 1
        assert not till.purchases(card, amount_minor_min=1).ok().purchases


# --- pages and cursors ---

def with_purchases(acme, beta, count=7):
    card = beta.enrolled()
    for number in range(count):
        beta.earn(card, 100 + number).ok()
    acme.grant(card).ok()
    return card


def test_pages_of_purchases(acme, beta):
    card = with_purchases(acme, beta)
    for rows in (1, 3, 7, 200):
        found = acme.all_pages(acme.purchases, "purchases", who=card, page_rows=rows)
        assert sorted(row.amount_minor for row in found) == [100 + number for number in range(7)]
        assert len({row.purchase_id for row in found}) == 7
    first = acme.purchases(card, page_rows=2).ok()
    rest = acme.purchases(card, page_rows=200, cursor=first.cursor).ok()  # page_rows may change on the way
    assert len(first.purchases) == 2 and len(rest.purchases) == 5 and not rest.cursor


def test_a_page_ends_where_its_lines_do_not_fit(acme, beta):
    card = beta.enrolled()
    for _ in range(23):
        beta.earn(card, 1000, lines=[{**MILK, "amount_minor": 1}] * 200).ok()
    acme.grant(card).ok()
    first = acme.purchases(card, page_rows=200).ok()
    assert len(first.purchases) == 20 and first.cursor
    assert len(acme.purchases(card, page_rows=200, cursor=first.cursor).ok().purchases) == 3


def test_a_revocation_acts_on_the_next_page(acme, beta):
    card = with_purchases(acme, beta)
    cursor = acme.purchases(card, page_rows=3).ok().cursor
    acme.revoke(card).ok()
    rest = acme.purchases(card, page_rows=3, cursor=cursor).ok()
    assert not rest.purchases and not rest.cursor


def test_a_cursor_is_sealed(acme, beta):
    card = with_purchases(acme, beta)
    cursor = acme.purchases(card, page_rows=3).ok().cursor
    for bit in range(8 * len(cursor)):
        changed = bytearray(cursor)
        changed[bit // 8] ^= 1 << bit % 8
        acme.purchases(card, page_rows=3, cursor=bytes(changed)).refused("CURSOR_INVALID")
    for size in (1, len(cursor) - 1):
        acme.purchases(card, page_rows=3, cursor=cursor[:size]).refused("CURSOR_INVALID")
    for other in (cursor + b"\0", b"\0" * 256, b"\x01" * len(cursor)):
        acme.purchases(card, page_rows=3, cursor=other).refused("CURSOR_INVALID")
    acme.purchases(card, page_rows=3, cursor=cursor).ok()


def test_a_cursor_is_bound_to_who_asks_what(acme, beta, tenth, world, second):
    card = with_purchases(acme, beta)
    tenth.grant(card).ok()
    acme.grant(card, purpose=OFFER).ok()
    other = acme.enrolled()
    cursor = acme.purchases(card, page_rows=3, amount_minor_min=1).ok().cursor
    same = {"page_rows": 3, "amount_minor_min": 1, "cursor": cursor}
    assert acme.purchases(card, **same).ok().purchases
    tenth.purchases(card, **same).refused("CURSOR_INVALID")  # another merchant
    acme.purchases(card, OFFER, **same).refused("CURSOR_INVALID")
    acme.purchases(other, **same).refused("CURSOR_INVALID")
    acme.purchases(acme.ref(card), **same).refused("CURSOR_INVALID")  # the same member, named otherwise
    acme.purchases(card, **{**same, "amount_minor_min": 2}).refused("CURSOR_INVALID")
    acme.purchases(card, **same, channels=[1]).refused("CURSOR_INVALID")
    acme.never_met(**same).refused("CURSOR_INVALID")  # another verb
    acme.grants(card, cursor=cursor).refused("CURSOR_INVALID")
    acme.entries(card, cursor=cursor).refused("CURSOR_INVALID")
    world.operator.call("list_grants", member=member(card), cursor=cursor).refused("CURSOR_INVALID")
    with world.till("acme") as till:
        assert till.purchases(card, **same).ok().purchases  # another connection
    with world.till("acme", second.port) as remote:
        assert remote.purchases(card, **same).ok().purchases  # another daemon


def test_a_cursor_lasts_an_hour(acme, beta, world):
    card = with_purchases(acme, beta)
    cursor = acme.purchases(card, page_rows=3).ok().cursor
    world.clock.advance(seconds=HOUR - 1)
    acme.purchases(card, page_rows=3, cursor=cursor).ok()
    world.clock.advance(seconds=1)
    acme.purchases(card, page_rows=3, cursor=cursor).refused("CURSOR_INVALID")


# --- members never met ---

def test_members_never_met(shop, acme, beta):
    """Who granted to the asker and never bought there, with the newest five of what matches."""
    cards = [bought(beta, amount=1000 + number) for number in range(7)]
    for number, card in enumerate(cards):
        shop.grant(card, purpose=SERVICE if number else OFFER).ok()
    shop.earn(cards[1], 100).ok()  # met
    nowhere = acme.enrolled()
    shop.grant(nowhere).ok()
    for _ in range(6):
        beta.earn(cards[2], 77).ok()
    body = shop.never_met().ok()
    found = {row.ref: row for row in body.members}
    assert set(found) == {shop.ref(card) for card in [*cards[2:], nowhere]}
    assert not found[shop.ref(nowhere)].purchases and not found[shop.ref(nowhere)].more
    many = found[shop.ref(cards[2])]
    assert len(many.purchases) == 5 and many.more and {row.amount_minor for row in many.purchases} == {77}
    one = found[shop.ref(cards[3])]
    assert [row.amount_minor for row in one.purchases] == [1003] and not one.more
    assert [row.ref for row in shop.never_met(OFFER).ok().members] == [shop.ref(cards[0])]
    assert not shop.never_met(ANALYSIS).ok().members
    assert {row.ref for row in shop.never_met(amount_minor_min=1003).ok().members} == {shop.ref(card) for card in cards[2:]} - {
        shop.ref(cards[2])}
    assert [row.ref for row in shop.never_met(amount_minor_max=77).ok().members] == [shop.ref(cards[2])]
    shop.never_met(merchants=["nobody"]).refused("UNKNOWN_MERCHANT")
    for rows in (1, 2, 6, 200):
        pages = shop.all_pages(shop.never_met, "members", page_rows=rows)
        assert [row.ref for row in pages] == [row.ref for row in body.members]


def test_lists_of_two_merchants_do_not_run_alike(shop, world, beta):
    world.add_merchant("rival-" + shop.merchant)
    with world.till("rival-" + shop.merchant) as rival:
        cards = [bought(beta) for _ in range(12)]
        for card in cards:
            shop.grant(card).ok()
            rival.grant(card).ok()
        by_ref = {till: {till.ref(card): card for card in cards} for till in (shop, rival)}
        orders = [[by_ref[till][row.ref] for row in till.never_met().ok().members] for till in (shop, rival)]
    assert sorted(orders[0]) == sorted(orders[1]) == sorted(cards) and orders[0] != orders[1]


# --- counts ---

def test_r39_counts(shop, beta, world):
    """Told from k on, rounded, charged before, and kept."""
    first = beta.enrolled()
    code = "source-" + uuid.uuid4().hex[:6]
    world.add_merchant(code)
    with world.till(code) as source:
        cards = [first, *(beta.enrolled() for _ in range(44))]
        for card in cards:
            source.earn(card, 500, lines=[MILK]).ok()
    for card in cards[:22]:
        shop.grant(card, purpose=ANALYSIS).ok()
    body = shop.count(merchants=[code]).ok()
    assert (body.with_grant.members, body.with_grant.fewer_than_k) == (20, False)  # of 22
    assert (body.without_grant.members, body.without_grant.fewer_than_k) == (25, False)  # of 23
    assert (body.k, body.released_before, body.questions_left, body.counted_at_us) == (20, False, 19, world.clock.now_us)
    world.clock.advance(seconds=5)
    shop.revoke(cards[0]).ok()
    again = shop.count(merchants=[code, code]).ok()  # the same question, however it is put
    assert again.released_before and again.counted_at_us == body.counted_at_us and again.questions_left == 19
    assert again.with_grant == body.with_grant and again.without_grant == body.without_grant
    strict = shop.count(merchants=[code], k=22).ok()  # a larger k is asked of what is told: still the same question
    assert strict.with_grant.fewer_than_k and strict.with_grant.members == 0 and strict.k == 22
    assert strict.without_grant.members == 25 and strict.released_before and strict.questions_left == 19
    assert shop.count(merchants=[code], k=1).ok().k == 20  # nobody goes below the network's
    few = shop.count(merchants=[code], categories=["coffee"]).ok()
    assert few.with_grant.fewer_than_k and few.without_grant.fewer_than_k
    assert not few.with_grant.members and not few.without_grant.members  # 0 looks like k-1
    assert shop.count(SERVICE, merchants=[code]).ok().without_grant.members == 45  # for another purpose nobody granted
    shop.count(merchants=["nobody"]).refused("UNKNOWN_MERCHANT")


def test_r39_the_budget_of_a_day(shop, world):
    left = [shop.count(amount_minor_min=number).ok().questions_left for number in range(1, 21)]
    assert left == list(range(19, -1, -1))
    shop.count(amount_minor_min=21).refused("BUDGET_EXHAUSTED")
    assert shop.count(amount_minor_min=7).ok().released_before  # repeating an earlier one is free
    world.clock.advance(days=1)
    assert shop.count(amount_minor_min=21).ok().questions_left == 19
    assert shop.count(amount_minor_min=7).ok().released_before
    world.clock.advance(days=7)
    assert not shop.count(amount_minor_min=7).ok().released_before


# --- R41 ---

def asked_about(till, who):
    return {"set_grant": lambda: till.grant_fields(who), "revoke_grant": lambda: {"member": member(who), "all": {}},
            "list_grants": lambda: {"member": member(who)},
            "query_purchases": lambda: {"member": member(who), "purpose": SERVICE},
            "list_entries": lambda: {"member": member(who)}}


@pytest.mark.parametrize("message", ["set_grant", "revoke_grant", "list_grants", "query_purchases", "list_entries"])
def test_r41_one_answer_for_whoever_cannot_be_found(acme, beta, world, message):
    card = acme.enrolled()
    invented = [beta.ref(card), b"\x01" + b"z" * 16, b"\x00" * 17, b"\xff" * 17]
    answers = {acme.call(message, asked_about(acme, who)[message]()).refused("UNKNOWN_MEMBER").outcome.SerializeToString()
               for who in [world.new_card(), *invented]}
    assert len(answers) == 1


def test_r41_look_ups_are_limited(acme, world, daemon):
    """Of each terminal, known members and unknown ones alike; what is no look-up goes on."""
    card = acme.enrolled()
    few = daemon("few", lookups_max=3)
    bundle = world.add_terminal("acme", "other-" + uuid.uuid4().hex[:6])
    with world.till("acme", few.port) as till, world.till("acme", few.port) as twin:
        for who in (card, world.new_card(), card):
            assert till.call("get_balance", {"member": member(who)}).code in ("OK", "UNKNOWN_MEMBER")
        for message, fields in (("find_member", {"identifier": identifier(card)}), ("get_balance", {"member": member(card)}),
                                ("query_purchases", {"member": member(world.new_card()), "purpose": SERVICE})):
            twin.call(message, fields).refused("OVERLOADED")
        till.call("ping", {}).ok()
        with Till(world, "acme", bundle, few.port) as other:
            other.ref(card)  # each terminal has its own


# --- refs ---

def test_refs_are_translated(acme, beta, world, operator):
    cards = [acme.enrolled() for _ in range(3)]
    refs = [acme.ref(card) for card in cards]
    asked = [refs[0], beta.ref(cards[0]), refs[1], b"\x01" + b"z" * 16, b"\x00" * 17, b"\xff" * 17, refs[2], refs[0]]
    told = acme.call("translate_refs", {"refs": asked}).ok().refs
    assert list(told) == [refs[0], b"", refs[1], b"", b"", b"", refs[2], refs[0]]
    assert len(acme.call("translate_refs", {"refs": [refs[0]] * 500}).ok().refs) == 500
    own = operator.call("find_member", identifier=identifier(cards[0])).ok().ref
    assert list(operator.call("translate_refs", refs=[own, refs[0]]).ok().refs) == [own, b""]
    assert operator.call("list_grants", member=member(own)).ok().ref == own
    world.secrets.add("n@example.org")
    acme.call("find_member", {"identifier": {"kind": EMAIL, "value": "n@example.org"}}).refused("UNKNOWN_MEMBER")
