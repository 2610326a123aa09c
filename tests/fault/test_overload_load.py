"""Overload measured: an open loop of requests (tests/bench/flood.c) at twice what a closed loop of as many connections gets
through just before and just after, on a stack of its own; each test prints its figures. The generator has a core for itself,
the daemon and PostgreSQL have the others: what the generator costs, twice as much at twice the load, is not taken from them."""
import concurrent.futures
import contextlib
import datetime
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile

import pytest

from support.paths import LOYALD, ROOT, run

sys.path.insert(0, str(pathlib.Path(ROOT) / "tests" / "bench"))
import bench  # pylint: disable=wrong-import-position

MERCHANTS = 24
MEMBERS = 1_500_000  # so many that nobody buys often: else his receipts of the day are what is measured
CONNECTIONS = 200
FLOODED_S = 60
BACK_S = 5  # after a flood, until all is as before

pytestmark = pytest.mark.slow


@contextlib.contextmanager
def on_cores(cores):
    """What is started within runs on these cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class Loaded:
    """A stack with members, and what the load programs say of it."""

    def __init__(self, folder, dice):
        free = int(re.search(r"MemAvailable: +(\d+)", pathlib.Path("/proc/meminfo").read_text())[1]) // 2**20
        assert free >= 10, f"what is measured stays in memory: 10 GiB are needed, {free} are free"
        self.dice = dice
        first_core, *others = sorted(os.sched_getaffinity(0))
        self.generators = {first_core}
        with on_cores(set(others) or self.generators):
            self.stack = bench.Stack(folder, ["workers = 2", "lanes = 1", "connections_max = 400", "queue_max = 4000"])
            self.give_memory()
        first = self.stack.prepare(MERCHANTS)
        self.stack.psql(bench.HERE / "preload.sql")
        now, half = datetime.datetime.now(datetime.timezone.utc), MEMBERS // 2

        def part(bounds):
            self.stack.query("select bench.preload(%s, %s, 1, 1, %s, %s, 'overload', %s)", (*bounds, first, MERCHANTS, now))
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            list(pool.map(part, [(0, half - 1), (half, MEMBERS - 1)]))
        self.calm()
        self.peak(60)  # the first pages after a checkpoint are written whole, and small tables are faster: not what lasts

    def give_memory(self):
        """All that is read and written stays in memory, and neither a checkpoint, nor a vacuum, nor the making of a WAL
        segment falls into what is measured: after the members the checkpoint keeps theirs for it."""
        cluster = pathlib.Path(ROOT) / "deploy/cluster"
        self.stack.command("stop")
        bench.call(cluster, "stop", self.stack.folder / "cluster")
        bench.call(cluster, "start", self.stack.folder / "cluster", *[word for option in (
            "shared_buffers=6GB", "max_wal_size=16GB", "min_wal_size=8GB", "checkpoint_timeout=1h", "autovacuum=off",
            "bgwriter_lru_maxpages=0") for word in ("--option", option)])
        self.stack.command("start")

    def calm(self):
        connection = self.stack.connect()
        connection.cursor().execute("vacuum analyze")
        connection.cursor().execute("checkpoint")
        connection.close()

    def program(self, name, limit, **options):
        words = [word for option, value in options.items() for word in ("--" + option.replace("_", "-"), value)]
        command = [bench.BUILD / "tests/bench" / name,
                   *self.stack.load("--members", MEMBERS, "--seed", self.dice.randrange(2**31), *words)]
        with on_cores(self.generators):
            done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                  timeout=limit + 120, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def peak(self, seconds=15, connections=CONNECTIONS):
        """Earns a second that a closed loop of so many connections gets through, 400 at a time."""
        row = self.program("load", seconds, seconds=seconds, warmup=1, merchants=MERCHANTS, connections=connections,
                           in_flight=400 // connections)
        return row["ops_per_s"]

    def flood(self, **options):
        return self.program("flood", options["before"] + options["during"] + options["after"], **options)

    def most_memory_mb(self):
        """What any worker ever took."""
        pids = re.findall(r"\d+", pathlib.Path(f"/proc/{self.stack.daemon()}/task/{self.stack.daemon()}/children").read_text())
        texts = [pathlib.Path(f"/proc/{pid}/status").read_text() for pid in pids]
        return max(int(re.search(r"VmHWM:\s+(\d+)", text)[1]) for text in texts if "Name:\tworker" in text) / 1024

    def memory_mb_max(self):
        text = run(LOYALD, "--limits", "--config", str(self.stack.folder / "loyald.conf")).stdout
        return int(re.search(r"worker_memory_mb_max +(\d+)", text)[1])


@pytest.fixture
def loaded(dice):
    with tempfile.TemporaryDirectory(prefix="loyal-overload.") as folder:
        made = Loaded(pathlib.Path(folder) / "stack", dice)
        try:
            yield made
            assert not made.stack.findings(16)
        finally:
            made.stack.down()


def done(stretches):
    return sum(stretch["ok"] for stretch in stretches)


def refused(stretches):
    return sum(stretch["retry"] for stretch in stretches)


def has_arrived(group, count):
    """So many at least of what was offered came to the daemon, and it has answered all that came: OK, or OVERLOADED with a delay.
    The rest was held back by the generator's own library: a connection takes no more while as many are in flight as the daemon
    allows."""
    flood = group["during"]
    assert set(flood["codes"]) == {"OVERLOADED"} and flood["undelayed"] == 0
    assert flood["ok"]["answers"] + flood["codes"]["OVERLOADED"] == flood["sent"]
    assert flood["sent"] >= count


def test_twice_the_capacity_for_a_minute(loaded):
    before_s, after_s = 10, 2 * BACK_S
    peaks = [loaded.peak()]
    found = loaded.flood(steady_rate=50, steady_merchants=8, steady_connections=16, flood_rate=2 * peaks[0], flood_first=8,
                         flood_merchants=MERCHANTS - 8, flood_connections=CONNECTIONS, before=before_s, during=FLOODED_S,
                         after=after_s)
    peaks.append(loaded.peak())
    of_few = loaded.peak(connections=16)
    flood, steady = found["flood"]["during"], found["steady"]
    offered = (flood["sent"] + steady["during"]["sent"]) / FLOODED_S
    goodput = (flood["ok"]["answers"] + steady["during"]["ok"]["answers"]) / FLOODED_S
    peak = sum(peaks) / 2
    memory, memory_max = loaded.most_memory_mb(), loaded.memory_mb_max()
    quiet, again = steady["seconds"][:before_s], steady["seconds"][-BACK_S:]
    quiet_ms, again_ms = (statistics.median(second["p99_ms"] for second in part) for part in (quiet, again))
    print(f"\npeaks {peaks[0]:,.0f} and {peaks[1]:,.0f}/s; offered {offered:,.0f}/s = {offered / peak:.2f} of the peak, not sent for"
          f" want of room at the client {found['flood']['unsent'] / FLOODED_S:,.0f}/s; goodput {goodput:,.0f}/s ="
          f" {goodput / peak:.2f} of the peak ({goodput / of_few:.2f} of what 16 connections get through);"
          f" done p50 {flood['ok']['p50_ms']:.0f} ms, p99"
          f" {flood['ok']['p99_ms']:.0f} ms; refused {flood['retry']['answers'] / FLOODED_S:,.0f}/s, p50"
          f" {flood['retry']['p50_ms']:.1f} ms, p99 {flood['retry']['p99_ms']:.1f} ms, p99.9 {flood['retry']['p999_ms']:.1f} ms,"
          f" max {flood['retry']['max_ms']:.0f} ms; codes {flood['codes']}; a worker took {memory:.0f} MB at most, limit"
          f" {memory_max}; p99 of a quiet second {quiet_ms:.1f} ms, of one from {BACK_S} s after the flood on {again_ms:.1f} ms, done"
          f" {done(quiet) / before_s:.0f} and {done(again) / BACK_S:.0f}/s; others during it"
          f" {steady['during']['ok']['p99_ms']:.1f} ms, refused {steady['during']['retry']['answers']}")
    has_arrived(found["flood"], 0.95 * 2 * peaks[0] * FLOODED_S)
    assert goodput >= 0.9 * peak
    assert flood["retry"]["p99_ms"] <= 50
    assert memory < memory_max
    assert again_ms < 2 * quiet_ms
    assert done(again) >= 0.98 * sum(second["sent"] for second in again), "goodput is not what is asked for again"
    assert refused(again) == refused(found["flood"]["seconds"][-BACK_S:]) == 0
    assert peaks[1] >= 0.9 * peaks[0], "the capacity is not what it was before the flood, or the machine is not quiet"


def test_one_merchant_floods_beside_others(loaded):
    peak, flooded_s = loaded.peak(), FLOODED_S // 2
    found = loaded.flood(steady_rate=0.4 * peak, steady_merchants=MERCHANTS - 1, steady_connections=69,
                         flood_rate=2 * peak, flood_first=MERCHANTS - 1, flood_merchants=1, flood_connections=60,
                         before=flooded_s, during=flooded_s, after=BACK_S)
    quiet, beside = found["steady"]["before"], found["steady"]["during"]
    flood = found["flood"]["during"]
    print(f"\npeak {peak:,.0f}/s; the others' p99 quiet {quiet['ok']['p99_ms']:.1f} ms, beside the flood"
          f" {beside['ok']['p99_ms']:.1f} ms = {beside['ok']['p99_ms'] / quiet['ok']['p99_ms']:.2f} times (p50"
          f" {quiet['ok']['p50_ms']:.1f} and {beside['ok']['p50_ms']:.1f} ms, p99 of each second"
          f" {', '.join(format(second['p99_ms'], '.0f') for second in found['steady']['seconds'])}); of the"
          f" others' {beside['sent']:,} refused {beside['retry']['answers']}; of the flood's {flood['sent']:,}, beside"
          f" {found['flood']['unsent']:,} for which the client had no room, done {flood['ok']['answers']:,}, refused"
          f" {flood['retry']['answers']:,} (p99 {flood['retry']['p99_ms']:.1f} ms)")
    has_arrived(found["flood"], 0.75 * peak * flooded_s)  # beside the others' 0.4, more than the daemon can do
    assert flood["sent"] + found["flood"]["unsent"] >= 0.95 * 2 * peak * flooded_s
    assert beside["ok"]["answers"] == beside["sent"] >= 0.95 * 0.4 * peak * flooded_s
    assert beside["ok"]["p99_ms"] < 2 * quiet["ok"]["p99_ms"]
