"""A client of the wire that shares no code with ours: Python's ssl, Google's encoder. Every reply passes schema.check."""
import select
import socket
import ssl
import struct
import time

from support import schema
from support.paths import WAIT_S
from support.proto import Request


class Closed(Exception):
    """The server ended the connection; `alert` is its TLS alert, or None after a clean end."""

    def __init__(self, alert=None):
        super().__init__(alert or "closed")
        self.alert = alert


class Reply:
    """An answer, and the request that it answers."""

    def __init__(self, response, message, code, fields):
        self.response, self.message, self.code = response, message, code
        self.outcome = response.outcome
        self.kind = schema.kind_name(response.outcome)
        self.recorded = response.outcome.recorded
        self.field = response.outcome.field
        name = response.WhichOneof("body")
        self.body = getattr(response, name) if name else None
        self.fields = fields or {}

    @property
    def key(self):
        return self.fields["key"]

    def ok(self):
        assert self.code == "OK", f"{self.message}: {self!r}"
        return self.body

    def refused(self, code):
        assert self.code == code, f"{self.message}: expected {code}, got {self!r}"
        return self

    def __repr__(self):
        return f"<{self.code} {self.outcome.text!r} {self.field} {str(self.body)[:200]!r}>"


def tls_context(authority, certificate=None, key=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_verify_locations(authority)
    if certificate:
        context.load_cert_chain(certificate, key)
    return context


def frame(data):
    return struct.pack(">I", len(data)) + data


class Connection:
    """One TLS connection. `bundle` has authority, certificate and key; hello=None says no Hello; raw: over this socket."""

    def __init__(self, port, bundle, hello="", version=(1, 1), context=None, raw=None):
        self.asked, self.fields, self.early, self.buffer = {}, {}, {}, b""
        self.next_id = 1
        raw = raw or socket.create_connection(("127.0.0.1", port), timeout=WAIT_S)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            context = context or tls_context(bundle.authority, bundle.certificate, bundle.key)
            self.socket = context.wrap_socket(raw, server_hostname="localhost")
        except BaseException:
            raw.close()
            raise
        self.welcome = None
        if hello is not None:
            self.welcome = self.hello(hello, version).ok()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    # --- sending ---

    def hello(self, merchant="", version=(1, 1)):
        return self.call("hello", version_min=version[0], version_max=version[1], merchant=merchant,
                         software="conformance 1")

    def build(self, message, fields, request_id=None, deadline_ms=0):
        """A request's bytes; its id counts as in flight from here on."""
        if request_id is None:
            request_id = self.next_id
            self.next_id += 1
        self.asked[request_id], self.fields[request_id] = message, fields
        return request_id, Request(id=request_id, deadline_ms=deadline_ms, **{message: fields}).SerializeToString()

    def submit(self, message, fields, request_id=None, deadline_ms=0):
        request_id, data = self.build(message, fields, request_id, deadline_ms)
        self.send(frame(data))
        return request_id

    def call(self, message, deadline_ms=0, **fields):
        return self.take(self.submit(message, fields, deadline_ms=deadline_ms))

    def send(self, data):
        try:
            self.socket.sendall(data)
        except (ssl.SSLError, OSError) as error:
            raise Closed(getattr(error, "reason", None) or str(error)) from error

    def send_message(self, data, request_id=0, message=None):
        """A frame of our own making; the reply will have this id."""
        self.asked[request_id] = message
        self.send(frame(data))
        return request_id

    # --- receiving ---

    def _read(self, count, deadline):
        while len(self.buffer) < count:
            left = deadline - time.monotonic()
            if left <= 0:
                raise AssertionError("no answer in time")
            self.socket.settimeout(left)
            try:
                data = self.socket.recv(65536)
            except socket.timeout as error:
                raise AssertionError("no answer in time") from error
            except (ssl.SSLError, OSError) as error:
                raise Closed(getattr(error, "reason", None) or str(error)) from error
            if not data:
                raise Closed()
            self.buffer += data
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def next(self, seconds=WAIT_S):
        """The next reply, whichever request it answers."""
        deadline = time.monotonic() + seconds
        (length,) = struct.unpack(">I", self._read(4, deadline))
        assert 0 < length <= 1048576, f"a frame of {length} bytes"
        response, message, code = schema.check(self._read(length, deadline), self.asked)
        self.asked.pop(response.id, None)
        return Reply(response, message, code, self.fields.pop(response.id, None))

    def take(self, request_id, seconds=WAIT_S):
        deadline = time.monotonic() + seconds
        while request_id not in self.early:
            reply = self.next(deadline - time.monotonic())
            self.early[reply.response.id] = reply
        return self.early.pop(request_id)

    def is_silent(self, seconds):
        """True when nothing arrives for so long."""
        if self.buffer or self.early or self.socket.pending():
            return False
        return not select.select([self.socket], [], [], seconds)[0]

    def wait_closed(self, seconds=WAIT_S):
        """Reads until the server ends the connection; an answer on the way is a failure."""
        try:
            reply = self.next(seconds)
        except Closed as closed:
            return closed.alert
        raise AssertionError(f"an answer where none was due: {reply!r}")
