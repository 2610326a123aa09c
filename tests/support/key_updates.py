"""A TLS 1.3 peer that renews its keys without end, which Python's ssl does not offer: OpenSSL by ctypes, its records made ahead."""
import ctypes
import socket
import struct

from support.paths import WAIT_S
from support.proto import Request
from support.wire import frame

SSL, CRYPTO = ctypes.CDLL("libssl.so.3"), ctypes.CDLL("libcrypto.so.3")
for maker in (SSL.TLS_client_method, SSL.SSL_CTX_new, SSL.SSL_new, CRYPTO.BIO_s_mem, CRYPTO.BIO_new):
    maker.restype = ctypes.c_void_p
CRYPTO.BIO_ctrl_pending.restype = ctypes.c_size_t
PADDING = ctypes.CFUNCTYPE(ctypes.c_size_t, ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t, ctypes.c_void_p)
PEM, NOT_REQUESTED = 1, 0
RENEWAL_BYTES = 27  # of its record


def done(result):
    assert result == 1, result


class KeyUpdater:
    """Connected, and greeted for the merchant. What it says after that goes by way of `socket`."""

    def __init__(self, port, bundle, merchant):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.socket.settimeout(None)  # OpenSSL reads and writes it itself
        context = ctypes.c_void_p(SSL.SSL_CTX_new(ctypes.c_void_p(SSL.TLS_client_method())))
        done(SSL.SSL_CTX_use_certificate_chain_file(context, str(bundle.certificate).encode()))
        done(SSL.SSL_CTX_use_PrivateKey_file(context, str(bundle.key).encode(), PEM))
        self.ssl = ctypes.c_void_p(SSL.SSL_new(context))
        SSL.SSL_CTX_free(context)
        done(SSL.SSL_set_fd(self.ssl, self.socket.fileno()))
        done(SSL.SSL_connect(self.ssl))
        hello = frame(Request(id=1, hello={"version_min": 1, "version_max": 1, "merchant": merchant,
                                           "software": "renewer"}).SerializeToString())
        assert SSL.SSL_write(self.ssl, hello, len(hello)) == len(hello)
        assert SSL.SSL_read(self.ssl, ctypes.create_string_buffer(16384), 16384) > 0
        self.read = b""
        self.out = ctypes.c_void_p(CRYPTO.BIO_new(ctypes.c_void_p(CRYPTO.BIO_s_mem())))
        SSL.SSL_set0_wbio(self.ssl, self.out)

    def made(self):
        """The records made since it was asked last."""
        records = ctypes.create_string_buffer(CRYPTO.BIO_ctrl_pending(self.out) + 1)
        size = CRYPTO.BIO_read(self.out, records, len(records))
        return records.raw[:max(size, 0)]

    def renew(self):
        done(SSL.SSL_key_update(self.ssl, NOT_REQUESTED))
        done(SSL.SSL_do_handshake(self.ssl))

    def records(self, updates, last):
        """The records of so many renewals and of a frame after them."""
        for _ in range(updates):
            self.renew()
        assert SSL.SSL_write(self.ssl, last, len(last)) == len(last)
        return self.made()

    def span(self, size):
        """Renewals whose records are so long together: the last one is padded."""
        while size >= 2 * RENEWAL_BYTES:
            self.renew()
            size -= RENEWAL_BYTES
        padding = PADDING(lambda *_: size - RENEWAL_BYTES)
        SSL.SSL_set_record_padding_callback(self.ssl, padding)
        self.renew()
        SSL.SSL_set_record_padding_callback(self.ssl, None)
        return self.made()

    def messages(self, count):
        """Those of the next so many frames."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", int(WAIT_S), 0))
        found, piece = [], ctypes.create_string_buffer(16384)
        while len(found) < count:
            size = SSL.SSL_read(self.ssl, piece, len(piece))
            assert size > 0, f"{len(found)} answers of {count}, then none in time"
            self.read += piece.raw[:size]
            while len(self.read) >= 4 and len(self.read) >= 4 + (length := struct.unpack(">I", self.read[:4])[0]):
                found.append(self.read[4:4 + length])
                self.read = self.read[4 + length:]
        return found

    def close(self):
        SSL.SSL_free(self.ssl)
        self.socket.close()
