"""loyalctl doctor on a PostgreSQL of its own that is set up badly: each fault of the whole server, one at a time."""
import contextlib
import json
import os

import psycopg2
import pytest

from support.netns import Namespace
from support.paths import LOYALCTL, ROOT, run, wait_for

NONE_OF_OURS = ("database", "schema")  # it holds no schema, and is told so each time


class Server:
    """A cluster that is well; options are those of the next start."""

    def __init__(self, folder):
        self.folder = folder
        self.start()

    def deploy(self, command, *words):
        return run(os.path.join(ROOT, "deploy", "cluster"), command, self.folder, *words, timeout=120).stdout

    def start(self, **options):
        self.deploy("start", *(word for name, value in options.items() for word in ("--option", f"{name}={value}")))
        environment = dict(line.split("=") for line in self.deploy("env").split())
        self.socket_dir = environment["PGHOST"]

    def restart(self, **options):
        self.deploy("stop")
        self.start(**(options or {"cluster_name": "loyald"}))  # those of before are forgotten only when others are named

    def data(self):
        return self.ask("show data_directory")

    def ask(self, sql, database="postgres"):
        with contextlib.closing(psycopg2.connect(host=self.socket_dir, dbname=database, user="postgres")) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(sql)
                return cursor.fetchone()[0] if cursor.description else None

    def doctor(self, database="postgres", host=None, config=()):
        conninfo = f"host={host or self.socket_dir} dbname={database} user=postgres"
        done = run(LOYALCTL, "doctor", "--database", conninfo, "--json", *config, check=False, env={"LOYALCTL_PROFILE": ""})
        rows = json.loads(done.stdout)
        assert done.returncode == max(("ok", "warning", "fault").index(row["verdict"]) for row in rows)
        return {(row["area"], row["check"]): row for row in rows}

    def named(self, check, verdict, said, remedy, **more):
        """Exactly this is not well."""
        rows = self.doctor(**more)
        area = "clock" if check == "database" else "postgresql"
        assert {at for at, row in rows.items() if row["verdict"] != "ok"} == {NONE_OF_OURS, (area, check)}
        row = rows[area, check]
        assert row["verdict"] == verdict and said in row["found"] and row["why"] and remedy in row["remedy"], row


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    made = Server(str(tmp_path_factory.mktemp("doctor") / "cluster"))
    yield made
    made.deploy("destroy")


@contextlib.contextmanager
def reloaded(server, name, value):
    before = server.ask(f"show {name}")

    def read(wanted):
        server.ask("select pg_reload_conf()")
        wait_for(lambda: server.ask(f"show {name}") == wanted, f"{name} is {wanted}")
    server.ask(f"alter system set {name} = '{value}'")
    try:
        read(value)
        yield
    finally:
        server.ask(f"alter system reset {name}")
        read(before)


def test_a_server_that_is_well(server):
    rows = server.doctor()
    assert {at for at, row in rows.items() if row["verdict"] != "ok"} == {NONE_OF_OURS}
    assert rows["postgresql", "replication"]["found"].startswith("a primary; no replica is waited for")


@pytest.mark.parametrize("name,value,verdict,remedy", [
    ("fsync", "off", "fault", "fsync = on, then restart."),
    ("full_page_writes", "off", "fault", "full_page_writes = on"),
    ("autovacuum", "off", "fault", "autovacuum = on"),
    ("checkpoint_timeout", "5min", "warning", "checkpoint_timeout = 15min"),
    ("max_wal_size", "512MB", "warning", "max_wal_size = 2GB or more")])
def test_a_setting_of_the_whole_server_is_named(server, name, value, verdict, remedy):
    with reloaded(server, name, value):
        server.named(name, verdict, value, remedy)


def test_a_replica_that_is_waited_for_is_said(server):
    with reloaded(server, "synchronous_standby_names", "*"):
        assert server.doctor()["postgresql", "replication"]["found"] == "a primary; synchronous, an answer waits for the replica"


def test_a_database_of_another_encoding_is_named(server):
    server.ask("create database other encoding 'SQL_ASCII' template template0")
    server.named("server_encoding", "fault", "SQL_ASCII", "Make the database anew with -E UTF8.", database="other")


@pytest.mark.parametrize("seconds,verdict", [(5, "warning"), (-90, "fault")])
def test_a_clock_of_the_server_that_is_off_is_named(server, seconds, verdict):
    """The doctor asks this function before the true one: to change the machine's clock is not for a test."""
    server.ask("create or replace function public.clock_timestamp() returns timestamptz language sql as"
               f" $$ select pg_catalog.clock_timestamp() + {seconds} * interval '1 s' $$")
    server.ask("alter role postgres set search_path = public, pg_catalog")
    try:
        server.named("database", verdict, f"{seconds:+d}."[:3], "Let chrony or systemd-timesyncd")
    finally:
        server.ask("alter role postgres reset search_path")


def test_a_way_that_others_can_listen_to_is_named(server):
    """An address of this machine that is not its loopback."""
    if os.geteuid() != 0:
        pytest.skip("only root can lay a cable")
    with contextlib.closing(Namespace()) as namespace:
        hba = os.path.join(server.data(), "pg_hba.conf")
        server.restart(listen_addresses=namespace.address)
        with open(hba, "a", encoding="ascii") as file:
            file.write(f"host all all {namespace.address}/32 trust\n")
        server.ask("select pg_reload_conf()")
        server.named("transport", "fault", "open", "sslmode=verify-full", host=namespace.address)
    server.restart()


def test_what_only_a_restart_sets_is_named(server, tmp_path):
    """Too little memory and too few connections; pages without checksums."""
    server.restart(shared_buffers="64MB", max_connections="20")
    config = tmp_path / "loyald.conf"
    config.write_text("workers = 2\nadmin_listen = \"\"\n", encoding="utf-8")
    rows = server.doctor()
    assert (row := rows["postgresql", "shared_buffers"])["verdict"] == "warning" and row["found"] == "64MB"
    assert "at least 128MB" in row["remedy"]
    row = server.doctor(config=("--config", config))["postgresql", "max_connections"]
    assert row["verdict"] == "fault" and row["found"] == "17, this daemon and 10 people need 31"  # 20 less 3 reserved
    assert row["remedy"].startswith("Raise max_connections")


def test_pages_without_checksums_and_a_standby_are_named(server):
    data, programs = server.data(), server.ask("select setting from pg_config where name = 'BINDIR'")
    owner = os.stat(data)
    server.deploy("stop")
    run(os.path.join(programs, "pg_checksums"), "--disable", "-D", data)
    server.start(cluster_name="loyald")
    server.named("data_checksums", "warning", "off", "pg_checksums --enable")
    server.deploy("stop")
    with open(os.path.join(data, "standby.signal"), "w", encoding="ascii"):
        pass
    os.chown(os.path.join(data, "standby.signal"), owner.st_uid, owner.st_gid)
    server.start()
    row = server.doctor()["postgresql", "replication"]
    assert row["verdict"] == "fault" and row["found"].startswith("a standby") and "read-write" in row["remedy"]
