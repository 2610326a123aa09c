"""Torture: the n-th allocation fails in a program of libloyal's and in loyalctl, from the first to the last. No crash; each
submission gets one answer; want of memory is no refusal; and what the program was told is what the journal says."""
import json
import os
import re
import uuid

import pytest

from conftest import NEVER, STARTER, budget
from support.paths import BUILD, LOYALCTL, run

# Where OpenSSL 3.0 says nothing of want of memory, but that a certificate is not good, or offers none.
SWALLOWED = ("X509_verify_cert", "EVP_PKEY_digestsign_supports_digest")
CLIENT = os.path.join(BUILD, "tests", "torture", "sdk_client")


@pytest.fixture
def card(acme):
    return acme.enrolled()


def entries(database, key):
    """The points of what the key booked, as the auditor reads it."""
    return [row["points"] for row in database.rows("select points from loyal.entry where id = %s", str(uuid.UUID(bytes=key)))]


def torture(memory, dice, quick, ask):
    """ask(key) once for each allocation that is to fail; returns how many struck."""
    memory.aim(STARTER, NEVER)
    ask(lambda: "undisturbed")
    seen, _ = memory.rest()
    assert seen > 500
    struck, faults = 0, []
    for at in budget(dice, 1, seen, quick):
        memory.aim(STARTER, at, dice.choice((1, 1, 1, 2, 20)))
        try:
            ask(lambda at=at: f"allocation {at} at {memory.stack()}")
        except AssertionError as fault:
            faults.append(str(fault))
        struck += memory.rest()[1] > 0
    assert not faults, "\n\n".join(faults)
    assert struck > 0


@pytest.mark.parametrize("way", ("blocking", "driven", "cancelled"))
def test_sdk(world, database, memory, dice, acme, card, way):
    env = {**world.environment_of("acme"), "LOYAL_DATE": str(world.clock.date())}

    def ask(where):
        key = acme.key()
        done = run(*memory.before, CLIENT, way, key.hex(), card, env=env, check=False)
        what = f"{way}, {where()}: status {done.returncode}\n{done.stdout}{done.stderr}"
        answers = re.findall(r"^(earn|balance) (\w+) (-?\d+) ([\w-]+)", done.stdout, re.MULTILINE)
        judge(done, answers, entries(database, key), what)
        assert where() != "undisturbed" or way == "cancelled" or ("earn", "OK", "5", "OK") in answers, what

    torture(memory, dice, 4, ask)


def judge(done, answers, booked, what):
    assert done.returncode in (0, 2), what
    assert done.returncode == 0 or (not answers and done.stderr.strip()), what  # no client, and why
    good = ("OK", "RETRY", "UNKNOWN", "FULL")
    assert all(kind in good or code == "CERTIFICATE" and any(part in what for part in SWALLOWED) for _, kind, _, code in answers), what
    kinds = [kind for name, kind, *_ in answers if name == "earn"]
    if kinds == ["OK"]:
        assert [f"{points}" for points in booked] == [points for name, _, points, _ in answers if name == "earn"], what
    elif kinds != ["UNKNOWN"]:
        assert not booked, f"told that nothing happened: {what}"


def test_loyalctl(world, database, memory, dice, acme, card):
    """What it is told is printed whole, or the status says to ask again."""
    words = ("purchase", "earn", "--card", card, "--store", "north", "--amount", "5.00", "--currency", "EUR", "--json")
    env = {"LOYALCTL_PROFILE": world.profile_of("acme")}

    def ask(where):
        key = acme.key()
        done = run(*memory.before, LOYALCTL, *words, "--key", str(uuid.UUID(bytes=key)), env=env, check=False)
        booked = entries(database, key)
        what = f"{where()}: status {done.returncode}\n{done.stdout}{done.stderr}"
        assert done.returncode in (0, 1, 2, 75), what
        if done.returncode == 0:
            assert booked == [5] and json.loads(done.stdout)["points"] == 5, what
        elif done.returncode != 75:
            assert not booked, f"told that nothing happened: {what}"
        assert done.returncode == 0 or done.stderr.strip(), what

    torture(memory, dice, 4, ask)


def test_loyalctl_lists(world, memory, dice):
    words = ("terminal", "list", "--merchant", "acme", "--json")
    env = {"LOYALCTL_PROFILE": world.stack.operator_profile}
    whole = json.loads(run(LOYALCTL, *words, env=env).stdout)

    def ask(where):
        done = run(*memory.before, LOYALCTL, *words, env=env, check=False)
        what = f"{where()}: status {done.returncode}\n{done.stdout}{done.stderr}"
        assert done.returncode in (0, 1, 2, 75), what
        assert done.returncode != 0 or json.loads(done.stdout) == whole, what

    torture(memory, dice, 2, ask)
