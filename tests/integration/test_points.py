"""R1 to R7, R30, R31 and R42's record through real TLS and PostgreSQL; what the answers say is looked up in the database."""
import concurrent.futures
import uuid

from support.proto import EARN, REDEMPTION

LEG_MADE, LEG_REDEEMED, LEG_CLAWED, LEG_REPAID, LEG_EXPIRED, LEG_RESTORED, LEG_DEBT = range(1, 8)


def legs_of(entry):
    """(kind, lot's key, lot's number, issuer, points) of each leg, decoded here once more."""
    numbers = entry["legs"]
    assert len(numbers) % 8 == 0
    return [(numbers[at], ((numbers[at + 1] % 2 ** 64) << 64 | numbers[at + 2] % 2 ** 64).to_bytes(16, "big"),
             numbers[at + 3], numbers[at + 4], numbers[at + 5]) for at in range(0, len(numbers), 8)]


def test_earn_at_one_merchant_redeem_at_another(acme, beta, database, world):
    card = acme.enrolled()
    earn = acme.earn(card, 2190, receipt="1001", lines=[
        {"product": "pens", "category": "office", "quantity_milli": 2000, "amount_minor": 398},
        {"product": "flour", "quantity_milli": 500, "amount_minor": 1792}])
    assert earn.ok().points == 21
    redeem = beta.redeem(card, 15, store="south", till="7")
    assert redeem.ok().balance.available == 6
    enrolled, earned, redeemed = database.entries(card)
    assert [row["seq"] for row in (enrolled, earned, redeemed)] == [1, 2, 3]
    assert uuid.UUID(earned["id"]).bytes == earn.key and uuid.UUID(redeemed["id"]).bytes == redeem.key
    merchants = {row["code"]: row["merchant_id"] for row in database.rows("select code, merchant_id from loyal.merchant")}
    assert (earned["merchant_id"], redeemed["merchant_id"]) == (merchants["acme"], merchants["beta"])
    assert legs_of(earned) == [(LEG_MADE, earn.key, legs_of(earned)[0][2], merchants["acme"], 21)]
    assert legs_of(redeemed) == [(LEG_REDEEMED, earn.key, legs_of(earned)[0][2], merchants["acme"], 15)]
    assert (earned["receipt"], earned["till"], earned["amount_minor"], earned["currency"]) == ("1001", "1", 2190, "EUR")
    assert earned["business_date"] == redeemed["business_date"] == world.clock.date()
    (lot,) = database.lots(card)
    assert (lot["points"], lot["merchant"]) == (6, "acme")
    member = database.member(card)
    assert (member["available"], member["seq"], bytes(member["chain"])) == (6, 3, bytes(redeemed["chain"]))


def test_r1_amounts_and_sums_are_checked_integers(acme, giant, database):
    card = giant.enrolled()
    giant.earn(card, 10 ** 15).refused("BALANCE_LIMIT")  # 10^21 points
    assert [entry["kind"] for entry in database.entries(card)] == [1]
    other = acme.enrolled()
    assert acme.earn(other, 10 ** 15).ok().points == 10 ** 13
    assert acme.redeem(other, 10 ** 13).ok().balance.available == 0
    acme.connection.call("earn", **acme.earn_fields(other, 10 ** 15 + 1)).refused("INVALID_FIELD")


def test_r2_points_once_per_receipt_not_per_line(acme, database):
    card = acme.enrolled()
    lines = [{"product": f"p{number}", "quantity_milli": 1000, "amount_minor": 99} for number in range(3)]
    assert acme.earn(card, 297, lines=lines).ok().points == 2
    assert sorted(line["points"] for line in database.lines(card)) == [0, 1, 1]


def test_r2_a_purchase_below_one_point_is_good_and_leaves_no_lot(acme, database):
    card = acme.enrolled()
    body = acme.earn(card, 99).ok()
    assert (body.points, body.expires_at_us, body.balance.available) == (0, 0, 0)
    assert len(database.entries(card)) == 2 and not database.lots(card)
    assert acme.earn(card, 0).ok().points == 0


def test_r3_what_is_paid_in_points_earns_nothing(acme):
    card = acme.enrolled()
    assert acme.earn(card, 2000, paid=550).ok().points == 14
    assert acme.earn(card, 2000, paid=2000).ok().points == 0


def test_r4_ten_refunds_of_one_are_one_refund_of_ten(tenth, database):
    one, ten = tenth.enrolled(), tenth.enrolled()
    first, second = tenth.earn(one, 2190), tenth.earn(ten, 2190)
    assert first.ok().points == second.ok().points == 2
    clawed = [tenth.reverse(one, first.key, EARN, amount=100).ok().points for _ in range(10)]
    assert clawed == [0, 1] + [0] * 8
    assert tenth.reverse(ten, second.key, EARN, amount=1000).ok().points == 1
    assert database.member(one)["available"] == database.member(ten)["available"] == 1


def test_r5_never_more_than_the_receipt_earned(tenth, database):
    card = tenth.enrolled()
    earn = tenth.earn(card, 2190)
    earn.ok()
    for amount in (1, 999, 1000):
        tenth.reverse(card, earn.key, EARN, amount=amount).ok()
    tenth.reverse(card, earn.key, EARN, amount=191).refused("EXCEEDS_ORIGINAL")
    tenth.reverse(card, earn.key, EARN).ok()
    tenth.reverse(card, earn.key, EARN).refused("ALREADY_REVERSED")
    assert sum(entry["points"] for entry in database.entries(card) if entry["kind"] == 4) == 2
    assert database.member(card)["available"] == 0


def test_r6_own_lot_then_the_issuers_others_then_debt(acme, beta, clock, database):
    card = acme.enrolled()
    first = acme.earn(card, 10000)  # 100 of acme
    clock.advance(seconds=1)
    acme.earn(card, 5000).ok()      # 50 of acme
    beta.earn(card, 20000).ok()     # 200 of beta, which end later
    acme.redeem(card, 80).ok()      # of the first lot 20 are left
    body = acme.reverse(card, first.key, EARN).ok()
    assert (body.points, body.debt_made) == (100, 30)
    assert (body.balance.available, body.balance.debt) == (200, 30)
    assert database.debts(card) == {"acme": 30}
    beta_earn = beta.earn(card, 1000).ok()
    assert beta_earn.debt_repaid == 0 and beta_earn.balance.debt == 30  # another issuer's earnings repay nothing
    repaid = acme.earn(card, 2000).ok()
    assert (repaid.points, repaid.debt_repaid, repaid.balance.debt) == (20, 20, 10)
    rest = acme.earn(card, 2500).ok()
    assert (rest.points, rest.debt_repaid, rest.balance.debt, rest.balance.available) == (25, 10, 0, 225)
    assert database.debts(card) == {}
    assert {lot["merchant"]: lot["points"] for lot in database.lots(card) if lot["merchant"] == "acme"} == {"acme": 15}


def test_r7_a_refund_never_touches_what_another_issuer_funded(acme, beta, database):
    card = beta.enrolled(500)
    earn = acme.earn(card, 10000)
    acme.redeem(card, 600).ok()  # everything of both
    assert database.member(card)["available"] == 0
    beta.earn(card, 5000).ok()
    body = acme.reverse(card, earn.key, EARN).ok()
    assert (body.points, body.debt_made, body.balance.available) == (100, 100, 50)
    assert [(lot["merchant"], lot["points"]) for lot in database.lots(card)] == [("beta", 50)]


def test_r7_a_debt_is_never_silently_zeroed(acme, clock, database):
    card = acme.enrolled()
    earn = acme.earn(card, 1000)
    acme.redeem(card, 10).ok()
    acme.reverse(card, earn.key, EARN).ok()
    clock.advance(days=2)
    acme.redeem(card, 1).refused("NOT_ENOUGH_POINTS")
    assert acme.balance(card).debt == 10 and database.debts(card) == {"acme": 10}


def redeem_once(till, fields):
    return till.call("redeem", fields).code


def test_r31_twenty_redemptions_of_all_there_is_on_two_daemons(acme, world, second, database):
    """20 connections on two daemons, fifty times: one success, 19 refusals."""
    tills = [world.till("acme", port) for port in (world.stack.port, second.port) * 10]
    try:
        with concurrent.futures.ThreadPoolExecutor(len(tills)) as pool:
            for _ in range(50):
                card = acme.enrolled(100)
                asked = [till.redeem_fields(card, 100) for till in tills]
                codes = sorted(pool.map(redeem_once, tills, asked))
                assert codes == ["NOT_ENOUGH_POINTS"] * 19 + ["OK"]
                member = database.member(card)
                assert (member["available"], member["seq"]) == (0, 3)
            assert len(database.refusals(card)) == 19
    finally:
        for till in tills:
            till.close()


def test_r31_no_balance_is_ever_negative(acme, beta, database):
    card = acme.enrolled(10)
    acme.redeem(card, 11).refused("NOT_ENOUGH_POINTS")
    beta.redeem(card, 10 ** 15).refused("NOT_ENOUGH_POINTS")
    acme.redeem(card, 10).ok()
    beta.redeem(card, 1).refused("NOT_ENOUGH_POINTS")
    assert database.member(card)["available"] == 0 and not database.lots(card)
    assert database.value("select count(*) from loyal.member where available < 0 or debt < 0") == 0


def test_r42_who_owes_whom(world, operator, clock, database):
    """Points redeemed by issuer and redeemer; issuer = redeemer is in the record, too."""
    for code in ("owes-a", "owes-b"):
        world.add_merchant(code)
    with world.till("owes-a") as a, world.till("owes-b") as b:
        card = a.enrolled(100)
        clock.advance(seconds=1)
        b.earn(card, 5000).ok()  # 50, later
        b.redeem(card, 60).ok()
        a.redeem(card, 30).ok()
        last = b.redeem(card, 20)  # 10 of a, 10 of b
        last.ok()

        def owed():
            return {(row.issuer, row.redeemer): row.points for row in operator.call("list_owed_points").ok().owed
                    if row.issuer.startswith("owes-")}
        assert owed() == {("owes-a", "owes-b"): 70, ("owes-a", "owes-a"): 30, ("owes-b", "owes-b"): 10}
        b.reverse(card, last.key, REDEMPTION).ok()
        assert owed() == {("owes-a", "owes-b"): 60, ("owes-a", "owes-a"): 30}
    assert database.member(card)["available"] == 60
