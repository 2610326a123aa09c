"""Many connections at once, good and bad, by tests/bench/peers.c; and what a process costs meanwhile."""
import json
import os
import queue
import subprocess
import threading

from support.paths import BUILD, WAIT_S

TICKS = os.sysconf("SC_CLK_TCK")


class Peers:
    """A crowd of one kind. `tried` and `end` are what it reports: see tests/bench/peers.c."""

    def __init__(self, port, kind, count, bundle=None, rate=0, spread=True, greeting="loyal", merchant="", host="127.0.0.1"):
        words = ["--host", host, "--port", port, "--kind", kind, "--count", count, "--rate", rate, "--greeting", greeting,
                 "--merchant", merchant, *(["--spread"] if spread else [])]
        if bundle:
            words += ["--authority", bundle.authority, "--certificate", bundle.certificate, "--key", bundle.key]
        self.process = subprocess.Popen([os.path.join(BUILD, "tests/bench/peers"), *map(str, words)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.lines = queue.Queue()
        threading.Thread(target=lambda: [self.lines.put(json.loads(line)) for line in self.process.stdout], daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def tried(self, seconds=WAIT_S):
        """All have connected, and been greeted where that is their kind, or failed."""
        return self.lines.get(timeout=seconds)

    def end(self):
        """Ends all that are left, and says how many the other side had ended before."""
        self.process.stdin.close()
        self.process.wait(WAIT_S)
        report = self.lines.get(timeout=WAIT_S)
        while report["event"] != "end":
            report = self.lines.get(timeout=WAIT_S)
        return report

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(WAIT_S)


def memory_kb(pid):
    """Proportional set size: what is shared with other processes counts by its share."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Pss:"))


def cpu_s(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def tree_of(pid):
    """The process and its children, the process first."""
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [pid, *map(int, file.read().split())]


def kernel_bytes():
    """What all sockets of this machine take in the kernel; None where only root may know."""
    names = ("TCP", "sock_inode_cache", "filp", "eventpoll_epi", "eventpoll_pwq")
    try:
        with open("/proc/slabinfo", encoding="ascii") as file:
            rows = [line.split() for line in file.readlines()[2:]]
    except PermissionError:
        return None
    return sum(int(row[1]) * int(row[3]) for row in rows if row[0] in names)
