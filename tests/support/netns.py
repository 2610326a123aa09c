"""A network namespace with one cable to ours, which can be cut: what a till does whose power fails. Needs root, `unshare`
and `ip`."""
import ctypes
import os
import socket
import subprocess
import threading

from support.paths import WAIT_S, run, wait_for

CLONE_NEWNET = 0x40000000


class Namespace:
    """`address` is ours, for a daemon to listen on; connect() gives sockets that live in the namespace."""

    def __init__(self):
        number = os.getpid() % 16000
        net = f"198.{18 + number // 8000}.{number // 32 % 250}.{number % 32 * 4}".rsplit(".", 1)
        self.address, self.inner = (f"{net[0]}.{int(net[1]) + n}" for n in (1, 2))
        self.cable = f"loy{os.getpid()}"[:15]
        self.process = subprocess.Popen(["unshare", "--net", "sleep", "900"], stdin=subprocess.DEVNULL)
        self.path = f"/proc/{self.process.pid}/ns/net"
        try:
            wait_for(lambda: os.readlink(self.path) != os.readlink("/proc/self/ns/net"), "a network namespace")
            run("ip", "link", "add", self.cable, "type", "veth", "peer", "name", "till", "netns", self.process.pid)
            run("ip", "addr", "add", f"{self.address}/30", "dev", self.cable)
            run("ip", "link", "set", self.cable, "up")
            self.inside("addr", "add", f"{self.inner}/30", "dev", "till")
            self.inside("link", "set", "till", "up")
        except BaseException:
            self.close()
            raise

    def inside(self, *words):
        run("nsenter", "--target", self.process.pid, "--net", "ip", *words)

    def connect(self, port):
        """Only the thread that makes the socket is ever in the namespace; the socket stays there."""
        made = []

        def enter():
            with open(self.path, "rb") as file:
                if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), CLONE_NEWNET) == 0:
                    made.append(socket.create_connection((self.address, port), timeout=WAIT_S))
        thread = threading.Thread(target=enter)
        thread.start()
        thread.join(WAIT_S)
        assert made, "no connection out of the network namespace"
        return made[0]

    def cut(self):
        """From now on every packet is lost, either way, and nobody is told."""
        self.inside("link", "set", "till", "down")

    def close(self):
        self.process.kill()
        self.process.wait(WAIT_S)
        subprocess.run(["ip", "link", "del", self.cable], stderr=subprocess.DEVNULL, check=False)
