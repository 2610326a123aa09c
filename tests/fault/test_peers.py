"""Bad peers: who does not read, writes by the byte, never ends his handshake, vanishes; and many at once. After each the
tills work at once, and the database has what was answered. The quick ones use small numbers and a daemon with short limits;
the slow ones the full numbers, and print what they measured."""
import contextlib
import os
import re
import socket
import threading
import time

import pytest

from support.paths import LOYALD, run, wait_for
from support.peers import Peers, cpu_s, memory_kb
from support.proto import Request
from support.wire import Closed, Connection, frame, tls_context

PING = frame(Request(id=1 << 40, ping={}).SerializeToString())


def connections_of(daemon):
    """Of clients that its workers hold, as the kernel counts."""
    with open("/proc/net/tcp", encoding="ascii") as file:
        rows = [line.split() for line in file.readlines()[1:]]
    inodes = {row[9] for row in rows if int(row[1].split(":")[1], 16) == daemon.port and row[3] != "0A"}
    links = []
    for name, pid in daemon.children().items():
        if name.startswith("worker"):
            for number in os.listdir(f"/proc/{pid}/fd"):
                with contextlib.suppress(OSError):
                    links.append(os.readlink(f"/proc/{pid}/fd/{number}"))
    return sum(link.removeprefix("socket:[").rstrip("]") in inodes for link in links)


@contextlib.contextmanager
def nothing_lost(world, database, port):
    """A till of the daemon earns before, meanwhile and after; what it was answered stands in the database."""
    with world.till("acme", port) as till:
        card, answered = till.enrolled(), 0

        def earn(times=1):
            nonlocal answered
            for _ in range(times):
                assert till.earn(card, 100).ok().points == 1
                answered += 1
        earn()
        yield earn
        earn(2)
        with world.till("acme", port) as another:
            assert another.balance(card).available == answered
    assert database.member(card)["available"] == answered
    assert not database.findings()


def workers_kb(daemon):
    return sum(memory_kb(pid) for name, pid in daemon.children().items() if name.startswith("worker"))


def workers_cpu(daemon):
    return sum(cpu_s(pid) for name, pid in daemon.children().items() if name.startswith("worker"))


def silent(port):
    return socket.create_connection(("127.0.0.1", port), timeout=30)


def ended(peer, seconds=30):
    """Whether the other side ends it in time."""
    peer.settimeout(seconds)
    try:
        while peer.recv(65536):
            pass
    except socket.timeout:
        return False
    except OSError:
        pass
    return True


# ---- who does not read ----


class Glutton:
    """A till that asks without end and reads nothing, through a small window."""

    def __init__(self, port, bundle, merchant):
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.connect(("127.0.0.1", port))
        self.socket = tls_context(bundle.authority, bundle.certificate, bundle.key).wrap_socket(raw, server_hostname="localhost")
        hello = Request(id=1, hello={"version_min": 1, "version_max": 1, "merchant": merchant, "software": "glutton"})
        self.socket.sendall(frame(hello.SerializeToString()))
        self.socket.recv(65536)
        self.sent = 0

    def gorge(self, quiet_s=0.5, limit=64 << 20):
        """Sends until nothing more is taken for a while; False once the other side has ended it."""
        self.socket.settimeout(quiet_s)
        try:
            while self.sent < limit:
                self.sent += self.socket.send(PING * 500)
        except socket.timeout:
            return True
        except OSError:
            return False
        raise AssertionError(f"{self.sent} bytes of requests were read and no answer")


def test_who_does_not_read_is_not_read_and_then_cut(daemon, world, database):
    fresh = daemon("gorged", stall_timeout_s=3)
    with nothing_lost(world, database, fresh.port) as earn:
        before = workers_kb(fresh)
        glutton = Glutton(fresh.port, world.bundles["beta"], "beta")
        assert glutton.gorge(), "cut before it stood still"
        earn(3)
        grown = workers_kb(fresh) - before
        print(f"read {glutton.sent >> 10} KB of requests, then no more; memory grew by {grown} KB")
        assert grown < 4096
        fresh.log.wait('event=peer_cut reason="answers not read"')
        glutton.socket.close()


def test_who_reads_slowly_is_not_cut(daemon, world):
    """Progress counts: three times the limit long he takes a little, and then has every answer."""
    fresh = daemon("patient", stall_timeout_s=1)
    glutton = Glutton(fresh.port, world.bundles["beta"], "beta")
    assert glutton.gorge(0.2)
    glutton.socket.settimeout(5)
    end, taken = time.monotonic() + 3, 0
    while time.monotonic() < end:
        taken += len(glutton.socket.recv(16384))
        time.sleep(0.02)
    assert taken and "peer_cut" not in fresh.log.text()
    glutton.socket.close()


# ---- who writes by the byte ----


def drip(peer, data, seconds):
    """A byte each tenth of a second; how long until the other side had enough, or None."""
    began = time.monotonic()
    try:
        for byte in data:
            if time.monotonic() - began > seconds:
                return None
            peer.sendall(bytes([byte]))
            peer.settimeout(0.1)
            try:
                if not peer.recv(1):
                    return time.monotonic() - began
            except (socket.timeout, TimeoutError):
                pass
            except OSError as error:
                if "timed out" not in str(error):
                    return time.monotonic() - began
    except OSError:
        return time.monotonic() - began
    return None


def test_a_frame_by_the_byte_is_cut_and_whole_ones_are_not(daemon, world, database):
    fresh = daemon("dripped", stall_timeout_s=2, idle_timeout_s=60)
    with nothing_lost(world, database, fresh.port), \
            Connection(fresh.port, world.bundles["beta"], "beta") as slow, \
            Connection(fresh.port, world.bundles["beta"], "beta") as steady:
        steady.send(frame(b"x" * 5)[:4])
        steady.send(Request(id=9, ping={}).SerializeToString()[:5])  # 5 bytes long: whole within the limit
        took = drip(slow.socket, frame(b"x" * 60000), 30)
        print(f"cut after {took:.1f} s")
        assert took is not None and took > 1.5
        assert fresh.log.wait(r'reason="a frame not ended"')


@pytest.mark.parametrize("begun", [b"", b"\x00"], ids=["silent", "a byte of Hello's header"])
def test_hello_by_the_byte_has_the_time_of_hello(daemon, world, begun):
    fresh = daemon("greeted", handshake_timeout_s=1, stall_timeout_s=60)
    with Connection(fresh.port, world.bundles["acme"], hello=None) as slow:
        slow.send(begun)
        assert ended(slow.socket)


# ---- who never ends his handshake ----


@pytest.mark.parametrize("kind", ["silent", "half", "hello"])
def test_handshakes_without_end_leave_room_for_tills(daemon, world, database, kind):
    """More than the daemon has room for: the oldest go, the tills come in at once, and the time ends the rest."""
    fresh = daemon("besieged", connections_max=40, handshake_timeout_s=3)
    with nothing_lost(world, database, fresh.port) as earn, Peers(fresh.port, kind, 100) as peers:
        assert peers.tried()["connected"] == 100
        for _ in range(5):
            with world.till("beta", fresh.port) as till:
                till.connection.call("ping").ok()
        earn()
        assert connections_of(fresh) <= 40
        wait_for(lambda: connections_of(fresh) == 1, "only the till is left")
        earn()
        assert peers.end()["ended"] == 100
    counts = fresh.log.wait(r"event=handshakes_unfinished timed_out=(\d+) dropped=(\d+)")
    assert int(counts[2]) >= 60


def test_connections_max_is_of_tills_too(daemon, world):
    fresh = daemon("full", connections_max=3)
    tills = [world.till("acme", fresh.port) for _ in range(3)]
    with silent(fresh.port) as waiting:
        waiting.settimeout(0.5)
        for till in tills:
            till.connection.call("ping").ok()
        tills.pop().close()
        with world.till("beta", fresh.port) as till:
            till.connection.call("ping").ok()
    for till in tills:
        till.close()
