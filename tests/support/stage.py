"""Owns a stack under the load of the crash test's clients, for tests that put its database in trouble: starts and ends
both, and judges: the clients' logs against the journal (tests/crash/books.py), each answer against its deadline."""
import collections
import contextlib
import io
import math
import os
import signal
import sys
import time
import types

from support.database import Database
from support.paths import BUILD, ROOT, run, wait_for
from support.stack import Daemon

sys.path.insert(0, os.path.join(ROOT, "tests", "crash"))
import books  # noqa: E402  pylint: disable=wrong-import-position
import faults  # noqa: E402  pylint: disable=wrong-import-position

DEADLINE_S = 3.0  # the daemon's deadline_ms_max; the clients would wait 15 s
MARGIN_S = 1.0  # a turn of the daemon, and a loaded machine: clients and daemon share two cores
RECOVERY_S = 5  # after PostgreSQL can work again, until the first OK
LOCK_TIMEOUT_S = 1.0
# What a request may be answered, by kind, while the database is in trouble: the daemon and the connections to it stay.
ANSWERS = {books.OK: {"OK"}, books.REFUSED: set(books.RECORDED), books.UNKNOWN: {"OUTCOME_UNKNOWN"},
           books.RETRY: {"NOT_READY", "OVERLOADED", "DEADLINE_EXCEEDED", "TRANSIENT"}}

Sent = collections.namedtuple("Sent", "at_us took_s kind code card client connection")  # an answer, and when its request was sent


class Stage:
    """8 clients of 4 merchants against one daemon of two workers with two lanes each; the dice decide what they ask."""

    def __init__(self, folder, dice):
        self.folder, self.logs = folder, os.path.join(folder, "logs")
        self.stack = faults.Stack(ROOT, BUILD, os.path.join(folder, "stack"))
        self.seed = dice.randrange(2**31)
        self.clients, self.database, self.books = None, None, None
        self.healed_us, self.buckets, self.ports = None, None, {}

    def up(self, *settings):
        self.command("up", "workers = 2", "lanes = 2", f"deadline_ms_max = {int(DEADLINE_S * 1000)}",
                     f"lock_timeout_ms = {int(LOCK_TIMEOUT_S * 1000)}", "statement_timeout_ms = 2000", *settings,
                     timeout=240)
        env = dict(line.split("=", 1) for line in self.cluster("env").stdout.splitlines())
        self.database = Database(env["PGHOST"], {})
        self.clients = faults.Clients(BUILD, self.stack, self.logs, self.seed)
        run(*self.clients.command("enrol", "north", "enrol"), timeout=120)
        return self

    def down(self):
        for process in self.clients.processes.values() if self.clients else ():
            if process.poll() is None:
                process.kill()
                process.wait()
        self.command("down", timeout=180)

    def command(self, word, *words, timeout=120):
        return run(os.path.join(ROOT, "tests", "crash", "stage"), word, self.folder, *words, timeout=timeout)

    def cluster(self, word, *words):
        return run(os.path.join(ROOT, "deploy", "cluster"), word, self.stack.cluster_dir, *words, timeout=180)

    def daemon_log(self):
        with open(os.path.join(self.stack.folder, "loyald.log"), encoding="utf-8", errors="replace") as file:
            return file.read()

    @contextlib.contextmanager
    def load(self, clients=8):
        """Runs the clients around the block; afterwards everything they asked has a definite answer."""
        near = self.clients.port
        for number in sorted(self.clients.merchants)[:clients]:
            self.clients.port = self.ports.get(number, near)
            self.clients.start(number)
        self.clients.port = near
        self.wait_ok()
        time.sleep(1)
        yield
        assert self.clients.end(), "a client did not come to its end"

    @contextlib.contextmanager
    def second(self, socket_dir):
        """A further daemon, which reaches PostgreSQL there and serves the second half of the clients."""
        conninfo = f'"host={socket_dir} port=5432 dbname=loyal user=loyal_%s"'
        home = types.SimpleNamespace(dir=self.stack.folder, daemons=[])
        daemon = Daemon(home, "second", workers=2, postgres=conninfo % "daemon", postgres_reader=conninfo % "reader",
                        postgres_eraser=conninfo % "eraser")
        daemon.clients = sorted(self.clients.merchants)[4:]
        try:
            daemon.start()
            self.ports = {number: str(daemon.port) for number in daemon.clients}
            yield daemon
        finally:
            daemon.stop()

    def wait_ok(self, seconds=30):
        """Until a request that is sent from now on was answered OK; says how long that took."""
        begin, begin_us = time.monotonic(), time.time_ns() // 1000
        wait_for(lambda: self.clients.last_ok_us() > begin_us + 50000, "an OK", seconds)
        return time.monotonic() - begin

    def heal(self):
        """To be called as soon as PostgreSQL can work again: waits for the first OK, and says how long that took."""
        self.healed_us = time.time_ns() // 1000
        return self.wait_ok()

    def recovery_s(self, answers):
        """From then on, until whoever waited longest had an OK: each lane has a place here for each connection that uses it."""
        first = {}
        for answer in answers:
            place = answer.client, answer.connection, self.bucket_of(answer.card) % 2
            back_s = (answer.at_us - self.healed_us) / 1e6 + answer.took_s
            usable = answer.code == "OK" and back_s >= 0
            first[place] = min(first.get(place, math.inf), back_s if usable else math.inf)
        return max(first.values())

    def judge(self):
        """Nothing that was acknowledged is lost, nothing was done twice, and the sums hold; gives all answers."""
        self.command("tables", timeout=300)
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            world = books.World(self.logs)
            self.books = books.Books(world)
            is_good = books.verdict(self.books.compare().items())
        assert is_good, said.getvalue()
        assert world.torn == 0
        return self.answers(world)

    def card_of(self, row):
        """The number by which the clients know a member, once the books are read."""
        return self.books.card_of[f"{row['bucket']}/{row['member_id']}"]

    def bucket_of(self, card):
        if not self.buckets:
            self.buckets = {number: int(member.split("/")[0]) for member, number in self.books.card_of.items()}
        return self.buckets[card]

    def answers(self, world):
        found, sent_at = [], {}
        for client in self.clients.merchants:
            with open(os.path.join(self.logs, f"client-{client}.log"), encoding="ascii") as file:
                for line in file:
                    words = line.split()
                    if words[0] in "QRT":
                        sent_at[words[2], words[3]] = int(words[1])
                    elif words[0] == "A":
                        at = sent_at[words[2], words[3]]
                        found.append(Sent(at, (int(words[1]) - at) / 1e6, int(words[4]), words[5],
                                          world.requests[words[2]].card, client, words[3]))
        return sorted(found)


def figures(answers):
    took = sorted(answer.took_s for answer in answers)
    codes = collections.Counter(answer.code for answer in answers)
    return (f"{len(took)} answers, p50 {took[len(took) // 2] * 1000:.0f} ms, p99 {took[len(took) * 99 // 100] * 1000:.0f} ms,"
            f" longest {took[-1]:.2f} s; " + ", ".join(f"{code} {count}" for code, count in codes.most_common(8)))


def p99_s(answers):
    return sorted(answer.took_s for answer in answers)[len(answers) * 99 // 100]


def all_in_time(answers):
    late = [answer for answer in answers if answer.took_s > DEADLINE_S + MARGIN_S]
    assert not late, late[:5]


def all_definite(answers):
    """Done, refused for a reason of the ledger's, or told that the database is in trouble; no fault inside the daemon or SDK."""
    odd = [answer for answer in answers if answer.code not in ANSWERS.get(answer.kind, ())]
    assert not odd, (collections.Counter((answer.kind, answer.code) for answer in odd), odd[:5])


def stop(pid):
    os.kill(pid, signal.SIGSTOP)


def go_on(pid):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)
