"""The admin port: what /metrics counts, by which names, and why /readyz says no."""
import http.client
import json
import os
import re
import signal
import subprocess
import time

import pytest

from support.paths import LOYALD, ROOT, WAIT_S, run, wait_for
from support.wire import Connection

SAMPLE = re.compile(r"^([a-z_]+)(?:\{([^}]*)\})? (\S+)$")


def page(port, path="/metrics"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_S)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


class Metrics:
    """The samples of one /metrics page."""

    def __init__(self, port):
        status, self.text = page(port)
        assert status == 200
        self.samples = []
        for line in self.text.splitlines():
            if line.startswith("#"):
                continue
            name, labels, value = SAMPLE.match(line).groups()
            self.samples.append((name, dict(re.findall(r'(\w+)="([^"]*)"', labels or "")), float(value)))

    def of(self, name, **labels):
        return [value for found, has, value in self.samples if found == name and labels.items() <= has.items()]

    def total(self, name, **labels):
        values = self.of(name, **labels)
        assert values, f"{name} {labels} is not there"
        return sum(values)


def listed():
    """Name -> type, as the program itself lists them."""
    return dict(line.split("\t")[:2] for line in run(LOYALD, "--dump-metrics").stdout.splitlines())


def readyz(one):
    status, text = page(one.admin_port, "/readyz")
    said = json.loads(text)
    assert said["ready"] == (status == 200)
    return status, said


# --- names ---

def test_promtool_has_nothing_to_say(stack, acme):
    """Prometheus' own check of names, units, HELP and TYPE."""
    acme.enrolled(1)
    done = subprocess.run(["promtool", "check", "metrics"], input=page(stack.admin_port)[1], text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
    assert done.returncode == 0 and not done.stdout, done.stdout


def test_every_metric_is_in_the_manual_and_on_the_page(stack, acme):
    acme.enrolled(1)
    text = open(os.path.join(ROOT, "deploy", "man", "loyald-metrics.7.scd"), encoding="utf-8").read()
    documented = dict(re.findall(r"^\*([a-z_]+)\*[^\n]* \(([a-z]+)\)", text.replace("\\_", "_"), re.M))
    assert documented == listed()
    metrics = Metrics(stack.admin_port)
    shown = {re.sub(r"_(bucket|sum|count)$", "", name) if re.sub(r"_(bucket|sum|count)$", "", name) in documented
             else name for name, _, _ in metrics.samples}
    assert shown == set(documented)
    assert dict(re.findall(r"^# TYPE (\S+) (\S+)$", metrics.text, re.M)) == documented


def test_labels_come_from_closed_lists(stack, acme):
    """No label holds what a client sent: there are as many rows as before, whatever he sends."""
    before = len(Metrics(stack.admin_port).samples)
    acme.redeem(acme.enrolled(1), 2).refused("NOT_ENOUGH_POINTS")
    with Connection(stack.port, acme.bundle, hello=None) as connection:
        connection.hello("somebody-else").refused("WRONG_MERCHANT")
    assert len(Metrics(stack.admin_port).samples) == before


# --- what is counted ---

def test_requests_and_answers_are_counted_by_verb_and_code(stack, acme, operator):
    before = Metrics(stack.admin_port)
    card = acme.enrolled(10)
    acme.redeem(card, 11).refused("NOT_ENOUGH_POINTS")
    operator.call("ping").ok()
    after = Metrics(stack.admin_port)

    def more(name, **labels):
        return after.total(name, **labels) - before.total(name, **labels)
    assert more("loyald_requests_total", verb="redeem") == 1
    assert more("loyald_requests_total", verb="earn") >= 1
    assert more("loyald_requests_total", verb="ping") >= 1
    assert more("loyald_answers_total", kind="REFUSED") == more("loyald_answers_total", code="NOT_ENOUGH_POINTS") == 1
    assert more("loyald_requests_total") == more("loyald_worker_requests_total") >= 4
    assert more("loyald_request_duration_seconds_count", **{"class": "posting"}) >= 3
    assert more("loyald_request_duration_seconds_bucket", **{"class": "posting", "le": "+Inf"}) >= 3
    assert more("loyald_request_duration_seconds_sum", **{"class": "posting"}) > 0
    assert more("loyald_batch_postings_sum") >= 3
    assert more("loyald_batch_duration_seconds_count") == more("loyald_commit_duration_seconds_count") >= 3
    assert more("loyald_batch_duration_seconds_sum") >= more("loyald_commit_duration_seconds_sum") > 0


def test_histograms_rise(stack, acme):
    acme.enrolled(1)
    metrics = Metrics(stack.admin_port)
    for kind in ("posting", "lookup", "query"):
        counts = metrics.of("loyald_request_duration_seconds_bucket", **{"class": kind})
        assert counts == sorted(counts)
        assert counts[-1] == metrics.total("loyald_request_duration_seconds_count", **{"class": kind})


def test_gauges_tell_how_it_stands(stack, world, database):
    metrics = wait_for(lambda: (m := Metrics(stack.admin_port)).total(
        "loyald_connections", state="open") >= len(world.tills) and all(m.of("loyald_resident_memory_bytes")) and m,
        "the tills' connections are counted, and every process")
    now = time.time()
    assert metrics.total("loyald_worker_ready") == 2
    assert metrics.total("loyald_database_connections", process="worker0") == 8
    assert metrics.total("loyald_database_connections", process="maintenance", connection="lane") == 1
    assert set(metrics.of("loyald_reference_epoch")) == {database.value("select epoch from loyal.reference_epoch")}
    assert metrics.total("loyald_domain_time_seconds") == pytest.approx(world.clock.now_us / 1e6, abs=60)
    assert 0 < now - metrics.total("process_start_time_seconds") < 7200
    assert all(2e6 < value < 2e9 for value in metrics.of("loyald_resident_memory_bytes"))
    assert all(5 <= value < metrics.total("loyald_open_files_max") for value in metrics.of("loyald_open_files"))
    assert all(value < 20 for value in metrics.of("loyald_heartbeat_age_seconds"))
    assert len(metrics.of("loyald_heartbeat_age_seconds")) == 5


def test_certificates_tell_when_they_end(stack):
    metrics = Metrics(stack.admin_port)
    for name, path in (("certificate", "server/server.crt"), ("authority", "ca/authority.crt")):
        text = run("openssl", "x509", "-noout", "-enddate", "-in", os.path.join(stack.dir, path)).stdout
        end = time.mktime(time.strptime(text.split("=")[1].strip(), "%b %d %H:%M:%S %Y GMT")) - time.timezone
        assert metrics.total("loyald_certificate_not_after_timestamp_seconds", file=name) == end


def test_maintenance_tells_when_it_succeeded(stack, database):
    def done():
        metrics = Metrics(stack.admin_port)
        return min(metrics.of("loyald_maintenance_last_success_timestamp_seconds")) > 0 and metrics
    metrics = wait_for(done, "each duty is done once", 90)
    assert metrics.total("loyald_maintenance_lease_held") == 1
    until = metrics.total("loyald_partitions_until_timestamp_seconds")
    ahead = (until - metrics.total("loyald_domain_time_seconds")) / 86400
    quarters = int(re.search(r"partitions_ahead = (\d+)", open(f"{stack.dir}/loyald.conf", encoding="utf-8").read())[1])
    assert quarters * 92 - 2 < ahead <= quarters * 92
    assert database.value("select count(*) from pg_inherits where inhparent = 'loyal.entry'::regclass") >= 3


def test_handshakes_that_fail_are_counted_by_reason(stack, world):
    def failed(reason):
        return Metrics(stack.admin_port).total("loyald_handshakes_failed_total", reason=reason)
    before = {reason: failed(reason) for reason in ("protocol", "untrusted")}
    run("openssl", "s_client", "-connect", f"127.0.0.1:{stack.port}", "-tls1_2", check=False)
    wait_for(lambda: failed("protocol") > before["protocol"], "TLS 1.2 is counted")
    run(os.path.join(os.path.dirname(LOYALD), "loyalctl"), "cert", "authority", "--network", "town", "--out",
        os.path.join(stack.dir, "foreign-ca-of-metrics"))
    odd = stack.odd_bundle("foreign", "URI:loyal://town/merchant/acme/terminal/till-1",
                           ca=os.path.join(stack.dir, "foreign-ca-of-metrics"))
    del world
    run("openssl", "s_client", "-connect", f"127.0.0.1:{stack.port}", "-cert", odd.certificate, "-key", odd.key,
        check=False)
    wait_for(lambda: failed("untrusted") > before["untrusted"], "a foreign certificate is counted")


def test_counters_survive_a_worker(daemon, world):
    """A worker that dies takes its gauges along; counters never go back."""
    fresh = daemon("counts", workers=1)
    with world.till("acme", fresh.port) as till:
        till.enrolled(3)
        before = wait_for(lambda: (m := Metrics(fresh.admin_port)).total("loyald_connections") >= 1 and m, "connected")
        os.kill(fresh.children()["worker0"], signal.SIGKILL)
        wait_for(lambda: Metrics(fresh.admin_port).total("loyald_restarts_total", process="worker") == 1, "restarted")
        wait_for(fresh.is_ready, "ready again")
    after = Metrics(fresh.admin_port)
    kinds = listed()
    for name, labels, value in before.samples:
        base = re.sub(r"_(bucket|sum|count)$", "", name)
        if kinds.get(name) == "counter" or kinds.get(base) == "histogram":
            assert after.total(name, **labels) >= value, (name, labels)
    assert after.total("loyald_answers_total", code="OK") >= before.total("loyald_answers_total", code="OK") > 0
    wait_for(lambda: Metrics(fresh.admin_port).total("loyald_connections") == 0, "the dead worker's are gone")
    assert after.total("loyald_start_time_seconds", process="worker0") > before.total(
        "loyald_start_time_seconds", process="worker0")


def test_a_reload_that_fails_is_told(daemon):
    fresh = daemon("reload-told")
    good = open(fresh.conf, encoding="utf-8").read()
    first = Metrics(fresh.admin_port)
    assert first.total("loyald_config_last_reload_successful") == 1
    for text, successful in ((good + "no_such_option = 1\n", 0), (good, 1)):
        with open(fresh.conf, "w", encoding="utf-8") as file:
            file.write(text)
        fresh.signal(signal.SIGHUP)
        wait_for(lambda: Metrics(fresh.admin_port).total("loyald_config_last_reload_successful") == successful, "told")
    name = "loyald_config_last_reload_success_timestamp_seconds"
    assert Metrics(fresh.admin_port).total(name) > first.total(name)


# --- health and readiness ---

def test_readyz_names_the_reason(daemon, stack, database):
    """A fixed word a worker; never a host, a user or what the database said."""
    fresh = daemon("unready")
    assert readyz(fresh) == (200, {"ready": True, "workers": [{"worker": 0, "ready": True}]})
    wanted = database.value("select version from loyal.schema_version")
    database.change_as_owner(("update loyal.schema_version set version = %s", "of-tomorrow"))
    try:
        database.change("select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'loyald%%'")
        found = wait_for(lambda: readyz(fresh)[1]["workers"][0].get("reason") == "schema_wrong" and readyz(fresh),
                         "the schema is named")
        assert found == (503, {"ready": False, "workers": [
            {"worker": 0, "ready": False, "reason": "schema_wrong", "connection": "lane"}]})
    finally:
        database.change_as_owner(("update loyal.schema_version set version = %s", wanted))
    wait_for(fresh.is_ready, "ready again")
    wait_for(stack.is_ready, "the stack's daemon, too")
    database.change("alter role loyal_daemon set synchronous_commit = off")
    try:
        lazy = daemon("lazy-told", wait=False)
        wait_for(lambda: readyz(lazy)[1]["workers"][0].get("reason") == "database_not_durable", "durability is named")
    finally:
        database.change("alter role loyal_daemon reset synchronous_commit")


def test_readyz_says_that_the_database_is_gone(daemon):
    nowhere = '"host=/nowhere dbname=loyal user=loyal_daemon"'
    fresh = daemon("nowhere", wait=False, postgres=nowhere)
    worker = wait_for(lambda: (w := readyz(fresh)[1]["workers"][0]).get("reason") != "starting" and w, "it has tried")
    assert worker == {"worker": 0, "ready": False, "reason": "database_unreachable", "connection": "lane"}
    assert "nowhere" not in page(fresh.admin_port, "/readyz")[1]


def test_readyz_says_draining(daemon, world, database):
    fresh = daemon("drains-told", lock_timeout_ms=20000)
    with world.till("acme", fresh.port) as till:
        card = till.enrolled(10)
        with database.holding_member(card):
            number = till.submit("redeem", till.redeem_fields(card, 4))
            database.wait_lanes()
            fresh.signal(signal.SIGTERM)
            wait_for(lambda: readyz(fresh)[0] == 503, "it takes no more")
            assert readyz(fresh)[1]["workers"][0]["reason"] == "draining"
        till.take(number).ok()
    assert fresh.wait_end() == 0


def test_healthz_fails_when_the_master_or_all_workers_hang(daemon):
    fresh = daemon("hangs", worker_timeout_s=0)  # nobody replaces it
    assert page(fresh.admin_port, "/healthz") == (200, "alive\n")
    worker = fresh.children()["worker0"]
    for pid in (worker, fresh.pid):
        os.kill(pid, signal.SIGSTOP)
    try:
        wait_for(lambda: page(fresh.admin_port, "/healthz") == (503, "the master does not turn its loop\n"), "it hangs", 60, every=0.2)
        fresh.signal(signal.SIGCONT)
        wait_for(lambda: page(fresh.admin_port, "/healthz") == (503, "no worker turns its loop\n"), "the worker hangs")
        assert readyz(fresh)[1]["workers"] == [{"worker": 0, "ready": False, "reason": "hangs"}]
        assert max(Metrics(fresh.admin_port).of("loyald_heartbeat_age_seconds")) >= 10
    finally:
        for pid in (worker, fresh.pid):
            os.kill(pid, signal.SIGCONT)
    wait_for(fresh.is_ready, "it goes on")
    assert page(fresh.admin_port, "/healthz")[0] == 200
