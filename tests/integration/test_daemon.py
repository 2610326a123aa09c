"""The daemon's life: start, readiness, schema, restart of PostgreSQL, drain, death of a worker, reload."""
import os
import re
import shutil
import signal
import ssl
import subprocess
import time

import pytest

from support.paths import LOYALCTL, LOYALD, run, wait_for
from support.stack import Daemon, children_of, free_port
from support.wire import Closed, Connection, frame


def set_schema(database, version):
    database.change_as_owner(("update loyal.schema_version set version = %s", version))


def cut_backends(database, name="loyald%"):
    database.change("select pg_terminate_backend(pid) from pg_stat_activity where application_name like %s", name)


# --- schema ---

def test_another_schema_is_refused_and_the_one_wanted_is_named(daemon, world, database):
    wanted = database.value("select version from loyal.schema_version")
    set_schema(database, "of-tomorrow")
    try:
        fresh = daemon("schema", wait=False)
        line = fresh.log.wait(r"[^\n]*of-tomorrow[^\n]*")[0]
        assert wanted in line, line
        assert fresh.ask("/readyz") == 503 and fresh.ask("/healthz") == 200
        with Connection(fresh.port, world.bundles["acme"], hello=None) as connection:
            connection.hello("acme").refused("NOT_READY")
    finally:
        set_schema(database, wanted)
    wait_for(fresh.is_ready, "the daemon works once the schema is right")


def test_another_schema_is_refused_also_after_a_reconnect(daemon, world, database):
    wanted = database.value("select version from loyal.schema_version")
    fresh = daemon("reconnects")
    with world.till("acme", fresh.port) as till:
        card = till.enrolled(10)
        start = fresh.log.mark()
        set_schema(database, "of-tomorrow")
        try:
            cut_backends(database)
            wait_for(lambda: not fresh.is_ready(), "not ready on another schema")
            assert wanted in fresh.log.wait(r"[^\n]*of-tomorrow[^\n]*", start)[0]
            refused = till.redeem(card, 1).refused("NOT_READY")
            time.sleep(0.5)
            assert not fresh.is_ready()
        finally:
            set_schema(database, wanted)
        wait_for(fresh.is_ready, "ready again")
        assert till.call("redeem", refused.fields).ok().balance.available == 9


def test_a_database_that_does_not_wait_for_the_disk_is_refused(daemon, world, database):
    """R36: nothing is reported as done before its commit is durable."""
    database.change("alter role loyal_daemon set synchronous_commit = off")
    try:
        lazy = daemon("lazy", wait=False)
        lazy.log.wait(r"[^\n]*synchronous_commit=off[^\n]*")
        assert lazy.ask("/readyz") == 503
    finally:
        database.change("alter role loyal_daemon reset synchronous_commit")
    wait_for(lazy.is_ready, "ready once its commits are durable")


# --- PostgreSQL ---

def test_postgresql_absent_at_start(stack, world, daemon):
    stack.postgres("stop", "fast")
    try:
        fresh = daemon("waits", wait=False)
        with Connection(fresh.port, world.bundles["acme"], hello=None) as connection:
            connection.hello("acme").refused("NOT_READY")
        assert fresh.ask("/readyz") == 503 and fresh.process.poll() is None
    finally:
        stack.postgres("start")
    wait_for(fresh.is_ready, "ready by itself")
    wait_for(stack.is_ready, "so is the one that was running")
    with world.till("acme", fresh.port) as till:
        till.enrolled(5)


CONNECTIONS = 2 * (1 + 7) + 5  # RUNBOOK.md, LoyaldDatabaseLost: (lanes + 7) for each worker, 5 for maintenance


def total(stack, metric):
    return sum(float(value) for value in re.findall(rf"^{metric}{{.*}} (\S+)$", Daemon.page(stack, "/metrics")[1], re.MULTILINE))


@pytest.mark.parametrize("how", ["fast", "immediate"])
def test_postgresql_is_restarted_under_load(stack, world, database, how):
    """Connections of tills stay; whatever was answered OK is there once, and each request can be brought to an end."""
    till = world.tills["acme"]
    cards = [till.enrolled(100) for _ in range(8)]
    done, asked = {}, {}
    wait_for(lambda: total(stack, "loyald_database_connections") == CONNECTIONS, "all connections are there")
    lost = total(stack, "loyald_database_connections_lost_total")
    for round_number in range(3):
        for card in cards:
            fields = till.redeem_fields(card, 1)
            asked[till.submit("redeem", fields)] = (card, fields)
        if round_number == 1:
            stack.postgres("stop", how)
            stack.postgres("start")
    open_requests = []
    for number, (card, fields) in asked.items():
        reply = till.take(number)
        if reply.code == "OK":
            done[fields["key"]] = card
        else:
            assert reply.kind in ("RETRY", "UNKNOWN"), reply
            open_requests.append((card, fields))
    wait_for(stack.is_ready, "ready again")
    for card, fields in open_requests:
        wait_for(lambda: till.call("redeem", fields).kind == "OK", "asked again until it is definite", every=0.1)
    for card in cards:
        assert database.member(card)["available"] == 97
        assert len(database.entries(card)) == 5
    assert not database.findings()
    wait_for(lambda: total(stack, "loyald_database_connections") == CONNECTIONS, "all connections are back")
    lost = total(stack, "loyald_database_connections_lost_total") - lost
    assert CONNECTIONS <= lost < 2 * CONNECTIONS  # what LoyaldDatabaseLost counts with


# --- the end, and deaths ---

def test_sigterm_drains(daemon, world, database):
    fresh = daemon("drains", lock_timeout_ms=20000)
    with world.till("acme", fresh.port) as till, world.till("beta", fresh.port) as idle:
        card = till.enrolled(10)
        with database.holding_member(card):
            number = till.submit("redeem", till.redeem_fields(card, 4))
            database.wait_lanes()
            fresh.signal(signal.SIGTERM)
            idle.connection.wait_closed()
        assert till.take(number).ok().balance.available == 6  # what was begun is answered
        assert till.connection.wait_closed() is None
    assert fresh.wait_end() == 0
    assert not os.path.exists(fresh.pid_file)
    assert database.member(card)["available"] == 6


def test_nobody_new_is_kept_waiting_while_it_drains(daemon, world, database):
    """Who connects now must learn at once that he has to go elsewhere, not after drain_timeout_s."""
    fresh = daemon("closes", lock_timeout_ms=20000)
    with world.till("acme", fresh.port) as till, world.till("beta", fresh.port) as idle:
        card = till.enrolled(10)
        with database.holding_member(card):
            till.submit("redeem", till.redeem_fields(card, 4))
            database.wait_lanes()
            fresh.signal(signal.SIGTERM)
            idle.connection.wait_closed()
            started = time.monotonic()
            with pytest.raises((OSError, ssl.SSLError, Closed)):
                Connection(fresh.port, world.bundles["beta"], "beta")
            assert time.monotonic() - started < 5


def test_a_drain_has_an_end(daemon, world, database):
    """After drain_timeout_s the worker ends by itself, before the master kills it; what it had begun has no effect."""
    fresh = daemon("stubborn", drain_timeout_s=1, lock_timeout_ms=20000, statement_timeout_ms=25000)
    with world.till("acme", fresh.port) as till:
        card = till.enrolled(10)
        with database.holding_member(card):
            number = till.submit("redeem", till.redeem_fields(card, 4))
            database.wait_lanes()
            fresh.signal(signal.SIGTERM)
            assert fresh.wait_end(10) == 0  # the held row would last for 20 s
        assert "process=worker0 event=ending connections=1 requests=1" in fresh.log.text()
        with pytest.raises((Closed, OSError)):
            till.take(number)
    assert database.member(card)["available"] == 10


def is_welcome(connection):
    """Its worker may not have read the database yet, and says so."""
    hello = connection.hello("acme")
    assert hello.code in ("OK", "NOT_READY")
    return hello.code == "OK"


def whole(fresh):
    """Its children, of two workers."""
    wait_for(lambda: len(fresh.children()) == 3, "two workers and the admin port's process")
    return fresh.children()


def test_kill_9_of_a_worker(daemon, world):
    fresh = daemon("mortal", workers=2)
    old = whole(fresh)
    operator = Connection(fresh.port, world.stack.operator)
    tills = []
    try:
        def spread():
            tills.append(world.till("acme", fresh.port))
            status = operator.call("get_status").ok()
            return all(row.connections >= 2 for row in status.workers) or len(tills) > 60
        wait_for(spread, "tills at both workers", every=0)
        os.kill(old["worker0"], signal.SIGKILL)
        wait_for(lambda: fresh.children().get("worker0") not in (None, old["worker0"]), "a new worker")
        assert fresh.children()["worker1"] == old["worker1"]
        alive = 0
        for till in tills:
            try:
                till.connection.call("ping").ok()
                alive += 1
            except Closed:
                pass
        assert 0 < alive < len(tills)  # the other worker's go on
        for _ in range(8):
            with Connection(fresh.port, world.bundles["acme"], hello=None) as connection:
                wait_for(lambda: is_welcome(connection), "both workers welcome a till")
    finally:
        operator.close()
        for till in tills:
            till.close()


def test_kill_9_of_the_master_takes_its_workers_along(daemon):
    fresh = daemon("headless", workers=2)
    pids = list(whole(fresh).values())
    os.kill(fresh.pid, signal.SIGKILL)
    fresh.wait_end()
    wait_for(lambda: not any(is_alive(pid) for pid in pids), "no worker is left")


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_admin_port_that_dies_comes_again(daemon):
    """Whoever asks meanwhile waits; nobody else notices."""
    fresh = daemon("unasked", workers=2)
    old = whole(fresh)
    os.kill(old["admin"], signal.SIGKILL)
    status, text = fresh.page("/metrics")
    assert status == 200 and 'loyald_restarts_total{process="admin"} 1' in text
    assert whole(fresh) == {**old, "admin": fresh.children()["admin"]} != old


def test_maintenance_that_dies_comes_again(stack, world, brief, clock, database):
    del world
    old = stack.children()["maintenance"]
    os.kill(old, signal.SIGKILL)
    wait_for(lambda: stack.children().get("maintenance") not in (None, old), "a new maintenance process")
    card = brief.enrolled(5)
    clock.advance(days=70)
    wait_for(lambda: database.entries(card)[-1]["kind"] == 6, "it goes on with its work", 90)


# --- reload ---

@pytest.fixture
def own_files(stack):
    """A server bundle that a test may spoil."""
    folder = os.path.join(stack.dir, f"server-{time.monotonic_ns()}")
    shutil.copytree(os.path.join(stack.dir, "server"), folder)
    return folder


def peer_certificate(port, world):
    with Connection(port, world.bundles["acme"], "acme") as connection:
        return connection.socket.getpeercert(binary_form=True)


def test_sighup_with_a_broken_certificate_changes_nothing(daemon, world, own_files):
    certificate = os.path.join(own_files, "server.crt")
    fresh = daemon("reloads", certificate_file=f'"{certificate}"', key_file=f'"{own_files}/server.key"')
    before = peer_certificate(fresh.port, world)
    with world.till("acme", fresh.port) as till:
        good = open(certificate, encoding="ascii").read()
        for broken in ("", "no certificate\n", good[:-200]):
            start = fresh.log.mark()
            with open(certificate, "w", encoding="ascii") as file:
                file.write(broken)
            fresh.signal(signal.SIGHUP)
            line = fresh.log.wait(r"event=reload_failed[^\n]*", start)[0]
            assert "server.crt" in line
            assert peer_certificate(fresh.port, world) == before
            till.connection.call("ping").ok()
        with open(certificate, "w", encoding="ascii") as file:
            file.write(good)
        with open(fresh.conf, "a", encoding="utf-8") as file:
            file.write("no_such_option = 1\n")
        start = fresh.log.mark()
        fresh.signal(signal.SIGHUP)
        assert "no_such_option" in fresh.log.wait(r"event=reload_failed[^\n]*", start)[0]
        assert peer_certificate(fresh.port, world) == before


def test_sighup_takes_a_new_certificate(daemon, world, own_files):
    fresh = daemon("renews", certificate_file=f'"{own_files}/server.crt"', key_file=f'"{own_files}/server.key"')
    before = peer_certificate(fresh.port, world)
    with world.till("acme", fresh.port) as till:
        shutil.rmtree(own_files)
        run(LOYALCTL, "cert", "server", "--ca", world.stack.ca, "--names", "localhost,127.0.0.1", "--out", own_files)
        fresh.signal(signal.SIGHUP)
        wait_for(lambda: peer_certificate(fresh.port, world) != before, "the new certificate is shown")
        till.connection.call("ping").ok()  # open connections stay


# --- the configuration ---

def changed(stack, name, *changes):
    """A copy of the stack's configuration with lines added or, where a pair, replaced."""
    path = os.path.join(stack.dir, f"check-{name}.conf")
    text = open(os.path.join(stack.dir, "loyald.conf"), encoding="utf-8").read()
    own = (f'listen = {{"127.0.0.1:{free_port()}"}}', f'admin_listen = "127.0.0.1:{free_port()}"',
           f'pid_file = "{stack.dir}/check.pid"')
    for change in (*own, *changes):
        key = change.split("=")[0].strip()
        lines = [line for line in text.splitlines() if line.split("=")[0].strip() != key]
        text = "\n".join([*lines, *([change] if "=" in change else [])]) + "\n"
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def check(path):
    return run(LOYALD, "--config", path, "--check-config", check=False)


def test_check_config_of_a_good_one(stack):
    done = check(changed(stack, "good"))
    assert done.returncode == 0 and "good" in done.stdout, done.stderr


WRONG = {
    "unknown option": ("nonsense = 1", "nonsense"),
    "missing network": ("network", "network"),
    "missing postgres": ("postgres", "postgres"),
    "a number out of range": ("workers = 1000", "workers"),
    "text for a number": ('queue_max = "many"', "queue_max"),
    "a network in capitals": ('network = "Town"', "network"),
    "no such time zone": ('time_zone = "Europe/Nowhere"', "Europe/Nowhere"),
    "a clock file in production": ('environment = "production"', "clock"),
    "no such environment": ('environment = "test"', "environment"),
    "an address without a port": ('listen = {"127.0.0.1"}', "listen"),
    "the admin port on the network": ('admin_listen = "0.0.0.0:7401"', "admin_listen"),
    "no certificate": ('certificate_file = "/nowhere/server.crt"', "/nowhere/server.crt"),
    "no key": ('key_file = "/nowhere/server.key"', "/nowhere/server.key"),
    "no authority": ('authority_file = "/nowhere/authority.crt"', "/nowhere/authority.crt"),
    "no keyring": ('keyring_file = "/nowhere/keyring"', "/nowhere/keyring"),
    "not a clock": ('clock = "sundial"', "clock"),
    "broken syntax": ("country_code = {", ".conf"),
}


@pytest.mark.parametrize("what", WRONG)
def test_check_config_names_what_is_wrong(stack, what):
    change, named = WRONG[what]
    path = changed(stack, what.replace(" ", "-"), change)
    for command in (("--check-config",), ()):  # and a daemon does not start on it
        done = run(LOYALD, "--config", path, *command, check=False)
        assert done.returncode == 2, (done.returncode, done.stdout, done.stderr)
        assert named in done.stderr, done.stderr


def test_check_config_tells_every_fault_at_once(stack):
    """What a start would trip over one after the other."""
    done = check(changed(stack, "many", 'keyring_file = "/nowhere/keyring"', 'certificate_file = "/nowhere/server.crt"',
                         'listen = {"192.0.2.1:7400"}', 'pid_file = "/nowhere/loyald.pid"'))
    lines = done.stderr.splitlines()
    assert done.returncode == 2 and len(lines) == 4, done.stderr
    for line, part in zip(lines, ("/nowhere/keyring", "192.0.2.1:7400", "/nowhere/loyald.pid", "/nowhere/server.crt")):
        assert part in line


def test_check_config_takes_no_port(stack):
    """A running daemon's ports are no fault: it is run before a restart."""
    done = check(changed(stack, "taken", f'listen = {{"127.0.0.1:{stack.port}"}}'))
    assert done.returncode == 0, done.stderr


def test_check_config_of_a_user_that_is_not_there(stack):
    done = check(changed(stack, "user", 'user = "nobody-of-that-name"'))
    assert done.returncode == 2 and "nobody-of-that-name" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="root becomes another user")
def test_check_config_reads_as_the_user_that_it_becomes(stack, own_files):
    """Root reads everything; the daemon will not be root by then."""
    os.chmod(f"{own_files}/server.key", 0o600)
    path = changed(stack, "as-user", 'user = "nobody"', f'key_file = "{own_files}/server.key"')
    for command in (("--check-config",), ()):
        done = run(LOYALD, "--config", path, *command, check=False)
        assert done.returncode == 2 and "cannot be read" in done.stderr, done.stderr


@pytest.mark.parametrize("mode", [0o644, 0o641, 0o660, 0o650, 0o640, 0o600])
def test_check_config_of_a_key_that_others_may_read(stack, own_files, mode):
    """Its group may read it; whoever may write it could put his own in its place."""
    os.chmod(f"{own_files}/server.key", mode)
    done = check(changed(stack, "open", f'certificate_file = "{own_files}/server.crt"',
                         f'key_file = "{own_files}/server.key"'))
    if mode & 0o137:
        assert done.returncode == 2 and f"server.key: has mode {mode:o}" in done.stderr, done.stderr
        assert "chmod 640 or 600" in done.stderr
    else:
        assert done.returncode == 0, done.stderr


def test_check_config_of_a_key_of_another_certificate(stack, own_files, world):
    shutil.copy(world.bundles["acme"].key, f"{own_files}/server.key")
    done = check(changed(stack, "other-key", f'certificate_file = "{own_files}/server.crt"',
                         f'key_file = "{own_files}/server.key"'))
    assert done.returncode == 2 and "server.key" in done.stderr


def test_two_daemons_on_one_port(stack):
    path = changed(stack, "twice", f'pid_file = "{stack.dir}/twice.pid"', f'listen = {{"127.0.0.1:{stack.port}"}}')
    process = subprocess.run([LOYALD, "--config", path], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                             timeout=30, check=False)
    assert process.returncode not in (0, None) and f"{stack.port}" in process.stderr
    assert not os.path.exists(f"{stack.dir}/twice.pid")


# --- connections ---

def test_no_request_is_left_behind(stack, world, operator):
    """Connections that come and go leave nothing in the workers' counts."""
    del stack
    before = sum(row.connections for row in operator.call("get_status").ok().workers)
    for _ in range(30):
        world.till("acme").close()
    wait_for(lambda: sum(row.connections for row in operator.call("get_status").ok().workers) <= before,
             "all of them are gone")


def test_a_stopped_client_does_not_stop_others(world, acme, operator):
    """A client that asks and never reads is held back by TCP, not at the cost of the rest."""
    with Connection(world.stack.port, world.stack.operator) as deaf:
        stores = [deaf.build("list_stores", {"merchant": "acme"})[1] for _ in range(64)]
        deaf.send(b"".join(frame(data) for data in stores))
        for _ in range(20):
            acme.connection.call("ping").ok()
            operator.call("ping").ok()


def test_daemon_children_are_named(stack):
    assert set(children_of(stack.pid)) == {"worker0", "worker1", "maintenance", "admin"}
    assert isinstance(stack.daemons, list) and all(isinstance(one, Daemon) for one in stack.daemons)
