"""loyalctl doctor: all well on a sound stack, and each thing that is not well is named; what concerns the whole server of
PostgreSQL stands in test_doctor_server.py."""
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


def named(stack, area, check, verdict, hint, *words, remedy="", **more):
    """Exactly this is not well, with a reason and a remedy; the exit status is the verdict's."""
    found, _ = doctor(stack, *words, **more)
    assert set(found) == {(area, check)}, found
    row = found[area, check]
    assert row["verdict"] == verdict and hint in row["found"] and row["why"] and row["remedy"], row
    assert remedy in row["remedy"], row


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


@pytest.mark.parametrize("name,value,verdict,remedy", [
    ("synchronous_commit", "off", "fault", "Set it to on, also for the role"),
    ("synchronous_commit", "local", "fault", "Set it to on, also for the role"),
    ("wal_compression", "pglz", "warning", "wal_compression = lz4"),
    ("effective_cache_size", "'8MB'", "warning", "three quarters of the machine's memory"),
    ("random_page_cost", "4", "warning", "random_page_cost = 1.1"),
    ("idle_in_transaction_session_timeout", "0", "warning", "idle_in_transaction_session_timeout = 10min"),
    ("track_counts", "off", "fault", "track_counts = on")])
def test_a_setting_that_matters_is_named(stack, database, name, value, verdict, remedy):
    with setting(database, name, value):
        named(stack, "postgresql", name, verdict, value.strip("'"), remedy=remedy)


def test_connections_are_counted(stack):
    """40 x (1 + 7) + 5 + 10."""
    named(stack, "postgresql", "max_connections", "fault", "335", remedy="Raise max_connections, or lower workers",
          config=with_option(stack, "workers", 40))


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
            named(stack, "database", "partitions", verdict, name, remedy="loyal.partitions_make")
        finally:
            database.change_as_owner((f"alter table loyal.entry attach partition loyal.{name} {bound}",))


def test_another_schema_is_named(stack, database):
    wanted = database.value("select version from loyal.schema_version")
    database.change_as_owner(("update loyal.schema_version set version = 'of-yesterday'",))
    try:
        named(stack, "database", "schema", "fault", f"of-yesterday, this program wants {wanted}",
              remedy="migrations/migrate deploy")
    finally:
        database.change_as_owner(("update loyal.schema_version set version = %s", wanted))


@pytest.mark.parametrize("break_it,mend_it,said", [
    ("grant delete on loyal.entry to loyal_daemon", "revoke delete on loyal.entry from loyal_daemon",
     "loyal_daemon can change the journal"),
    ("alter role loyal_reader bypassrls", "alter role loyal_reader nobypassrls", "loyal_reader is more than it may be"),
    ("grant select on loyal.basket_line to loyal_reader", "revoke select on loyal.basket_line from loyal_reader",
     "loyal_reader can read basket_line"),
    ("alter table loyal.consent disable row level security", "alter table loyal.consent enable row level security",
     "row security is off for consent"),
    ("alter role loyal_auditor rename to loyal_auditors", "alter role loyal_auditors rename to loyal_auditor",
     "loyal_auditor is missing")])
def test_rights_that_are_wrong_are_named(stack, database, break_it, mend_it, said):
    database.change(break_it)
    try:
        named(stack, "database", "roles", "fault", said, remedy="bootstrap.sql again")
    finally:
        database.change(mend_it)


def test_what_may_not_be_read_is_a_warning(stack):
    named(stack, "database", "erasures", "warning", "permission denied", "--database",
          f"host={stack.socket_dir} port=5432 dbname=loyal user=loyal_reader", remedy="as a role that may read it")


def test_another_database_is_named(stack):
    named(stack, "database", "schema", "fault", "none of loyald's in the database postgres", "--database",
          f"host={stack.socket_dir} port=5432 dbname=postgres user=loyal_daemon", remedy="migrations/migrate deploy")


def test_maintenance_that_cannot_get_in_is_named(stack, database):
    connections = "select count(*) from pg_stat_activity where usename = 'loyal_maintenance'"
    database.change("alter role loyal_maintenance nologin")
    try:
        database.change("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'loyal_maintenance'")
        wait_for(lambda: database.value(connections, user="postgres") == 0, "maintenance is out")
        named(stack, "database", "maintenance", "warning", "0 connections of loyal_maintenance",
              remedy="Set postgres_maintenance")
    finally:
        database.change("alter role loyal_maintenance login")
    wait_for(lambda: database.value(connections, user="postgres") > 0, "maintenance is back")


def test_an_erasure_half_done_is_named(stack, database, acme):
    member = database.member(acme.enrolled(1))
    where = ("where bucket = %s and member_id = %s", member["bucket"], member["member_id"])
    database.change("update loyal.member set status = 4 " + where[0], *where[1:])
    try:
        named(stack, "database", "erasures", "fault", "1 unfinished", remedy="member erase again")
    finally:
        database.change("update loyal.member set status = %s " + where[0], member["status"], *where[1:])


# --- files ---

@pytest.mark.parametrize("days,verdict,hint", [((-1, 10), "warning", "holds until"), ((-9, -1), "fault", "expired on"),
                                               ((1, 90), "fault", "is not valid yet")])
@pytest.mark.parametrize("option", ["certificate_file", "authority_file"])
def test_a_certificate_near_its_end_is_named(stack, option, days, verdict, hint):
    odd = stack.odd_bundle(f"short-{days[1]}", "DNS:localhost", usage="serverAuth", days=days)
    named(stack, "certificate", option, verdict, hint, config=with_option(stack, option, f'"{odd.certificate}"'),
          remedy="put it in place, send SIGHUP")


def test_ones_own_certificate_and_key_are_looked_at(stack):
    odd = stack.odd_bundle("mine", "DNS:localhost", days=(-1, 10))
    named(stack, "certificate", "my-certificate", "warning", "holds until", "--my-certificate", odd.certificate)
    os.chmod(odd.key, 0o604)
    named(stack, "secret", "my-key", "fault", "mode 604", "--my-key", odd.key, remedy="chmod 600")


def test_secrets_that_others_can_read_are_named(stack):
    for name, source, mode in (("keyring_file", "keyring", 0o640), ("key_file", "server/server.key", 0o644),
                               ("key_file", "server/server.key", 0o660)):
        path = os.path.join(stack.dir, f"open-{name}")
        shutil.copy(os.path.join(stack.dir, source), path)
        os.chmod(path, mode)
        named(stack, "secret", name, "fault", f"mode {mode:o}", config=with_option(stack, name, f'"{path}"'),
              remedy="chmod 600")


@pytest.mark.parametrize("option,area", [("keyring_file", "secret"), ("key_file", "secret"),
                                         ("certificate_file", "certificate"), ("authority_file", "certificate")])
def test_a_file_that_is_not_there_is_named(stack, option, area):
    named(stack, area, option, "fault", "/nowhere/at-all: No such file",
          config=with_option(stack, option, '"/nowhere/at-all"'), remedy="Put it in place, readable by the daemon's user")


def test_a_configuration_that_is_none_is_named(stack, tmp_path):
    broken = tmp_path / "broken.conf"
    broken.write_text("workers = {", encoding="utf-8")
    for path, said in (("/nowhere/loyald.conf", "cannot be read"), (broken, "is broken")):
        named(stack, "configuration", "loyald.conf", "fault", said, config=path, remedy="--check-config names line")


# --- the daemon ---

def test_the_certificate_that_clients_are_shown(daemon, stack):
    """It is the running daemon's, whatever the file says by now."""
    odd = stack.odd_bundle("shown", "DNS:localhost", usage="serverAuth", days=(-1, 5))
    fresh = daemon("shows", certificate_file=f'"{odd.certificate}"', key_file=f'"{odd.key}"')
    named(stack, "certificate", "server", "warning", "the one that clients are shown", "--port", fresh.port)
    for words, said in ((("--server-name", "elsewhere.example"), "it is not for the name of the host"),
                        (("--authority", odd.certificate), "self-signed certificate in certificate chain")):
        found, _ = doctor(stack, "--port", fresh.port, *words)
        trust = found["certificate", "trust"]
        assert trust["verdict"] == "fault" and said in trust["found"] and "cert server --names" in trust["remedy"], trust


def test_a_daemon_that_does_not_serve_is_named(daemon, stack):
    found, _ = doctor(stack, config=with_option(stack, "admin_listen", '"127.0.0.1:1"'))
    row = found["daemon", "ready"]  # and without it nobody tells the domain's time, which is not the machine's here
    assert row["verdict"] == "fault" and row["found"] == "http://127.0.0.1:1 does not answer"
    assert row["remedy"] == "RUNBOOK, LoyaldDown and LoyaldNotReady."
    named(stack, "daemon", "TLS", "fault", "no handshake with localhost:1", "--port", 1, remedy="a firewall; the listen option")
    idle = daemon("unready", wait=False, postgres='"host=/nowhere dbname=loyal"')
    wait_for(lambda: "database_unreachable" in idle.page("/readyz")[1], "it says why it is not ready")
    named(stack, "daemon", "ready", "fault", "database_unreachable", "--url", f"http://127.0.0.1:{idle.admin_port}")


def test_a_database_that_is_not_there_is_named(stack):
    named(stack, "postgresql", "connection", "fault", "/nowhere",
          config=with_option(stack, "postgres", '"host=/nowhere dbname=loyal"'), remedy="Start PostgreSQL")


def test_a_clock_that_is_off_is_named(stack):
    """The stack's domain clock is a file of 2024; told that it should be the system's, the doctor is alarmed."""
    named(stack, "clock", "daemon", "fault", "s from this machine's", config=with_option(stack, "clock", '"system"'),
          remedy="chrony")


def test_it_wants_to_know_what_to_look_at():
    done = run(LOYALCTL, "doctor", check=False, env={"LOYALCTL_PROFILE": ""})
    assert done.returncode == 2 and "--config" in done.stderr
