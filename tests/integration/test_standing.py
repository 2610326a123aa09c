"""Suspended, resumed, revoked: on every worker and daemon within seconds, and nothing commits after it."""
import json
import os
import threading
import time

import pytest

from support.paths import LOYALCTL, run, wait_for
from support.proto import ACTIVE, REVOKED, SUSPENDED
from support.wire import Closed, Connection
from support.world import Till, member


@pytest.fixture
def shop(world):
    """A merchant of this test alone, with two tills: till-1 of any store, till-n of its store north."""
    world.shops = getattr(world, "shops", 0) + 1
    code = f"shop-{world.shops}"
    world.add_merchant(code)
    world.bundles[code + "/north"] = world.add_terminal(code, "till-n", store="north")
    return code


def till_of(world, shop, name="", port=None):
    return Till(world, shop, world.bundles[shop + name], port)


def is_cut(till):
    try:
        till.connection.call("ping")
        return False
    except Closed:
        return True


def wait_cut(till, seconds=5):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if is_cut(till):
            return True
        time.sleep(0.05)
    return False


def is_known(world, shop):
    try:
        till_of(world, shop).close()
        return True
    except AssertionError as refused:
        assert "NOT_IDENTIFIED" in str(refused)
        return False


SUBJECTS = {
    "terminal": lambda shop: {"terminal": {"merchant": shop, "code": "till-1"}},
    "merchant": lambda shop: {"merchant": shop},
}


@pytest.mark.parametrize("what", SUBJECTS)
def test_a_suspended_one_is_cut_on_every_daemon(world, second, shop, what, database):
    subject = SUBJECTS[what](shop)
    tills = [till_of(world, shop), till_of(world, shop, port=second.port)]
    card = tills[0].enrolled()
    world.set_standing(SUSPENDED, reason="lost", **subject).ok()
    assert all(wait_cut(till) for till in tills)
    wait_for(lambda: not is_known(world, shop), "no worker takes it", seconds=5)
    row = database.row("select * from loyal.standing_change order by number desc limit 1")
    assert (row["standing"], row["reason"]) == (SUSPENDED, "lost") and row["operator_id"] > 0
    world.set_standing(ACTIVE, **subject).ok()
    with till_of(world, shop) as till:
        till.earn(card, 100).ok()
    world.set_standing(REVOKED, **subject).ok()
    world.set_standing(REVOKED, **subject).ok()  # as often as anybody likes
    world.set_standing(ACTIVE, **subject).refused("REVOKED")
    listed = world.operator.call("list_terminals", merchant=shop).ok().terminals
    if what == "terminal":
        assert {row.code: row.standing for row in listed} == {"till-1": REVOKED, "till-n": ACTIVE}


def test_a_suspended_store_takes_its_terminals_along(world, shop):
    north, any_store = till_of(world, shop, "/north"), till_of(world, shop)
    card = any_store.enrolled()
    world.set_standing(SUSPENDED, store={"merchant": shop, "code": "north"}).ok()
    assert wait_cut(north)
    any_store.earn(card, 100, store="north").refused("UNKNOWN_STORE")
    any_store.earn(card, 100, store="south").ok()
    stores = world.operator.call("list_stores", merchant=shop).ok().stores
    assert {row.code: row.standing for row in stores} == {"north": SUSPENDED, "south": ACTIVE}
    world.set_standing(ACTIVE, store={"merchant": shop, "code": "north"}).ok()
    any_store.earn(card, 100, store="north").ok()


def test_nothing_commits_under_a_terminal_after_its_revocation(world, second, shop, database):
    """Postings without pause at two daemons; what is in the journal is not younger than the revocation."""
    seed = till_of(world, shop)
    cards = [seed.enrolled() for _ in range(8)]
    accepted, ends = [], []

    def post(port):
        with till_of(world, shop, port=port) as till:
            number = 0
            try:
                while number < 20000:
                    for card in cards:
                        till.submit("earn", till.earn_fields(card, 100))
                    for _ in cards:
                        reply = till.connection.next()
                        number += 1
                        if reply.code == "OK":
                            accepted.append((time.monotonic(), reply.key))
                        else:
                            ends.append(reply.code)
                            return
            except Closed:
                ends.append("closed")
    threads = [threading.Thread(target=post, args=(port,)) for port in (world.stack.port, second.port)]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    world.set_standing(REVOKED, terminal={"merchant": shop, "code": "till-1"}).ok()
    revoked = time.monotonic()
    count = database.value("select count(*) from loyal.entry e join loyal.merchant m using (merchant_id) where m.code = %s", shop)
    for thread in threads:
        thread.join(30)
    later = database.value("select count(*) from loyal.entry e join loyal.merchant m using (merchant_id) where m.code = %s", shop)
    assert len(accepted) > 20 and later == count, f"{later - count} entries committed after the revocation"
    assert len(ends) == 2 and all(at < revoked + 5 for at, _ in accepted)


def test_a_batch_that_read_the_old_reference_holds_the_revocation_up(world, shop, database):
    """While a batch is between its reads and its commit, the revocation waits for it."""
    till = till_of(world, shop)
    card = till.enrolled()
    seen = []
    with database.holding("select epoch from loyal.reference_epoch") as foreign:  # as a batch does
        thread = threading.Thread(target=lambda: seen.append(world.set_standing(
            SUSPENDED, terminal={"merchant": shop, "code": "till-1"}).code))
        thread.start()
        time.sleep(0.3)
        assert not seen
        del foreign
    thread.join(30)
    assert seen == ["OK"] and card


def test_a_long_question_does_not_hold_a_revocation_up(world, shop, database):
    """A count that waits for its budget's row has not read the epoch: it will before its commit, and be told then."""
    till = till_of(world, shop)
    till.count(k=30).ok()
    counting = None
    with database.holding("update loyal.question_budget set used = used where merchant_id = (select merchant_id from"
                          " loyal.merchant where code = %s)", shop) as foreign:
        counting = till.submit("count_members", {"purpose": 3, "filter": {"date_first": 20200101}})
        time.sleep(0.3)
        began = time.monotonic()
        world.set_standing(SUSPENDED, terminal={"merchant": shop, "code": "till-1"}).ok()
        assert time.monotonic() - began < 2
        del foreign
    try:
        till.take(counting).refused("NOT_IDENTIFIED")
    except Closed:
        pass
    assert database.value("select count(*) from loyal.release r join loyal.merchant m using (merchant_id) where m.code = %s",
                          shop) == 1


def test_what_is_not_there(world, shop):
    world.set_standing(SUSPENDED, merchant="nobody").refused("UNKNOWN_MERCHANT")
    world.set_standing(SUSPENDED, store={"merchant": shop, "code": "east"}).refused("UNKNOWN_STORE")
    world.set_standing(SUSPENDED, terminal={"merchant": shop, "code": "till-9"}).refused("UNKNOWN_SUBJECT")
    world.set_standing(SUSPENDED, operator="nobody").refused("UNKNOWN_SUBJECT")
    world.set_standing(SUSPENDED, operator="admin").refused("INVALID_FIELD")
    world.set_standing(SUSPENDED, member=member(world.new_card())).refused("UNKNOWN_MEMBER")


def test_an_operator_is_suspended_by_another(world, stack, database):
    bundle = stack.operator_bundle("deputy")
    database.change_as_owner(
        ("insert into loyal.operator select max(operator_id) + 1, 'deputy', %s from loyal.operator", bundle.sha256()),
        ("update loyal.reference_epoch set epoch = epoch + 1",))
    deputy = Connection(stack.port, bundle)
    deputy.call("list_merchants").ok()
    world.set_standing(SUSPENDED, operator="deputy").ok()
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            deputy.call("ping")
        except Closed:
            break
        time.sleep(0.05)
    else:
        raise AssertionError("still connected after 5 s")


def test_r33_a_suspended_member_neither_earns_nor_redeems(world, acme, database):
    card = acme.enrolled(50)
    sold = acme.earn(card, 1000)
    world.set_standing(SUSPENDED, member=member(card), reason="stolen card").ok()
    refused = acme.earn(card, 100)
    refused.refused("MEMBER_SUSPENDED")
    acme.redeem(card, 1).refused("MEMBER_SUSPENDED")
    acme.reverse(card, sold.key, amount=1000).ok()  # what happened can be taken back
    assert acme.balance(card).available == 50
    assert {row["code"] for row in database.refusals(card)} == {31}
    owner = database.id_of(card)
    (change,) = database.rows("select * from loyal.member_standing_change where (bucket, member_id) = (%s, %s)",
                              owner["bucket"], owner["member_id"])
    assert (change["standing"], change["reason"]) == (SUSPENDED, "stolen card")
    world.set_standing(ACTIVE, member=member(card)).ok()
    assert acme.call("earn", refused.fields).refused("MEMBER_SUSPENDED").recorded
    acme.redeem(card, 50).ok()
    world.set_standing(REVOKED, member=member(card)).ok()
    world.set_standing(ACTIVE, member=member(card)).refused("REVOKED")
    assert not database.findings()


# --- certificates of a terminal ---

def terminal(world, verb, *words, check=True):
    return run(LOYALCTL, "terminal", verb, *words, "--json", check=check, env={"LOYALCTL_PROFILE": world.stack.operator_profile})


def may_connect(world, shop, bundle):
    try:
        Till(world, shop, bundle).close()
        return True
    except AssertionError as refused:
        assert "NOT_IDENTIFIED" in str(refused)
        return False


def test_a_terminal_changes_over_to_a_new_certificate(world, second, shop, database):
    """Both are good for a while; it stays the same terminal, with its refs, its keys and its history."""
    this, old = ("--merchant", shop, "--code", "till-1"), world.bundles[shop]
    new, third = (world.stack.bundle(shop, "till-1", os.path.join(world.stack.dir, f"{shop}-{name}")) for name in ("new", "third"))
    tills = [till_of(world, shop), till_of(world, shop, port=second.port)]
    card = tills[0].enrolled()
    earned = tills[0].earn(card, 2000)
    first = earned.ok()
    assert not may_connect(world, shop, new)

    terminal(world, "renew", *this, "--certificate", new.certificate, "--reason", "runs out in May")
    terminal(world, "renew", *this, "--certificate", new.certificate, "--reason", "again: no mistake")
    wait_for(lambda: may_connect(world, shop, new), "the new one is known to every worker", seconds=5)
    fresh = Till(world, shop, new)
    again = fresh.earn(card, 2000, key=earned.key).ok()
    assert (again.points, again.ref) == (first.points, first.ref)  # R32: the recorded answer
    fresh.earn(card, 100).ok()
    for till in tills:
        till.earn(card, 100).ok()
    entries = database.entries(card)
    assert len(entries) == 5 and len({entry["terminal_id"] for entry in entries}) == 1
    refused = terminal(world, "renew", *this, "--certificate", third.certificate, "--reason", "one too many", check=False)
    assert refused.returncode == 1 and "ALREADY_EXISTS" in refused.stderr

    row = json.loads(terminal(world, "list", "--merchant", shop).stdout)[0]
    assert (row["certificate_sha256"], row["older_certificate"]) == (new.sha256().hex(), old.sha256().hex())
    terminal(world, "retire", *this, "--fingerprint", row["older_certificate"], "--reason", "changed over")
    assert all(wait_cut(till) for till in tills), "connections made with the old one are cut at every daemon"
    wait_for(lambda: not may_connect(world, shop, old), "no worker takes the old one", seconds=5)
    fresh.earn(card, 100).ok()  # the connection of the new one was never cut
    refused = terminal(world, "renew", *this, "--certificate", old.certificate, "--reason", "back", check=False)
    assert refused.returncode == 1 and "REVOKED" in refused.stderr
    terminal(world, "renew", *this, "--certificate", third.certificate, "--reason", "there is room again")
    changes = database.rows("select c.standing, c.certificate_sha256 as hash, c.reason, o.name from loyal.certificate_change c join"
                            " loyal.operator o using (operator_id) join loyal.terminal t using (terminal_id) join loyal.merchant m"
                            " using (merchant_id) where m.code = %s order by c.number", shop)
    assert [(row["standing"], bytes(row["hash"]), row["reason"], row["name"]) for row in changes] == [
        (ACTIVE, new.sha256(), "runs out in May", "admin"), (REVOKED, old.sha256(), "changed over", "admin"),
        (ACTIVE, third.sha256(), "there is room again", "admin")]


def test_a_stolen_key_is_retired_before_there_is_another(world, shop):
    """Without a good certificate the terminal connects no more; a new one brings it back as it was."""
    this, old = ("--merchant", shop, "--code", "till-1"), world.bundles[shop]
    till = till_of(world, shop)
    terminal(world, "retire", *this, "--fingerprint", old.sha256().hex(), "--reason", "stolen")
    assert wait_cut(till)
    row = json.loads(terminal(world, "list", "--merchant", shop).stdout)[0]
    assert (row["certificate_sha256"], row["older_certificate"], row["standing"]) == (None, None, "active")
    new = world.stack.bundle(shop, "till-1", os.path.join(world.stack.dir, f"{shop}-new"))
    unknown = terminal(world, "retire", *this, "--fingerprint", new.sha256().hex(), "--reason", "never seen", check=False)
    assert unknown.returncode == 1 and "UNKNOWN_SUBJECT" in unknown.stderr
    terminal(world, "renew", *this, "--certificate", new.certificate, "--reason", "after the theft")
    wait_for(lambda: may_connect(world, shop, new), "the new one is known", seconds=5)
    assert not may_connect(world, shop, old)


def test_of_more_certificates_than_two_the_newest_are_good(world, shop, database):
    """However they came to be there, and whoever else is in the reference is read as ever."""
    old, *more = (world.bundles[shop], *(world.stack.bundle(shop, "till-1", os.path.join(world.stack.dir, f"{shop}-{n}"))
                                         for n in range(2)))
    insert = ("insert into loyal.certificate_change select (select coalesce(max(number), 0) + 1 from loyal.certificate_change),"
              " terminal_id, %s, 1, now(), (select min(operator_id) from loyal.operator), 'by hand' from loyal.terminal join"
              " loyal.merchant m using (merchant_id) where m.code = %s and terminal.code = 'till-1'")
    database.change_as_owner(*((insert, bundle.sha256(), shop) for bundle in more),
                             ("update loyal.reference_epoch set epoch = epoch + 1",))
    for bundle in more:
        wait_for(lambda bundle=bundle: may_connect(world, shop, bundle), "each of them is known to every worker", seconds=5)
    wait_for(lambda: not may_connect(world, shop, old), "no worker takes the old one", seconds=5)
