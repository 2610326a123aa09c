"""The SDK driven by a loop of the program's own, poll(2) or libevent: thousands of purchases in flight on one connection,
each booked once; and cancelled, each booked once or never. The programs are the SDK's examples."""
import collections
import contextlib
import fcntl
import os
import signal
import struct
import subprocess
import termios
import time

import pytest

from support.paths import example, wait_for

PURCHASES, CARDS = 5000, 50
LIMIT_S = 240


@contextlib.contextmanager
def frozen(daemon):
    pids = [daemon.pid, *daemon.children().values()]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


@contextlib.contextmanager
def running(name, env):
    """The example, connected."""
    process = subprocess.Popen(example(name), env={**os.environ, **env}, text=True, stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert process.stderr.readline() == "connected\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def feed(process, purchases):
    """Writes the lines, and waits until the program has taken them all."""
    for card, receipt in purchases:
        process.stdin.write(f"{card} 100 {receipt}\n")
    process.stdin.flush()
    waiting = bytearray(4)
    wait_for(lambda: fcntl.ioctl(process.stdin, termios.FIONREAD, waiting) == 0 and not struct.unpack("i", waiting)[0],
             "all lines are read", seconds=LIMIT_S)


def wait_sent(port):
    """Until bytes wait for the frozen daemon in the kernel."""
    def queued():
        with open("/proc/net/tcp", encoding="ascii") as file:
            sockets = [line.split() for line in file][1:]
        return any(int(words[1].split(":")[1], 16) == port and words[3] == "01" and int(words[4].split(":")[1], 16)
                   for words in sockets)
    wait_for(queued, "something is sent", seconds=LIMIT_S)


def booked(database, mark):
    """Receipt -> how many entries, read by the auditor."""
    rows = database.rows("select receipt, count(*) as n from loyal.entry where receipt like %s group by receipt", mark + "-%")
    return {row["receipt"]: row["n"] for row in rows}


def purchases_of(world, till, mark, count):
    cards = [till.enrolled() for _ in range(CARDS)]
    made = [(cards[i % CARDS], f"{mark}-{i}") for i in range(count)]
    world.secrets.update(receipt for _card, receipt in made)
    return made


@pytest.mark.parametrize("loop", ["loop_poll", "loop_libevent"])
def test_thousands_in_flight_each_booked_once(loop, daemon, world, acme, database):
    fresh = daemon("driven")
    mark = f"{loop[5:8]}{time.time_ns():x}"
    purchases = purchases_of(world, acme, mark, PURCHASES)
    with running(loop, world.environment_of("acme", fresh.port)) as process:
        with frozen(fresh):
            feed(process, purchases)
        out, error = process.communicate(timeout=LIMIT_S)
    lines = out.splitlines()
    assert lines[-1] == f"{PURCHASES} answers, 0 not OK, at most {PURCHASES} in flight", (lines[-5:], error)
    answers = collections.Counter(line.split()[0] for line in lines[:-1])
    assert answers == {receipt: 1 for _card, receipt in purchases}
    assert all(line.split()[1:] == ["OK", "1"] for line in lines[:-1])
    assert process.returncode == 0
    assert booked(database, mark) == {receipt: 1 for _card, receipt in purchases}
    for card in {card for card, _receipt in purchases}:
        assert database.member(card)["available"] == PURCHASES // CARDS
    assert not database.findings()


def test_what_was_cancelled_is_booked_once_or_never(daemon, world, acme, database):
    fresh = daemon("cancelled")
    mark = f"cut{time.time_ns():x}"
    purchases = purchases_of(world, acme, mark, 500)
    with running("loop_libevent", world.environment_of("acme", fresh.port)) as process:
        with frozen(fresh):
            feed(process, purchases)
            wait_sent(fresh.port)
            process.send_signal(signal.SIGINT)
            out, error = process.communicate(timeout=LIMIT_S)
    lines = [line.split() for line in out.splitlines()]
    assert " ".join(lines.pop()).startswith("500 answers, 500 not OK"), (lines[-5:], error)
    assert process.returncode == 1
    assert {words[1] for words in lines} == {"CANCELLED"}
    unknown = {words[0]: bytes.fromhex(words[4]) for words in lines if len(words) > 3}
    assert 0 < len(unknown) <= 64  # what the server allows at a time was sent, and no more
    assert len(lines) == 500
    cards, today = {receipt: card for card, receipt in purchases}, int(time.strftime("%Y%m%d"))
    for receipt, key in unknown.items():  # the key stays good: the answer is the first one's, or the only one's
        assert acme.earn(cards[receipt], 100, key=key, receipt=receipt, till="", at=0, date=today).ok().points == 1
    assert booked(database, mark) == {receipt: 1 for receipt in unknown}
    assert not database.findings()
