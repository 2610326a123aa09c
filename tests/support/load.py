"""Tills that never rest: each asks, reconnects and asks again until every key has a definite answer, and notes what it saw.
What they were told is then held against the journal."""
import socket
import ssl
import threading
import time
import uuid

from support.wire import Closed, Connection

GIVE_UP_S = 60  # without any definite answer


class Till(threading.Thread):
    """One connection, one request in flight, one member."""

    def __init__(self, load, number):
        super().__init__(daemon=True)
        self.load, self.till = load, load.world.tills[load.merchant]
        self.card = self.till.enrolled()
        self.number, self.connection = number, None
        self.done = {}  # key of what was answered OK -> points
        self.took = []  # seconds from asking to the definite answer
        self.longest_s = 0  # from asking to any answer
        self.cuts = []  # (when the connection broke, seconds until the next OK)
        self.refused = []  # connections that could not be made
        self.failed = None

    def connect(self):
        while True:
            try:
                self.connection = Connection(self.load.port, self.till.bundle, self.load.merchant)
                return
            except (Closed, OSError, ssl.SSLError, AssertionError) as fault:
                self.refused.append(repr(fault))
                self.load.check(self.last)
                time.sleep(0.02)

    def ask(self, fields):
        """Until it is definite."""
        cut, started = None, time.monotonic()
        while True:
            asked = time.monotonic()
            try:
                reply = self.connection.take(self.connection.submit("earn", fields), GIVE_UP_S)
                self.longest_s = max(self.longest_s, time.monotonic() - asked)
                if reply.kind == "OK":
                    break
                assert reply.kind in ("RETRY", "UNKNOWN"), reply
                time.sleep(0.02)
            except Closed:
                cut = cut or time.monotonic()
                self.connection.close()
                self.connect()
            self.load.check(self.last)
        self.last = time.monotonic()
        self.took.append(self.last - started)
        if cut:
            self.cuts.append((cut, self.last - cut))
        return reply

    def run(self):
        self.last = time.monotonic()
        try:
            self.connect()
            while not self.load.is_ending.is_set():
                fields = self.till.earn_fields(self.card, 100)
                self.done[fields["key"]] = self.ask(fields).body.points
        except Exception as fault:  # pylint: disable=broad-except
            self.failed = fault
        finally:
            if self.connection:
                self.connection.close()


class Load:
    """with Load(world, port, 4) as load: ...   Afterwards load.verify(database)."""

    def __init__(self, world, port, tills=4, merchant="acme"):
        self.world, self.port, self.merchant = world, port, merchant
        self.is_ending = threading.Event()
        self.tills = [Till(self, number) for number in range(tills)]

    def __enter__(self):
        for till in self.tills:
            till.start()
        self.wait_answers(5)
        return self

    def __exit__(self, *_):
        self.is_ending.set()
        for till in self.tills:
            till.join(2 * GIVE_UP_S)

    @staticmethod
    def check(last):
        assert time.monotonic() - last < GIVE_UP_S, "no definite answer"

    def answers(self):
        return sum(len(till.took) for till in self.tills)

    def wait_answers(self, count, seconds=GIVE_UP_S):
        """Until each till has had so many more."""
        goal = {till: len(till.took) + count for till in self.tills}
        end = time.monotonic() + seconds
        while any(len(till.took) < goal[till] and till.is_alive() for till in self.tills):
            assert time.monotonic() < end, "the tills get no answers"
            time.sleep(0.01)

    def cuts(self):
        return [cut for till in self.tills for cut in till.cuts]

    def refused(self):
        return [fault for till in self.tills for fault in till.refused]

    def verify(self, database):
        """Every key once, none that was not asked for; every point."""
        for till in self.tills:
            assert till.failed is None and not till.is_alive(), till.failed
            entries = {row["id"]: row["points"] for row in database.entries(till.card) if row["kind"] == 2}
            assert entries == {str(uuid.UUID(bytes=key)): points for key, points in till.done.items()}
            assert database.member(till.card)["available"] == sum(till.done.values())
        assert not database.findings()


class Knocker(threading.Thread):
    """New connections all the time: TLS, Hello, a ping, the end. Notes each that did not come so far."""

    def __init__(self, world, port, merchant="acme"):
        super().__init__(daemon=True)
        self.bundle, self.port, self.merchant = world.bundles[merchant], port, merchant
        self.is_ending = threading.Event()
        self.made, self.faults, self.cut, self.took = 0, [], 0, []

    def knock(self):
        started = time.monotonic()
        with Connection(self.port, self.bundle, self.merchant) as connection:
            self.took.append(time.monotonic() - started)
            self.made += 1
            try:
                connection.call("ping").ok()
            except Closed:
                self.cut += 1  # welcomed, then told to go elsewhere

    def run(self):
        while not self.is_ending.is_set():
            try:
                self.knock()
            except (Closed, OSError, socket.timeout, AssertionError) as fault:
                self.faults.append((time.monotonic(), repr(fault)))
            time.sleep(0.001)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.is_ending.set()
        self.join(GIVE_UP_S)
        assert not self.is_alive()
