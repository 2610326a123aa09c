"""R30 over the whole run, and tampering: each of three changes made as superuser is named with row and member."""
import contextlib
import json

import pytest

from support.paths import wait_for
from test_points import (LEG_CLAWED, LEG_DEBT, LEG_EXPIRED, LEG_MADE, LEG_REDEEMED, LEG_REPAID, LEG_RESTORED, legs_of)

FIELDS = ("issued", "available", "redeemed", "expired", "forfeited", "clawed_back", "debt")
FORFEIT = 7  # entry kind


def sums_of_legs(database, now_us):
    """R30's terms from the journal's numbers and the lots, added up here."""
    sums = {}
    codes = {row["merchant_id"]: row["code"] for row in database.rows("select merchant_id, code from loyal.merchant")}

    def add(issuer, field, points):
        row = sums.setdefault(codes[issuer], dict.fromkeys(FIELDS, 0))
        row[field] += points
    for entry in database.rows("select kind, legs from loyal.entry"):
        for kind, _, _, issuer, points in legs_of(entry):
            if kind == LEG_MADE:
                add(issuer, "issued", points)
            elif kind == LEG_REDEEMED:
                add(issuer, "redeemed", points)
            elif kind == LEG_RESTORED:
                add(issuer, "redeemed", -points)
            elif kind == LEG_EXPIRED:
                add(issuer, "forfeited" if entry["kind"] == FORFEIT else "expired", points)
            elif kind == LEG_CLAWED:
                add(issuer, "clawed_back", points)
            elif kind == LEG_DEBT:
                add(issuer, "clawed_back", points)
                add(issuer, "debt", points)
            else:
                assert kind == LEG_REPAID
                add(issuer, "debt", -points)
    for lot in database.rows("select issuer, points, (extract(epoch from expires_at) * 1000000) as us from loyal.lot"):
        add(lot["issuer"], "available" if lot["us"] > now_us else "expired", lot["points"])
    return sums


@pytest.mark.last
def test_r30_the_books_of_the_whole_run(operator, database, clock):
    """issued = available + redeemed + expired + forfeited + clawed back - debt: legs, lots and members' rows agree."""
    entries = "select count(*) from loyal.entry"
    entries_before = database.value(entries)
    reply = wait_for(lambda: (got := operator.call("check_conservation", bucket_last=255)).code != "NOT_READY" and got,
                     "the office is open again after what earlier tests did to it")
    checked = reply.ok()
    assert checked.findings_total == 0, checked.findings
    told = {row.issuer: {field: getattr(row, field) for field in FIELDS} for row in checked.sums}
    assert told == sums_of_legs(database, clock.now_us)
    for issuer, row in told.items():
        assert row["issued"] == (row["available"] + row["redeemed"] + row["expired"] + row["forfeited"]
                                 + row["clawed_back"] - row["debt"]), issuer
    rows = database.row("select sum(available) as available, sum(debt) as debt, count(*) as members from loyal.member")
    assert rows["available"] == database.value("select sum(points) from loyal.lot")
    assert rows["debt"] == sum(row["debt"] for row in told.values())
    assert checked.members == rows["members"]
    # maintenance may enter expired points meanwhile
    assert entries_before <= checked.entries <= database.value(entries)


@contextlib.contextmanager
def tampered(database, sql, back, *values):
    """The change, as superuser, and afterwards the way back."""
    database.change(sql, *values)
    try:
        yield
    finally:
        database.change(*back)


def findings_of(world, *words):
    done = world.ctl("conservation", "check", "--json", *words)
    return done.returncode, json.loads(done.stdout)["findings"]


def hex_of(member):
    return f"{member['member_id']:x}"


def assert_named(world, member, row):
    buckets = ("--buckets", f"{member['bucket']}-{member['bucket']}")
    status, findings = findings_of(world, *buckets)
    assert status == 3
    named = [(finding["member"], finding["row"]) for finding in findings]
    assert any(who == hex_of(member) and row in what for who, what in named), findings
    people = world.ctl("conservation", "check", *buckets)
    assert people.returncode == 3 and hex_of(member) in people.stdout and row in people.stdout


def test_a_clean_check_ends_with_0(world):
    done = world.ctl("conservation", "check")
    assert done.returncode == 0, done.stdout + done.stderr
    assert findings_of(world) == (0, [])


@pytest.mark.parametrize("column,value", [("receipt", "'t-2'"), ("points", "points + 1"), ("amount_minor", "amount_minor + 1"),
                                          ("decided_at", "decided_at + interval '1 us'"),
                                          ("body_hash", "set_byte(body_hash, 3, get_byte(body_hash, 3) # 1)"),
                                          ("chain", "set_byte(chain, 31, get_byte(chain, 31) # 128)"),
                                          ("facts_hash", "set_byte(facts_hash, 0, get_byte(facts_hash, 0) # 1)"),
                                          ("salt", "set_byte(salt, 0, get_byte(salt, 0) # 1)")])
def test_r30_one_byte_changed_in_an_entry(acme, world, database, column, value):
    card = acme.enrolled()
    acme.earn(card, 1000, receipt="t-1").ok()
    acme.redeem(card, 3).ok()
    member, entry = database.id_of(card), database.entries(card)[1]
    where = "where bucket = %s and member_id = %s and id = %s"
    key = (member["bucket"], member["member_id"], entry["id"])
    with tampered(database, f"update loyal.entry set {column} = {value} {where}",
                  (f"update loyal.entry set {column} = %s {where}", entry[column], *key), *key):
        assert_named(world, member, entry["id"])


def test_r30_a_changed_basket_line(acme, world, database):
    card = acme.enrolled()
    acme.earn(card, 1000, lines=[{"product": "milk", "quantity_milli": 1000, "amount_minor": 1000}]).ok()
    member, entry = database.id_of(card), database.entries(card)[1]
    where = "where bucket = %s and member_id = %s"
    key = (member["bucket"], member["member_id"])
    with tampered(database, f"update loyal.basket_line set product = 'silk' {where}",
                  (f"update loyal.basket_line set product = 'milk' {where}", *key), *key):
        assert_named(world, member, entry["id"])


def test_r30_a_deleted_entry(acme, world, database):
    card = acme.enrolled()
    acme.earn(card, 1000).ok()
    acme.earn(card, 2000).ok()
    member, entry = database.id_of(card), database.entries(card)[1]
    where = "where bucket = %s and member_id = %s and id = %s"
    key = (member["bucket"], member["member_id"], entry["id"])
    database.change(f"create table public.kept as select * from loyal.entry {where}", *key)
    try:
        with tampered(database, f"delete from loyal.entry {where}", ("insert into loyal.entry select * from public.kept",),
                      *key):
            assert_named(world, member, database.entries(card)[1]["id"])
    finally:
        database.change("drop table public.kept")


def test_r30_a_deleted_lot(acme, world, database):
    card = acme.enrolled(20)
    member, (lot,) = database.id_of(card), database.lots(card)
    columns = "bucket, member_id, entry_id, number, issuer, points, earned_at, expires_at"
    back = (f"insert into loyal.lot ({columns}) values (%s, %s, %s, %s, %s, %s, %s, %s)",
            *(lot[name] for name in columns.split(", ")))
    with tampered(database, "delete from loyal.lot where bucket = %s and member_id = %s", back,
                  member["bucket"], member["member_id"]):
        assert_named(world, member, lot["entry_id"])


def test_r30_a_balance_raised_by_one(acme, world, database):
    card = acme.enrolled(20)
    member = database.id_of(card)
    sql = "update loyal.member set available = available {} 1 where bucket = %s and member_id = %s"
    key = (member["bucket"], member["member_id"])
    with tampered(database, sql.format("+"), (sql.format("-"), *key), *key):
        assert_named(world, member, "member")
        status, findings = findings_of(world)
        assert status == 3 and [finding["member"] for finding in findings] == [hex_of(member)]


def test_r30_an_invented_lot(acme, world, database):
    card = acme.enrolled()
    member = database.id_of(card)
    key = (member["bucket"], member["member_id"])
    with tampered(database, "insert into loyal.lot select %s, %s, gen_random_uuid(), 1, 1, 5, now(), 'infinity'",
                  ("delete from loyal.lot where bucket = %s and member_id = %s", *key), *key):
        assert_named(world, member, "lot")
