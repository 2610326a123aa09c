"""What `run` and `parity` share: a stack with the bench's merchants and the baseline's schema, and its database."""
import concurrent.futures
import datetime
import hashlib
import hmac
import json
import os
import pathlib
import subprocess

import psycopg2

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BUILD = ROOT / os.environ.get("LOYAL_BUILD", "build")
MERCHANTS = 48
OFTEN_PURCHASES = 60  # of every hundredth member
QUESTIONS_A_DAY = 1_000_000


def call(*command, seconds=120, **options):
    """Runs a command to its end; what it prints is the result."""
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, timeout=seconds, check=True, text=True,
                          **options)
    return done.stdout


def hmac_pads(keyring):
    """The padded inner and outer key with which loyald hashes card numbers (server/base/keyring.c), for SQL."""
    lines = [line.split("#")[0].split() for line in pathlib.Path(keyring).read_text().splitlines()]
    master = bytes.fromhex(min((line for line in lines if line), key=lambda line: int(line[0]))[1])
    extracted = hmac.new(bytes(32), master, hashlib.sha256).digest()
    key = hmac.new(extracted, b"identifier\x01", hashlib.sha256).digest().ljust(64, b"\0")
    card = b"\x01"
    return (bytes(b ^ 0x36 for b in key) + card).hex(), bytes(b ^ 0x5c for b in key).hex()


class Stack:
    """A development stack of its own in a folder; ended by down()."""

    def __init__(self, folder, settings=()):
        self.folder = pathlib.Path(folder)
        options = [word for line in settings for word in ("--set", line)]
        try:
            self.command("up", *options, seconds=300)
        except BaseException:
            self.down()
            raise
        lines = self.command("env").splitlines()
        self.environment = dict(os.environ)
        for line in lines:
            name, value = line.split("=", 1)
            self.environment[name] = value.strip("'\"")
        profile = dict(line.split(" = ") for line in (self.folder / "operator.profile").read_text().splitlines())
        self.port = profile["port"]

    def command(self, *words, seconds=120):
        return call(ROOT / "deploy/stack", "--dir", self.folder, *words, seconds=seconds)

    def down(self):
        self.command("down")

    def change(self, name, value):
        """Another value of one of loyald's options, by a restart."""
        conf = self.folder / "loyald.conf"
        lines = [line for line in conf.read_text().splitlines() if not line.startswith(f"{name} = ")]
        conf.write_text("\n".join([*lines, f"{name} = {value}"]) + "\n")
        self.command("stop")
        self.command("start")

    def connect(self, database="loyal", user="postgres"):
        connection = psycopg2.connect(host=self.environment["PGHOST"], port=self.environment["PGPORT"], user=user,
                                      dbname=database)
        connection.autocommit = True
        return connection

    def query(self, sql, values=None, user="postgres", database="loyal"):
        connection = self.connect(database, user)
        try:
            cursor = connection.cursor()
            cursor.execute(sql, values)
            return cursor.fetchall() if cursor.description else None
        finally:
            connection.close()

    def ctl(self, *words, seconds=120):
        return call(BUILD / "loyalctl", *words, env=self.environment, seconds=seconds)

    def psql(self, path, **variables):
        words = [word for name, value in variables.items() for word in ("-v", f"{name}={value}")]
        self.command("psql", "-q", "-v", "ON_ERROR_STOP=1", *words, "-f", path)

    def load(self, *words):
        """The command line of a load program, without its name."""
        return ["--host", "localhost", "--port", self.port, "--authority", str(self.folder / "ca/authority.crt"),
                "--bundles", str(self.folder / "bundles"), *[str(word) for word in words]]

    def postmaster(self):
        return int(call(ROOT / "deploy/cluster", "pid", self.folder / "cluster"))

    def daemon(self):
        return int((self.folder / "loyald.pid").read_text())

    def workers(self):
        return json.loads(self.ctl("status", "--json"))["workers"]

    def findings(self, step=256):
        """What the books say against themselves, by ranges of buckets, two at a time."""
        def check(first):
            return self.query("select row_name || ': ' || what from loyal.findings(%s, %s, %s, 20)",
                              (first, first + step - 1, datetime.datetime.now(datetime.timezone.utc)),
                              user="loyal_auditor")
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            return [row[0] for rows in pool.map(check, range(0, 256, step)) for row in rows]

    def prepare(self, merchants=MERCHANTS):
        """Merchants bench-0 .. with a store, a terminal and its certificate, and the schema of the baseline."""
        for n in range(merchants):
            code, bundle = f"bench-{n}", self.folder / "bundles" / f"bench-{n}"
            self.ctl("cert", "terminal", "--ca", self.folder / "ca", "--merchant", code, "--code", "till-1",
                     "--out", bundle)
            self.ctl("merchant", "add", "--code", code, "--name", f"Bench {n}", "--currency", "EUR")
            self.ctl("store", "add", "--merchant", code, "--code", "main")
            self.ctl("terminal", "add", "--merchant", code, "--code", "till-1", "--certificate", bundle / "terminal.crt")
        rows = self.query("select merchant_id, s.store_id, terminal_id from loyal.merchant m join loyal.store s using"
                          " (merchant_id) join loyal.terminal t using (merchant_id) where m.code like 'bench-%'"
                          " order by substring(m.code from 7)::int")
        first = rows[0][0]
        if rows != [(first + n,) * 3 for n in range(merchants)]:
            raise SystemExit(f"the bench's merchants, stores and terminals are not numbered alike: {rows}")
        # A rule in force since long ago, which an operator cannot set: purchases of the past come under it, too.
        self.query("insert into loyal.rule select (select max(rule_version) from loyal.rule) + 1 + n, %s + n,"
                   " '2020-01-01', 1, 100, 24 from generate_series(0, %s) n", (first, merchants - 1))
        self.query("update loyal.reference_epoch set epoch = epoch + 1")
        self.query("insert into loyal.privacy_rule select max(rule_version) + 1, '-infinity', 20, %s, 7"
                   " from loyal.privacy_rule", (QUESTIONS_A_DAY,))
        inner, outer = hmac_pads(self.folder / "keyring")
        self.psql(HERE / "baseline.sql", inner=f"\\x{inner}", outer=f"\\x{outer}")
        return first
