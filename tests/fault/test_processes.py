"""Processes that die, hang, are stopped, reloaded and ended, with tills at work all the time."""
import os
import shutil
import signal
import socket
import statistics
import time

import pytest

from support.load import Knocker, Load
from support.paths import LOYALCTL, run, wait_for
from support.stage import DEADLINE_S, MARGIN_S, RECOVERY_S
from support.wire import Connection, tls_context

PAUSE_S = 30  # of what is stopped for long


def figure(text):
    print(f"\n  {text}")


def connections(daemon):
    """Of each of its two workers."""
    return [int(daemon.metric("loyald_connections", f'process="worker{slot}",state="open"')) for slot in (0, 1)]


def both_ready(daemon):
    wait_for(lambda: daemon.metric("loyald_worker_ready") == 2, "both workers are ready")


def share_of_worker0(daemon, load):
    """How many of the tills are its own; the other worker has some, too."""
    wait_for(lambda: sum(connections(daemon)) == len(load.tills), "the connections are counted")
    own, others = connections(daemon)
    assert own and others
    return own


# --- a worker is killed ---

def kill_worker(daemon, world, database, tills):
    """Kills worker0 under load; the pauses of its own tills, and the longest of the others."""
    with Load(world, daemon.port, tills) as load:
        own = share_of_worker0(daemon, load)
        calm = max(max(till.took) for till in load.tills)
        before = {till: len(till.took) for till in load.tills}
        old = daemon.children()["worker0"]
        os.kill(old, signal.SIGKILL)
        wait_for(lambda: daemon.children().get("worker0") not in (None, old), "a new worker")
        load.wait_answers(50)
    load.verify(database)
    cut = [till for till in load.tills if till.cuts]
    assert len(cut) == own and all(len(till.cuts) == 1 for till in cut), "the others notice nothing"
    assert not load.refused()
    longest = max(max(till.took[before[till]:]) for till in load.tills if till not in cut)
    return [till.cuts[0][1] for till in cut], longest, calm


def test_a_killed_worker_is_felt_by_its_own_tills_alone(daemon, world, database):
    fresh = daemon("killed", workers=2)
    both_ready(fresh)
    pauses, longest, _ = kill_worker(fresh, world, database, 6)
    assert max(pauses) < 20 and longest < 20


@pytest.mark.slow
def test_within_two_seconds_a_killed_workers_tills_are_served_again(daemon, world, database):
    fresh = daemon("killed-often", workers=2)
    both_ready(fresh)
    pauses, longest, calm = [], 0, 0
    for _ in range(5):
        both_ready(fresh)
        more, slow, before = kill_worker(fresh, world, database, 12)
        pauses += more
        longest, calm = max(longest, slow), max(calm, before)
    figure(f"5 workers killed: {len(pauses)} tills of theirs served again after {statistics.median(pauses) * 1000:.0f} ms "
           f"(median), {max(pauses) * 1000:.0f} ms at most; the others' slowest answer {longest * 1000:.0f} ms "
           f"({calm * 1000:.0f} ms before)")
    assert max(pauses) < 2 and longest < 0.5


# --- a process hangs ---

def test_a_worker_that_hangs_is_killed_and_replaced(daemon, world, database):
    fresh = daemon("hangs", workers=2, worker_timeout_s=2)
    both_ready(fresh)
    with Load(world, fresh.port, 4) as load:
        own = share_of_worker0(fresh, load)
        old = fresh.children()["worker0"]
        os.kill(old, signal.SIGSTOP)
        fresh.log.wait(rf"event=child_hung pid={old} [^\n]*")
        wait_for(lambda: fresh.children().get("worker0") not in (None, old), "a new worker")
        load.wait_answers(5)
    load.verify(database)
    assert sum(bool(till.cuts) for till in load.tills) == own
    assert fresh.metric("loyald_hung_total") == 1


def test_a_master_that_ends_does_not_wait_for_a_worker_that_hangs(daemon):
    fresh = daemon("stuck", workers=2, worker_timeout_s=0, drain_timeout_s=1)
    os.kill(wait_for(lambda: fresh.children().get("worker0"), "a worker"), signal.SIGSTOP)
    fresh.signal(signal.SIGTERM)
    assert fresh.wait_end(20) == 0


# --- the end ---

def test_sigterm_under_load_loses_no_ok(daemon, world, database):
    """Whatever was answered OK is in the journal; whoever got no answer may ask elsewhere, by his key."""
    fresh = daemon("ends", workers=2)
    with Load(world, fresh.port, 6) as load:
        load.port = world.stack.port  # where they go on once it has ended
        fresh.signal(signal.SIGTERM)
        time.sleep(0.02)
        fresh.signal(signal.SIGTERM)  # a second one changes nothing
        assert fresh.wait_end() == 0
        load.wait_answers(5)
    assert all(len(till.cuts) <= 1 for till in load.tills)
    load.verify(database)


# --- reload ---

@pytest.fixture
def own_files(stack, daemon):
    """A daemon whose certificate a test may spoil."""
    folder = os.path.join(stack.dir, f"server-{time.monotonic_ns()}")
    shutil.copytree(os.path.join(stack.dir, "server"), folder)
    fresh = daemon("reloaded", workers=2, certificate_file=f'"{folder}/server.crt"', key_file=f'"{folder}/server.key"')
    both_ready(fresh)
    return fresh, folder


def renew(world, folder):
    shutil.rmtree(folder)
    run(LOYALCTL, "cert", "server", "--ca", world.stack.ca, "--names", "localhost,127.0.0.1", "--out", folder)


def shown(port, world):
    """The certificate and the limits that a new connection sees."""
    with Connection(port, world.bundles["acme"], "acme") as connection:
        return connection.socket.getpeercert(binary_form=True), connection.welcome.limits


def reload(daemon, event):
    """SIGHUP; the master's line of that event."""
    start = daemon.log.mark()
    daemon.signal(signal.SIGHUP)
    line = daemon.log.wait(rf"process=master event={event} [^\n]*", start)[0]
    if event == "reloaded":
        for name in ("worker0", "worker1"):
            daemon.log.wait(rf"process={name} event=reloaded", start)
    return line


def set_option(daemon, name, value):
    with open(daemon.conf, encoding="utf-8") as file:
        lines = [line for line in file if line.split("=")[0].strip() != name]
    with open(daemon.conf, "w", encoding="utf-8") as file:
        file.writelines([*lines, f"{name} = {value}\n"])


def test_reload_under_load(own_files, world, database):
    """New certificates and settings; nobody is cut off, nobody turned away."""
    fresh, folder = own_files
    with Load(world, fresh.port, 3) as load, Knocker(world, fresh.port) as knocker:
        for number in range(5):
            before, _ = shown(fresh.port, world)
            renew(world, folder)
            set_option(fresh, "in_flight_max", 10 + number)
            line = reload(fresh, "reloaded")
            assert "changed=in_flight_max certificate=new" in line, line
            after, limits = shown(fresh.port, world)
            assert after != before and limits.in_flight_max == 10 + number
        load.wait_answers(20)
        wait_for(lambda: knocker.made > 20, "connections are made")
    load.verify(database)
    assert not load.cuts() and not load.refused() and not knocker.faults and not knocker.cut
    figure(f"5 reloads, {load.answers()} postings, {knocker.made} new connections, none refused")


def test_what_changes_while_it_runs(own_files, world):
    """Each limit that SIGHUP puts into force, seen from outside."""
    fresh, _ = own_files
    for name, value in (("deadline_ms_max", 7000), ("idle_timeout_s", 1), ("connections_max", 2), ("lookups_max", 1)):
        set_option(fresh, name, value)
    with Connection(fresh.port, world.bundles["acme"], "acme") as idle:
        assert "changed=connections_max,idle_timeout_s,lookups_max,deadline_ms_max" in reload(fresh, "reloaded")
        assert idle.wait_closed() is None
    made = [Connection(fresh.port, world.bundles["acme"], "acme") for _ in range(4)]
    try:
        assert all(one.welcome.limits.deadline_ms_max == 7000 for one in made)
        fields = {"identifier": {"kind": 1, "value": "1234"}}
        codes = [made[0].call("find_member", **fields).code for _ in range(3)]
        assert codes[-1] == "OVERLOADED", codes
        with socket.create_connection(("127.0.0.1", fresh.port), timeout=30) as fifth:
            fifth.settimeout(1)
            bundle = world.bundles["acme"]
            context = tls_context(bundle.authority, bundle.certificate, bundle.key)
            with pytest.raises(TimeoutError):  # both workers are full
                context.wrap_socket(fifth, server_hostname="localhost")
    finally:
        for one in made:
            one.close()
    set_option(fresh, "lanes", 2)
    start = fresh.log.mark()
    reload(fresh, "reloaded")
    assert "waiting_for_restart=lanes" in fresh.log.wait(r"event=reload_partial [^\n]*", start)[0]


def cut_in_half(path, _world):
    with open(path, "r+", encoding="ascii") as file:
        file.truncate(os.path.getsize(path) // 2)


def remove(path, _world):
    os.unlink(path)


def of_another(path, world):
    shutil.copy(world.bundles["acme"].key, path)


def open_to_all(path, _world):
    os.chmod(path, 0o644)


def expired(path, world):
    odd = world.stack.odd_bundle("expired-server", "DNS:localhost", usage="serverAuth", days=(-2, -1))
    shutil.copy(odd.certificate, path)
    shutil.copy(odd.key, path.replace(".crt", ".key"))


BROKEN = [("server.crt", cut_in_half, "server.crt"), ("server.crt", remove, "server.crt"),
          ("server.key", cut_in_half, "server.key"), ("server.key", remove, "server.key"),
          ("server.key", of_another, "server.key"), ("server.key", open_to_all, "chmod"),
          ("server.crt", expired, "expired")]


def test_reload_of_something_broken_changes_nothing_and_says_why(own_files, world, database):
    fresh, folder = own_files
    good = folder + ".good"
    shutil.copytree(folder, good)
    with open(fresh.conf, encoding="utf-8") as file:
        conf = file.read()
    before, limits = shown(fresh.port, world)
    line_number = conf.count("\n") + 1
    with Load(world, fresh.port, 2) as load, Knocker(world, fresh.port) as knocker:
        def is_unchanged():
            views = [shown(fresh.port, world) for _ in range(6)]  # at both workers
            return all(after == before and now.in_flight_max == limits.in_flight_max for after, now in views)
        set_option(fresh, "in_flight_max", limits.in_flight_max + 1)  # good, but beside what is not
        for name, spoil, told in BROKEN:
            spoil(os.path.join(folder, name), world)
            line = reload(fresh, "reload_failed")
            assert told in line and "nothing changed" in line, line
            assert is_unchanged() and fresh.metric("loyald_config_last_reload_successful") == 0
            shutil.rmtree(folder)
            shutil.copytree(good, folder)
        for text, told in (("no_such_option = 1\n", "no_such_option"), ("idle_timeout_s = 0\n", "from 1 to 86400"),
                           ("lanes = {\n", fresh.conf)):
            with open(fresh.conf, "w", encoding="utf-8") as file:
                file.write(conf + text)
            line = reload(fresh, "reload_failed")
            assert told in line and f"{fresh.conf}:{line_number}" in line, line
            assert is_unchanged()
        # a worker that starts while the files are broken is as good as the others
        remove(os.path.join(folder, "server.crt"), world)
        with open(fresh.conf, "w", encoding="utf-8") as file:
            file.write("broken")
        old = fresh.children()["worker0"]
        assert not load.cuts() and not load.refused() and not knocker.faults
        os.kill(old, signal.SIGKILL)
        wait_for(lambda: fresh.children().get("worker0") not in (None, old)
                 and fresh.metric("loyald_worker_ready") == 2, "a new worker is ready")
        assert is_unchanged()
        shutil.rmtree(folder)
        shutil.copytree(good, folder)
        with open(fresh.conf, "w", encoding="utf-8") as file:
            file.write(conf)
        reload(fresh, "reloaded")
        assert fresh.metric("loyald_config_last_reload_successful") == 1
    load.verify(database)


# --- what is stopped for long ---

@pytest.mark.slow
def test_a_worker_stands_still_for_30_s(daemon, world, database):
    """Nobody is cut off for it; whose deadline has passed meanwhile is told so, and nothing is decided for him."""
    fresh = daemon("stands-still", workers=1, worker_timeout_s=0, idle_timeout_s=20, handshake_timeout_s=5)
    bundle = world.bundles["acme"]
    with world.till("acme", fresh.port) as till, world.till("acme", fresh.port) as idle:
        card = till.enrolled(100)
        raw = socket.create_connection(("127.0.0.1", fresh.port), timeout=60)
        wait_for(lambda: fresh.metric("loyald_connections") == 3, "the third is in its handshake")
        worker = fresh.children()["worker0"]
        with database.holding_member(card):
            first = till.submit("redeem", till.redeem_fields(card, 1))
            database.wait_lanes()
            late = till.submit("redeem", till.redeem_fields(card, 10), deadline_ms=2000)  # waits behind it
            till.connection.call("ping").ok()
            os.kill(worker, signal.SIGSTOP)
            time.sleep(1)
        time.sleep(PAUSE_S - 1)
        unread = till.redeem_fields(card, 2)
        number = till.submit("redeem", unread, deadline_ms=5000)  # received after the standstill
        os.kill(worker, signal.SIGCONT)
        assert till.take(late).code in ("DEADLINE_EXCEEDED", "OUTCOME_UNKNOWN")  # below: not decided
        reply = till.take(first)
        assert reply.kind in ("OK", "RETRY", "UNKNOWN"), reply
        till.call("redeem", reply.fields).ok()  # by its key: once
        till.take(number).ok()
        idle.connection.call("ping").ok()
        context = tls_context(bundle.authority, bundle.certificate, bundle.key)
        context.wrap_socket(raw, server_hostname="localhost").close()
    assert database.member(card)["available"] == 97
    assert not database.findings()
    assert "event=stood_still" in fresh.log.text()
    figure(f"a worker stood still for {PAUSE_S} s: its 3 connections live on, also the one in its handshake")


@pytest.mark.slow
@pytest.mark.parametrize("who", ["the master", "all of it"])
def test_the_master_or_all_stand_still_for_30_s(daemon, world, database, who):
    """Workers serve without a master; nobody is killed after all have stood still together."""
    fresh = daemon("still-" + who.replace(" ", "-"), workers=2, worker_timeout_s=5)
    both_ready(fresh)
    before = fresh.children()
    stopped = [fresh.pid, *(before.values() if who == "all of it" else ())]
    with Load(world, fresh.port, 4) as load:
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        asked = load.answers()
        time.sleep(PAUSE_S)
        during = load.answers() - asked
        for pid in reversed(stopped):
            os.kill(pid, signal.SIGCONT)
        load.wait_answers(20)
        time.sleep(8)  # longer than worker_timeout_s
        assert fresh.children() == before
    load.verify(database)
    assert not load.cuts()
    figure(f"{who} stood still for {PAUSE_S} s: {during} answers meanwhile, nobody cut off")
    assert (during > 100) == (who == "the master")


@pytest.mark.slow
def test_the_database_stands_still_for_30_s(stack, daemon, world, database):
    """Postmaster and backends: every request is answered in time all the while, and comes to a definite end, once."""
    fresh = daemon("database-still", workers=2, worker_timeout_s=5, deadline_ms_max=int(DEADLINE_S * 1000))
    both_ready(fresh)
    before = fresh.children()
    postmaster = int(stack.postgres("pid").stdout)
    with open(f"/proc/{postmaster}/task/{postmaster}/children", encoding="ascii") as file:
        processes = [postmaster, *map(int, file.read().split())]
    with Load(world, fresh.port, 4) as load:
        for pid in processes:
            os.kill(pid, signal.SIGSTOP)
        try:
            time.sleep(PAUSE_S)
        finally:
            for pid in processes:
                os.kill(pid, signal.SIGCONT)
        started = time.monotonic()
        load.wait_answers(20)
        again = time.monotonic() - started
    load.verify(database)
    assert fresh.children() == before, "workers that wait for a database do not hang"
    longest = max(till.longest_s for till in load.tills)
    figure(f"PostgreSQL stood still for {PAUSE_S} s: served again {again:.1f} s after it goes on; the slowest answer"
           f" {longest:.2f} s")
    assert again < RECOVERY_S + MARGIN_S
    assert 1 < longest < DEADLINE_S + MARGIN_S


@pytest.mark.slow
def test_a_client_stands_still_for_30_s(daemon, world, database):
    """It is the only one that notices."""
    fresh = daemon("client-still", workers=1)
    with Load(world, fresh.port, 3) as load, world.till("beta", fresh.port) as deaf:
        card = deaf.enrolled(1000)
        numbers = [deaf.submit("redeem", deaf.redeem_fields(card, 1)) for _ in range(60)]
        before = {till: len(till.took) for till in load.tills}
        time.sleep(PAUSE_S)  # it reads nothing
        slowest = max(max(till.took[before[till]:]) for till in load.tills)
        for number in numbers:
            deaf.take(number).ok()
    load.verify(database)
    assert database.member(card)["available"] == 940 and not load.cuts()
    figure(f"a client read nothing for {PAUSE_S} s: the others' slowest answer {slowest * 1000:.0f} ms")
    assert slowest < 0.5

