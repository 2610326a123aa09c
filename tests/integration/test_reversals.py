"""R8, R10, R16, R17: reversals."""
import uuid

import pytest

from support.proto import EARN, REDEMPTION


def test_r8_a_reversed_redemption_restores_lots_with_their_expiry(acme, beta, brief, database):
    card = acme.enrolled(30)
    brief.earn(card, 2000).ok()
    before = database.lots(card)
    redeem = beta.redeem(card, 35)  # all 20 of brief, which end first, and 15 of acme
    redeem.ok()
    body = beta.reverse(card, redeem.key, REDEMPTION).ok()
    assert (body.points, body.expired, body.balance.available) == (35, 0, 50)
    after = database.lots(card)
    assert [(row["entry_id"], row["points"], row["expires_at"], row["earned_at"]) for row in after] == \
           [(row["entry_id"], row["points"], row["expires_at"], row["earned_at"]) for row in before]


def test_r8_a_lot_past_its_expiry_comes_back_expired(acme, brief, clock, database):
    card = brief.enrolled(20)
    acme.earn(card, 1000).ok()
    redeem = acme.redeem(card, 25)
    redeem.ok()
    clock.advance(days=70)
    body = acme.reverse(card, redeem.key, REDEMPTION).ok()
    assert (body.points, body.expired, body.balance.available) == (25, 20, 10)
    assert [(lot["merchant"], lot["points"]) for lot in database.lots(card)] == [("acme", 10)]
    assert acme.balance(card).available == 10


def test_r10_only_the_merchant_that_redeemed_can_reverse(acme, beta, database):
    card = acme.enrolled(50)
    redeem = acme.redeem(card, 20)
    beta.reverse(card, redeem.key, REDEMPTION).refused("NO_ORIGINAL")
    earn = acme.earn(card, 1000)
    beta.reverse(card, earn.key, EARN).refused("NO_ORIGINAL")
    assert database.member(card)["available"] == 40
    acme.reverse(card, redeem.key, REDEMPTION).ok()


def test_r10_never_more_than_was_captured(acme, database):
    card = acme.enrolled(50)
    redeem = acme.redeem(card, 20)
    acme.reverse(card, redeem.key, REDEMPTION).ok()
    acme.reverse(card, redeem.key, REDEMPTION).refused("ALREADY_REVERSED")
    assert database.member(card)["available"] == 50


@pytest.mark.parametrize("kind", [EARN, REDEMPTION], ids=["earn", "redemption"])
def test_r16_a_reversal_before_its_request_leaves_a_tombstone(acme, database, kind):
    card = acme.enrolled(50)
    late = acme.key()
    body = acme.reverse(card, late, kind).ok()
    assert body.before_original and (body.points, body.balance.available) == (0, 50)
    request = (lambda: acme.earn(card, 1000, key=late)) if kind == EARN else (lambda: acme.redeem(card, 10, key=late))
    request().refused("REVERSED_BEFORE")
    assert request().refused("REVERSED_BEFORE").recorded
    assert database.member(card)["available"] == 50 and len(database.entries(card)) == 2


def test_r16_a_tombstone_binds_only_its_own_merchant(acme, beta, database):
    card = acme.enrolled()
    late = acme.key()
    assert acme.reverse(card, late, EARN).ok().before_original
    assert beta.earn(card, 1000, key=late).ok().points == 10
    assert database.member(card)["available"] == 10


def test_r16_a_reversal_that_names_no_original(acme, database):
    card = acme.enrolled(10)
    first = acme.reverse(card, b"", EARN, amount=100)
    first.refused("NO_ORIGINAL")
    assert acme.call("reverse", first.fields).refused("NO_ORIGINAL").recorded
    assert database.member(card)["available"] == 10


def test_r16_an_original_of_another_kind(acme):
    card = acme.enrolled(10)
    earn = acme.earn(card, 1000)
    acme.reverse(card, earn.key, REDEMPTION).refused("NO_ORIGINAL")
    redeem = acme.redeem(card, 5)
    acme.reverse(card, redeem.key, EARN).refused("NO_ORIGINAL")


def test_r16_an_original_of_another_member(acme, database):
    """The key is looked for among the entries of the member named: elsewhere it has not come yet, and takes nothing."""
    card, other = acme.enrolled(10), acme.enrolled(10)
    earn = acme.earn(other, 1000)
    reply = acme.reverse(card, earn.key, EARN)
    assert reply.code == "NO_ORIGINAL" or (reply.code == "OK" and reply.body.before_original)
    assert database.member(other)["available"] == 20 and database.member(card)["available"] == 10


def test_r16_an_original_of_any_age_and_another_store(acme, clock, database):
    card = acme.enrolled()
    earn = acme.earn(card, 1000, store="north")
    earn.ok()
    clock.advance(days=100)
    assert acme.reverse(card, earn.key, EARN, amount=400, store="south").ok().points == 4
    assert database.member(card)["available"] == 6
    assert uuid.UUID(database.entries(card)[-1]["original"]).bytes == earn.key


def test_r17_every_repeat_of_a_reversal_gets_the_same_answer(acme, database):
    card = acme.enrolled()
    earn = acme.earn(card, 1000)
    first = acme.reverse(card, earn.key, EARN, amount=500)
    for _ in range(5):
        again = acme.call("reverse", first.fields)
        assert again.recorded and again.ok() == first.body
    acme.earn(card, 10000).ok()  # and whatever happens since then
    assert acme.call("reverse", first.fields).ok() == first.body
    assert [entry["kind"] for entry in database.entries(card)] == [1, 2, 4, 2]


def test_r17_repeats_of_a_tombstone_too(acme):
    card = acme.enrolled()
    first = acme.reverse(card, acme.key(), EARN)
    first.ok()
    again = acme.call("reverse", first.fields)
    assert again.recorded and again.ok() == first.body


def test_r17_a_recorded_refusal_of_a_reversal_too(acme):
    card = acme.enrolled()
    earn = acme.earn(card, 1000)
    refused = acme.reverse(card, earn.key, EARN, amount=1001).refused("EXCEEDS_ORIGINAL")
    acme.reverse(card, earn.key, EARN).ok()
    assert acme.call("reverse", refused.fields).refused("EXCEEDS_ORIGINAL").recorded
