"""What must never stand in a log of loyald, of PostgreSQL, or on loyalctl's standard error: identifiers, refs, receipts, keys,
passwords; with loyald at its most talkative, PostgreSQL logging every statement, and on the paths of errors, too."""
import os
import re
import shutil
import uuid

import pytest

from support.paths import LOYALCTL, LOYALD, run
from support.stack import Daemon
from support.verbs import Verbs
from support.wire import Connection

PASSWORD = "Hunter2Geheim9731"
ROLES = ("loyal_daemon", "loyal_reader", "loyal_eraser")


def files_with_secrets(stack):
    """What stands in the keyring and in private keys."""
    found = set()
    with open(os.path.join(stack.dir, "keyring"), encoding="ascii") as file:
        found.add(re.search(r"^1 ([0-9a-f]{64})", file.read(), re.MULTILINE)[1])
    for path in (os.path.join(stack.dir, "server", "server.key"), stack.operator.key):
        with open(path, encoding="ascii") as file:
            found.update(line.strip() for line in file if len(line) > 40 and "-----" not in line)
    return found


def spellings(secret):
    """A text as it is; bytes in hexadecimal, as a UUID, as PostgreSQL's bytea."""
    if isinstance(secret, str):
        return {secret, secret.lower()}
    return {secret.hex(), secret.hex().upper()} | ({str(uuid.UUID(bytes=secret))} if len(secret) == 16 else set())


def assert_silent(text, secrets, where):
    assert text.strip(), f"{where} is empty: nothing was looked at"
    for line in text.splitlines():
        found = [word for secret in secrets for word in spellings(secret) if word in line]
        assert not found, f"{where}: {line}"


class PostgresLog:
    def __init__(self, stack):
        self.path = os.path.join(stack.dir, "cluster", "log")
        self.start = os.path.getsize(self.path)

    def text(self):
        with open(self.path, "rb") as file:
            file.seek(self.start)
            return file.read().decode("utf-8", "replace")


@pytest.fixture
def talkative(stack, world, daemon, database):
    """A daemon that says all it can, over a database that does; what the latter then wrote."""
    for role in ROLES:
        database.change(f"alter role {role} set log_statement = 'all'")
        database.change(f"alter role {role} set log_min_duration_statement = 0")
    passwords = {name: f'"host={stack.socket_dir} port=5432 dbname=loyal user={user} password={PASSWORD}"'
                 for name, user in zip(("postgres", "postgres_reader", "postgres_eraser"), ROLES)}
    log = PostgresLog(stack)
    yield daemon("talkative", log_level='"debug"', **passwords), log
    for role in ROLES:
        database.change(f"alter role {role} reset log_statement")
        database.change(f"alter role {role} reset log_min_duration_statement")


def walk(world, one):
    """Every verb, answered OK and refused; returns the secrets that were in them."""
    verbs, secrets = Verbs(world), set()
    till, operator = world.till(verbs.merchant, one.port), Connection(one.port, world.stack.operator)
    for message in Verbs.MESSAGES:
        fields = verbs.fields(message)
        connection = till.connection if verbs.asker(message) == "till" else operator
        reply = connection.call(message, **fields)
        assert reply.code == "OK", reply
        if hasattr(reply.body, "ref"):
            secrets.add(reply.body.ref)
        if "identifiers" in fields:
            secrets.update(each["value"] for each in fields["identifiers"])
        if "purchase" in fields:
            secrets.add(fields["purchase"]["occasion"]["receipt"])
    till.redeem(verbs.card, 10 ** 12).refused("NOT_ENOUGH_POINTS")
    till.connection.call("find_member", identifier={"kind": 1, "value": "98269999111122223333"}).refused("UNKNOWN_MEMBER")
    till.connection.call("find_member", identifier={"kind": 2, "value": "+44 121 secret!"}).refused("INVALID_FIELD")
    secrets |= {verbs.card, "98269999111122223333", "121 secret"}
    return verbs, till, {secret for secret in secrets if secret}


def test_no_log_holds_a_secret(world, stack, database, talkative):
    one, log = talkative
    verbs, till, secrets = walk(world, one)
    assert len(secrets) >= 8
    card, receipt = till.enrolled(10), "receipt-of-the-poisoned"
    poisoned = database.id_of(card)
    database.change_as_owner((f"alter table loyal.entry add constraint poison check (member_id <>"
                              f" {poisoned['member_id']}) not valid",))
    try:  # an error of PostgreSQL in the middle of a posting
        till.earn(card, 777, receipt=receipt).refused("INTERNAL")
    finally:
        database.change_as_owner(("alter table loyal.entry drop constraint poison",))
    secrets |= {card, receipt, till.ref(card), PASSWORD} | files_with_secrets(stack)
    one.signal(1)
    one.log.wait("process=worker0 event=reloaded")
    assert "loyal_daemon@loyal loyald lane" in log.text() and "poison" in log.text()
    assert_silent(log.text(), secrets, "PostgreSQL's log")
    assert "event=batch_failed" in one.log.text()
    assert_silent(one.log.text(), secrets, "loyald's log")
    verbs.close()
    till.close()


def test_no_error_of_the_start_shows_a_secret(stack, world, tmp_path):
    """The database away, a broken connection string, keys cut short, keyrings with a wrong digit."""
    del world
    secrets = files_with_secrets(stack) | {PASSWORD}
    away = Daemon(stack, "away", log_level='"debug"', **{
        name: f'"host=127.0.0.1 port=9 dbname=loyal user=x password={PASSWORD}"'
        for name in ("postgres", "postgres_reader", "postgres_eraser")})
    away.start(wait=False)
    try:
        away.log.wait("event=database_lost")
        assert_silent(away.log.text(), secrets, "without a database")
    finally:
        away.stop()
    key, keyring = tmp_path / "server.key", tmp_path / "keyring"
    shutil.copy(os.path.join(stack.dir, "server", "server.key"), key)
    shutil.copy(os.path.join(stack.dir, "keyring"), keyring)
    key.write_text(key.read_text()[:-60], encoding="ascii")
    keyring.write_text(re.sub(r"^1 ([0-9a-f]{63}).", r"1 \1x", keyring.read_text(), flags=re.MULTILINE), encoding="ascii")
    os.chmod(key, 0o600)
    os.chmod(keyring, 0o600)
    secrets |= {secret[:63] for secret in secrets if len(secret) == 64}
    for setting in ({"key_file": f'"{key}"'}, {"keyring_file": f'"{keyring}"'},
                    {"postgres": f'"host=x password={PASSWORD} and more"'},
                    {"postgres": f'"postgresql://x:{PASSWORD}@[::1/loyal"'},
                    {"postgres_maintenance": f"\"host='x password={PASSWORD}\""}):
        broken = Daemon(stack, "broken", log_level='"debug"', **setting)
        broken.write_conf()
        done = run(LOYALD, "--config", broken.conf, "--check-config", check=False)
        assert done.returncode == 2, setting
        assert_silent(done.stderr, secrets, str(setting))


def test_loyalctl_shows_none_on_standard_error(stack, world, tmp_path):
    """Errors name what is wrong and not with whom; nothing at all of keys."""
    profile = world.profile_of("acme")
    card, mail = world.tills["acme"].enrolled(10), "somebody@example.org"
    secrets = {card, mail, PASSWORD} | files_with_secrets(stack)
    broken = tmp_path / "broken.key"
    with open(world.bundles["acme"].key, encoding="ascii") as file:
        text = file.read()
        secrets.update(line.strip() for line in text.splitlines() if len(line) > 40 and "-----" not in line)
    broken.write_text(text[:-60], encoding="ascii")
    with open(profile, encoding="utf-8") as file:
        odd = tmp_path / "odd.profile"
        odd.write_text(re.sub(r"^key = .*", f"key = {broken}", file.read(), flags=re.MULTILINE), encoding="utf-8")
    base = ("--store", "north", "--card", card)
    for words, env in ((("points", "redeem", *base, "--points", "100000"), {"LOYALCTL_PROFILE": profile}),
                       (("points", "redeem", *base, "--points", "many"), {"LOYALCTL_PROFILE": profile}),
                       (("member", "balance", "--email", mail), {"LOYALCTL_PROFILE": profile}),
                       (("member", "balance", "--card", card), {"LOYALCTL_PROFILE": str(odd)}),
                       (("bootstrap", "--operator", "x", "--certificate", stack.operator.certificate),
                        {"PGHOST": "127.0.0.1", "PGPORT": "9", "PGPASSWORD": PASSWORD, "PGUSER": "x"})):
        done = run(LOYALCTL, *words, env=env, check=False)
        assert done.returncode not in (0, 3), words
        assert_silent(done.stderr, secrets, str(words[:2]))
