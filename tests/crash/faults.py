"""Runs the crash test's clients against a stack and breaks things meanwhile: tests/crash/run calls it.

    faults.py ROOT BUILD STACK DIR SECONDS SEED FAULTS

Each fault is written to DIR/faults.log. Ends only processes that it started or that belong to the stack in STACK,
by their number. The status is 0 when all clients ended with definite answers and each kind of fault occurred.
"""
import json
import os
import random
import re
import signal
import struct
import subprocess
import sys
import threading
import time

IN_FLIGHT, MEMBERS = 16, 900
KINDS = ("worker", "worker", "master", "backend", "postmaster", "client", "client", "term", "maintenance")
GENTLE = ("term", "maintenance")  # beside those that must occur so often
WAIT_OK_S, DRAIN_S, START_S = 8, 110, 60


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def wait_until(seconds, condition):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


class Stack:
    """The daemon and the cluster of one folder."""

    def __init__(self, root, build, folder):
        self.root, self.build, self.folder = root, build, folder
        self.cluster_dir = os.path.join(folder, "cluster")
        self.conf = os.path.join(folder, "loyald.conf")
        self.process, self.starting, self.restarts = None, None, 0

    def master(self):
        try:
            with open(os.path.join(self.folder, "loyald.pid"), encoding="ascii") as file:
                pid = int(file.read())
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                return pid if self.conf.encode() in file.read().split(b"\0") else None
        except (OSError, ValueError):
            return None

    def children(self, prefix):
        pids = []
        try:
            with open(f"/proc/{self.master()}/task/{self.master()}/children", encoding="ascii") as file:
                for pid in map(int, file.read().split()):
                    with open(f"/proc/{pid}/comm", encoding="utf-8") as name:
                        if name.read().startswith(prefix):
                            pids.append(pid)
        except OSError:
            pass
        return pids

    def launch(self):
        """Until one stays: the ports of the one before may not be free yet."""
        end = time.monotonic() + START_S
        while time.monotonic() < end:
            with open(os.path.join(self.folder, "loyald.log"), "ab") as log:
                self.process = subprocess.Popen(
                    [os.path.join(self.build, "loyald"), "--config", self.conf], stdin=subprocess.DEVNULL,
                    stdout=log, stderr=log, start_new_session=True)
            mine = self.process
            wait_until(20, lambda: self.master() == mine.pid or mine.poll() is not None)
            if mine.poll() is None:
                return
            self.restarts += 1
            time.sleep(0.1)
        raise RuntimeError("loyald does not start again")

    def reap(self):
        if self.process:
            self.process.poll()

    def end_master(self, number):
        pid = self.master()
        if not pid:
            return False
        os.kill(pid, number)
        if not wait_until(40, lambda: self.reap() or not alive(pid)):
            raise RuntimeError(f"loyald {pid} does not end")
        return True

    def psql(self, sql):
        command = [os.path.join(self.root, "deploy/cluster"), "psql", self.cluster_dir, "-d", "loyal", "-qAtc", sql]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30,
                              env=dict(os.environ, PGCONNECT_TIMEOUT="5"), check=False)
        return done.stdout.split() if done.returncode == 0 else []

    def backend(self, rng):
        pids = self.psql("select pid from pg_stat_activity where application_name = 'loyald lane' order by pid")
        return int(rng.choice(pids)) if pids else None

    def postmaster(self):
        done = subprocess.run([os.path.join(self.root, "deploy/cluster"), "pid", self.cluster_dir],
                              capture_output=True, text=True, timeout=30, check=False)
        return int(done.stdout) if done.returncode == 0 else None

    def start_cluster(self):
        subprocess.run([os.path.join(self.root, "deploy/cluster"), "start", self.cluster_dir],
                       stdin=subprocess.DEVNULL, timeout=180, check=True)

    def cluster_up(self):
        """Waits for a start under way."""
        if self.starting:
            self.starting.join()
            self.starting = None


class Clients:
    def __init__(self, build, stack, folder, seed):
        with open(os.path.join(folder, "setup.json"), encoding="utf-8") as file:
            setup = json.load(file)
        self.build, self.stack, self.folder, self.seed = build, stack, folder, seed
        self.merchants = {n: code for n, code in setup["clients"].items() if n != "enrol"}
        with open(os.path.join(stack.folder, "loyald.conf"), encoding="utf-8") as file:
            self.port = re.search(r'listen = \{"127\.0\.0\.1:(\d+)"\}', file.read()).group(1)
        self.processes = {}

    def command(self, number, merchant, how):
        return [os.path.join(self.build, "tests/bench/crash_client"), self.folder, number, self.port,
                os.path.join(self.stack.folder, f"terminal-{number}"),
                os.path.join(self.stack.folder, "ca/authority.crt"), merchant, str(MEMBERS), str(IN_FLIGHT),
                str(self.seed), how]

    def start(self, number):
        # Blocked until the client listens: else an end in its first moments kills it with its questions unanswered.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        try:
            self.processes[number] = subprocess.Popen(self.command(number, self.merchants[number], "run"),
                                                      stdin=subprocess.DEVNULL)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})

    def kill(self, number):
        self.processes[number].kill()
        self.processes[number].wait()

    def oks(self):
        """How many OK all clients have written down, as of their state files."""
        total = 0
        for number in self.merchants:
            try:
                with open(os.path.join(self.folder, f"client-{number}.state"), "rb") as file:
                    total += struct.unpack("<qq", file.read(16))[0]
            except (OSError, struct.error):
                pass
        return total

    def last_ok_us(self):
        last = 0
        for number in self.merchants:
            try:
                with open(os.path.join(self.folder, f"client-{number}.state"), "rb") as file:
                    last = max(last, struct.unpack("<qq", file.read(16))[1])
            except (OSError, struct.error):
                pass
        return last

    def fallen(self):
        return [n for n, p in self.processes.items() if p.poll() is not None]

    def end(self):
        for process in self.processes.values():
            process.terminate()
        good = True
        for number, process in self.processes.items():
            try:
                status = process.wait(DRAIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
                status = process.wait()
            if status != 0:
                print(f"client {number} ended with {status}")
                good = False
        return good


class Faults:
    def __init__(self, stack, clients, rng, log):
        self.stack, self.clients, self.rng, self.log = stack, clients, rng, log
        self.counts = dict.fromkeys(KINDS, 0)

    def note(self, kind, pid):
        self.counts[kind] += 1
        self.log.write(json.dumps({"kind": kind, "us": time.time_ns() // 1000, "pid": pid}) + "\n")
        self.log.flush()

    def child(self, kind):
        wait_until(10, lambda: self.stack.children(kind))
        pids = self.stack.children(kind)
        if pids:
            pid = self.rng.choice(pids)
            os.kill(pid, signal.SIGKILL)
            self.note(kind, pid)

    def worker(self):
        self.child("worker")

    def maintenance(self):
        self.child("maintenance")

    def master(self):
        pid = self.stack.master()
        self.stack.end_master(signal.SIGKILL)
        if pid:
            self.note("master", pid)
        self.stack.launch()

    def term(self):
        self.note("term", self.stack.master())
        self.stack.end_master(signal.SIGTERM)
        self.stack.launch()

    def backend(self):
        self.stack.cluster_up()
        wait_until(10, lambda: self.stack.backend(self.rng))
        pid = self.stack.backend(self.rng)
        if pid and alive(pid):
            os.kill(pid, signal.SIGKILL)
            self.note("backend", pid)

    def postmaster(self):
        self.stack.cluster_up()
        pid = self.stack.postmaster()
        if pid:
            os.kill(pid, signal.SIGKILL)
            self.note("postmaster", pid)
            self.stack.starting = threading.Thread(target=self.stack.start_cluster)
            self.stack.starting.start()

    def client(self):
        number = self.rng.choice(sorted(self.clients.merchants))
        pid = self.clients.processes[number].pid
        self.clients.kill(number)
        self.note("client", pid)
        self.clients.start(number)

    def strike(self, kind):
        try:
            getattr(self, kind)()
        except ProcessLookupError:
            pass

    def total(self):
        """Of the kill -9 of a worker, the master, a backend, the postmaster, a client."""
        return sum(n for kind, n in self.counts.items() if kind not in GENTLE)


def moments(rng, seconds, count):
    return sorted(rng.uniform(0.5, seconds - 0.5) for _ in range(count))


def kinds_of(rng):
    while True:
        block = list(KINDS)
        rng.shuffle(block)
        yield from block


def run(stack, clients, faults, rng, plan):
    """Strikes at the moments of the plan; a quarter of them while the fault before may still hurt."""
    seconds, count = plan
    begin = time.monotonic()
    kinds, times = kinds_of(rng), moments(rng, seconds, count)
    struck_us = 0
    while faults.total() < count and time.monotonic() - begin < 2 * seconds + 60:
        at = times.pop(0) if times else time.monotonic() - begin + rng.uniform(0.2, 1.0)
        time.sleep(max(0.0, begin + at - time.monotonic()))
        if rng.random() < 0.75:
            wait_until(WAIT_OK_S, lambda since=struck_us: clients.last_ok_us() > since)
        faults.strike(next(kinds))
        struck_us = time.time_ns() // 1000
        for number in clients.fallen():
            raise RuntimeError(f"client {number} ended by itself")
    time.sleep(max(0.0, begin + seconds - time.monotonic()))
    return stack


def main():
    root, build, folder, logs = sys.argv[1:5]
    seconds, seed, count = float(sys.argv[5]), int(sys.argv[6]), int(sys.argv[7])
    rng = random.Random(seed)
    stack = Stack(root, build, folder)
    clients = Clients(build, stack, logs, seed)
    subprocess.run(clients.command("enrol", "north", "enrol"), stdin=subprocess.DEVNULL, timeout=120, check=True)
    good = False
    with open(os.path.join(logs, "faults.log"), "w", encoding="utf-8") as log:
        faults = Faults(stack, clients, rng, log)
        try:
            for number in clients.merchants:
                clients.start(number)
            run(stack, clients, faults, rng, (seconds, count))
            stack.cluster_up()
            good = clients.end()
        finally:
            for process in clients.processes.values():
                if process.poll() is None:
                    process.kill()
                    process.wait()
            stack.cluster_up()
    print(f"loyald had to be started again {stack.restarts} times, because it ended at its start")
    missing = [kind for kind, n in faults.counts.items() if n == 0]
    if count > 0 and (missing or faults.total() < count):
        print(f"{faults.total()} faults of {count}; kinds that did not occur: {missing}")
        good = False
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    main()
