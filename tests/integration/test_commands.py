"""loyalctl's commands about grants, customers never met, standing and records, with what the database then says."""
import datetime
import json

import pytest



@pytest.fixture
def shops(world):
    return {code: world.profile_of(code) for code in ("acme", "beta")}


def ask(world, *words, profile=None):
    """The answer of a command that succeeds, with --json."""
    done = world.ctl(*words, "--json", profile=profile)
    assert done.returncode == 0, (words, done.stderr)
    return json.loads(done.stdout)


def fails(world, *words, profile=None, status=2):
    done = world.ctl(*words, profile=profile)
    assert done.returncode == status, (words, done.stdout, done.stderr)
    return done.stderr


def grant_words(card, clock, *more):
    return ("grant", "set", "--card", card, "--fields", "date,amount", "--purpose", "offer", "--until",
            clock.local(clock.now_us + 90 * 86400 * 10**6).strftime("%Y-%m-%d"), "--text", "v1", *more)


def test_r38_grants_by_hand(world, shops, clock, acme, beta):
    card = acme.enrolled(10)
    query = ("purchase", "query", "--card", card, "--purpose", "offer")
    assert ask(world, *query, profile=shops["beta"]) == []
    made = ask(world, *grant_words(card, clock), profile=shops["beta"])
    assert made["grant_key"] and not made["recorded"]
    listed = ask(world, "grant", "list", "--card", card, profile=shops["beta"])
    assert [(row["recipient"], row["purpose"], row["state"]) for row in listed] == [("beta", "offer", "active")]
    shown, = ask(world, *query, profile=shops["beta"])
    assert shown["merchant"] == "acme" and shown["points"] == 10
    people = world.ctl(*query, profile=shops["beta"], check=True).stdout
    assert "acme" in people and "{" not in people
    ask(world, "grant", "revoke", "--card", card, "--recipient", "beta", profile=shops["beta"])
    assert ask(world, *query, profile=shops["beta"]) == []
    listed = ask(world, "grant", "list", "--card", card, profile=shops["beta"])
    assert [row["state"] for row in listed] == ["revoked"]
    assert "beta" in world.ctl("grant", "list", "--card", card, profile=shops["beta"], check=True).stdout
    del beta


@pytest.mark.parametrize("words,hint", [
    (("set", "--fields", "date,date"), "--fields"), (("set", "--fields", "colour"), "--fields"),
    (("set", "--until", "yesterday"), "--until"), (("set", "--channel", "pigeon"), "--channel"),
    (("set", "--purpose", "fun"), "--purpose"), (("revoke",), "either --recipient or --all"),
    (("revoke", "--recipient", "beta", "--all"), "either --recipient or --all")], ids=lambda value: str(value)[:30])
def test_grant_usage_names_the_option(world, shops, clock, words, hint):
    if words[0] == "set":
        given = dict(zip(words[1::2], words[2::2]))
        whole = list(grant_words("9826000000000000", clock))
        for name, value in given.items():
            whole = [value if before == name else word for before, word in zip([None, *whole], whole)]
            if name not in whole:
                whole += [name, value]
    else:
        whole = ["grant", *words, "--card", "9826000000000000"]
    assert hint in fails(world, *whole, profile=shops["beta"])


def test_customers_never_met_by_hand(world, shops, clock, acme, beta):
    card = acme.enrolled()
    acme.earn(card, 1234).ok()
    words = ("customer", "list", "--purpose", "offer", "--merchants", "acme", "--amount-min", "12.34", "--amount-max", "12.34",
             "--currency", "EUR")
    ask(world, *grant_words(card, clock), profile=shops["beta"])
    mine = [row for row in ask(world, *words, profile=shops["beta"])
            if any(purchase["amount_minor"] == 1234 for purchase in row["purchases"])]
    assert mine
    people = world.ctl(*words, profile=shops["beta"], check=True).stdout
    assert "acme" in people and "1234" in people
    assert "--amount-min" in fails(world, "customer", "list", "--purpose", "offer", "--amount-min", "a lot",
                                   profile=shops["beta"])
    assert "--channels" in fails(world, "customer", "list", "--purpose", "offer", "--channels", "pigeon",
                                 profile=shops["beta"])
    assert "--merchants" in fails(world, "customer", "list", "--purpose", "offer", "--merchants", "acme,,beta",
                                  profile=shops["beta"])
    del beta


def test_r39_counting_by_hand(world, shops):
    words = ("customer", "count", "--purpose", "analysis", "--merchants", "acme", "--channels", "pos,web")
    first = ask(world, *words, profile=shops["beta"])
    again = ask(world, *words, profile=shops["beta"])
    assert not first["asked_before"] and again["asked_before"]
    assert {name: first[name] for name in ("with_grant", "without_grant", "k", "questions_left")} == \
        {name: again[name] for name in ("with_grant", "without_grant", "k", "questions_left")}
    assert first["k"] >= 20
    assert "--k" in fails(world, *words, "--k", "none", profile=shops["beta"])
    people = world.ctl(*words, "--k", "1000000", profile=shops["beta"], check=True).stdout
    assert "fewer than 1000000" in people


def test_refs_translated_by_hand(world, shops, stack, acme):
    ref, made_up = acme.ref(acme.enrolled()).hex(), "01" + "7a" * 16
    path = stack.dir + "/refs.txt"
    with open(path, "w", encoding="ascii") as file:
        file.write(f"{ref}\n\n{made_up}\n")
    rows = ask(world, "ref", "translate", path, profile=shops["acme"])
    assert [(row["old"], row["new"]) for row in rows] == [(ref, ref), (made_up, None)]
    with open(path, "a", encoding="ascii") as file:
        file.write("not a ref\n")
    assert "line 4" in fails(world, "ref", "translate", path, profile=shops["acme"])
    assert "No such file" in fails(world, "ref", "translate", path + ".gone", profile=shops["acme"], status=1)


def test_standing_by_hand(world, database, acme):
    ask(world, "merchant", "add", "--code", "closing", "--name", "Closing", "--currency", "EUR")
    ask(world, "store", "add", "--merchant", "closing", "--code", "one")
    place = ("--merchant", "closing", "--code", "one", "--reason", "a test")
    for verb, standing in (("suspend", "suspended"), ("resume", "active"), ("revoke", "revoked")):
        done = ask(world, "store", verb, *place)
        assert (done["merchant"], done["name"], done["standing"]) == ("closing", "one", standing)
        row, = ask(world, "store", "list", "--merchant", "closing")
        assert row["standing"] == standing
    assert "revoked" in fails(world, "store", "resume", *place, status=1)
    ask(world, "merchant", "suspend", "--code", "closing", "--reason", "a test")
    assert {row["code"]: row["standing"] for row in ask(world, "merchant", "list")}["closing"] == "suspended"
    card = acme.enrolled()
    ask(world, "member", "suspend", "--card", card, "--reason", "a test")
    acme.earn(card, 100).refused("MEMBER_SUSPENDED")
    ask(world, "member", "resume", "--card", card, "--reason", "a test")
    acme.earn(card, 100).ok()
    assert database.member(card)["available"] == 1
    assert "suspended" not in world.ctl("merchant", "revoke", "--code", "closing", "--reason", "over", check=True).stdout


def test_entries_by_hand(world, shops, clock, acme):
    card = acme.enrolled(7)
    rows = ask(world, "entry", "list", "--card", card, profile=shops["acme"])
    assert [(row["kind"], row["points"], row["balance"]) for row in rows] == [("earn", 7, 7), ("enrol", 0, 0)]
    people = world.ctl("entry", "list", "--card", card, "--reason", "he asked", check=True).stdout
    assert "earn" in people
    spell = [datetime.datetime.utcfromtimestamp(clock.now_us // 10**6 + ahead).strftime("%Y-%m-%dT%H:%M:%SZ")
             for ahead in (-3600, 1)]
    of_period = ask(world, "entry", "list", "--from", spell[0], "--to", spell[1], profile=shops["acme"])
    assert any(row["entry_key"] == rows[0]["entry_key"] for row in of_period)
    for words in (("--card", card, "--from", spell[0], "--to", spell[1]), (), ("--from", spell[0]),
                  ("--from", "today", "--to", spell[1])):
        fails(world, "entry", "list", *words, profile=shops["acme"])


def test_what_others_wrote_does_not_steer_the_terminal(world, shops, acme):
    card, evil = acme.enrolled(), "1\x1b]0;mine\x07\n2\u009b2J"
    acme.earn(card, 700, receipt=evil).ok()
    people = world.ctl("entry", "list", "--card", card, profile=shops["acme"], check=True).stdout
    assert "1\ufffd]0;mine\ufffd\ufffd2\ufffd2J" in people
    assert not any(c < " " or "\x7f" <= c <= "\x9f" for line in people.splitlines() for c in line)
    assert ask(world, "entry", "list", "--card", card, profile=shops["acme"])[0]["receipt"] == evil
    assert world.ctl("entry", "list", "--card", card, "--json", profile=shops["acme"], check=True).stdout.isascii()
