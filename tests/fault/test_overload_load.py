"""Overload measured: an open loop of requests (tests/bench/flood.c) at twice what a closed loop of as many connections gets
through just before, on a stack of its own; each test prints its figures. The generator has a core for itself, the daemon and
PostgreSQL have the others: what the generator costs, twice as much at twice the load, is not taken from them."""
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
TURNS = 6  # in which it comes, where goodput is measured
TURN_PEAK_S = 6
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


def at_twice(loaded, peak, before, during, after):
    return loaded.flood(steady_rate=50, steady_merchants=8, steady_connections=16, flood_rate=2 * peak, flood_first=8,
                        flood_merchants=MERCHANTS - 8, flood_connections=CONNECTIONS, before=before, during=during, after=after)


def test_twice_the_capacity_for_a_minute(loaded):
    """Refusals come soon and alike, memory is bounded, and 5 s later all is as before."""
    before_s, after_s = 10, 2 * BACK_S
    peak = loaded.peak()
    found = at_twice(loaded, peak, before_s, FLOODED_S, after_s)
    flood, steady = found["flood"]["during"], found["steady"]
    memory, memory_max = loaded.most_memory_mb(), loaded.memory_mb_max()
    quiet, again = steady["seconds"][:before_s], steady["seconds"][-BACK_S:]
    quiet_ms, again_ms = (statistics.median(second["p99_ms"] for second in part) for part in (quiet, again))
    print(f"\npeak {peak:,.0f}/s; offered {(flood['sent'] + steady['during']['sent']) / FLOODED_S:,.0f}/s, not sent for want of room"
          f" at the client {found['flood']['unsent'] / FLOODED_S:,.0f}/s; goodput"
          f" {(flood['ok']['answers'] + steady['during']['ok']['answers']) / FLOODED_S:,.0f}/s, done p50 {flood['ok']['p50_ms']:.0f}"
          f" ms, p99 {flood['ok']['p99_ms']:.0f} ms; refused {flood['retry']['answers'] / FLOODED_S:,.0f}/s, p50"
          f" {flood['retry']['p50_ms']:.1f} ms, p99 {flood['retry']['p99_ms']:.1f} ms, p99.9 {flood['retry']['p999_ms']:.1f} ms,"
          f" max {flood['retry']['max_ms']:.0f} ms; codes {flood['codes']}; a worker took {memory:.0f} MB at most, limit"
          f" {memory_max}; p99 of a quiet second {quiet_ms:.1f} ms, of one from {BACK_S} s after the flood on {again_ms:.1f} ms, done"
          f" {done(quiet) / before_s:.0f} and {done(again) / BACK_S:.0f}/s; others during it"
          f" {steady['during']['ok']['p99_ms']:.1f} ms, refused {steady['during']['retry']['answers']}")
    has_arrived(found["flood"], 0.95 * 2 * peak * FLOODED_S)
    assert flood["retry"]["p99_ms"] <= 50
    assert memory < memory_max
    assert again_ms < 2 * quiet_ms
    assert done(again) >= 0.98 * sum(second["sent"] for second in again), "goodput is not what is asked for again"
    assert refused(again) == refused(found["flood"]["seconds"][-BACK_S:]) == 0


def test_goodput_at_twice_the_capacity(loaded):
    """A minute of flood in turns with the peak: a machine is not as fast from one half of a minute to the next. What is answered
    counts, once the queue is full; the peak is measured just after a flood and once more, so that neither flatters the other."""
    fills_s, counted_s = 2, FLOODED_S // TURNS
    after, once_more, shares = [], [loaded.peak(TURN_PEAK_S)], []
    print(f"\npeak {once_more[0]:,.0f}/s")
    for _ in range(TURNS):
        found = at_twice(loaded, once_more[-1], 0, fills_s + counted_s, 0)
        has_arrived(found["flood"], 0.95 * 2 * once_more[-1] * (fills_s + counted_s))
        goodput = sum(done(found[group]["seconds"][fills_s:]) for group in ("flood", "steady")) / counted_s
        after.append(loaded.peak(TURN_PEAK_S))
        once_more.append(loaded.peak(TURN_PEAK_S))
        shares.append(2 * goodput / (once_more[-2] + after[-1]))
        print(f"goodput {goodput:,.0f}/s of {found['flood']['during']['sent'] / (fills_s + counted_s):,.0f}/s offered = {shares[-1]:.2f}"
              f" of the peaks beside it; then the peak {after[-1]:,.0f} and {once_more[-1]:,.0f}/s")
    print(f"goodput {statistics.mean(shares):.2f} of the peak; the peak just after a flood"
          f" {sum(after) / sum(once_more[1:]):.2f} of one that follows a peak")
    assert statistics.mean(shares) >= 0.9
    assert sum(after) >= 0.9 * sum(once_more[1:]), "a flood leaves the daemon slower than it was"


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
