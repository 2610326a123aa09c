"""Owns the processes of a run: one stack made by deploy/stack in a folder of its own, and further daemons on the same
database. Ends only what it started, by pid."""
import datetime
import glob
import http.client
import json
import mmap
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import zoneinfo

from support.paths import LOYALCTL, LOYALD, ROOT, WAIT_S, run, wait_for

FIRST_DAY = "2024-06-01"
ZONE = zoneinfo.ZoneInfo("Europe/London")
DAY_US = 86400 * 1000000
# Not libconfuse's: so ends the process that parses the configuration, when memory is short.
REPORT = re.compile(r"ERROR: (Address|Leak|UndefinedBehavior)Sanitizer|runtime error:|AddressSanitizer:|"
                    r"Assertion (?!`cfg_qstring').* failed")


class Clock:
    """The domain's time: a file that only goes forward."""

    def __init__(self, path):
        with open(path, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), 8)

    @property
    def now_us(self):
        return struct.unpack("=q", self.map[:8])[0]

    def move_to(self, us):
        assert us >= self.now_us, "the domain's clock never goes back"
        self.map[:8] = struct.pack("=q", us)

    def advance(self, days=0, seconds=0):
        self.move_to(self.now_us + days * DAY_US + seconds * 1000000)

    def local(self, us=None):
        return datetime.datetime.fromtimestamp((self.now_us if us is None else us) / 1e6, ZONE)

    def date(self, days=0):
        """Today in the network's zone, or so many days later, as yyyymmdd."""
        return int((self.local() + datetime.timedelta(days=days)).strftime("%Y%m%d"))

    def us_of(self, *parts):
        """The instant of a local time."""
        return int(datetime.datetime(*parts, tzinfo=ZONE).timestamp()) * 1000000


class Bundle:
    def __init__(self, folder, name, authority=None):
        self.folder = folder
        self.certificate = os.path.join(folder, name + ".crt")
        self.key = os.path.join(folder, name + ".key")
        self.authority = authority or os.path.join(folder, "authority.crt")

    def sha256(self):
        text = run("openssl", "x509", "-in", self.certificate, "-noout", "-fingerprint", "-sha256").stdout
        return bytes.fromhex(text.split("=")[1].strip().replace(":", ""))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def children_of(pid):
    """Names and pids of a process's children: worker0, worker1, maintenance."""
    found = {}
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            numbers = file.read().split()
    except OSError:
        return found
    for number in numbers:
        try:
            with open(f"/proc/{number}/comm", encoding="ascii") as file:
                found[file.read().strip()] = int(number)
        except OSError:
            pass
    return found


class Log:
    """A daemon's log, read forward."""

    def __init__(self, path):
        self.path, self.judged = path, 0

    def text(self, start=0):
        try:
            with open(self.path, "rb") as file:
                file.seek(start)
                return file.read().decode("utf-8", "replace")
        except FileNotFoundError:
            return ""

    def mark(self):
        return os.path.getsize(self.path)

    def wait(self, pattern, start=0, seconds=WAIT_S):
        return wait_for(lambda: re.search(pattern, self.text(start)), f"{pattern} in {self.path}", seconds)


class Daemon:
    """A further loyald on the stack's database, without maintenance."""

    def __init__(self, stack, name, **settings):
        self.stack, self.name = stack, name
        self.settings = settings
        self.before = ()  # words before the program: what it is started by
        self.log = Log(os.path.join(stack.dir, name + ".log"))
        self.conf = os.path.join(stack.dir, name + ".conf")
        self.pid_file = os.path.join(stack.dir, name + ".pid")
        self.process = None
        stack.daemons.append(self)

    def write_conf(self):
        self.port, self.admin_port = free_port(), free_port()
        own = {"listen": f'{{"127.0.0.1:{self.port}"}}', "admin_listen": f'"127.0.0.1:{self.admin_port}"',
               "pid_file": f'"{self.pid_file}"', "postgres_maintenance": None, "workers": 1, **self.settings}
        with open(os.path.join(self.stack.dir, "loyald.conf"), encoding="utf-8") as file:
            lines = [line.rstrip("\n") for line in file if line.split("=")[0].strip() not in own]
        lines += [f"{name} = {value}" for name, value in own.items() if value is not None]
        with open(self.conf, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")

    def start(self, wait=True):
        for _ in range(3):
            self.write_conf()
            with open(self.log.path, "ab") as out:
                start = out.tell()
                self.process = self.spawn(out)
            wait_for(lambda: os.path.exists(self.pid_file) or self.process.poll() is not None, f"{self.name} starts")
            if self.process.poll() is None:
                break
            assert "already in use" in self.log.text(start), self.log.text(start)
        if wait:
            wait_for(self.is_ready, f"{self.name} is ready")
        return self

    def spawn(self, out):
        """The process, its log at `out`."""
        return subprocess.Popen([*self.before, LOYALD, "--config", self.conf], stdin=subprocess.DEVNULL, stdout=out,
                                stderr=out, start_new_session=True)

    def page(self, path):
        """Status and text of an admin page; None while nobody listens."""
        connection = http.client.HTTPConnection("127.0.0.1", self.admin_port, timeout=WAIT_S)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except OSError:
            return None, ""
        finally:
            connection.close()

    def ask(self, path):
        return self.page(path)[0]

    def metric(self, name, labels=None):
        """Its value: with exactly these labels, or added up."""
        status, text = self.page("/metrics")
        assert status == 200, text
        found = re.escape(f"{{{labels}}}") if labels else r"(?:\{[^}]*\})?"
        values = re.findall(rf"^{name}{found} (\S+)$", text, re.MULTILINE)
        assert values, f"no metric {name}"
        return sum(float(value) for value in values)

    def is_ready(self):
        return self.ask("/readyz") == 200

    @property
    def pid(self):
        return self.process.pid

    def children(self):
        return children_of(self.pid)

    def signal(self, number):
        self.process.send_signal(number)

    def wait_end(self, seconds=WAIT_S):
        return self.process.wait(seconds)

    def stop(self):
        """Ends it, and tells its exit status."""
        if self.process is None or self.process.poll() is not None:
            return self.process and self.process.returncode
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(WAIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(WAIT_S)
            raise


class Stack:
    page, metric = Daemon.page, Daemon.metric

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="loyal-test.")
        self.daemons = []
        self.log = Log(os.path.join(self.dir, "loyald.log"))
        self.reports_seen = set()

    def deploy(self, *words, timeout=180):
        return run(os.path.join(ROOT, "deploy", "stack"), "--dir", self.dir, *words, timeout=timeout)

    def start(self):
        # Held rows are let go by the tests; a lane that gives up on its own would hide what they look for.
        self.deploy("up", "--clock", FIRST_DAY, "--set", "workers = 2", "--set", "lock_timeout_ms = 20000",
                    "--set", "statement_timeout_ms = 25000",
                    "--set", "lookups_max = 100000", "--set", "worker_timeout_s = 60")
        self.ca = os.path.join(self.dir, "ca")
        self.authority = os.path.join(self.ca, "authority.crt")
        self.clock = Clock(os.path.join(self.dir, "clock"))
        self.operator = Bundle(os.path.join(self.dir, "operator"), "operator")
        self.operator_profile = os.path.join(self.dir, "operator.profile")
        conf = open(os.path.join(self.dir, "loyald.conf"), encoding="utf-8").read()
        self.port = int(re.search(r'listen = \{"127.0.0.1:(\d+)', conf)[1])
        self.admin_port = int(re.search(r'admin_listen = "127.0.0.1:(\d+)', conf)[1])
        self.socket_dir = re.search(r'postgres = "host=(\S+)', conf)[1]
        return self

    def stop(self):
        faults = []
        for daemon in self.daemons:
            try:
                daemon.stop()
            except Exception as fault:  # pylint: disable=broad-except
                faults.append(fault)
        self.deploy("down")
        shutil.rmtree(self.dir, ignore_errors=True)
        assert not faults, faults

    # --- certificates ---

    def bundle(self, merchant, code, folder=None):
        out = folder or os.path.join(self.dir, f"{merchant}-{code}")
        run(LOYALCTL, "cert", "terminal", "--ca", self.ca, "--merchant", merchant, "--code", code, "--out", out)
        return Bundle(out, "terminal", self.authority)

    def operator_bundle(self, name):
        out = os.path.join(self.dir, f"operator-{name}")
        run(LOYALCTL, "cert", "operator", "--ca", self.ca, "--operator", name, "--out", out)
        return Bundle(out, "operator", self.authority)

    def odd_bundle(self, name, san, usage="clientAuth", ca=None, days=(0, 30), digest="sha256"):
        """A certificate as no tool of ours would make it; days: from and to, counted from now."""
        folder = os.path.join(self.dir, "odd-" + name)
        ca = ca or self.ca
        os.makedirs(folder, exist_ok=True)
        bundle = Bundle(folder, "odd", self.authority)
        extensions = os.path.join(folder, "extensions")
        with open(extensions, "w", encoding="ascii") as file:
            file.write("basicConstraints = CA:false\n")
            file.write(f"extendedKeyUsage = {usage}\n" if usage else "")
            file.write(f"subjectAltName = {san}\n" if san else "")
        request = os.path.join(folder, "odd.csr")
        run("openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-subj", f"/CN={name}", "-keyout", bundle.key, "-out", request)
        self.sign(folder, request, bundle.certificate, ca, days, digest)
        return bundle

    @staticmethod
    def sign(folder, request, certificate, ca, days, digest):
        """By `openssl ca`, which alone can date a certificate."""
        with open(os.path.join(folder, "ca.conf"), "w", encoding="ascii") as file:
            file.write(f"[ca]\ndefault_ca = one\n[one]\ndatabase = {folder}/index\nnew_certs_dir = {folder}\nrand_serial = yes\n"
                       "unique_subject = no\npolicy = any\n[any]\ncommonName = supplied\n")
        with open(os.path.join(folder, "index"), "w", encoding="ascii"):
            pass
        now = datetime.datetime.now(datetime.timezone.utc)
        start, end = ((now + datetime.timedelta(days=day)).strftime("%Y%m%d%H%M%SZ") for day in days)
        run("openssl", "ca", "-batch", "-notext", "-config", os.path.join(folder, "ca.conf"), "-in", request, "-out", certificate,
            "-cert", os.path.join(ca, "authority.crt"), "-keyfile", os.path.join(ca, "authority.key"), "-md", digest,
            "-startdate", start, "-enddate", end, "-extfile", os.path.join(folder, "extensions"))

    # --- processes ---

    @property
    def pid(self):
        with open(os.path.join(self.dir, "loyald.pid"), encoding="ascii") as file:
            return int(file.read())

    def children(self):
        return children_of(self.pid)

    def is_ready(self):
        return Daemon.page(self, "/readyz")[0] == 200

    def is_whole(self):
        """Whether every worker is ready: a till may be at any."""
        status, text = self.page("/readyz")
        return status == 200 and all(worker["ready"] for worker in json.loads(text)["workers"])

    def postgres(self, *words):
        return run(os.path.join(ROOT, "deploy", "cluster"), words[0], os.path.join(self.dir, "cluster"), *words[1:],
                   timeout=120)

    def logs(self):
        return [self.log, *(daemon.log for daemon in self.daemons)]

    def sanitizer_reports(self):
        """What sanitizers (and asserts) have said since the last call."""
        found = []
        for log in self.logs():
            text = log.text(log.judged)
            log.judged += len(text.encode("utf-8", "replace"))
            match = REPORT.search(text)
            if match:
                found.append(f"{log.path}: {text[match.start():match.start() + 6000]}")
        for options in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
            match = re.search(r"log_path=([^:]+)", os.environ.get(options, ""))
            for path in glob.glob(match[1] + "*") if match else ():
                if path not in self.reports_seen and os.path.getsize(path):
                    self.reports_seen.add(path)
                    with open(path, encoding="utf-8", errors="replace") as file:
                        found.append(f"{path}: {file.read(6000)}")
        return found
