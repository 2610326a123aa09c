"""Bad peers: who does not read, writes by the byte, never ends his handshake, vanishes; and many at once. After each the
tills work at once, and the database has what was answered. The quick ones use small numbers and a daemon with short limits;
the slow ones the full numbers, and print what they measured."""
import contextlib
import fcntl
import os
import resource
import select
import signal
import socket
import statistics
import termios
import threading
import time

import pytest

from support.key_updates import KeyUpdater
from support.netns import Namespace
from support.paths import wait_for
from support.peers import Peers, cpu_s, memory_kb
from support.proto import Request
from support.stack import free_port
from support.wire import Connection, frame, tls_context

PING = frame(Request(id=1 << 40, ping={}).SerializeToString())


def connections_of(daemon):
    """Of clients that its workers hold, as the kernel counts."""
    with open("/proc/net/tcp", encoding="ascii") as file:
        rows = [line.split() for line in file.readlines()[1:]]
    inodes = {row[9] for row in rows if int(row[1].split(":")[1], 16) == daemon.port and row[3] != "0A"}
    links = []
    for pid in workers(daemon):
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


def workers(daemon):
    return [pid for name, pid in daemon.children().items() if name.startswith("worker")]


def workers_kb(daemon):
    return sum(map(memory_kb, workers(daemon)))


def ms_of(act, times):
    """How long each took: the median and the 99th percentile."""
    took = []
    for _ in range(times):
        began = time.monotonic()
        act()
        took.append((time.monotonic() - began) * 1000)
    took.sort()
    return statistics.median(took), took[len(took) * 99 // 100]


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


def room_of(peer):
    """How many bytes the other side still takes: its window, as last told, without what is on its way."""
    window = int.from_bytes(peer.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 232)[228:232], "little")
    return window - int.from_bytes(fcntl.ioctl(peer, termios.TIOCOUTQ, b"1234"), "little")


def test_who_renews_his_keys_without_end_holds_nobody_up(daemon, world, database):
    fresh = daemon("renewed", workers=1)
    with nothing_lost(world, database, fresh.port) as earn:
        renewer, served = KeyUpdater(fresh.port, world.bundles["beta"], "beta"), 0
        records = renewer.records(60000, PING)
        sender = threading.Thread(target=renewer.socket.sendall, args=(records,), daemon=True)
        sender.start()
        while not select.select([renewer.socket], [], [], 0)[0]:
            earn()
            served += 1
        sender.join()
        renewer.close()
        print(f"{served} earns were answered while 60,000 renewals were")
        assert served >= 20


@pytest.mark.slow
def test_nor_does_who_fits_them_to_what_is_read_at_once(daemon, world, database):
    """A read that ends in a record's header lets OpenSSL read on, as much again each time, unless it is told not to."""
    read_bytes, spans, longest = 16708, 300, 0  # read_bytes: of OpenSSL's buffer
    fresh, till = daemon("fitted", workers=1, lanes=1), world.tills["beta"]
    card = till.enrolled()
    renewer = KeyUpdater(fresh.port, world.bundles["beta"], "beta")
    full = b"".join(renewer.records(0, frame(Request(id=number, earn=till.earn_fields(card, 1)).SerializeToString()))
                    for number in range(2, 66))  # as many as may be in flight: what follows is not read
    flood = b"".join(renewer.span(read_bytes) for _ in range(spans)) + renewer.records(0, PING)

    def pour():
        """As fast as there is room for whole pieces, so that each read finds its buffer full."""
        for at in range(4 * read_bytes, len(flood), 4000):
            while room_of(renewer.socket) < 20000:
                time.sleep(0.0005)
            renewer.socket.sendall(flood[at:at + 4000])
    with nothing_lost(world, database, fresh.port), world.till("acme", fresh.port) as other:
        with database.holding("lock table loyal.entry in share mode"):
            renewer.socket.sendall(full)
            database.wait_lanes()
            renewer.socket.sendall(flood[:4 * read_bytes])
            time.sleep(0.5)
            sender = threading.Thread(target=pour, daemon=True)
            sender.start()
        while sender.is_alive():
            began = time.monotonic()
            other.call("ping", {}).ok()
            longest = max(longest, time.monotonic() - began)
            time.sleep(0.005)
        assert len(renewer.messages(65)) == 65
    renewer.close()
    print(f"others waited {longest * 1000:.0f} ms at most")
    assert longest < 0.04  # some 10 ms are what one read brings


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


@pytest.mark.slow
def test_refused_handshakes_take_no_tills_place(stack, daemon, world):
    """More than there is room for, who stay after their refusal: a till does not wait until they have gone."""
    fresh = daemon("refusing", connections_max=40)
    stranger = stack.odd_bundle("late", "URI:loyal://town/merchant/beta/terminal/till-1", days=(-2, -1))
    began = time.monotonic()
    with contextlib.ExitStack() as crowd:
        for _ in range(60):
            raw = crowd.enter_context(silent(fresh.port))
            context = tls_context(stranger.authority, stranger.certificate, stranger.key)
            with contextlib.suppress(OSError):
                crowd.enter_context(context.wrap_socket(raw, server_hostname="localhost"))
        with world.till("beta", fresh.port) as till:
            till.connection.call("ping").ok()
        took = time.monotonic() - began
        print(f"60 refused and a till let in within {took * 1000:.0f} ms")
        assert took < 1.5


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


# ---- no files left ----


def test_without_files_nobody_spins_and_who_is_in_is_served(daemon, world, database):
    fresh = daemon("poor", connections_max=1000)
    with nothing_lost(world, database, fresh.port) as earn, contextlib.ExitStack() as crowd:
        (worker,) = workers(fresh)
        usual = resource.prlimit(worker, resource.RLIMIT_NOFILE)
        resource.prlimit(worker, resource.RLIMIT_NOFILE, (len(os.listdir(f"/proc/{worker}/fd")) + 3, usual[1]))
        for _ in range(20):
            crowd.enter_context(silent(fresh.port))
        fresh.log.wait('event=accept_failed error="Too many open files".*remedy="raise LimitNOFILE')
        began, cpu = time.monotonic(), cpu_s(worker)
        while time.monotonic() < began + 2:
            earn()
            time.sleep(0.1)
        share = (cpu_s(worker) - cpu) / (time.monotonic() - began)
        print(f"{share:.0%} of a core while no file was free")
        assert share < 0.25
        assert fresh.log.text().count("event=accept_failed") == 1
        resource.prlimit(worker, resource.RLIMIT_NOFILE, usual)
        wait_for(lambda: connections_of(fresh) == 21, "all are taken in once files are free")


def test_clients_leave_files_to_the_daemon(daemon, world, database):
    """With fewer files than connections_max asks for, some are kept for the database and the certificates."""
    fresh = daemon("modest")
    with nothing_lost(world, database, fresh.port) as earn, contextlib.ExitStack() as crowd:
        (worker,) = workers(fresh)
        resource.prlimit(worker, resource.RLIMIT_NOFILE, (160, resource.prlimit(worker, resource.RLIMIT_NOFILE)[1]))
        fresh.signal(signal.SIGHUP)
        fresh.log.wait("event=files_limit files=160 connections_max=32")
        for _ in range(60):
            crowd.enter_context(silent(fresh.port))
        earn()
        assert connections_of(fresh) <= 33
        assert "accept_failed" not in fresh.log.text()


# ---- who vanishes ----


def timers_of(port):
    """Of the established connections at the port: kind and seconds, as the kernel tells (2: keepalive)."""
    with open("/proc/net/tcp", encoding="ascii") as file:
        rows = [line.split() for line in file.readlines()[1:]]
    ours = [row[5].split(":") for row in rows if int(row[1].split(":")[1], 16) == port and row[3] == "01"]
    return [(int(kind, 16), int(left, 16) / 100) for kind, left in ours]


def test_who_is_silent_is_asked_whether_he_lives(daemon, world):
    fresh = daemon("asking", stall_timeout_s=20)
    with world.till("acme", fresh.port), silent(fresh.port):
        timers = wait_for(lambda: len(found := timers_of(fresh.port)) == 2 and all(kind == 2 for kind, _ in found) and found,
                          "the keepalive timers of two connections", 10)
        assert all(left <= 20 for _, left in timers), timers


@pytest.mark.slow
def test_who_vanishes_is_gone_in_time(daemon, world, database):
    """His cable is cut: idle, with a request waiting, and in the middle of the handshake. Nobody sends an end."""
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    stall_s, port, namespace = 5, free_port(), Namespace()
    try:
        fresh = daemon("vanishing", stall_timeout_s=stall_s, handshake_timeout_s=60,
                       listen=f'{{"127.0.0.1:{port}", "{namespace.address}:{port}"}}')
        fresh.port = port
        with nothing_lost(world, database, port) as earn:
            card = world.tills["beta"].enrolled(100)
            idle = Connection(port, world.bundles["beta"], "beta", raw=namespace.connect(port))
            waiting = Connection(port, world.bundles["beta"], "beta", raw=namespace.connect(port))
            handshaking = namespace.connect(port)
            with world.till("beta", port) as other, database.holding_member(card):
                waiting.submit("redeem", world.tills["beta"].redeem_fields(card, 1))
                answered = other.submit("redeem", other.redeem_fields(card, 2))
                database.wait_lanes()
                namespace.cut()
                began = time.monotonic()
            with world.till("acme", port) as till:
                till.connection.call("ping").ok()
            earn()
            wait_for(lambda: connections_of(fresh) == 1, "those who vanished are gone", 4 * stall_s)
            took = time.monotonic() - began
            print(f"gone after {took:.1f} s; stall_timeout_s = {stall_s}")
            assert took <= 2 * stall_s + 2
            assert answered and database.member(card)["available"] == 97
            for peer in (idle.socket, waiting.socket, handshaking):
                peer.close()
    finally:
        namespace.close()


# ---- the full numbers ----


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["silent", "half", "hello"])
def test_ten_thousand_handshakes_without_end(daemon, world, database, kind):
    fresh = daemon("stormed", workers=2)
    with nothing_lost(world, database, fresh.port) as earn, world.till("beta", fresh.port) as till:
        def connect():
            world.till("beta", fresh.port).close()

        def ping():
            till.connection.call("ping").ok()
        quiet = ms_of(connect, 50), ms_of(ping, 200)
        before = workers_kb(fresh)
        with Peers(fresh.port, kind, 10000) as peers:
            during = ms_of(connect, 50), ms_of(ping, 200)
            report = peers.tried(60)
            held = connections_of(fresh) - 2
            grown = workers_kb(fresh) - before
            after = ms_of(connect, 50), ms_of(ping, 200)
            earn(10)
            wait_for(lambda: connections_of(fresh) == 2, "all are cut", 40)
            report = peers.end()
        print(f"{kind}: {report}; held {held}, {grown * 1024 / max(held, 1):.0f} bytes each; connect and Hello, ms (p50, p99):"
              f" quiet {quiet[0]}, while they come {during[0]}, while they wait {after[0]}; ping: quiet {quiet[1]},"
              f" {during[1]}, {after[1]}")
        assert report["connected"] == report["ended"] == 10000
        assert held <= 4000 and grown * 1024 / held < (60000 if kind == "hello" else 2000)
        assert during[0][0] < 500 and during[0][1] < 20000 and after[0][1] < 1000
        assert during[1][1] < 500 and after[1][1] < 500, "who is in does not notice"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["brief", "tls"])
def test_five_thousand_connections_a_second(daemon, world, database, kind):
    """For five seconds; the TLS handshakes ask for more than two cores can do."""
    fresh = daemon("rushed", workers=2, connections_max=12000)
    with nothing_lost(world, database, fresh.port) as earn, world.till("beta", fresh.port) as till:
        card = till.enrolled()

        def act():
            till.earn(card, 100).ok()
        quiet = ms_of(act, 300)
        count = 25000 if kind == "brief" else 8000
        with Peers(fresh.port, kind, count, world.bundles["beta"], rate=5000, merchant="beta") as peers:
            began, during = time.monotonic(), []
            while time.monotonic() < began + 5:
                during.append(ms_of(act, 1)[0])
            report = peers.tried(60)
            during.sort()
            earn(10)
            peers.end()
        print(f"{kind}: {report}; earns of a till, ms: quiet p50 {quiet[0]:.1f} p99 {quiet[1]:.1f}, meanwhile"
              f" p50 {statistics.median(during):.1f} p99 {during[len(during) * 99 // 100]:.1f} of {len(during)}")
        assert report["failed"] == 0 and report["connected"] == count
        assert kind == "tls" or report["seconds"] < 1.2 * count / 5000
        assert kind == "brief" or report["greeted"] == count
        assert during[len(during) * 99 // 100] < 500
        wait_for(lambda: connections_of(fresh) == 2, "all are gone")


@pytest.mark.slow
def test_five_thousand_idle_connections(daemon, world, database):
    fresh = daemon("crowded", workers=2)
    with nothing_lost(world, database, fresh.port) as earn:
        with Peers(fresh.port, "tls", 200, world.bundles["beta"], merchant="beta") as warm:
            assert warm.tried()["greeted"] == 200
        wait_for(lambda: connections_of(fresh) == 1, "the first are gone")
        before = workers_kb(fresh)
        with Peers(fresh.port, "tls", 5000, world.bundles["beta"], merchant="beta") as peers:
            assert peers.tried(120)["greeted"] == 5000
            time.sleep(1)
            bytes_each = (workers_kb(fresh) - before) * 1024 / 5000
            earn(100)
            assert connections_of(fresh) == 5001
            assert peers.end()["ended"] == 0
        wait_for(lambda: connections_of(fresh) == 1, "all are gone")
        wait_for(lambda: workers_kb(fresh) - before < 30 * 1024, "most of their memory is given back", 10)
        print(f"{bytes_each:.0f} bytes a connection; {workers_kb(fresh) - before} KB kept when they are gone")
        assert bytes_each <= 25 * 1024
