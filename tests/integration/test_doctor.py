"""loyalctl doctor: all well on a sound stack, and each thing that is not well is named."""
import contextlib
import json
import os
import shutil

import pytest

from support.paths import LOYALCTL, run, wait_for
from support.stack import children_of


def doctor(stack, *words, config=None):
    done = run(LOYALCTL, "doctor", "--config", config or os.path.join(stack.dir, "loyald.conf"), "--json", *words,
               check=False, env={"LOYALCTL_PROFILE": stack.operator_profile})
    assert done.stdout, done.stderr
    rows = json.loads(done.stdout)
    worst = max(("ok", "warning", "fault").index(row["verdict"]) for row in rows)
    assert done.returncode == worst and not done.stderr
    return {(row["area"], row["check"]): row for row in rows if row["verdict"] != "ok"}, rows


def named(stack, area, check, verdict, hint, **more):
    """Exactly this is not well, with a reason and a remedy."""
    found, _ = doctor(stack, **more)
    assert set(found) == {(area, check)}, found
    row = found[area, check]
    assert row["verdict"] == verdict and hint in row["found"] and row["why"] and row["remedy"], row


@contextlib.contextmanager
def setting(database, name, value):
    """Of the daemon's role, so that nobody else notices; the doctor sees what is in force for it."""
    database.change(f"alter role loyal_daemon set {name} = {value}")
    try:
        yield
    finally:
        database.change(f"alter role loyal_daemon reset {name}")


def with_option(stack, name, value):
    path = os.path.join(stack.dir, f"doctor-{name}.conf")
    with open(os.path.join(stack.dir, "loyald.conf"), encoding="utf-8") as file:
        lines = [line for line in file if line.split("=")[0].strip() != name]
    with open(path, "w", encoding="utf-8") as file:
        file.writelines([*lines, f"{name} = {value}\n"])
    return path


def test_a_sound_stack_is_well(stack, world):
    del world
    wait_for(lambda: "maintenance" in children_of(stack.pid), "maintenance runs")
    found, rows = wait_for(lambda: not (said := doctor(stack))[0] and said, "all is well")
    assert not found
    checks = {row["check"] for row in rows}
    assert checks >= {"synchronous_commit", "fsync", "wal_compression", "max_wal_size", "autovacuum", "max_connections",
                      "transport", "replication", "schema", "roles", "partitions", "erasures", "maintenance", "ready",
                      "certificate_file", "authority_file", "key_file", "keyring_file", "server", "trust"}
    assert len(rows) >= 30


def test_people_get_a_table_and_the_remedies(stack, database):
    with setting(database, "random_page_cost", 4):
        done = run(LOYALCTL, "doctor", "--config", os.path.join(stack.dir, "loyald.conf"), check=False)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["verdict", "area", "check", "found"]
    assert "warning: postgresql random_page_cost: 4" in lines
    assert "  random_page_cost = 1.1 on SSD" in lines


@pytest.mark.parametrize("name,value,verdict", [
    ("synchronous_commit", "off", "fault"), ("synchronous_commit", "local", "fault"),
    ("wal_compression", "pglz", "warning"), ("effective_cache_size", "'8MB'", "warning"),
    ("idle_in_transaction_session_timeout", "0", "warning"), ("track_counts", "off", "fault")])
def test_a_setting_that_matters_is_named(stack, database, name, value, verdict):
    with setting(database, name, value):
        named(stack, "postgresql", name, verdict, value.strip("'"))


def test_a_setting_of_the_whole_server_is_named(stack, database):
    database.change("alter system set max_wal_size = '256MB'")
    try:
        database.change("select pg_reload_conf()")
        wait_for(lambda: database.value("select setting from pg_settings where name = 'max_wal_size'") == "256", "read")
        named(stack, "postgresql", "max_wal_size", "warning", "256MB")
    finally:
        database.change("alter system reset max_wal_size")
        database.change("select pg_reload_conf()")


def test_connections_are_counted(stack):
    found, _ = doctor(stack, config=with_option(stack, "workers", 40))
    assert found["postgresql", "max_connections"]["verdict"] == "fault"
    assert "335" in found["postgresql", "max_connections"]["found"]  # 40 x (1 + 7) + 5 + 10


def test_a_missing_partition_is_named(stack, database, clock):
    """First the one three quarters ahead, then the one of today's quarter."""
    last = database.value("select max(relname) from pg_class where relname like 'entry\\_2%%' and relkind = 'r'")
    for days, verdict in ((3 * 91, "warning"), (0, "fault")):
        when = clock.local(clock.now_us + days * 86400 * 10**6)
        name = f"entry_{when.year}q{(when.month + 2) // 3}"
        assert name <= last
        bound = database.value("select pg_get_expr(relpartbound, oid) from pg_class where relname = %s", name)
        database.change_as_owner((f"alter table loyal.entry detach partition loyal.{name}",))
        try:
            named(stack, "database", "partitions", verdict, name)
        finally:
            database.change_as_owner((f"alter table loyal.entry attach partition loyal.{name} {bound}",))


def test_another_schema_is_named(stack, database):
    wanted = database.value("select version from loyal.schema_version")
    database.change_as_owner(("update loyal.schema_version set version = 'of-yesterday'",))
    try:
        named(stack, "database", "schema", "fault", f"of-yesterday, this program wants {wanted}")
    finally:
        database.change_as_owner(("update loyal.schema_version set version = %s", wanted))


def test_rights_too_many_are_named(stack, database):
    database.change("grant delete on loyal.entry to loyal_daemon")
    try:
        named(stack, "database", "roles", "fault", "loyal_daemon can change the journal")
    finally:
        database.change("revoke delete on loyal.entry from loyal_daemon")
    database.change("alter role loyal_reader bypassrls")
    try:
        named(stack, "database", "roles", "fault", "loyal_reader is more than it may be")
    finally:
        database.change("alter role loyal_reader nobypassrls")


def test_an_erasure_half_done_is_named(stack, database, acme):
    member = database.member(acme.enrolled(1))
    where = ("where bucket = %s and member_id = %s", member["bucket"], member["member_id"])
    database.change("update loyal.member set status = 4 " + where[0], *where[1:])
    try:
        named(stack, "database", "erasures", "fault", "1 unfinished")
    finally:
        database.change("update loyal.member set status = %s " + where[0], member["status"], *where[1:])


@pytest.mark.parametrize("days,verdict,hint", [((-1, 10), "warning", "holds until"), ((-9, -1), "fault", "expired on"),
                                               ((1, 90), "fault", "is not valid yet")])
def test_a_certificate_near_its_end_is_named(stack, days, verdict, hint):
    odd = stack.odd_bundle(f"short-{days[1]}", "DNS:localhost", usage="serverAuth", days=days)
    named(stack, "certificate", "certificate_file", verdict, hint,
          config=with_option(stack, "certificate_file", f'"{odd.certificate}"'))


def test_the_certificate_that_clients_are_shown(daemon, stack):
    """It is the running daemon's, whatever the file says by now."""
    odd = stack.odd_bundle("shown", "DNS:localhost", usage="serverAuth", days=(-1, 5))
    fresh = daemon("shows", certificate_file=f'"{odd.certificate}"', key_file=f'"{odd.key}"')
    found, _ = doctor(stack, "--port", fresh.port)
    assert set(found) == {("certificate", "server")} and found["certificate", "server"]["verdict"] == "warning"
    found, _ = doctor(stack, "--port", fresh.port, "--server-name", "elsewhere.example")
    assert found["certificate", "trust"]["verdict"] == "fault"


def test_secrets_that_others_can_read_are_named(stack):
    for name, source, mode in (("keyring_file", "keyring", 0o640), ("key_file", "server/server.key", 0o644)):
        path = os.path.join(stack.dir, f"open-{name}")
        shutil.copy(os.path.join(stack.dir, source), path)
        os.chmod(path, mode)
        named(stack, "secret", name, "fault", f"mode {mode:o}", config=with_option(stack, name, f'"{path}"'))


def test_what_is_not_there_is_named(stack):
    named(stack, "secret", "keyring_file", "fault", "No such file",
          config=with_option(stack, "keyring_file", '"/nowhere/keyring"'))
    found, _ = doctor(stack, config=with_option(stack, "admin_listen", '"127.0.0.1:1"'))
    assert "does not answer" in found["daemon", "ready"]["found"]
    found, _ = doctor(stack, config=with_option(stack, "postgres", '"host=/nowhere dbname=loyal"'))
    assert found["postgresql", "connection"]["verdict"] == "fault"
    found, _ = doctor(stack, config="/nowhere/loyald.conf")
    assert found["configuration", "loyald.conf"]["verdict"] == "fault"


def test_a_clock_that_is_off_is_named(stack):
    """The stack's domain clock is a file of 2024; told that it should be the system's, the doctor is alarmed."""
    named(stack, "clock", "daemon", "fault", "s from this machine's", config=with_option(stack, "clock", '"system"'))


def test_it_wants_to_know_what_to_look_at():
    done = run(LOYALCTL, "doctor", check=False, env={"LOYALCTL_PROFILE": ""})
    assert done.returncode == 2 and "--config" in done.stderr
