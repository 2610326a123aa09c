"""R38 to R41 over the wire: what a merchant sees of purchases elsewhere and of customers it never met, and the record of
what it was shown, read by the auditor."""
import collections
import os
import threading
import time

import pytest

from support.paths import wait_for
from support.pgproxy import COMMIT, COMMITTED, READY_AFTER_COMMIT, PgProxy
from support.proto import ANALYSIS, BASKET, MERCHANT_AND_DATE, OFFER, SERVICE, SUSPENDED
from support.stack import Daemon
from support.wire import Connection
from support.world import identifier, member

WINDOW = "loyald window"
READER = "loyald reader"


def line(category="food", product="p", amount=100):
    return {"product": product, "category": category, "quantity_milli": 1000, "amount_minor": amount}


@pytest.fixture
def fresh(world):
    """A merchant of this test alone, and its till: nobody has a grant towards it yet."""
    world.made = getattr(world, "made", 0) + 1
    code = f"fresh-{world.made}"
    world.add_merchant(code)
    with world.till(code) as till:
        yield till


def disclosures(database, card):
    owner = database.id_of(card)
    return database.rows(
        "select d.*, m.code as asker from loyal.disclosure d join loyal.merchant m on m.merchant_id = d.merchant_id"
        " where (bucket, member_id) = (%s, %s) order by page_id", owner["bucket"], owner["member_id"])


# --- a member's purchases ---

def test_r38_newest_first_with_refunds(acme, beta, fresh):
    card = acme.enrolled()
    sold = acme.earn(card, 1000)
    beta.earn(card, 2000).ok()
    acme.reverse(card, sold.key, amount=300).ok()
    fresh.earn(card, 4000).ok()
    fresh.grant(card).ok()
    rows = fresh.purchases(card).ok().purchases
    assert [(row.kind, row.merchant, row.amount_minor) for row in rows] == [
        (2, "acme", 300), (1, "beta", 2000), (1, "acme", 1000)]
    assert len({row.purchase_id for row in rows}) == 3


def test_filters_narrow(world, acme, beta, fresh):
    card = acme.enrolled()
    acme.earn(card, 1000, lines=[line("food", amount=400), line("toys", amount=600)], date=20240105).ok()
    beta.earn(card, 2000, lines=[line("toys", amount=2000)], date=20240210).ok()
    beta.earn(card, 3000, date=20240301).ok()
    fresh.grant(card).ok()

    def amounts(**purchase_filter):
        return [row.amount_minor for row in fresh.purchases(card, **purchase_filter).ok().purchases]
    assert amounts() == [3000, 2000, 1000]
    assert amounts(merchants=["beta"]) == [3000, 2000]
    assert amounts(merchants=["acme", "tenth"]) == [1000]
    assert amounts(categories=["toys"]) == [2000, 1000]
    assert amounts(categories=["food", "none"]) == [1000]
    assert amounts(date_first=20240210) == [3000, 2000]
    assert amounts(date_last=20240210) == [2000, 1000]
    assert amounts(date_first=20240106, date_last=20240301) == [3000, 2000]
    assert amounts(amount_minor_min=2000) == [3000, 2000]
    assert amounts(amount_minor_max=1999) == [1000]
    assert amounts(channels=[1]) == [3000, 2000, 1000] and not amounts(channels=[2, 3])
    assert amounts(merchants=["beta"], categories=["toys"], amount_minor_max=2000) == [2000]
    fresh.purchases(card, merchants=["nobody"]).refused("UNKNOWN_MERCHANT")


def test_r38_what_is_masked_matches_no_filter(acme, fresh):
    card = acme.enrolled()
    acme.earn(card, 1000, lines=[line()]).ok()
    fresh.grant(card, fields=[MERCHANT_AND_DATE]).ok()
    assert fresh.purchases(card, merchants=["acme"]).ok().purchases
    assert not fresh.purchases(card, categories=["food"]).ok().purchases
    assert not fresh.purchases(card, amount_minor_min=1).ok().purchases
    fresh.grant(card, fields=[BASKET]).ok()
    assert fresh.purchases(card, categories=["food"]).ok().purchases
    assert not fresh.purchases(card, merchants=["acme"]).ok().purchases
    assert not fresh.purchases(card, channels=[1]).ok().purchases
    assert not fresh.purchases(card, date_first=20200101).ok().purchases


def test_r38_a_grant_that_ends_while_a_query_waits_shows_nothing(world, acme, fresh, database):
    card = acme.enrolled(1)
    fresh.grant(card, days=0).ok()
    fields = {"member": member(card), "purpose": 1}
    with database.holding("lock table loyal.disclosure in access exclusive mode"):
        before = fresh.submit("query_purchases", fields)
        wait_for(lambda: database.value(
            "select count(*) from pg_stat_activity where application_name = %s and wait_event_type = 'Lock'", WINDOW,
            user="postgres"), "the first query waits for the lock")
        after = fresh.submit("query_purchases", fields)
        fresh.ref(card)  # looked up behind it, so that it has come to the desk
        world.clock.advance(seconds=86400)
    assert len(fresh.take(before).ok().purchases) == 1
    assert not fresh.take(after).ok().purchases


def test_pages_hold_each_row_once_while_data_changes(acme, fresh):
    card = acme.enrolled()
    for amount in range(1, 24):
        acme.earn(card, amount).ok()
    fresh.grant(card).ok()
    first = fresh.purchases(card, page_rows=10).ok()
    acme.earn(card, 1000).ok()  # newer than where the pages are
    second = fresh.purchases(card, page_rows=10, cursor=first.cursor).ok()
    third = fresh.purchases(card, page_rows=10, cursor=second.cursor).ok()
    amounts = [row.amount_minor for page in (first, second, third) for row in page.purchases]
    assert amounts == list(range(23, 0, -1)) and not third.cursor


def test_a_page_of_large_baskets_fits_into_a_frame(world, acme, fresh):
    card = acme.enrolled()
    basket = [line("c" * 64, "p" * 64, 1)] * 200
    for _ in range(25):
        acme.earn(card, 200, lines=basket).ok()
    fresh.grant(card).ok()
    pages = fresh.purchases(card, page_rows=200).ok()
    assert len(pages.purchases) == 20 and pages.cursor
    assert len(fresh.all_pages(lambda **more: fresh.purchases(card, page_rows=200, **more), "purchases")) == 25
    whole = {"member": member(card), "reason": "a test", "page_rows": 200}
    first = world.operator.call("list_entries", **whole).ok()
    assert len(first.entries) == 20 and len(world.operator.call("list_entries", **whole, cursor=first.cursor).ok().entries) == 6
    assert sorted(len(row.rows) for row in world.operator.call("list_disclosures", member=member(card)).ok().disclosures
                  if row.operator) == [6, 20]  # what was shown, and no more
    assert sum(len(row.lines) for person in fresh.all_pages(fresh.never_met, "members") for row in person.purchases) == 1000


# --- customers never met ---

def cards_of(world, till, people, cards):
    """Which of the cards these refs stand for."""
    refs = {till.ref(card): card for card in cards}
    return [refs[person.ref] for person in people]


def test_members_never_met_have_a_grant_and_no_purchase_here(world, acme, beta, fresh):
    stranger, met, silent, ungranted, elsewhere = (acme.enrolled() for _ in range(5))
    cards = [stranger, met, silent, ungranted, elsewhere]
    for card in (stranger, met, ungranted, elsewhere):
        acme.earn(card, 1000).ok()
    fresh.earn(met, 100).ok()
    for card in (stranger, met, silent):
        fresh.grant(card, purpose=OFFER).ok()
    beta.grant(elsewhere, purpose=OFFER).ok()
    people = fresh.all_pages(fresh.never_met, "members", purpose=OFFER)
    assert sorted(cards_of(world, fresh, people, cards)) == sorted([stranger, silent])
    assert {len(person.purchases) for person in people} == {0, 1}
    people = fresh.all_pages(fresh.never_met, "members", purpose=OFFER, merchants=["acme"])
    assert cards_of(world, fresh, people, cards) == [stranger]
    assert not fresh.never_met(SERVICE).ok().members
    fresh.earn(stranger, 100).ok()
    assert not fresh.never_met(OFFER, merchants=["acme"]).ok().members
    fresh.revoke(silent).ok()
    assert not fresh.never_met(OFFER).ok().members


def test_members_never_met_show_their_newest_five(acme, fresh):
    card = acme.enrolled()
    for amount in range(1, 8):
        acme.earn(card, amount * 100, lines=[line()]).ok()
    fresh.grant(card).ok()
    (person,) = fresh.never_met().ok().members
    assert [row.amount_minor for row in person.purchases] == [700, 600, 500, 400, 300] and person.more
    assert person.purchases[0].lines[0].category == "food"
    (person,) = fresh.never_met(amount_minor_max=500).ok().members
    assert [row.amount_minor for row in person.purchases] == [500, 400, 300, 200, 100] and not person.more


def test_pages_of_members_hold_each_once_while_data_changes(world, acme, fresh):
    cards = [acme.enrolled() for _ in range(25)]
    for card in cards:
        acme.earn(card, 100).ok()
        fresh.grant(card).ok()
        fresh.grant(card, source="acme", fields=[MERCHANT_AND_DATE]).ok()  # a second grant is no second member
    first = fresh.never_met(page_rows=10).ok()
    seen = [person.ref for person in first.members]
    late = acme.enrolled()
    fresh.grant(late).ok()
    gone = next(card for card in cards if fresh.ref(card) not in seen)
    fresh.revoke(gone).ok()
    cursor = first.cursor
    while cursor:
        page = fresh.never_met(page_rows=10, cursor=cursor).ok()
        seen += [person.ref for person in page.members]
        cursor = page.cursor
    expected = {fresh.ref(card) for card in cards} - {fresh.ref(gone)}
    assert len(seen) == len(set(seen)) and expected <= set(seen) <= expected | {fresh.ref(late)}


def test_r41_lists_of_two_merchants_do_not_run_alike(world, acme, beta, fresh):
    """Neither refs nor their order lead from one merchant's file to another's."""
    cards = [acme.enrolled() for _ in range(12)]
    for card in cards:
        beta.grant(card, purpose=ANALYSIS).ok()
        fresh.grant(card, purpose=ANALYSIS).ok()
    orders = []
    for till in (beta, fresh):
        refs = {till.ref(card): number for number, card in enumerate(cards)}
        people = till.all_pages(till.never_met, "members", purpose=ANALYSIS)
        orders.append([refs[person.ref] for person in people if person.ref in refs])
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(12)) and orders[0] != orders[1]


def values_of(message):
    """All bytes and numbers of a message that could name something, with those of messages in it."""
    found = set()
    for field, value in message.ListFields():
        values = value if field.label == field.LABEL_REPEATED else [value]
        for item in values:
            if field.type == field.TYPE_MESSAGE:
                found |= values_of(item)
            elif isinstance(item, bytes) and field.name != "cursor" or isinstance(item, str):
                found.add(item)
            elif isinstance(item, int) and item > 100000000:
                found.add(item)
    return found


def test_r41_two_merchants_answers_share_nothing_but_facts(world, acme, beta, fresh):
    card = acme.enrolled()
    sold = acme.earn(card, 123456789012, lines=[line("food", "bread", 123456789012)], receipt="r-77", till="till-77")
    answers = []
    for till in (beta, fresh):
        granted = till.grant(card, purpose=ANALYSIS)
        found = till.purchases(card, ANALYSIS)
        listed = [person for person in till.all_pages(till.never_met, "members", purpose=ANALYSIS)
                  if person.ref == found.ok().ref]
        grants = till.connection.call("list_grants", member=member(card))
        mine = till.connection.call("list_entries", member=member(card)).ok()
        values = values_of(granted.ok()) | values_of(found.ok()) | values_of(grants.ok()) | values_of(mine)
        for person in listed:
            values |= values_of(person)
        for message in (till.connection.call("find_member", identifier=identifier(card)), till.earn(card, 100, receipt="r-1"),
                        till.connection.call("get_balance", member=member(card))):
            values |= values_of(message.ok())
        assert len(listed) == 1 and not {sold.key, card, "r-77", "till-77"} & values
        answers.append(values)
    facts = {"acme", "beta", "EUR", "food", "bread", 123456789012, sold.ok().points}
    times = {value for value in answers[0] & answers[1] if isinstance(value, int)} - facts
    shared = answers[0] & answers[1] - facts - times
    assert shared <= {"v1", "till-1"}, shared  # what both wrote themselves
    assert times <= {world.clock.now_us, fresh.purchases(card, ANALYSIS).ok().as_of_us, granted.ok().until_us}


# --- R40 ---

def test_r40_each_row_shown_is_recorded(world, acme, beta, fresh, database):
    card = acme.enrolled()
    keys = [acme.earn(card, 100, lines=[line()]).key, beta.earn(card, 200).key]
    assert not fresh.purchases(card).ok().purchases and not disclosures(database, card)
    fresh.grant(card, source="acme").ok()
    fresh.grant(card, fields=[MERCHANT_AND_DATE]).ok()
    fresh.purchases(card).ok()
    world.clock.advance(seconds=1)
    fresh.never_met().ok()
    first, second = disclosures(database, card)
    assert first["asker"] == fresh.merchant and (first["verb"], second["verb"]) == (40, 41)
    entries = {row["entry_id"].replace("-", ""): row["fields"] for row in database.rows(
        "select entry_id, fields from loyal.disclosed_entry where page_id = %s", first["page_id"])}
    assert entries == {keys[0].hex(): 7, keys[1].hex(): 1}
    assert set(first["entries"]) == set(second["entries"]) and first["purpose"] == SERVICE
    assert first["terminal_id"] > 0 and first["operator_id"] == 0


def test_r40_a_page_peeked_at_is_not_recorded(acme, fresh, database):
    card = acme.enrolled()
    keys = [acme.earn(card, amount).key for amount in (1, 2, 3)]
    fresh.grant(card).ok()
    assert fresh.purchases(card, page_rows=2).ok().cursor
    (row,) = database.rows("select entries::text[] as entries from loyal.disclosure where page_id = %s",
                           disclosures(database, card)[0]["page_id"])
    assert [entry.replace("-", "") for entry in row["entries"]] == [keys[2].hex(), keys[1].hex()]


def test_r40_the_member_is_told(world, acme, fresh):
    card = acme.enrolled()
    key = acme.earn(card, 100).key
    fresh.grant(card, fields=[MERCHANT_AND_DATE]).ok()
    fresh.purchases(card).ok()
    world.clock.advance(seconds=1)
    world.operator.call("list_entries", member=member(card), reason="he asked").ok()
    by_operator, by_merchant = world.operator.call("list_disclosures", member=member(card)).ok().disclosures
    assert (by_merchant.merchant, by_merchant.terminal, by_merchant.verb, by_merchant.purpose) == (
        fresh.merchant, "till-1", "query_purchases", SERVICE)
    (row,) = by_merchant.rows
    assert (row.entry_key, row.merchant, list(row.fields)) == (key, "acme", [MERCHANT_AND_DATE])
    assert (by_operator.operator, by_operator.verb, by_operator.reason) == ("admin", "list_entries", "he asked")
    assert len(by_operator.rows) == 2 and not by_operator.rows[0].fields
    text = world.ctl("member", "disclosures", "--card", card).stdout
    assert fresh.merchant in text and "he asked" in text


@pytest.fixture(scope="module")
def watched(stack, shared_world):
    """A daemon whose words with PostgreSQL as loyal_reader go through a proxy."""
    with PgProxy(stack.socket_dir) as proxy:
        daemon = Daemon(stack, "watched", postgres=f'"host={proxy.folder} port=5432 dbname=loyal user=loyal_daemon"',
                        postgres_reader=f'"host={proxy.folder} port=5432 dbname=loyal user=loyal_reader"')
        try:
            daemon.start()
            daemon.proxy = proxy
            yield daemon
        finally:
            proxy.forget()
            daemon.stop()
    del shared_world


@pytest.mark.parametrize("point", [COMMITTED, READY_AFTER_COMMIT])
def test_r40_no_page_before_its_disclosure_is_durable(world, watched, acme, beta, database, point):
    card = acme.enrolled()
    acme.earn(card, 100).ok()
    beta.grant(card).ok()
    with world.till("beta", watched.port) as till:
        wait_for(lambda: till.purchases(card).code == "OK", "the window is open")
        before = len(disclosures(database, card))
        stop = watched.proxy.stop_at(point, WINDOW)
        request = till.submit("query_purchases", {"member": member(card), "purpose": SERVICE})
        stop.wait()
        assert till.connection.is_silent(0.5), "shown before its disclosure was durable"
        assert len(disclosures(database, card)) == before + 1
        stop.cut()
        reply = till.take(request)
        assert reply.code == "OUTCOME_UNKNOWN" and reply.body is None
        wait_for(lambda: till.purchases(card).code == "OK", "the window is open again")


def window_backends(database):
    return database.rows("select pid, state, wait_event_type from pg_stat_activity where application_name = %s", WINDOW,
                         user="postgres")


@pytest.mark.parametrize("leaves", [False, True], ids=["too late", "gone"])
def test_r40_a_page_that_nobody_takes_is_not_recorded(world, fresh, database, leaves):
    """The asker was told DEADLINE_EXCEEDED, or left, while the database worked on it."""
    card = world.tills["acme"].enrolled(1)
    fresh.grant(card).ok()
    other = world.till(fresh.merchant)
    with other, database.holding("lock table loyal.disclosure in share mode"):
        late = other.submit("query_purchases", {"member": member(card), "purpose": SERVICE}, deadline_ms=100)
        wait_for(lambda: [row for row in window_backends(database) if row["wait_event_type"] == "Lock"], "it waits")
        if leaves:
            other.close()
            time.sleep(0.5)
        else:
            assert other.take(late).code == "DEADLINE_EXCEEDED"
    wait_for(lambda: all(row["state"] == "idle" for row in window_backends(database)), "the window is done with it")
    assert not disclosures(database, card)
    assert len(fresh.purchases(card).ok().purchases) == 1 and len(disclosures(database, card)) == 1


def test_r40_a_page_late_in_its_commit_may_be_recorded(world, watched, acme, beta, database):
    card = acme.enrolled(1)
    beta.grant(card).ok()
    with world.till("beta", watched.port) as till:
        wait_for(lambda: till.purchases(card).code == "OK", "the window is open")
        stop = watched.proxy.stop_at(COMMIT, WINDOW)
        request = till.submit("query_purchases", {"member": member(card), "purpose": SERVICE}, deadline_ms=100)
        stop.wait()
        reply = till.take(request)
        assert reply.code == "OUTCOME_UNKNOWN" and reply.body is None
        stop.go()
        assert till.purchases(card).ok()


def test_r40_what_cannot_be_recorded_is_not_shown(acme, beta, database):
    card = acme.enrolled()
    acme.earn(card, 100).ok()
    beta.grant(card).ok()
    database.change_as_owner(("revoke insert on loyal.disclosure from loyal_reader",))
    try:
        reply = beta.purchases(card)
        assert reply.code == "INTERNAL" and reply.body is None
    finally:
        database.change_as_owner(("grant insert on loyal.disclosure to loyal_reader",))
    assert beta.purchases(card).ok().purchases


# --- R41 ---

def asked_by(watched, till, message, fields):
    """The reply, and the statements that the request cost: not those by which the daemon keeps its reference tables."""
    del watched.proxy.asked[:]
    reply = till.call(message, fields)
    return reply, collections.Counter((application, sql) for application, sql in watched.proxy.asked
                                      if application != READER or "loyal.reference_epoch" not in sql)


@pytest.mark.parametrize("message,more", [
    ("find_member", None), ("get_balance", {}), ("query_purchases", {"purpose": SERVICE}), ("list_grants", {}),
    ("list_entries", {}), ("set_grant", {}), ("revoke_grant", {"all": {}})], ids=lambda value: str(value)[:20])
def test_r41_nobody_is_one_code_by_the_same_statements(world, watched, acme, beta, message, more):
    """An unknown identifier, another's ref, a made-up ref, and a member who was erased."""
    with world.till("beta", watched.port) as till:
        gone = acme.enrolled()
        old_ref = till.ref(gone)
        world.operator.call("erase_member", key=till.key(), member=member(gone), reason="a test").ok()
        known = acme.enrolled()
        nobody = [member(world.new_card()), member(gone)]
        if message != "find_member":
            nobody += [{"ref": acme.ref(known)}, {"ref": b"\x01" + b"z" * 16}, {"ref": old_ref}]
        statements = []
        for who in nobody[:1] + nobody:  # the first time, under an epoch that an earlier test may just have ended
            if message == "find_member":
                fields = {"identifier": who["identifier"]}
            elif message == "set_grant":
                fields = till.grant_fields(known)
                fields["member"] = who
            else:
                fields = {"member": who, **more}
            reply, asked = asked_by(watched, till, message, fields)
            reply.refused("UNKNOWN_MEMBER")
            statements.append(asked)
        del statements[0]
        assert sum(statements[0].values()) == 1, statements[0]
        for asked in statements:
            assert asked == statements[0]


def test_r41_look_ups_are_limited_per_terminal(world, daemon, acme):
    card = acme.enrolled()
    limited = daemon("limited", lookups_max=5)
    with world.till("acme", limited.port) as one, world.till("acme", limited.port) as another, \
            world.till("beta", limited.port) as other:
        codes = [till.connection.call("find_member", identifier=identifier(who)).code
                 for till, who in [(one, card), (another, world.new_card())] * 4]
        assert codes[:5] == ["OK", "UNKNOWN_MEMBER"] * 2 + ["OK"] and set(codes[5:]) == {"OVERLOADED"}
        other.ref(card)  # another terminal's are not used up
        one.earn(card, 100).ok()  # nor is a posting held back


def test_r41_postings_that_miss_are_limited_too(world, daemon, acme):
    """They tell who is a member as well, and leave no trace."""
    card = acme.enrolled()
    limited = daemon("misses", lookups_max=5)
    with world.till("acme", limited.port) as till:
        codes = [till.earn(who, 100, store="nowhere").code for who in [card, world.new_card()] * 4]
        assert codes[:5] == ["UNKNOWN_STORE", "UNKNOWN_MEMBER"] * 2 + ["UNKNOWN_STORE"]
        assert set(codes[5:]) == {"OVERLOADED"}
        till.ref(card)  # look-ups are counted apart


def test_a_flood_of_one_terminal_keeps_nobody_from_asking(world, daemon, fresh, database):
    flooded = daemon("flooded")
    now = world.clock.now_us
    period = {"period": {"from_us": now - 1, "until_us": now + 1}}
    tills = [world.till("acme", flooded.port) for _ in range(4)]
    others = world.till("beta", flooded.port), Connection(flooded.port, world.stack.operator)
    try:
        with database.holding("lock table loyal.entry in access exclusive mode"):
            for till in tills:
                for _ in range(60):
                    till.submit("list_entries", period)
            refused = [till.connection.next().code for till in tills for _ in range(60 - 9)]  # of all of them at least
            assert set(refused) == {"OVERLOADED"}
            listed = others[0].submit("list_entries", period)
            stopped = others[1].submit("set_standing", {"standing": SUSPENDED, "reason": "a test",
                                                        "terminal": {"merchant": fresh.merchant, "code": "till-1"}})
        others[0].take(listed).ok()
        others[1].take(stopped).ok()
    finally:
        for till in (*tills, *others):
            till.close()


# --- refs ---

def test_refs_of_older_keys_are_translated(world, stack, daemon, acme):
    """The keyring of a second daemon has a second version: its answers carry new refs, and it knows the old ones."""
    cards = [acme.enrolled() for _ in range(3)]
    old = [acme.ref(card) for card in cards]
    path = os.path.join(stack.dir, "keyring-2")
    with open(os.path.join(stack.dir, "keyring"), encoding="ascii") as file:
        text = file.read() + "2 " + "5a" * 32 + "\n"
    with os.fdopen(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
        file.write(text)
    rotated = daemon("rotated", keyring_file=f'"{path}"')
    with world.till("acme", rotated.port) as till, world.till("beta", rotated.port) as other:
        new = [till.ref(card) for card in cards]
        assert {ref[0] for ref in old} == {1} and {ref[0] for ref in new} == {2}
        assert till.connection.call("get_balance", member={"ref": old[0]}).ok().ref == new[0]
        translated = till.connection.call("translate_refs", refs=old + [other.ref(cards[0])] + new).ok().refs
        assert list(translated) == new + [b""] + new
        assert acme.connection.call("translate_refs", refs=[new[0], old[0]]).ok().refs == [b"", old[0]]


# --- revocation beside queries ---

def test_r38_no_page_that_began_after_the_revocation_shows_a_row(world, second, acme, beta):
    """Two daemons ask all the time while grants come and go at one of them."""
    card = acme.enrolled()
    acme.earn(card, 100).ok()
    pages, stop = [], threading.Event()

    def ask(port):
        with world.till("beta", port) as till:
            while not stop.is_set():
                began = time.monotonic()
                count = len(till.purchases(card).ok().purchases)
                pages.append((began, time.monotonic(), count))
    threads = [threading.Thread(target=ask, args=(port,)) for port in (world.stack.port, second.port)]
    spans = []
    for thread in threads:
        thread.start()
    try:
        for _ in range(30):
            beta.grant(card).ok()
            time.sleep(0.01)
            beta.revoke(card, "beta").ok()
            revoked = time.monotonic()
            time.sleep(0.02)
            spans.append((revoked, time.monotonic()))
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)
    after = [count for began, ended, count in pages for revoked, until in spans if revoked < began and ended < until]
    assert not any(after) and len(after) > 30
    assert any(count for _, _, count in pages)


# --- R39 ---

def test_r39_counts_over_the_wire(world, acme, beta, fresh, database):
    cards = [acme.enrolled() for _ in range(43)]
    for card in cards:
        acme.earn(card, 100, lines=[line("umbrellas")]).ok()
    for card in cards[:23]:
        fresh.grant(card, purpose=ANALYSIS).ok()
    body = fresh.count(categories=["umbrellas"]).ok()
    assert (body.with_grant.members, body.without_grant.members, body.k) == (25, 20, 20)
    assert not body.released_before and body.questions_left == 19
    fresh.grant(cards[42], purpose=ANALYSIS).ok()  # the truth is 24 and 19 now
    again = fresh.count(categories=["umbrellas", "umbrellas"]).ok()
    assert again.released_before and again.without_grant.members == 20 and again.questions_left == 19
    other = fresh.count(categories=["umbrellas"], merchants=["acme"]).ok()
    assert other.without_grant.fewer_than_k and other.without_grant.members == 0 and other.questions_left == 18
    nobody = fresh.count(categories=["no such thing"]).ok()
    assert nobody.without_grant == other.without_grant  # 0 and 19 are told alike
    assert fresh.count(k=5, categories=["no such thing"]).ok().k == 20
    # asking for a larger k tells nothing that was not told: it is held against what was
    assert fresh.count(k=25, categories=["umbrellas"]).ok().with_grant.members == 25
    assert fresh.count(k=26, categories=["umbrellas"]).ok().with_grant.fewer_than_k
    for number in range(fresh.count(date_first=20000101).ok().questions_left):
        fresh.count(date_first=20000102 + number).ok()
    fresh.count(date_first=20010101).refused("BUDGET_EXHAUSTED")
    assert fresh.count(categories=["umbrellas"]).ok().released_before
    used = database.value("select used from loyal.question_budget join loyal.merchant using (merchant_id) where code = %s",
                          fresh.merchant)
    assert used == 20
    beta.count(date_first=20010101).ok()  # each merchant has its own


def test_r39_what_was_released_waits_for_no_count(fresh, database):
    """Another question of the merchant holds its budget while it counts."""
    told = fresh.count(categories=["gloves"]).ok()
    with database.holding("select from loyal.question_budget join loyal.merchant using (merchant_id) where code = %s for update",
                          fresh.merchant):
        again = fresh.count(categories=["gloves"]).ok()
        fresh.count(categories=["scarves"]).refused("TRANSIENT")
    assert again.released_before and again.without_grant == told.without_grant
    assert fresh.count(categories=["scarves"]).ok().questions_left == told.questions_left - 1  # charged once


# --- a merchant's own entries ---

def test_own_entries_of_a_member(acme, beta, world):
    card = acme.enrolled()
    sold = acme.earn(card, 1000, receipt="r-own", lines=[line()])
    beta.earn(card, 500).ok()
    acme.redeem(card, 3).ok()
    rows = acme.connection.call("list_entries", member=member(card)).ok().entries
    assert [row.kind for row in rows] == [3, 2, 1] and {row.merchant for row in rows} == {"acme"}
    earned = rows[1]
    assert earned.entry_key == sold.key and earned.occasion.receipt == "r-own" and earned.terminal == "till-1"
    assert (earned.amount_minor, earned.points, earned.lines[0].product) == (1000, 10, "p")
    assert [row.kind for row in beta.connection.call("list_entries", member=member(card)).ok().entries] == [2]
    whole = world.operator.call("list_entries", member=member(card), reason="a test").ok().entries
    assert [(row.kind, row.merchant) for row in whole] == [(3, "acme"), (2, "beta"), (2, "acme"), (1, "acme")]


def test_own_entries_of_a_period(world, fresh):
    card = fresh.enrolled()
    world.clock.advance(seconds=1)
    start = world.clock.now_us
    keys = []
    for _ in range(12):
        keys.append(fresh.earn(card, 100).key)
        world.clock.advance(seconds=1)
    period = {"from_us": start, "until_us": start + 11 * 1000000}
    rows = fresh.all_pages(lambda **more: fresh.connection.call("list_entries", period=period, page_rows=4, **more),
                           "entries")
    assert [row.entry_key for row in rows] == keys[:11]
    fresh.connection.call("list_entries", period={"from_us": start, "until_us": start + 31 * 86400 * 1000000 + 1}).refused(
        "INVALID_FIELD")
