"""A TLS 1.3 peer that renews its keys without end, which Python's ssl does not offer: OpenSSL by ctypes, its records made ahead."""
import ctypes
import socket

SSL, CRYPTO = ctypes.CDLL("libssl.so.3"), ctypes.CDLL("libcrypto.so.3")
for maker in (SSL.TLS_client_method, SSL.SSL_CTX_new, SSL.SSL_new, CRYPTO.BIO_s_mem, CRYPTO.BIO_new):
    maker.restype = ctypes.c_void_p
PEM, NOT_REQUESTED = 1, 0


def done(result):
    assert result == 1, result


class KeyUpdater:
    """Connected, and greeted by `hello`, a frame. What it says after that goes by way of `socket`."""

    def __init__(self, port, bundle, hello):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.socket.settimeout(None)  # OpenSSL reads and writes it itself
        context = ctypes.c_void_p(SSL.SSL_CTX_new(ctypes.c_void_p(SSL.TLS_client_method())))
        done(SSL.SSL_CTX_use_certificate_chain_file(context, str(bundle.certificate).encode()))
        done(SSL.SSL_CTX_use_PrivateKey_file(context, str(bundle.key).encode(), PEM))
        self.ssl = ctypes.c_void_p(SSL.SSL_new(context))
        SSL.SSL_CTX_free(context)
        done(SSL.SSL_set_fd(self.ssl, self.socket.fileno()))
        done(SSL.SSL_connect(self.ssl))
        assert SSL.SSL_write(self.ssl, hello, len(hello)) == len(hello)
        assert SSL.SSL_read(self.ssl, ctypes.create_string_buffer(16384), 16384) > 0
        self.out = ctypes.c_void_p(CRYPTO.BIO_new(ctypes.c_void_p(CRYPTO.BIO_s_mem())))
        SSL.SSL_set0_wbio(self.ssl, self.out)

    def records(self, updates, last):
        """The records of so many renewals and of a frame after them."""
        for _ in range(updates):
            done(SSL.SSL_key_update(self.ssl, NOT_REQUESTED))
            done(SSL.SSL_do_handshake(self.ssl))
        assert SSL.SSL_write(self.ssl, last, len(last)) == len(last)
        records = ctypes.create_string_buffer((updates + 1) * 100)
        size = CRYPTO.BIO_read(self.out, records, len(records))
        return records.raw[:size]

    def close(self):
        SSL.SSL_free(self.ssl)
        self.socket.close()
