"""R38: who records a grant, with which proof; what it shows from then on; how it ends. What is recorded is read by the
auditor."""
import uuid

import pytest

from support.proto import (AMOUNT, ANALYSIS, BASKET, MERCHANT_AND_DATE, OFFER, SERVICE, SUSPENDED, ACTIVE)
from support.world import member

LINES = [{"product": "bread", "category": "food", "quantity_milli": 1000, "amount_minor": 700},
         {"product": "pen", "category": "office", "quantity_milli": 2500, "amount_minor": 500}]


def consents(database, card):
    owner = database.id_of(card)
    return database.rows("select * from loyal.consent where (bucket, member_id) = (%s, %s) order by granted_at, consent_id",
                         owner["bucket"], owner["member_id"])


@pytest.fixture
def card(acme):
    """A member with a purchase of 12.00 at acme."""
    made = acme.enrolled()
    acme.earn(made, 1200, lines=LINES).ok()
    return made


# --- recording ---

def test_r38_a_grant_is_recorded_with_its_proof(world, beta, card, database):
    reply = beta.grant(card, fields=[MERCHANT_AND_DATE, BASKET], purpose=OFFER, source="acme", days=30, text="2024-05")
    body = reply.ok()
    assert body.ref == beta.ref(card) and not reply.recorded
    (row,) = consents(database, card)
    assert row["consent_id"] == str(uuid.UUID(bytes=reply.key))
    ids = {row["code"]: row["merchant_id"] for row in database.rows("select code, merchant_id from loyal.merchant")}
    assert (row["recipient"], row["source"], row["purpose"], row["fields"]) == (ids["beta"], ids["acme"], OFFER, 1 | 4)
    assert row["text_version"] == "2024-05" and row["channel"] == 1 and row["operator_id"] == 0
    terminal = database.row("select * from loyal.terminal where terminal_id = %s", row["terminal_id"])
    assert (terminal["code"], terminal["merchant_id"]) == ("till-1", ids["beta"])
    last = world.clock.local() + __import__("datetime").timedelta(days=31)
    assert int(row["until_at"].timestamp()) * 1000000 == world.clock.us_of(last.year, last.month, last.day) == body.until_us
    assert row["ended_at"] is None


def test_r38_twins_of_a_grant_are_one(beta, card, database):
    first = beta.grant(card)
    again = beta.call("set_grant", first.fields)
    assert again.recorded and again.ok() == first.ok()
    other = {**first.fields, "grant": {**first.fields["grant"], "text_version": "v2"}}
    beta.call("set_grant", other).refused("KEY_REUSED")
    beta.call("set_grant", {**first.fields, "key": beta.earn(card, 100).key}).refused("KEY_REUSED")
    assert len(consents(database, card)) == 1


def test_r35_a_known_key_is_answered_whatever_has_changed(world, beta, card):
    """On a connection where nobody was presented, and after the grant's last day."""
    ref = beta.ref(card)
    first = beta.grant(ref, days=1)
    first.ok()
    with world.till("beta") as fresh:
        assert fresh.call("set_grant", first.fields).ok() == first.body
        world.clock.advance(days=3)
        again = fresh.call("set_grant", first.fields)
        assert again.recorded and again.ok() == first.body
        fresh.call("set_grant", {**first.fields, "key": fresh.key()}).refused("INVALID_FIELD")  # with a new key it is over


def test_r32_the_key_of_a_grant_is_of_no_other_request(acme, beta, card, database):
    granted = beta.grant(card)
    for till in (acme, beta):
        till.earn(card, 100, key=granted.key).refused("KEY_REUSED")
        till.redeem(card, 1, key=granted.key).refused("KEY_REUSED")
    assert [entry["kind"] for entry in database.entries(card)] == [1, 2]


def test_what_is_wrong_with_a_grant_comes_before_whose_it_is(world, beta):
    nobody = world.new_card()
    fields = beta.grant_fields(nobody)
    fields["grant"]["channel"] = 2
    beta.call("set_grant", fields).refused("INVALID_FIELD")
    beta.grant(nobody, recipient="acme").refused("NOT_ALLOWED")
    beta.grant(nobody, days=800).refused("INVALID_FIELD")
    beta.grant(nobody).refused("UNKNOWN_MEMBER")


def test_r38_keys_of_grants_have_an_age(world, beta, card):
    beta.grant(card, key=beta.key(ahead_us=601 * 1000000)).refused("KEY_IN_FUTURE")
    beta.grant(card, key=beta.key(ahead_us=-36 * 86400 * 1000000)).refused("TOO_OLD")


def test_r38_a_new_grant_takes_the_place_of_the_old(world, beta, card, database):
    beta.grant(card, fields=[MERCHANT_AND_DATE, AMOUNT]).ok()
    world.clock.advance(seconds=1)
    beta.grant(card, fields=[MERCHANT_AND_DATE]).ok()
    first, second = consents(database, card)
    assert first["end_kind"] == 2 and second["ended_at"] is None
    assert list(beta.purchases(card).ok().purchases[0].fields) == [MERCHANT_AND_DATE]


def test_r38_only_towards_its_own_merchant(beta, card):
    reply = beta.grant(card, recipient="acme").refused("NOT_ALLOWED")
    assert "own merchant" in reply.outcome.text
    beta.grant(card, recipient="beta").ok()


def test_r38_by_ref_only_after_the_identifier_was_presented(world, acme, beta, card):
    ref = beta.ref(card)  # presented on this connection
    beta.grant(ref).ok()
    with world.till("beta") as fresh:
        fresh.grant(ref).refused("NOT_PRESENT")
        fresh.purchases(ref).ok()  # a ref presents nobody
        fresh.grant(ref).refused("NOT_PRESENT")
        fresh.redeem(card, 1000000).refused("NOT_ENOUGH_POINTS")  # he was there
        fresh.grant(ref).ok()
    with world.till("beta") as fresh:
        fresh.grant(card).ok()
        world.clock.advance(seconds=599)
        fresh.grant(ref).ok()
        world.clock.advance(seconds=2)
        fresh.grant(ref).refused("NOT_PRESENT")


def test_r38_an_operator_records_for_any_recipient(world, beta, card, database):
    fields = beta.grant_fields(card, recipient="beta")
    fields["grant"]["channel"] = 4
    reply = world.operator.call("set_grant", **fields)
    reply.ok()
    (row,) = consents(database, card)
    assert row["terminal_id"] == 0 and row["operator_id"] > 0 and row["channel"] == 4
    assert len(beta.purchases(card).ok().purchases) == 1
    fields["key"] = beta.key()
    fields["grant"]["recipient"] = "nobody"
    world.operator.call("set_grant", **fields).refused("UNKNOWN_MERCHANT")


def test_r38_at_most_24_months(world, beta, card):
    beta.grant(card, days=731).refused("INVALID_FIELD")
    beta.grant(card, days=-1).refused("INVALID_FIELD")
    beta.grant(card, days=0).ok()


def test_a_suspended_member_grants_nothing(world, beta, card):
    operators = world.operator.call("find_member", **{"identifier": member(card)["identifier"]}).ok().ref
    world.set_standing(SUSPENDED, member={"ref": operators}).ok()
    beta.grant(card).refused("MEMBER_SUSPENDED")
    world.set_standing(ACTIVE, member={"ref": operators}).ok()
    beta.grant(card).ok()


# --- what it shows ---

def test_r38_nothing_without_a_grant(beta, card):
    assert not beta.purchases(card).ok().purchases


@pytest.mark.parametrize("fields", [[MERCHANT_AND_DATE], [AMOUNT], [BASKET], [AMOUNT, BASKET],
                                    [MERCHANT_AND_DATE, AMOUNT, BASKET]], ids=str)
def test_r38_fields_are_masked_as_granted(world, beta, card, fields):
    beta.grant(card, fields=fields).ok()
    (row,) = beta.purchases(card).ok().purchases
    assert list(row.fields) == fields and row.kind == 1
    has = {group: group in fields for group in (MERCHANT_AND_DATE, AMOUNT, BASKET)}
    assert (row.merchant, row.business_date, row.channel) == (
        ("acme", world.clock.date(), 1) if has[MERCHANT_AND_DATE] else ("", 0, 0))
    assert (row.amount_minor, row.currency, row.points) == ((1200, "EUR", 12) if has[AMOUNT] else (0, "", 0))
    assert [line.product for line in row.lines] == (["bread", "pen"] if has[BASKET] else [])
    assert [line.amount_minor for line in row.lines] == ([700, 500] if has[BASKET] and has[AMOUNT] else
                                                         [0, 0] if has[BASKET] else [])


def test_r38_purpose_and_source_are_kept_apart(acme, beta, brief, card):
    brief.earn(card, 500).ok()
    beta.grant(card, purpose=OFFER, source="brief").ok()
    assert not beta.purchases(card, SERVICE).ok().purchases
    assert not beta.purchases(card, ANALYSIS).ok().purchases
    assert [row.merchant for row in beta.purchases(card, OFFER).ok().purchases] == ["brief"]
    beta.grant(card, purpose=OFFER, fields=[MERCHANT_AND_DATE]).ok()  # all sources: the union for brief
    rows = {row.merchant: list(row.fields) for row in beta.purchases(card, OFFER).ok().purchases}
    assert rows == {"brief": [1, 2, 3], "acme": [1]}
    assert not brief.purchases(card, OFFER).ok().purchases  # a grant names one recipient


def test_r38_its_last_day_is_its_end(world, beta, card):
    beta.grant(card, days=1).ok()
    tomorrow = world.clock.local(world.clock.now_us + 86400 * 1000000)
    world.clock.move_to(world.clock.us_of(tomorrow.year, tomorrow.month, tomorrow.day, 23, 59, 59))
    assert len(beta.purchases(card).ok().purchases) == 1
    world.clock.advance(seconds=1)
    assert not beta.purchases(card).ok().purchases


def test_r38_earning_never_depends_on_grants(acme, beta, card):
    beta.grant(card).ok()
    beta.revoke(card).ok()
    assert beta.earn(card, 1000).ok().points == 10
    assert beta.redeem(card, 5).ok().points == 5


def test_a_grant_that_is_over_stays_so(world, beta, card):
    over, lasting = beta.grant(card, days=0), beta.grant(card, purpose=OFFER)
    world.clock.advance(days=2)
    beta.revoke(card).ok()
    states = {row.grant_key: (row.state, row.ended_at_us) for row in beta.grants(card).ok().grants}
    assert states[over.key] == (2, 0) and states[lasting.key][0] == 3
    beta.grant(card).ok()  # in its place
    states = {row.grant_key: row.state for row in beta.grants(card).ok().grants}
    assert states[over.key] == 2 and sorted(states.values()) == [1, 2, 3]


# --- ending ---

def test_r38_revocation_acts_on_the_next_query(beta, card, database):
    beta.grant(card).ok()
    assert beta.purchases(card).ok().purchases
    beta.revoke(card, "beta").ok()
    assert not beta.purchases(card).ok().purchases
    assert [row["end_kind"] for row in consents(database, card)] == [1]
    beta.revoke(card, "beta").ok()  # of what is not there


def test_r38_any_terminal_revokes(world, beta, brief, card, database):
    beta.grant(card).ok()
    beta.grant(card, purpose=OFFER).ok()
    brief.revoke(brief.ref(card), "beta", purpose=OFFER).ok()
    assert beta.purchases(card).ok().purchases and not beta.purchases(card, OFFER).ok().purchases
    brief.revoke(brief.ref(card)).ok()
    assert not beta.purchases(card).ok().purchases
    terminals = {row["end_terminal_id"] for row in consents(database, card)}
    codes = database.rows("select m.code from loyal.terminal t join loyal.merchant m using (merchant_id)"
                          " where terminal_id = any(%s)", list(terminals))
    assert [row["code"] for row in codes] == ["brief"]


def test_r38_a_merchant_sees_the_grants_it_holds(world, beta, brief, card):
    first = beta.grant(card, source="acme")
    world.clock.advance(seconds=1)
    second = beta.grant(card, source="acme", fields=[AMOUNT])
    third = brief.grant(card, purpose=OFFER)
    beta.revoke(card, "beta").ok()
    rows = beta.connection.call("list_grants", member=member(card)).ok().grants
    assert [(row.grant_key, row.state, row.grant.source, row.terminal, row.operator) for row in rows] == [
        (second.key, 3, "acme", "till-1", ""), (first.key, 4, "acme", "till-1", "")]
    assert [row.grant_key for row in brief.connection.call("list_grants", member=member(card)).ok().grants] == [third.key]
    whole = world.operator.call("list_grants", member=member(card)).ok().grants
    assert {row.grant_key for row in whole} == {first.key, second.key, third.key}
    assert {row.grant.recipient for row in whole} == {"beta", "brief"}


def test_lists_of_grants_have_pages(beta, card):
    keys = [beta.grant(card).key for _ in range(60)]
    seen = beta.all_pages(lambda **more: beta.connection.call("list_grants", member=member(card), **more), "grants")
    assert [row.grant_key for row in seen] == sorted(keys, reverse=True) or {row.grant_key for row in seen} == set(keys)
    assert len(seen) == 60 and [row.state for row in seen].count(1) == 1
