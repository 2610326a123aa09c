"""Owns what the torture tests share: the seed of a run, how much of it there is, and the library that makes allocations fail."""
import contextlib
import os
import random
import re
import struct
import subprocess

import pytest

from support.paths import BUILD, wait_for
from support.stack import Daemon

SEED = int(os.environ.get("LOYAL_SEED") or random.randrange(2**31))
LIBRARY = os.path.join(BUILD, "tests", "torture", "short_memory.so")
STARTER, CHILD = 0xFFFFFFFF, 0xFFFFFFFE  # CHILD - n: the n-th process that is forked from now on
NEVER = 1 << 62  # counts, and nothing fails
AIM = struct.Struct("=IIQQQ")

# What dies inside a library for want of memory, by process and a part of the stack, and why that is the library's affair.
# Nothing else may die; the master never.
EXCUSED = (
    ("worker", "bufferevent_init_common_", "libevent 2.1.12 destroys a bufferevent of TLS that it has not begun to make"),
    ("admin", "evhttp_connection_base_bufferevent_new", "libevent 2.1.12 uses the connection that it could not make"),
    ("admin", "evhttp_request_new", "libevent 2.1.12 uses the request that it could not make"),
)


def is_excused(slot, stack):
    process = {"-2": "admin", "-1": "maintenance"}.get(slot, "worker")
    return any(who == process and part in stack for who, part, _ in EXCUSED)


def pytest_report_header():
    return f"seed: {SEED} (LOYAL_SEED={SEED} repeats it)"


@pytest.fixture
def dice(request):
    return random.Random(f"{SEED}/{request.node.nodeid}")


class ShortMemory:
    """Aims at a process's allocations. See short_memory.c, which packs the same struct."""

    def __init__(self, folder):
        self.path = os.path.join(folder, "aim")
        with open(self.path, "wb") as file:
            file.write(AIM.pack(0, 0, 0, 0, 0))
        # A process that a library kills dies of the signal, as it would without AddressSanitizer: see EXCUSED.
        options = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0:handle_segv=0"
        self.before = ("env", f"LD_PRELOAD={LIBRARY}", f"LOYAL_SHORT_MEMORY={self.path}", f"ASAN_OPTIONS={options}")

    def aim(self, pid, at, many=1):
        self.cut_stacks()
        with open(self.path, "r+b") as file:
            file.write(AIM.pack(pid, many, at, 0, 0))

    def rest(self):
        """Takes the aim away; tells how many allocations were seen and how many failed."""
        with open(self.path, "r+b") as file:
            pid, many, _, seen, failed = AIM.unpack(file.read())
            file.seek(0)
            file.write(AIM.pack(pid, many, 0, seen, failed))
        return seen, failed

    def cut_stacks(self):
        with contextlib.suppress(FileNotFoundError):
            os.truncate(self.path + ".stacks", 0)

    def stack(self):
        """Where the failure struck: functions, or file:line of our own."""
        try:
            with open(self.path + ".stacks", encoding="utf-8", errors="replace") as file:
                frames = [line.strip() for line in file if line.strip()]
        except FileNotFoundError:
            return "nowhere"
        found = []
        for frame in frames:
            at = re.match(r"(\S+?)\(([^+]*)\+(0x[0-9a-f]+)\)", frame)
            if at and not at[2] and at[1].startswith(BUILD):
                line = subprocess.run(["addr2line", "-f", "-s", "-e", at[1], at[3]], capture_output=True, text=True, check=False)
                frame = " ".join(line.stdout.split()) or frame
            elif at:
                frame = f"{os.path.basename(at[1])}:{at[2]}"
            found.append(frame)
        return " < ".join(found)


def budget(dice, first, last, quick):
    """Which allocations fail: the first, the last, and between them LOYAL_TORTURE many or all, in `make test` so many."""
    everyone = range(first, last + 1)
    count = os.environ.get("LOYAL_TORTURE", quick)
    count = len(everyone) if count == "all" else int(count)
    return sorted({first, last, *dice.sample(everyone, min(count, len(everyone)))})


@pytest.fixture(scope="module")
def module_memory(tmp_path_factory):
    return ShortMemory(str(tmp_path_factory.mktemp("short")))


@pytest.fixture
def memory(tmp_path):
    return ShortMemory(str(tmp_path))


class Victim(Daemon):
    """A daemon whose memory runs short on purpose. What dies there must have been excused."""

    def __init__(self, stack, memory, name="victim", **settings):
        super().__init__(stack, name, **{"worker_timeout_s": 60, **settings})
        self.memory, self.before, self.deaths = memory, memory.before, 0

    @property
    def worker(self):
        return wait_for(lambda: self.children().get("worker0"), "a worker")

    def judge(self, what, since=0):
        """No process has died by a signal since that place in the log; returns how many ended in order."""
        self.memory.rest()
        dead = re.findall(r"event=child_died .*slot=(-?\d+) status=(-?\d+) signal=(\d+)", self.log.text(since))
        for slot, status, number in dead:
            stack = self.memory.stack()
            excused = is_excused(slot, stack)
            assert number == "0" or excused, f"{what}: signal {number} at {stack}\n{self.log.text(since)[-2000:]}"
            assert status in ("1", "-1") or excused, f"{what}: status {status} at {stack}"
        assert self.process.poll() is None, f"{what}: the master ended at {self.memory.stack()}\n{self.log.text(since)[-2000:]}"
        self.judge_reports(what)
        self.deaths += len(dead)
        return len(dead)

    def judge_reports(self, what):
        """No sanitizer has complained; of leaks it does so when a process ends."""
        reports = "\n".join(self.stack.sanitizer_reports())
        assert not reports, f"{what}; the last failure at {self.memory.stack()}\n{reports}"

    def stop(self):
        self.memory.rest()
        status = super().stop()
        self.judge_reports(self.name)
        return status
