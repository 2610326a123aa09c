"""PostgreSQL in trouble: whatever it is, each request is answered within its deadline and a stated margin, the daemon goes
on without a restart, whom it does not touch does not notice, and the books hold afterwards."""
import contextlib
import os
import re
import threading
import time
import urllib.request

import psycopg2
import pytest

from support import stage as stages
from support.paths import ROOT, run, wait_for
from support.pgproxy import COMMITTED, PgProxy
from support.stage import LOCK_TIMEOUT_S, MARGIN_S, RECOVERY_S, Stage, all_definite, all_in_time, figures, p99_s

DAEMON = ("loyal_daemon", "loyal_reader", "loyal_eraser", "loyal_maintenance")


@pytest.fixture
def stage(tmp_path_factory, dice):
    made = Stage(str(tmp_path_factory.mktemp("stage")), dice)
    try:
        yield made.up()
    finally:
        made.down()


def report(name, answers, **seconds):
    more = "".join(f", {what} after {took:.2f} s" for what, took in seconds.items())
    print(f"\n  {name}: {figures(answers)}{more}")


def now_us():
    return time.time_ns() // 1000


def of(answers, begin_us, end_us):
    return [answer for answer in answers if begin_us <= answer.at_us < end_us]


# --- a foreign transaction holds a member's row -------------------------------------------------------

def test_a_held_row_delays_its_member_and_nobody_else(acme, database):
    """Of the stack's two lanes and 20 seconds of patience: whoever shared a batch with the held one is answered meanwhile."""
    held, others = acme.enrolled(10), [acme.enrolled(10) for _ in range(20)]
    with database.holding_member(held):
        waiting = acme.submit("redeem", acme.redeem_fields(held, 1))
        together = [acme.submit("redeem", acme.redeem_fields(card, 1)) for card in others]
        for number in together:
            acme.take(number).ok()
        database.wait_lanes()
        for card in others:
            acme.redeem(card, 1).ok()
        assert waiting not in acme.connection.early and acme.connection.is_silent(0.1)
    assert acme.take(waiting).ok().balance.available == 9
    assert [database.member(card)["available"] for card in others] == [8] * 20


def test_a_held_row_keeps_the_order_of_its_members_requests(acme, database):
    held = acme.enrolled(10)
    with database.holding_member(held):
        asked = [acme.submit("redeem", acme.redeem_fields(held, 10))]
        database.wait_lanes()
        asked += [acme.submit("earn", acme.earn_fields(held, 100 * n)) for n in (1, 2, 3)]
        asked += [acme.submit("redeem", acme.redeem_fields(held, 6))]
    assert [acme.take(number).ok().balance.available for number in asked] == [0, 1, 3, 6, 0]
    assert [row["points"] for row in database.entries(held)[2:]] == [10, 1, 2, 3, 6]


def test_the_grant_of_a_held_member_delays_no_other(daemon, world, database):
    """Nor a question; and the changes of one till keep their order."""
    one = daemon("counter", workers=1)
    with world.till("acme", one.port) as acme, world.till("beta", one.port) as beta:
        held, other = acme.enrolled(), beta.enrolled()
        with database.holding_member(held):
            waiting = [acme.submit("set_grant", acme.grant_fields(held, text=text)) for text in ("first", "second")]
            beta.grant(other).ok()
            beta.grants(other).ok()
            assert acme.connection.is_silent(0.1)
            assert not database.rows("select pid from pg_stat_activity where application_name = 'loyald counter' and"
                                     " wait_event_type = 'Lock'", user="postgres")
        for number in waiting:
            acme.take(number).ok()
    last = database.rows("select text_version from loyal.consent where member_id = %s and ended_at is null",
                         database.member(held)["member_id"])
    assert [row["text_version"] for row in last] == ["second"]


def test_a_held_rows_requests_are_answered_while_it_is_held(daemon, world, database):
    """At their deadline, or when patience is at its end: without effect either way."""
    hasty = daemon("hasty", lock_timeout_ms=1500)
    with world.till("acme", hasty.port) as till:
        held = till.enrolled(10)
        with database.holding_member(held):
            first = till.submit("redeem", till.redeem_fields(held, 1))
            database.wait_lanes()
            short = till.submit("redeem", till.redeem_fields(held, 1), deadline_ms=100)
            long = till.submit("redeem", till.redeem_fields(held, 1))
            assert [till.take(number).code for number in (short, first, long)] == [
                "DEADLINE_EXCEEDED", "TRANSIENT", "TRANSIENT"]
        assert till.redeem(held, 10).ok().balance.available == 0
    assert [row["kind"] for row in database.entries(held)] == [1, 2, 3]


# --- PostgreSQL is silent --------------------------------------------------------------------------------

@contextlib.contextmanager
def frozen(*pids):
    for pid in pids:
        stages.stop(pid)
    try:
        yield
    finally:
        for pid in pids:
            stages.go_on(pid)


def test_a_frozen_backend_is_given_up_and_its_requests_are_unknown(daemon, world, database):
    """SIGSTOP: nothing is closed, nothing answers. What is under way is answered soon after its deadline, what is
    queued at its deadline; the lane comes back by itself, and the key tells what became of it."""
    patient = daemon("patient", statement_timeout_ms=2000, lock_timeout_ms=2000)
    with world.till("acme", patient.port) as till:
        card, other = till.enrolled(10), till.enrolled(10)
        with database.holding("lock table loyal.entry in share mode"):
            fields = till.redeem_fields(card, 4)
            written = till.submit("redeem", fields, deadline_ms=300)
            (pid,) = database.wait_lanes()
            with frozen(pid):
                queued = till.submit("redeem", till.redeem_fields(card, 1), deadline_ms=300)
                assert till.take(queued).code == "DEADLINE_EXCEEDED"
                assert till.take(written).code == "OUTCOME_UNKNOWN"
                patient.log.wait(r"event=database_lost [^\n]*is silent")
        again = wait_for(lambda: (reply := till.call("redeem", fields)).kind == "OK" and reply, "a definite answer")
        assert again.ok().balance.available == 6
        assert till.redeem(other, 1).ok().balance.available == 9
    assert [row["kind"] for row in database.entries(card)] == [1, 2, 3]


def lanes_of(database):
    """Backends of lanes, all daemons'."""
    return {row["pid"] for row in database.rows("select pid from pg_stat_activity where application_name = 'loyald lane'",
                                                user="postgres")}


def test_a_backend_left_behind_is_ended(daemon, world, database):
    """The network is cut in the middle of a commit: the lane gives up, connects again, and ends the backend that still waits
    for it."""
    others = lanes_of(database)
    with PgProxy(database.socket_dir) as proxy:
        parted = daemon("parted", workers=1, lanes=1, statement_timeout_ms=500, lock_timeout_ms=500,
                        postgres=f'"host={proxy.folder} port=5432 dbname=loyal user=loyal_daemon"')
        with world.till("acme", parted.port) as till:
            card = till.enrolled(10)
            (pid,) = lanes_of(database) - others
            proxy.is_parted = True
            stop = proxy.stop_at(COMMITTED)
            fields = till.redeem_fields(card, 4)
            written = till.submit("redeem", fields, deadline_ms=300)
            stop.wait()
            assert till.take(written).code == "OUTCOME_UNKNOWN"
            wait_for(lambda: pid not in lanes_of(database), "the backend has ended")
            wait_for(lambda: till.call("redeem", fields).kind == "OK", "the recorded answer")
            assert len(lanes_of(database) - others) == 1
    assert [row["kind"] for row in database.entries(card)] == [1, 2, 3]


@pytest.mark.slow
def test_backends_left_behind_are_bounded(daemon, world, database):
    """Each backend of a lane is stopped as soon as it is there, so that none can end: the lane leaves no fourth."""
    others, stopped = lanes_of(database), set()
    hasty = daemon("leaving", workers=1, lanes=1, statement_timeout_ms=500, lock_timeout_ms=500)
    try:
        with world.till("acme", hasty.port) as till:
            card = till.enrolled(10)
            for count in (1, 2, 3):
                wait_for(lambda: till.redeem(card, 1).kind == "OK", "the lane works")
                (pid,) = lanes_of(database) - others - stopped
                stages.stop(pid)
                stopped.add(pid)
                till.call("redeem", till.redeem_fields(card, 1), deadline_ms=300)
                hasty.log.wait(r"(?s)(event=database_lost [^\n]*is silent.*){%d}" % count)
            hasty.log.wait(r"event=database_lost [^\n]*do not end")
            for _ in range(20):
                assert len(lanes_of(database) - others) <= 4  # the three, and one that finds them
                time.sleep(0.1)
            assert till.redeem(card, 1).code == "NOT_READY"
            for pid in stopped:
                stages.go_on(pid)
            wait_for(lambda: till.redeem(card, 1).kind == "OK", "the lane works again")
            assert len(lanes_of(database) - others) == 1
    finally:
        for pid in stopped:
            stages.go_on(pid)


# --- PostgreSQL takes no connections -----------------------------------------------------------------------

REFUSALS = {
    "login": ("alter role loyal_daemon nologin", "alter role loyal_daemon login", "not permitted to log in"),
    "limit": ("alter role loyal_daemon connection limit 0", "alter role loyal_daemon connection limit -1",
              "too many connections for role"),
    "closed": ("alter database loyal allow_connections false", "alter database loyal allow_connections true",
              "not currently accepting connections"),
}


@pytest.mark.parametrize("how", REFUSALS)
def test_refused_connections_are_tried_again_and_told_once(daemon, world, database, how):
    refuse, permit, cause = REFUSALS[how]
    fresh = daemon(f"refused-{how}")
    with world.till("acme", fresh.port) as till, contextlib.closing(psycopg2.connect(
            host=database.socket_dir, dbname="postgres", user="postgres")) as foreign:
        foreign.autocommit = True
        card, start = till.enrolled(10), fresh.log.mark()
        ask = foreign.cursor()
        ask.execute(refuse)
        try:
            ask.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'loyal_daemon'")
            fresh.log.wait(f"event=database_lost [^\n]*{cause}", start)
            fields = till.redeem_fields(card, 1)
            assert till.call("redeem", fields).code == "NOT_READY"
            time.sleep(2)  # many attempts
            told = re.findall(f'connection="([^"]*)" cause="[^"]*{cause}', fresh.log.text(start))
            assert len(told) == len(set(told)), told
            assert not fresh.is_ready()
        finally:
            ask.execute(permit)
        wait_for(fresh.is_ready, "ready by itself")
        assert till.call("redeem", fields).ok().balance.available == 9


# --- the schema --------------------------------------------------------------------------------------------

def schema_versions():
    with open(os.path.join(ROOT, "migrations", "sqitch.plan"), encoding="utf-8") as file:
        return [line.split()[0] for line in file if line.strip() and line[0] != "%"]


@pytest.mark.parametrize("found, side", [("erasure", "older"), ("of-tomorrow", "newer"), (None, "none")])
def test_another_schema_is_named_with_the_side_that_has_to_move(daemon, database, found, side):
    """And the daemon, started or running, is ready without a restart once both are of one version."""
    wanted = database.value("select version from loyal.schema_version")
    change, back = (("update loyal.schema_version set version = %s", found),
                    ("update loyal.schema_version set version = %s", wanted)) if found else (
        ("alter table loyal.schema_version rename to schema_version_away",),
        ("alter table loyal.schema_version_away rename to schema_version",))
    database.change_as_owner(change)
    try:
        fresh = daemon(f"schema-{side}", wait=False)
        line = fresh.log.wait(r"event=database_schema [^\n]*")[0]
        assert wanted in line and (found or "none") in line, line
        assert ("migrations/migrate deploy" in line) == (side != "newer"), line
        assert ("install the loyald that belongs to of-tomorrow" in line) == (side == "newer"), line
        time.sleep(1)
        lines = re.findall(r"event=database_schema [^\n]*", fresh.log.text())
        assert len(lines) == len(set(lines)), "said again at each attempt"
        assert fresh.ask("/readyz") == 503
    finally:
        database.change_as_owner(back)
    wait_for(fresh.is_ready, "ready by itself")


def test_the_versions_before_the_wanted_one_are_those_of_the_plan():
    with open(os.path.join(ROOT, "server", "store", "pg.h"), encoding="utf-8") as file:
        text = file.read()
    older = re.findall(r'"(\w+)"', re.search(r"PG_SCHEMAS_OLDER(.*?)\n\n", text, re.S)[1])
    assert [*older, re.search(r'PG_SCHEMA_WANTED "(\w+)"', text)[1]] == schema_versions()


# --- the same under load: `make fault` ---------------------------------------------------------------------

def settled(stage, name, since_us, until_us=None):
    """After the fault: the load has ended, the books hold, every answer came in time, every lane was back soon. Gives the
    answers, and those to what was asked while it lasted, and prints the figures."""
    answers = stage.judge()
    recovery_s = stage.recovery_s(answers)
    during = of(answers, since_us, until_us or now_us())
    report(f"{name} (the clients' seed: {stage.seed})", during, recovered=recovery_s)
    all_definite(answers)
    assert recovery_s < RECOVERY_S + MARGIN_S
    all_in_time(answers)
    return answers, during


@pytest.mark.slow
@pytest.mark.parametrize("how", ["fast", "immediate"])
def test_stopped_and_started_under_load(stage, how):
    with stage.load():
        begin_us = now_us()
        stage.cluster("stop", how)
        time.sleep(3)
        stage.cluster("start")
        stage.heal()
        time.sleep(2)
    _, during = settled(stage, f"stopped {how}, 3 s down", begin_us)
    assert {answer.code for answer in during} & {"NOT_READY"}


@pytest.mark.slow
def test_restarted_again_and_again_under_load(stage):
    slowest_s = 0
    with stage.load():
        begin_us = now_us()
        for how in ("fast", "immediate") * 3:
            stage.cluster("stop", how)
            stage.cluster("start")
            slowest_s = max(slowest_s, stage.heal())
        time.sleep(2)
    settled(stage, "restarted 6 times", begin_us)
    assert slowest_s < RECOVERY_S + MARGIN_S


@pytest.mark.slow
def test_out_of_connections_under_load(stage):
    """Foreign sessions take every place as soon as it is free, until the daemon has none left."""
    foreign, enough = [], threading.Event()

    def crowd():
        while not enough.is_set():
            try:
                foreign.append(stage.database.connect("loyal_auditor"))
            except psycopg2.OperationalError:
                time.sleep(0.002)

    thread = threading.Thread(target=crowd)
    with stage.load(), contextlib.closing(stage.database.connect("postgres")) as own:  # while there is a place for it
        own.autocommit = True
        cursor = own.cursor()

        def ours():
            cursor.execute("select pid from pg_stat_activity where usename = any(%s)", [list(DAEMON)])
            return cursor.fetchall()

        def are_ended():
            cursor.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = any(%s)", [list(DAEMON)])
            if ours():
                return False
            time.sleep(0.5)  # the daemon may be quicker than the crowd
            return not ours()
        begin_us = now_us()
        thread.start()
        try:
            wait_for(lambda: len(foreign) > 50, "a crowd")
            wait_for(are_ended, "the daemon has no connection left", 60)
            time.sleep(4)
            assert not ours()
        finally:
            enough.set()
            thread.join()
            for connection in foreign:
                connection.close()
        stage.heal()
        time.sleep(2)
    _, during = settled(stage, f"out of connections, {len(foreign)} foreign ones", begin_us)
    assert {answer.code for answer in during} & {"NOT_READY"}
    told = re.search(r'event=database_lost connection="[^"]*" cause="[^"]*(too many clients|remaining connection slots)',
                     stage.daemon_log())
    assert told


@pytest.mark.slow
def test_a_held_row_under_load(stage):
    """For six seconds a foreign session holds the member with whom most has happened."""
    with stage.load():
        quiet_us = now_us()
        time.sleep(4)
        row = stage.database.row("select bucket, member_id from loyal.member order by seq desc limit 1")
        with stage.database.holding("select from loyal.member where bucket = %s and member_id = %s for update",
                                    row["bucket"], row["member_id"]):
            begin_us = now_us()
            time.sleep(6)
            end_us = now_us()
        stage.heal()
        time.sleep(2)
    answers, during = settled(stage, "a held row", begin_us, end_us)
    card = stage.card_of(row)
    his = [answer for answer in during if answer.card == card]
    others = [answer for answer in during if answer.card != card]
    quiet = [answer for answer in of(answers, quiet_us, begin_us) if answer.card != card]
    report("  quiet", quiet)
    report("  while he is held, the others", others)
    report("  himself", his)
    assert len(quiet) > 500 and len(others) > 500 and len(his) > 1
    assert "TRANSIENT" in {answer.code for answer in his}
    assert p99_s(others) < max(3 * p99_s(quiet), LOCK_TIMEOUT_S / 4)


@pytest.mark.slow
def test_a_lock_time_out_under_load(stage):
    """Of the whole journal, for which nobody can be set aside: each batch ends after lock_timeout_ms, without effect."""
    with stage.load():
        begin_us = now_us()
        with stage.database.holding("lock table loyal.entry in share mode"):
            time.sleep(5)
        stage.heal()
        time.sleep(2)
    _, during = settled(stage, "the journal locked for 5 s", begin_us)
    assert "TRANSIENT" in {answer.code for answer in during}


@pytest.mark.slow
def test_one_frozen_lane_under_load(stage):
    """SIGSTOP of one lane's backend for 6 seconds: the other lanes go on; it is given up and comes back."""
    with stage.load():
        quiet_us = now_us()
        time.sleep(4)
        pid = stage.database.value("select min(pid) from pg_stat_activity where application_name = 'loyald lane'"
                                   " and usename = 'loyal_daemon'", user="postgres")
        begin_us = now_us()
        with frozen(pid):
            time.sleep(6)
        end_us = now_us()
        stage.heal()
        time.sleep(2)
    answers, during = settled(stage, "one of four lanes frozen", begin_us, end_us)
    lane = lambda answer: stage.bucket_of(answer.card) % 2
    (its,) = {lane(answer) for answer in during
              if answer.code in ("OUTCOME_UNKNOWN", "DEADLINE_EXCEEDED", "NOT_READY")}
    others = [answer for answer in during if lane(answer) != its]
    quiet = [answer for answer in of(answers, quiet_us, begin_us) if lane(answer) != its]
    report("  the other lanes, quiet", quiet)
    report("  the other lanes meanwhile", others)
    assert len(quiet) > 500 and len(others) > 500
    assert p99_s(others) < max(3 * p99_s(quiet), LOCK_TIMEOUT_S / 4)
    assert "is silent" in stage.daemon_log()


@pytest.mark.slow
def test_all_of_postgresql_frozen_under_load(stage):
    with stage.load():
        pids = [row["pid"] for row in stage.database.rows("select pid from pg_stat_activity", user="postgres")]
        begin_us = now_us()
        with frozen(stage.stack.postmaster(), *(pid for pid in pids if os.path.exists(f"/proc/{pid}"))):
            time.sleep(8)
        stage.heal()
        time.sleep(2)
    _, during = settled(stage, "PostgreSQL frozen for 8 s", begin_us)
    assert {answer.code for answer in during} >= {"DEADLINE_EXCEEDED", "OUTCOME_UNKNOWN"}


@pytest.mark.slow
def test_a_standby_that_stands_still_under_load(stage):
    """Commits wait for a synchronous standby that is not there, which no time limit of PostgreSQL ends: nothing is said to be
    done, and the backends that were given up do not pile up."""
    most = 0
    with stage.load():
        begin_us = now_us()
        stage.database.change("alter system set synchronous_standby_names = 'nobody'")
        stage.database.change("select pg_reload_conf()")
        try:
            for _ in range(150):
                most = max(most, len(lanes_of(stage.database)))
                time.sleep(0.1)
            end_us = now_us()
        finally:
            stage.database.change("alter system reset synchronous_standby_names")
            stage.database.change("select pg_reload_conf()")
        stage.heal()
        time.sleep(2)
    _, during = settled(stage, f"no standby for 15 s, at most {most} backends of 4 lanes", begin_us, end_us)
    assert "OUTCOME_UNKNOWN" in {answer.code for answer in during}
    assert most <= 8
    assert not [answer for answer in during
                if answer.code == "OK" and begin_us + 1000000 < answer.at_us + answer.took_s * 1e6 < end_us]
    assert "is silent" in stage.daemon_log()


# --- a disk that is full -----------------------------------------------------------------------------------

class SmallDisk:
    """A tmpfs in place of a folder of the cluster, which is stopped meanwhile, with so much room beside what is there."""

    def __init__(self, stage, folder, room_mib):
        self.stage, self.path = stage, os.path.join(stage.stack.cluster_dir, "data", folder)
        used = int(run("du", "-sm", self.path).stdout.split()[0])
        self.size_mib, self.is_mounted = used + room_mib, False

    def __enter__(self):
        self.stage.cluster("stop", "fast")
        away = self.path + ".away"
        os.rename(self.path, away)
        os.mkdir(self.path, 0o700)
        run("mount", "-t", "tmpfs", "-o", f"size={self.size_mib}m,mode=0700", "loyal-test-disk", self.path)
        self.is_mounted = True
        run("cp", "-a", away + "/.", self.path)
        run("rm", "-rf", away)
        self.stage.cluster("start")
        return self

    def is_full(self, left_kib=64):
        room = os.statvfs(self.path)
        return room.f_bavail * room.f_frsize < left_kib << 10

    def enlarge(self):
        run("mount", "-o", "remount,size=4g", self.path)

    def __exit__(self, *_):
        if self.is_mounted:
            self.stage.cluster("stop", "immediate")
            run("umount", self.path)


@pytest.fixture
def may_mount(request):
    """Mounts need root; for whoever is not, this one test runs in a name space of its own, and False says that it did."""
    if os.geteuid() == 0:
        return True
    done = run("unshare", "--user", "--map-root-user", "--mount", "/usr/bin/python3", "-B", "-m", "pytest", "-q", "-s", "-p",
               "no:cacheprovider", request.node.nodeid, cwd=ROOT, timeout=400, check=False)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    return False


def pg_log(stage):
    with open(os.path.join(stage.stack.cluster_dir, "log"), encoding="utf-8", errors="replace") as file:
        return file.read()


@pytest.mark.slow
def test_a_full_data_disk_under_load(may_mount, stage):
    """53100: each batch is undone and answered TRANSIENT; with room again, the next one is done. PostgreSQL stays up."""
    if not may_mount:
        return
    with SmallDisk(stage, "base", 12) as disk:
        with stage.load():
            begin_us = now_us()
            wait_for(lambda: "No space left on device" in pg_log(stage), "PostgreSQL says that it is full", 60)
            time.sleep(4)
            disk.enlarge()
            stage.heal()
            time.sleep(2)
        _, during = settled(stage, "data disk full", begin_us)
        assert "TRANSIENT" in {answer.code for answer in during}
        assert "batch_failed" in stage.daemon_log() and "53100" in stage.daemon_log()


@pytest.mark.slow
def test_a_full_wal_disk_under_load(may_mount, stage):
    """PostgreSQL panics, and cannot even recover: it stands still until there is room and someone starts it."""
    if not may_mount:
        return
    with SmallDisk(stage, "pg_wal", 24) as disk:
        with stage.load():
            begin_us = now_us()
            wait_for(lambda: re.search("PANIC: .*No space left on device", pg_log(stage)), "PostgreSQL panics", 90)
            time.sleep(4)
            disk.enlarge()
            stage.cluster("start")
            stage.heal()
            time.sleep(2)
        _, during = settled(stage, "WAL disk full", begin_us)
        assert {answer.code for answer in during} >= {"NOT_READY"}


# --- a slow network to PostgreSQL ----------------------------------------------------------------------------

def batches_of(daemon):
    """How many, and postings in them."""
    with urllib.request.urlopen(f"http://127.0.0.1:{daemon.admin_port}/metrics", timeout=10) as page:
        text = page.read().decode()
    return [sum(float(value) for value in re.findall(rf"^loyald_batch_postings_{part}(?:{{.*}})? (\S+)", text, re.M))
            for part in ("count", "sum")]


@pytest.mark.slow
def test_50_ms_each_way_to_postgresql_under_load(stage):
    """A second daemon behind the delay, with half of the clients: it lives by its batches, and the first notices nothing."""
    with PgProxy(stage.database.socket_dir, delay_s=0.05) as proxy, stage.second(proxy.folder) as far:
        with stage.load():
            begin_us = now_us()
            before = batches_of(far)
            time.sleep(8)
            batches, postings = (after - was for after, was in zip(batches_of(far), before))
            end_us = now_us()
            stage.heal()
        answers, _ = settled(stage, "half of the clients 50 ms away", begin_us, end_us)
        near, distant = ([answer for answer in of(answers, begin_us, end_us) if (answer.client in far.clients) == is_far]
                         for is_far in (False, True))
        report("  near", near)
        report(f"  far, {postings / batches:.0f} postings a batch", distant)
        definite = [answer for answer in distant if answer.kind in (1, 2)]  # OK, or refused for a reason
        assert len(definite) > 0.98 * len(distant)  # a member whom both daemons want may cost a deadline
        assert postings / batches > 4  # of the 64 in flight, over four lanes: one by one they would do 5 a second each
        assert min(answer.took_s for answer in distant) > 0.2 and p99_s(distant) < 2.5
        assert p99_s(near) < LOCK_TIMEOUT_S / 2
