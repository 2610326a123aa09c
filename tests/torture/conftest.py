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
ALL, OWN, LIBEVENT = range(3)  # whose code it is that allocates
AIM = struct.Struct("=IIIIQQQ")


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
            file.write(AIM.pack(0, 0, 0, 0, 0, 0, 0))
        options = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
        self.before = ("env", f"LD_PRELOAD={LIBRARY}", f"LOYAL_SHORT_MEMORY={self.path}", f"ASAN_OPTIONS={options}")

    def aim(self, pid, at, many=1, whose=ALL):
        self.cut_stacks()
        with open(self.path, "r+b") as file:
            file.write(AIM.pack(pid, many, whose, 0, at, 0, 0))

    def rest(self):
        """Takes the aim away; tells how many allocations were seen and how many failed."""
        with open(self.path, "r+b") as file:
            pid, many, whose, _, _, seen, failed = AIM.unpack(file.read())
            file.seek(0)
            file.write(AIM.pack(pid, many, whose, 0, 0, seen, failed))
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
    """A daemon whose memory runs short on purpose. No process of it ends by that."""

    def __init__(self, stack, memory, name="victim", **settings):
        super().__init__(stack, name, **{"worker_timeout_s": 60, **settings})
        self.memory, self.before = memory, memory.before

    @property
    def worker(self):
        return wait_for(lambda: self.children().get("worker0"), "a worker")

    def judge(self, what, since=0):
        """No process has ended since that place in the log, and the master lives."""
        self.memory.rest()
        dead = [end for end in self.ends(since) if not self.may_end(*end)]
        assert not dead, f"{what}: (slot, status, signal) {dead} at {self.memory.stack()}\n{self.log.text(since)[-2000:]}"
        assert self.process.poll() is None, f"{what}: the master ended at {self.memory.stack()}\n{self.log.text(since)[-2000:]}"
        self.judge_reports(what)

    def ends(self, since):
        """The children that ended: slot, status and signal of each."""
        found = re.findall(r"event=child_died .*slot=(-?\d+) status=(-?\d+) signal=(\d+)", self.log.text(since))
        return [tuple(map(int, end)) for end in found]

    def may_end(self, slot, status, number):
        """Nobody may who serves."""
        del self, slot, status, number
        return False

    def judge_reports(self, what):
        """No sanitizer has complained; of leaks it does so when a process ends."""
        reports = "\n".join(self.stack.sanitizer_reports())
        assert not reports, f"{what}; the last failure at {self.memory.stack()}\n{reports}"

    def stop(self):
        self.memory.rest()
        status = super().stop()
        self.judge_reports(self.name)
        return status
