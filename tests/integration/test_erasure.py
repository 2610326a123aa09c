"""R29: an erased member is forgotten, his entries and every sum stay. And all that is stored about somebody."""
import hashlib
import json
import struct

import pytest

from support.proto import Request

from support.wire import Connection
from support.world import member, uuid7

EarnRequest = type(Request().earn)
FACTS = ("salt", "store_id", "terminal_id", "channel", "till", "receipt", "part", "business_date", "occurred_at",
         "amount_minor", "paid_in_points_minor", "currency")
KEPT = ("available", "forfeited")  # their sum


def erase(world, who, key=None, reason="he asked for it"):
    return world.operator.call("erase_member", key=key or uuid7(world.clock.now_us), member=member(who), reason=reason)


def plain_body_hash(fields):
    """PROTOCOL.md section 5 and proto/body_hash.h, without a key."""
    out = hashlib.sha256(b"\1" + _text("loyal.v1.EarnRequest") + _fields(EarnRequest(**fields), skip="key"))
    return out.digest()[:16]


def _text(text):
    return struct.pack(">I", len(text)) + (text if isinstance(text, bytes) else text.encode())


def _fields(message, skip=None):
    out = b""
    for field, value in sorted(message.ListFields(), key=lambda pair: pair[0].number):
        for item in value if field.label == field.LABEL_REPEATED else [value]:
            head = struct.pack(">I", field.number)
            if field.name == skip:
                continue
            if field.type == field.TYPE_MESSAGE:
                out += head + b"\3" + _fields(item)
            elif isinstance(item, int):
                out += head + b"\1" + struct.pack(">q", item)
            else:
                out += head + b"\2" + _text(item)
    return out + struct.pack(">I", 0)


def sums(database):
    """As of the epoch's beginning: nothing has expired that is not entered."""
    return database.rows("select * from loyal.issuer_sums(0, 255, '-infinity') order by issuer")


@pytest.fixture
def card(world, acme, beta, brief):
    """A member with a history: purchases, a refund, a redemption, a refusal, grants, disclosures, a suspension."""
    made = acme.enrolled()
    sold = acme.earn(made, 5000, receipt="r-1", till="7", lines=[{"product": "ring", "category": "gold",
                                                                  "quantity_milli": 1000, "amount_minor": 5000}])
    brief.earn(made, 2000).ok()
    beta.grant(made).ok()
    beta.purchases(made).ok()
    acme.redeem(made, 5).ok()
    acme.redeem(made, 100000).refused("NOT_ENOUGH_POINTS")
    acme.reverse(made, sold.key, amount=1000).ok()
    world.set_standing(2, member=member(made), reason="by name").ok()
    world.set_standing(1, member=member(made), reason="by name").ok()
    return made


def test_r29_personal_data_go_and_every_sum_stays(world, acme, beta, card, database):
    before, owed = sums(database), database.rows("select * from loyal.owed_points()")
    owner, left = database.id_of(card), database.member(card)["available"]
    ref = acme.ref(card)
    reply = erase(world, card)
    body = reply.ok()
    assert body.points == left > 0 and body.entries == 6 and not reply.recorded
    after = {row["issuer"]: row for row in sums(database)}
    for row in before:
        new = after[row["issuer"]]
        assert {name: new[name] for name in ("issued", "redeemed", "clawed_back", "debt")} == {
            name: row[name] for name in ("issued", "redeemed", "clawed_back", "debt")}
        assert sum(new[name] for name in KEPT) == sum(row[name] for name in KEPT)
    assert sum(row["expired"] for row in after.values()) == sum(row["expired"] for row in before)
    assert sum(row["forfeited"] for row in after.values()) - sum(row["forfeited"] for row in before) == left
    assert database.rows("select * from loyal.owed_points()") == owed
    assert not database.findings()  # chain and balances
    where = "where (bucket, member_id) = (%s, %s)"
    mine = (owner["bucket"], owner["member_id"])
    entries = database.rows(f"select * from loyal.entry {where} order by seq", *mine)
    assert entries[-1]["kind"] == 7 and entries[-1]["balance"] == 0
    assert all(entry[fact] is None for entry in entries for fact in FACTS)
    assert database.value(f"select count(*) from loyal.identifier {where}", *mine) == 0
    lines = database.rows(f"select * from loyal.basket_line {where}", *mine)
    assert [(row["product"], row["category"], row["amount_minor"]) for row in lines] == [("", "", 0)]
    assert all(row["amount_minor"] is None and row["points"] is None
               for row in database.rows(f"select * from loyal.refusal {where}", *mine))
    assert [row["end_kind"] for row in database.rows(f"select * from loyal.consent {where}", *mine)] == [3]
    assert {row["reason"] for row in database.rows(f"select * from loyal.member_standing_change {where}", *mine)} == {""}
    assert database.value(f"select count(*) from loyal.lot {where}", *mine) == 0
    # nobody knows him any more, by card or by ref
    for who in (card, ref):
        acme.earn(who, 100).refused("UNKNOWN_MEMBER")
        acme.purchases(who).refused("UNKNOWN_MEMBER")
        acme.connection.call("get_balance", member=member(who)).refused("UNKNOWN_MEMBER")
    assert not beta.never_met(1, merchants=["brief"]).ok().members or all(
        person.ref != ref for person in beta.all_pages(beta.never_met, "members"))


def test_r29_the_card_may_be_enrolled_anew(world, acme, card, database):
    old = database.id_of(card)
    erase(world, card).ok()
    del world.enrolments[card]
    acme.enrol(card).ok()
    assert database.id_of(card) != old
    assert acme.balance(card).available == 0


def test_r32_an_erasure_is_repeated_under_its_key(world, card, database):
    operators = world.operator.call("find_member", identifier=member(card)["identifier"]).ok().ref
    first = erase(world, operators)
    again = world.operator.call("erase_member", **first.fields)
    assert again.recorded and again.ok().points == first.ok().points and again.body.entry_key == first.key
    other = erase(world, operators)  # under another key: nothing is left to do
    assert other.ok().points == 0 and not other.body.entry_key
    assert [row["kind"] for row in database.entries(card)].count(7) == 1


def test_r32_an_erasure_is_repeated_by_an_identifier_that_went_with_it(world, card):
    first = erase(world, card)
    again = world.operator.call("erase_member", **first.fields)
    assert again.recorded and again.ok().points == first.ok().points and again.body.entry_key == first.key
    world.operator.call("erase_member", **{**first.fields, "reason": "another"}).refused("KEY_REUSED")
    erase(world, card).refused("UNKNOWN_MEMBER")


def test_r29_the_hash_of_a_body_cannot_be_tried_out(acme, database, card):
    """R32's hash stays in the chain of an erased member: it must not be one that anybody can compute from guessed facts."""
    fields = acme.earn_fields(card, 100)
    acme.call("earn", fields).ok()
    stored = bytes(database.entries(card)[-1]["body_hash"])
    assert len(stored) == 16 and stored != plain_body_hash(fields)


def test_r36_a_half_done_erasure_is_finished_by_asking_again(world, daemon, tenth, card, database):
    """The eraser's connection is missing when the points have been forfeited already."""
    tenth.grant(card).ok()
    ref = tenth.ref(card)
    assert ref in [row.ref for row in tenth.all_pages(tenth.never_met, "members")]
    broken = daemon("broken", postgres_eraser='"host=/nowhere dbname=loyal user=loyal_eraser"')
    connection = Connection(broken.port, world.stack.operator)
    fields = {"key": uuid7(world.clock.now_us), "member": member(card), "reason": "a test"}
    reply = connection.call("erase_member", **fields)
    assert reply.code == "OUTCOME_UNKNOWN"
    owner = database.id_of(card)
    assert database.member(card)["status"] == 4
    assert ref not in [row.ref for row in tenth.all_pages(tenth.never_met, "members")]  # his grants ended with it
    assert {row["end_kind"] for row in database.rows(
        "select end_kind from loyal.consent where (bucket, member_id) = (%s, %s)", owner["bucket"], owner["member_id"])} == {3}
    assert database.value("select count(*) from loyal.identifier where (bucket, member_id) = (%s, %s)",
                          owner["bucket"], owner["member_id"]) == 1
    done = world.operator.call("erase_member", **fields)
    assert done.recorded and done.ok().entries == 6
    assert database.value("select count(*) from loyal.identifier where (bucket, member_id) = (%s, %s)",
                          owner["bucket"], owner["member_id"]) == 0


def test_everything_stored_is_exported(world, acme, card, database):
    owner = database.id_of(card)
    document = json.loads(world.ctl("member", "export", "--card", card, "--reason", "he asked", check=True).stdout)
    tables = {row["table_name"] for row in database.rows(
        "select c.table_name from information_schema.columns c join information_schema.columns b"
        " using (table_schema, table_name) join pg_class k on k.oid = (table_schema || '.' || table_name)::regclass"
        " where table_schema = 'loyal' and c.column_name = 'member_id' and b.column_name = 'bucket'"
        " and k.relkind in ('r', 'p') and not k.relispartition", user="postgres")}
    for table in sorted(tables):
        count = database.value(f"select count(*) from loyal.{table} where (bucket, member_id) = (%s, %s)",
                               owner["bucket"], owner["member_id"])
        shown = len(document.get(table, []))
        assert shown == count - (1 if table == "disclosure" else 0), f"{table}: {shown} of {count}"  # but its own
    assert document["ref"] == world.operator.call("find_member", identifier=member(card)["identifier"]).ok().ref.hex()
    assert any(row["receipt"] == "r-1" for row in document["entry"])
    (own,) = database.rows("select reason, entries::text[] as entries from loyal.disclosure where (bucket, member_id) = (%s, %s) and verb = 64",
                           owner["bucket"], owner["member_id"])
    assert own["reason"] == "he asked" and len(own["entries"]) == 5


def test_a_long_history_is_exported_in_pages(world, acme):
    card = acme.enrolled()
    for _ in range(150):
        acme.submit("earn", acme.earn_fields(card, 100))
    for _ in range(150):
        acme.connection.next().ok()
    document = json.loads(world.ctl("member", "export", "--card", card, "--reason", "a test", check=True).stdout)
    assert len(document["entry"]) == 151 and len(document["lot"]) == len(document["entry_leg"]) == 150
    assert len({row["id"] for row in document["entry"]}) == 151


def test_members_are_not_erased_by_mistake(world, card, database):
    done = world.ctl("member", "erase", "--card", card, "--reason", "a test")
    assert done.returncode == 2 and "--yes" in done.stderr
    assert database.member(card)["status"] == 1
    assert world.ctl("member", "erase", "--card", card, "--reason", "a test", "--yes").returncode == 0
    assert database.member(card)["status"] == 4
    assert not database.findings()
