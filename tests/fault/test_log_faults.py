"""A log that cannot be written must not stop a till: a full disk, a reader that has gone, one that has stopped reading. What
was lost is counted, and told once it can be."""
import contextlib
import fcntl
import os
import re
import socket
import subprocess

import pytest

from support.paths import LOYALD, run, wait_for
from support.stack import Daemon

LINES = 60  # of which two workers tell 40: more than a page of 4 KiB holds
PAGE = 4096
F_SETPIPE_SZ = 1031


class Sink(Daemon):
    """A daemon whose standard error is not its log file."""

    def __init__(self, stack, name, stderr, **settings):
        super().__init__(stack, name, **settings)
        self.stderr = stderr

    def spawn(self, out):
        return subprocess.Popen([LOYALD, "--config", self.conf], stdin=subprocess.DEVNULL, stdout=out,
                                stderr=self.stderr, start_new_session=True)


@pytest.fixture
def sink(stack, world):
    """Makes daemons that log to a file descriptor, which stays the test's."""
    del world
    with contextlib.ExitStack() as made:
        def make(name, stderr, **settings):
            fresh = Sink(stack, name, stderr, **settings)
            made.callback(fresh.stop)
            return fresh.start()
        yield make


def babble(daemon, count):
    """Each connection that speaks no TLS makes a line, up to 20 of each worker."""
    for _ in range(count):
        with socket.create_connection(("127.0.0.1", daemon.port), timeout=30) as connection:
            connection.sendall(b"this is no TLS\r\n")
            connection.settimeout(30)
            with contextlib.suppress(ConnectionError):
                connection.recv(100)


def serves(daemon, world, database):
    """Postings are decided and answered, and the journal has them."""
    with world.till("acme", daemon.port) as till:
        card = till.enrolled(10)
        till.redeem(card, 3).ok()
    assert database.member(card)["available"] == 7


def told(text):
    return sum(int(lines) for lines in re.findall(r"event=log_dropped lines=(\d+)", text))


def test_a_full_disk_under_the_log(sink, world, database):
    with open("/dev/full", "wb") as full:
        daemon = sink("full", full)
        babble(daemon, 20)
        serves(daemon, world, database)
        assert daemon.metric("loyald_log_dropped_total") >= 20
        assert daemon.stop() == 0


def test_a_reader_that_has_gone(sink, world, database):
    reader, writer = os.pipe()
    try:
        daemon = sink("gone", writer)
        os.close(reader)
        babble(daemon, 20)
        serves(daemon, world, database)
        assert daemon.metric("loyald_log_dropped_total") >= 20
        assert daemon.stop() == 0
    finally:
        os.close(writer)


def pipe_of_a_shell():
    reader, writer = os.pipe()
    fcntl.fcntl(writer, F_SETPIPE_SZ, PAGE)
    return reader, writer


def socket_of_a_journal():
    ours, its = socket.socketpair()
    its.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, PAGE)
    return ours.detach(), its.detach()


@pytest.mark.parametrize("make", [pipe_of_a_shell, socket_of_a_journal])
def test_a_reader_that_has_stopped_reading(sink, world, database, make):
    """The pipe is full: nobody waits for it. Once it is read again, the count of what is missing stands in it."""
    reader, writer = make()
    try:
        daemon = sink("stopped-" + make.__name__.split("_", maxsplit=1)[0], writer, workers=2)
        assert os.get_blocking(writer), "the flags of what others share stay as they are"
        wait_for(lambda: babble(daemon, LINES) or daemon.metric("loyald_log_dropped_total") > 0, "the pipe is full")
        serves(daemon, world, database)
        lost = daemon.metric("loyald_log_dropped_total")
        os.set_blocking(reader, False)
        text = b""

        def read_on():
            nonlocal text
            with contextlib.suppress(BlockingIOError):
                while piece := os.read(reader, 65536):
                    text += piece
            return told(text.decode()) == daemon.metric("loyald_log_dropped_total")
        wait_for(read_on, "every line lost is told")
        assert told(text.decode()) >= lost
        for line in text.decode().splitlines():
            assert line.startswith("time=") and " event=" in line, line
        assert daemon.stop() == 0
    finally:
        os.close(reader)
        os.close(writer)


def test_started_without_standard_files(daemon, world, database, stack):
    """Its log must not run into the first socket that it opens."""
    bare = daemon("bare", wait=False)
    bare.stop()
    bare.process = subprocess.Popen(["sh", "-c", 'exec "$0" "$@" 0<&- 1>&- 2>&-', LOYALD, "--config", bare.conf],
                                    start_new_session=True)
    wait_for(bare.is_ready, "ready without standard files")
    for number in (0, 1, 2) if os.geteuid() == 0 else ():
        assert os.readlink(f"/proc/{bare.pid}/fd/{number}") == "/dev/null"
    serves(bare, world, database)
    assert bare.stop() == 0 and stack


@pytest.mark.slow
def test_a_small_disk_fills_up_and_is_emptied(sink, world, database, tmp_path):
    """On a file system of its own: a line may be cut in its middle, and none is glued to it later."""
    run("mount", "-t", "tmpfs", "-o", f"size={PAGE}", "loyal-test-log", tmp_path)
    try:
        with open(tmp_path / "log", "ab") as log:
            daemon = sink("small-disk", log, workers=2)
            babble(daemon, LINES)
            serves(daemon, world, database)
            lost = daemon.metric("loyald_log_dropped_total")
            assert lost > 0
            with open(tmp_path / "log", "rb") as file:
                cut = file.read().decode().splitlines()
            os.truncate(tmp_path / "log", 0)  # as logrotate's copytruncate
            wait_for(lambda: told((tmp_path / "log").read_text()) >= lost, "what was lost is told")
            babble(daemon, 3)
            after = (tmp_path / "log").read_text().splitlines()
            assert len(cut) > 10
            for line in [*cut[:-1], *after]:
                assert not line or (line.startswith("time=") and " event=" in line), line
            print(f"\n  4 KiB held {len(cut)} lines; {lost:.0f} lost, all told")
            assert daemon.stop() == 0
    finally:
        run("umount", tmp_path)
