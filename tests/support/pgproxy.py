"""A proxy between loyald and PostgreSQL that stops the stream at a chosen message. It owns one unix socket in a folder of
its own (`postgres = "host=FOLDER ..."`), passes everything on unread but for the messages' frames, and changes nothing.

    with PgProxy(upstream_folder) as proxy:
        stop = proxy.stop_at(READY_AFTER_COMMIT)   # once, on the next connection that comes to it
        ...
        stop.wait()                                # something stands there now, and what came before it was passed on
        stop.go()  or  stop.cut()                  # pass it on, or end the connection, the message never passed on

While proxy.is_parted, the server does not learn that a client has gone, as when the network between them is cut.
PgProxy(upstream_folder, delay_s=0.05) delays everything by so long each way, as a distant server would.
"""
import os
import queue
import re
import select
import shutil
import socket
import struct
import tempfile
import threading
import time

PORT = 5432
LANE = "loyald lane"  # application_name of the connections that post

# Where a stream can be stopped: before this message is passed on.
BEGIN = "begin"  # to the server: a batch begins
COMMIT = "commit"  # to the server: its writes were passed on, COMMIT is not
COMMITTED = "committed"  # to the client: COMMIT was passed on, its own result is not
READY_AFTER_COMMIT = "ready after commit"  # to the client: the result of COMMIT was passed on, the Sync's is not


class Stop:
    """One message that is to be held back, once."""

    def __init__(self, point):
        self.point = point
        self._reached = threading.Event()
        self._decided = threading.Event()
        self._is_cut = False

    def wait(self, seconds=10):
        assert self._reached.wait(seconds), f"nothing came to: {self.point}"

    def is_reached(self):
        return self._reached.is_set()

    def go(self):
        self._decided.set()

    def cut(self):
        self._is_cut = True
        self._decided.set()

    def hold(self):
        """Called by the proxy: true when the message may pass."""
        self._reached.set()
        self._decided.wait()
        return not self._is_cut


class _Link:
    """One connection and its two streams, each read by a thread of its own."""

    def __init__(self, proxy, client):
        self.proxy = proxy
        self.client = client
        self.server = socket.socket(socket.AF_UNIX)
        self.server.connect(proxy.upstream)
        self.application = ""
        self.statements = {}  # name -> SQL, from Parse
        self.is_committed = False  # the last thing the server said was COMMIT
        self.lines = {self.server: queue.Queue(), self.client: queue.Queue()}  # what is due to go there, and when
        streams = [(self._to_server,), (self._to_client,)]
        streams += [(self._deliver, end) for end in self.lines] if proxy.delay_s else []
        self.threads = [threading.Thread(target=self._run, args=stream, daemon=True) for stream in streams]

    def start(self):
        for thread in self.threads:
            thread.start()

    def close(self, is_all=False):
        for end in (self.client, self.server) if is_all or not self.proxy.is_parted else (self.client,):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def join(self):
        self.close(is_all=True)
        for line in self.lines.values():
            line.put((0, b""))
        for thread in self.threads:
            thread.join(10)
        self.client.close()
        self.server.close()

    def _run(self, stream, *end):
        try:
            stream(*end)
        except OSError:
            pass
        self.close()

    def _send(self, end, data):
        if self.proxy.delay_s:
            self.lines[end].put((time.monotonic() + self.proxy.delay_s, data))
        else:
            end.sendall(data)

    def _deliver(self, end):
        while True:
            due, data = self.lines[end].get()
            if not data:
                return
            time.sleep(max(0.0, due - time.monotonic()))
            end.sendall(data)

    def _to_server(self):
        buffer = _Buffer(self.client)
        size = buffer.peek(4)  # the startup message comes first; libpq asks for no encryption on a unix socket
        message = size and buffer.take(struct.unpack("!i", size)[0])
        if not message:
            return
        words = message[8:].split(b"\0")
        self.application = dict(zip(words[::2], words[1::2])).get(b"application_name", b"").decode()
        self._send(self.server, message)
        for message in buffer.messages():
            is_farewell = message[:1] == b"X"
            if (is_farewell and self.proxy.is_parted) or not self._may_pass(self._point_to_server(message)):
                return
            self._send(self.server, message)

    def _point_to_server(self, message):
        if message[:1] == b"P":
            name, sql = message[5:].split(b"\0")[:2]
            self.statements[name] = sql.decode()
        elif message[:1] == b"B":
            name = message[5:].split(b"\0", 2)[1]
            self.proxy.asked.append((self.application, self.statements.get(name, "")))
            verb = re.match(r"\s*(\w*)", self.statements.get(name, "")).group(1).lower()
            return {"begin": BEGIN, "commit": COMMIT}.get(verb)
        return None

    def _to_client(self):
        for message in _Buffer(self.server).messages():
            if not self._may_pass(self._point_to_client(message)):
                return
            self._send(self.client, message)

    def _point_to_client(self, message):
        was_committed, self.is_committed = self.is_committed, message[:1] + message[5:] == b"CCOMMIT\0"
        if self.is_committed:
            return COMMITTED
        return READY_AFTER_COMMIT if message[:1] == b"Z" and was_committed else None

    def _may_pass(self, point):
        stop = self.proxy.take(point, self.application) if point else None
        return stop is None or stop.hold()


class _Buffer:
    """Whole messages of a stream: a type byte, a length that counts itself, the rest."""

    def __init__(self, source):
        self.source = source
        self.bytes = b""

    def fill(self):
        more = self.source.recv(65536)
        self.bytes += more
        return bool(more)

    def peek(self, size):
        while len(self.bytes) < size:
            if not self.fill():
                return None
        return self.bytes[:size]

    def take(self, size):
        taken = self.peek(size)
        if taken is not None:
            self.bytes = self.bytes[size:]
        return taken

    def messages(self):
        while True:
            head = self.peek(5)
            if head is None:
                return
            message = self.take(1 + struct.unpack("!i", head[1:])[0])
            if message is None:
                return
            yield message


class PgProxy:
    def __init__(self, upstream_folder, delay_s=0.0):
        self.delay_s = delay_s
        self.is_parted = False
        self.upstream = os.path.join(upstream_folder, f".s.PGSQL.{PORT}")
        self.folder = tempfile.mkdtemp(prefix="loyal-proxy.", dir="/tmp")  # sun_path is short
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(os.path.join(self.folder, f".s.PGSQL.{PORT}"))
        self._listener.listen(32)
        self._wake, self._woken = socket.socketpair()
        self._lock = threading.Lock()
        self._links = []
        self._stops = []  # (stop, application) not yet reached
        self._all = []
        self.asked = []  # (application, SQL) of each statement that went to the server
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def stop_at(self, point, application=LANE):
        """The next message at this point, of a connection with this application_name, is held back."""
        stop = Stop(point)
        with self._lock:
            self._stops.append((stop, application))
            self._all.append(stop)
        return stop

    def take(self, point, application):
        with self._lock:
            for waiting in self._stops:
                if waiting[0].point == point and waiting[1] == application:
                    self._stops.remove(waiting)
                    return waiting[0]
        return None

    def forget(self):
        """No stop stays behind: those not reached never will be, and what is held back passes."""
        with self._lock:
            self._stops.clear()
            stops, self._all = self._all, []
        for stop in stops:
            stop.go()

    def close(self):
        self._wake.close()
        self._thread.join(10)
        for stop in self._all:
            stop.cut()
        for link in self._links:
            link.join()
        self._listener.close()
        self._woken.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _accept(self):
        while True:
            ready, _, _ = select.select([self._listener, self._woken], [], [])
            if self._woken in ready:
                return
            client, _ = self._listener.accept()
            try:
                link = _Link(self, client)
            except OSError:  # no server: what the client sees is a connection that ends
                client.close()
                continue
            self._links.append(link)
            link.start()
