"""loyalctl and the SDK's example, as people and scripts use them."""
import datetime
import json
import os
import re
import signal
import uuid

import pytest

from support.paths import example, run
from support.stack import free_port


@pytest.fixture
def shop(world):
    return world.profile_of("acme")


def test_exit_codes(world, shop, acme):
    card = acme.enrolled(10)
    ctl = world.ctl
    assert ctl("status").returncode == 0
    refused = ctl("points", "redeem", "--card", card, "--points", "11", "--store", "north", profile=shop)
    assert refused.returncode == 1 and "NOT_ENOUGH_POINTS" in refused.stderr
    assert ctl("merchant", "add", "--code", "acme").returncode == 2
    assert ctl("nonsense").returncode == 2
    assert ctl("merchant", "nonsense").returncode == 2
    assert ctl("merchant", "list", "--nonsense").returncode == 2
    assert ctl("conservation", "check", "--buckets", "9-3").returncode == 2
    assert ctl("merchant", "list", "extra").returncode == 2
    nobody = ctl("ping", "--port", str(free_port()), "--deadline", "1500")
    assert nobody.returncode == 75, nobody.stderr


def test_a_frozen_daemon_gives_75_and_the_key_settles_it(daemon, world, database):
    fresh = daemon("frozen")
    card = world.tills["acme"].enrolled(10)
    key = str(uuid.UUID(bytes=world.tills["acme"].key()))
    profile = world.profile_of("acme", fresh.port)
    redeem = ("points", "redeem", "--card", card, "--points", "4", "--store", "north", "--key", key, "--json")
    pids = [fresh.pid, *fresh.children().values()]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        done = world.ctl(*redeem, "--deadline", "1000", profile=profile)
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    assert done.returncode == 75, done.stderr
    again = world.ctl(*redeem, profile=profile)
    assert again.returncode == 0, again.stderr
    assert database.member(card)["available"] == 6


def test_a_wrong_certificate_is_refused_not_retried(world, stack):
    folder = stack.dir + "/ctl-stranger"
    bundle = stack.bundle("acme", "till-ctl", folder)
    done = world.ctl("ping", "--my-certificate", bundle.certificate, "--my-key", bundle.key, "--merchant", "acme")
    assert done.returncode == 1 and "NOT_IDENTIFIED" in done.stderr, done.stderr


def test_help_everywhere(world):
    top = world.ctl("--help", check=True).stdout
    names = [re.split(r"\s{2,}", line.strip())[0] for line in top.splitlines() if line.startswith("  ")]
    assert len(names) >= 25
    for name in names:
        words = [word for word in name.split() if word.islower()]
        done = world.ctl(*words, "--help")
        assert done.returncode == 0 and "--help" in done.stdout, name


def ask_json(world, *words, profile=None):
    done = world.ctl(*words, "--json", profile=profile)
    assert done.returncode == 0, (words, done.stderr)
    return json.loads(done.stdout)


def rows_in(value):
    """Every object that holds no other, wherever it stands."""
    if isinstance(value, dict):
        if not any(isinstance(item, (dict, list)) for item in value.values()):
            yield value
        for item in value.values():
            yield from rows_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from rows_in(item)


def test_json_of_every_command(world, shop, clock, stack):
    folder = stack.dir + "/ctl-till"
    date = clock.local().strftime("%Y-%m-%d")
    day = ("--date", date)
    ask_json(world, "merchant", "add", "--code", "ctl", "--name", "By hand", "--currency", "EUR")
    assert "ctl" in [row["code"] for row in rows_in(ask_json(world, "merchant", "list"))]
    ask_json(world, "store", "add", "--merchant", "ctl", "--code", "one")
    assert "one" in [row["code"] for row in rows_in(ask_json(world, "store", "list", "--merchant", "ctl"))]
    ask_json(world, "cert", "terminal", "--ca", stack.ca, "--merchant", "ctl", "--code", "t1", "--out", folder)
    ask_json(world, "terminal", "add", "--merchant", "ctl", "--code", "t1", "--certificate", folder + "/terminal.crt")
    assert "t1" in [row["code"] for row in rows_in(ask_json(world, "terminal", "list", "--merchant", "ctl"))]
    ask_json(world, "rate", "set", "--merchant", "ctl", "--rate", "1/100", "--lifetime", "12", "--from", date)
    assert any(row.get("numerator") == 1 or row.get("rate") == "1/100"
               for row in rows_in(ask_json(world, "rate", "list", "--merchant", "ctl")))

    card = world.new_card()
    ask_json(world, "member", "enrol", "--card", card, "--store", "north", profile=shop)
    ask_json(world, "member", "find", "--card", card, profile=shop)
    key = str(uuid.UUID(bytes=world.tills["acme"].key()))
    earn = ("purchase", "earn", "--card", card, "--store", "north", "--amount", "21.90", "--currency", "EUR", "--receipt",
            "c-77", "--line", "4006381333931:pens:2:3.98", "--line", "flour:food:0.5:17.92", "--key", key, "--time",
            datetime.datetime.utcfromtimestamp(clock.now_us // 10 ** 6 - 60).strftime("%Y-%m-%dT%H:%M:%SZ"), *day)
    (first,) = [row for row in rows_in(ask_json(world, *earn, profile=shop)) if "points" in row]
    assert first["points"] == 21
    (again,) = [row for row in rows_in(ask_json(world, *earn, profile=shop)) if "points" in row]
    assert again["points"] == 21
    ask_json(world, "points", "redeem", "--card", card, "--points", "1", "--store", "north", *day, profile=shop)
    ask_json(world, "points", "reverse", "--card", card, "--original", key, "--original-kind", "earn", "--amount", "1.00",
             "--currency", "EUR", "--store", "north", *day, profile=shop)
    (balance,) = [row for row in rows_in(ask_json(world, "member", "balance", "--card", card, profile=shop))
                  if "available" in row]
    assert balance["available"] == 19
    for words in (("owed", "list"), ("status",), ("ping",), ("conservation", "check", "--buckets", "0-3")):
        ask_json(world, *words)


def test_tables_for_people(world, acme):
    acme.enrolled(1)
    assert "acme" in world.ctl("merchant", "list", check=True).stdout
    assert "worker" in world.ctl("status", check=True).stdout.lower()
    assert "{" not in world.ctl("owed", "list", check=True).stdout


def test_private_keys_are_private_and_never_overwritten(world, stack):
    folder = stack.dir + "/ctl-cert"
    words = ("cert", "terminal", "--ca", stack.ca, "--merchant", "acme", "--code", "till-x", "--out", folder)
    world.ctl(*words, check=True)
    assert os.stat(folder + "/terminal.key").st_mode & 0o777 == 0o600
    before = open(folder + "/terminal.key", encoding="ascii").read()
    assert world.ctl(*words).returncode == 1
    assert open(folder + "/terminal.key", encoding="ascii").read() == before


def test_store_import(world, stack):
    path = stack.dir + "/stores.csv"
    with open(path, "w", encoding="utf-8") as file:
        file.write("merchant,code,name\nacme,imported-1,\"One, the first\"\nacme,imported-2,Zwö\n")
    done = world.ctl("store", "import", path)
    assert done.returncode == 0, done.stderr
    listed = ask_json(world, "store", "list", "--merchant", "acme")
    names = {row["code"]: row["name"] for row in rows_in(listed) if "code" in row}
    assert names["imported-1"] == "One, the first" and names["imported-2"] == "Zwö"


def test_the_example_till(world, database, acme):
    till = example("till")
    card = acme.enrolled()
    env = world.environment_of("acme")
    done = run(*till, card, "2190", env=env)
    assert done.stdout == "21 points, now 21\n", (done.stdout, done.stderr)
    assert database.member(card)["available"] == 21
    refused = run(*till, world.new_card(), "2190", env=env, check=False)
    assert refused.returncode == 1 and "UNKNOWN_MEMBER" in refused.stdout
    assert run(*till, env=env, check=False).returncode == 2
