"""The program is replaced, and the machine's service manager holds its sockets: nobody is refused meanwhile."""
import contextlib
import ctypes
import fcntl
import os
import shutil
import signal
import socket
import stat
import subprocess
import threading
import time

import pytest

from support.load import Knocker, Load
from support.paths import LOYALD, WAIT_S, wait_for
from support.stack import Daemon, children_of, free_port
from support.wire import Connection

PR_SET_CHILD_SUBREAPER = 36
# Starts the program, after a delay that a file beside it tells; as whoever was asked for, so that it is asked again.
WRAPPER = """#!/bin/bash
[[ ! -e $0.delay ]] || sleep "$(cat "$0.delay")"
[[ ${WATCHDOG_PID:-} != self ]] || WATCHDOG_PID=$$
exec -a "$0" "$0.program" "$@"
"""


class Replaced(Daemon):
    """A daemon whose process changes. It runs from a file of its own, so that a test may replace the program."""

    def __init__(self, stack, name, **settings):
        super().__init__(stack, name, **settings)
        self.program = os.path.join(stack.dir, name + "-loyald")
        self.env, self.reaped = {}, {}
        shutil.copy(LOYALD, self.program + ".program")
        with open(self.program, "w", encoding="ascii") as file:
            file.write(WRAPPER)
        os.chmod(self.program, stat.S_IRWXU)

    def spawn(self, out):
        return subprocess.Popen([self.program, "--config", self.conf], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                start_new_session=True, env={**os.environ, **self.env})

    @property
    def pid(self):
        with open(self.pid_file, encoding="ascii") as file:
            return int(file.read() or 0)

    def delay(self, seconds):
        with open(self.program + ".delay", "w", encoding="ascii") as file:
            file.write(str(seconds))

    def reap(self, pid):
        """The exit status of a process that was ours or became ours when its parent died; None while it lives."""
        if self.process.pid == pid:
            return self.process.poll()
        if pid not in self.reaped:
            with contextlib.suppress(ChildProcessError):
                found, status = os.waitpid(pid, os.WNOHANG)
                if not found:
                    return None
                self.reaped[pid] = os.waitstatus_to_exitcode(status)
        return self.reaped.get(pid)

    def ended(self, pid):
        wait_for(lambda: self.reap(pid) is not None, f"process {pid} ends")
        return self.reap(pid)

    def upgrade(self):
        """Waits until the successor is in place; its predecessor's process id."""
        old = self.pid
        os.kill(old, signal.SIGUSR2)
        wait_for(lambda: self.pid not in (0, old), "the successor takes over", 60)
        return old

    def refuses(self, event, start, pattern=""):
        return self.log.wait(rf"event={event} [^\n]*{pattern}[^\n]*", start, 60)[0]

    def stop(self):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError, ValueError):
            pid = self.pid
            os.kill(pid, signal.SIGTERM)
            self.ended(pid)
        return super().stop()


@pytest.fixture
def replaced(stack, world):
    """Makes daemons that are replaced. Their orphans become this process's children, so that it can wait for them."""
    del world
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    with contextlib.ExitStack() as made:
        def make(name, env=None, **settings):
            fresh = Replaced(stack, name, **settings)
            fresh.env = env or {}
            made.callback(fresh.stop)
            return fresh.start()
        yield make
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


class Reader(threading.Thread):
    """Asks the admin port again and again whether the daemon is ready."""

    def __init__(self, daemon):
        super().__init__(daemon=True)
        self.daemon_under_test, self.is_ending, self.answers = daemon, threading.Event(), []

    def run(self):
        while not self.is_ending.is_set():
            self.answers.append(self.daemon_under_test.ask("/readyz"))
            time.sleep(0.01)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.is_ending.set()
        self.join(WAIT_S)


def upgrades_under_load(fresh, world, database, times, tills):
    with Load(world, fresh.port, tills) as load, Knocker(world, fresh.port) as knocker, \
            Knocker(world, fresh.port, "beta") as other, Reader(fresh) as reader:
        took = []
        for _ in range(times):
            started = time.monotonic()
            old = fresh.upgrade()
            took.append(time.monotonic() - started)
            assert fresh.ended(old) == 0
            load.wait_answers(20)
    load.verify(database)
    assert not load.refused() and not knocker.faults and not other.faults, (load.refused(), knocker.faults, other.faults)
    assert max(len(till.cuts) for till in load.tills) <= times, "somebody was let in by the old one, and sent away again"
    assert set(reader.answers) == {200}
    pauses = [pause for _, pause in load.cuts()]
    print(f"\n  {times} upgrades, {max(took):.1f} s each at most: {load.answers()} postings, "
          f"{knocker.made + other.made} new connections, none refused; the longest pause of a till "
          f"{max(pauses) * 1000:.0f} ms")
    return max(pauses)


def test_upgrade_under_load(replaced, world, database):
    """Two in a row: the successor is upgraded as well. No connection is refused, no posting lost or made twice."""
    fresh = replaced("upgraded", workers=2)
    upgrades_under_load(fresh, world, database, 2, 4)
    last = fresh.pid
    assert set(children_of(last)) == {"worker0", "worker1", "admin"}
    os.kill(last, signal.SIGTERM)
    assert fresh.ended(last) == 0
    assert not os.path.exists(fresh.pid_file)


@pytest.mark.slow
def test_many_upgrades_under_load(replaced, world, database):
    fresh = replaced("upgraded-often", workers=2)
    assert upgrades_under_load(fresh, world, database, 15, 12) < 2


def test_what_is_asked_is_answered_by_the_old_one(replaced, world, database):
    fresh = replaced("answers", lock_timeout_ms=20000)
    with world.till("acme", fresh.port) as till:
        card = till.enrolled(10)
        with database.holding_member(card):
            number = till.submit("redeem", till.redeem_fields(card, 4))
            database.wait_lanes()
            old = fresh.upgrade()
            with world.till("beta", fresh.port) as other:  # the new one is not held up
                other.enrolled(5)
        assert till.take(number).ok().balance.available == 6
        till.connection.wait_closed()
    assert fresh.ended(old) == 0


def unchanged(fresh, world, old):
    assert fresh.pid == old and fresh.reap(old) is None
    with world.till("acme", fresh.port) as till:
        till.enrolled(5)


def test_a_successor_that_cannot_start_changes_nothing(replaced, world):
    fresh = replaced("fails")
    old = fresh.pid
    with open(fresh.conf, encoding="utf-8") as file:
        conf = file.read()
    with open(fresh.conf, "w", encoding="utf-8") as file:
        file.write(conf + "no_such_option = 1\n")
    start = fresh.log.mark()
    os.kill(old, signal.SIGUSR2)
    fresh.refuses("upgrade_failed", start)
    assert "no_such_option" in fresh.log.text(start)
    unchanged(fresh, world, old)
    with open(fresh.conf, "w", encoding="utf-8") as file:
        file.write(conf)
    os.rename(fresh.program, fresh.program + ".away")
    start = fresh.log.mark()
    os.kill(old, signal.SIGUSR2)
    fresh.refuses("upgrade_failed", start, "cannot be executed")
    unchanged(fresh, world, old)
    os.rename(fresh.program + ".away", fresh.program)
    assert fresh.upgrade() == old
    assert fresh.ended(old) == 0


def test_a_successor_that_dies_while_it_starts(replaced, world):
    fresh = replaced("dies")
    old = fresh.pid
    fresh.delay(30)
    start = fresh.log.mark()
    os.kill(old, signal.SIGUSR2)
    pid = int(fresh.log.wait(r"event=upgrading [^\n]*successor=(\d+)", start)[1])
    os.kill(old, signal.SIGUSR2)
    fresh.refuses("upgrade_refused", start, "one is under way")
    os.kill(pid, signal.SIGKILL)
    fresh.refuses("upgrade_failed", start)
    unchanged(fresh, world, old)


def test_sigterm_while_the_successor_starts_ends_both(replaced):
    fresh = replaced("both")
    old = fresh.pid
    fresh.delay(30)
    start = fresh.log.mark()
    os.kill(old, signal.SIGUSR2)
    pid = int(fresh.log.wait(r"event=upgrading [^\n]*successor=(\d+)", start)[1])
    os.kill(old, signal.SIGTERM)
    assert fresh.ended(old) == 0
    assert not os.path.exists(f"/proc/{pid}")
    assert not os.path.exists(fresh.pid_file)


def test_a_predecessor_that_dies_leaves_it_all_to_the_successor(replaced, world, database):
    fresh = replaced("orphan", workers=2)
    fresh.delay(1)
    with Load(world, fresh.port, 3) as load:
        old = fresh.pid
        start = fresh.log.mark()
        os.kill(old, signal.SIGUSR2)
        fresh.log.wait(r"event=upgrading", start)
        os.kill(old, signal.SIGKILL)
        fresh.log.wait(r"event=took_over", start)
        wait_for(lambda: fresh.pid not in (0, old), "its process id is known")
        load.wait_answers(10)
    load.verify(database)
    assert fresh.ended(old) == -signal.SIGKILL


@pytest.mark.slow
def test_a_successor_that_never_gets_ready_is_given_up(replaced, world, database):
    """It wants another schema, say: the old one goes on."""
    fresh = replaced("never-ready")
    wanted = database.value("select version from loyal.schema_version")
    old = fresh.pid
    with Load(world, fresh.port, 2) as load:
        start = fresh.log.mark()
        database.change_as_owner(("update loyal.schema_version set version = 'of-tomorrow'",))
        try:
            os.kill(old, signal.SIGUSR2)
            fresh.refuses("upgrade_failed", start, "not ready in time")
        finally:
            database.change_as_owner(("update loyal.schema_version set version = %s", wanted))
        load.wait_answers(10)
    load.verify(database)
    assert not load.cuts() and not load.refused()
    unchanged(fresh, world, old)


def test_the_lease_passes_over(stack, world, database):
    """Whoever ends gives it back: the next one need not wait until it runs out."""
    del world
    holder = "select holder from loyal.lease where name = 'maintenance'"
    pid = stack.children()["maintenance"]
    wait_for(lambda: database.value(holder, user="postgres").endswith(f":{pid}"), "it holds the lease")
    os.kill(pid, signal.SIGTERM)
    started = time.monotonic()
    wait_for(lambda: not database.value(holder, user="postgres").endswith(f":{pid}"), "another holds the lease")
    assert time.monotonic() - started < 12  # it would last 15 s


# --- the service manager ---

class Activated(Daemon):
    """Its sockets are the test's, as systemd would hold them."""

    def __init__(self, stack, name, sockets, names, **settings):
        super().__init__(stack, name, **settings)
        self.sockets, self.names = sockets, names

    def spawn(self, out):
        command = "".join(f"exec {3 + i}<&{fd.fileno()}; " for i, fd in enumerate(self.sockets))
        return subprocess.Popen(
            ["bash", "-c", command + 'LISTEN_PID=$$ exec "$0" "$@"', LOYALD, "--config", self.conf],
            stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
            pass_fds=[fd.fileno() for fd in self.sockets],
            env={**os.environ, "LISTEN_FDS": str(len(self.sockets)), "LISTEN_FDNAMES": ":".join(self.names)})


def high(listener):
    """Above those that it is to become."""
    moved = socket.socket(fileno=fcntl.fcntl(listener.fileno(), fcntl.F_DUPFD, 50))
    listener.close()
    return moved


@pytest.mark.parametrize("names", [("listen", "admin_listen"), ("loyald.socket", "loyald.socket")])
def test_sockets_of_the_service_manager(stack, world, names):
    """By name, or by address. Whoever connects while no daemon runs waits for the next one, and is served."""
    listeners = [high(socket.create_server(("127.0.0.1", 0), backlog=50)) for _ in names]
    ports = [listener.getsockname()[1] for listener in listeners]
    is_named = names[0] == "listen"
    settings = {} if is_named else {"listen": f'{{"127.0.0.1:{ports[0]}"}}', "admin_listen": f'"127.0.0.1:{ports[1]}"'}
    daemon = Activated(stack, "activated-" + names[0].split(".", maxsplit=1)[0], listeners, names, **settings)
    plain, daemon.write_conf = daemon.write_conf, lambda: None

    def write_conf():
        plain()
        daemon.bound = daemon.port  # of the option, which a socket by name replaces
        daemon.port, daemon.admin_port = ports
    daemon.write_conf = write_conf
    try:
        daemon.start()
        with world.till("acme", daemon.port) as till:
            card = till.enrolled(10)
        if is_named:
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", daemon.bound), timeout=WAIT_S)
        assert daemon.stop() == 0
        waiting = []
        early = threading.Thread(target=lambda: waiting.append(
            Connection(daemon.port, world.bundles["acme"], "acme")), daemon=True)
        early.start()
        time.sleep(0.2)
        assert early.is_alive() and not waiting
        daemon.start()
        early.join(WAIT_S)
        waiting[0].call("ping").ok()
        waiting[0].close()
        with world.till("acme", daemon.port) as till:
            till.redeem(card, 4).ok()
    finally:
        assert daemon.stop() == 0
        for listener in listeners:
            listener.close()


def test_a_socket_that_is_none_is_refused(stack, tmp_path):
    del tmp_path
    ours, its = socket.socketpair()
    daemon = Activated(stack, "no-socket", [high(its)], ["listen"])
    daemon.write_conf()
    with open(daemon.log.path, "ab") as out:
        process = daemon.spawn(out)
    assert process.wait(WAIT_S) == 1
    assert "no listening TCP socket" in daemon.log.text()
    ours.close()


class Manager:
    """Hears what sd_notify says."""

    def __init__(self, folder):
        self.path = os.path.join(folder, f"notify-{free_port()}")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.said = []

    def hear(self, seconds=0.0):
        """What was said until then, and who said it last."""
        end = time.monotonic() + seconds
        while True:
            self.socket.settimeout(max(end - time.monotonic(), 0.001))
            try:
                self.said += self.socket.recv(4096).decode().splitlines()
            except (TimeoutError, BlockingIOError):
                if time.monotonic() >= end:
                    return self.said

    def wait(self, line):
        wait_for(lambda: line in self.hear(0.05), f"{line}, heard {self.said}")
        upto = self.said.index(line) + 1
        heard, self.said = self.said[:upto], self.said[upto:]
        return heard

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


def test_what_the_service_manager_is_told(replaced, stack):
    with Manager(stack.dir) as manager:
        fresh = replaced("notifies", {"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "900000", "WATCHDOG_PID": "self"},
                         workers=2)
        heard = manager.wait("READY=1")
        if "STATUS=2 of 2 workers ready" not in heard:
            manager.wait("STATUS=2 of 2 workers ready")
        manager.wait("WATCHDOG=1")
        os.kill(fresh.pid, signal.SIGHUP)
        heard = manager.wait("READY=1")
        assert heard.index("RELOADING=1") < len(heard) - 1 and any(line.startswith("MONOTONIC_USEC=") for line in heard)
        old = fresh.upgrade()
        assert fresh.ended(old) == 0
        heard = manager.wait("READY=1")
        assert f"MAINPID={fresh.pid}" in heard and "STOPPING=1" not in heard, heard
        manager.wait("WATCHDOG=1")
        os.kill(fresh.pid, signal.SIGSTOP)
        manager.hear(0.2)
        manager.said.clear()
        assert not manager.hear(1.5), "a master that hangs gives no sign of life"
        os.kill(fresh.pid, signal.SIGCONT)
        manager.wait("WATCHDOG=1")
        last = fresh.pid
        os.kill(last, signal.SIGTERM)
        manager.wait("STOPPING=1")
        assert fresh.ended(last) == 0
