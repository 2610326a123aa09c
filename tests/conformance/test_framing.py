"""Frames and bytes: cut, glued, too long, empty; what protobuf cannot read, and what it can but must not pass."""
import socket
import struct

import pytest

from support.proto import Request
from support.wire import Closed, Connection, frame

PING = Request(id=7, ping={}).SerializeToString()
OTHER = Request(id=8, ping={}).SerializeToString()


@pytest.fixture
def connection(world):
    with Connection(world.stack.port, world.bundles["acme"], "acme") as made:
        yield made


def ask(connection, data, request_id=0):
    connection.asked[0] = None
    connection.asked[request_id] = None
    connection.send(frame(data))
    return connection.next()


def test_a_frame_cut_into_bytes(connection):
    connection.asked[7] = "ping"
    for at in range(len(frame(PING))):
        connection.send(frame(PING)[at:at + 1])
    connection.next().ok()


def test_two_frames_in_one_piece(connection):
    connection.asked.update({7: "ping", 8: "ping"})
    connection.send(frame(PING) + frame(OTHER))
    assert {connection.next().response.id, connection.next().response.id} == {7, 8}


def test_a_frame_and_a_half_then_the_rest(connection):
    connection.asked.update({7: "ping", 8: "ping"})
    both = frame(PING) + frame(OTHER)
    connection.send(both[:-3])
    connection.next().ok()
    assert connection.is_silent(0.2)
    connection.send(both[-3:])
    assert connection.next().response.id == 8


def test_many_records_in_one_piece(connection):
    """Nothing comes after them that would wake who forgot the rest."""
    raw, count = connection.socket, 300
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
    for request_id in range(100, 100 + count):
        connection.asked[request_id] = "ping"
        connection.send(frame(Request(id=request_id, ping={}).SerializeToString()))
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)
    assert {connection.next().response.id for _ in range(count)} == set(range(100, 100 + count))


def test_the_longest_frame_is_read(connection):
    head = Request(id=5, ping={}).SerializeToString()
    room = 65536 - len(head) - 2 - 3  # tag of field 99: 2 bytes; its length: 3
    data = head + bytes([0x9A, 0x06]) + bytes([room & 0x7F | 0x80, room >> 7 & 0x7F | 0x80, room >> 14]) + b"x" * room
    assert len(data) == 65536
    assert ask(connection, data, 5).refused("INVALID_FIELD").field == "#99"


@pytest.mark.parametrize("length", [0, 65537, 0x7FFFFFFF, 0xFFFFFFFF])
def test_a_length_out_of_bounds(connection, length):
    """Known from the header alone: nothing else is sent."""
    connection.asked[0] = None
    connection.send(struct.pack(">I", length))
    connection.next().refused("MALFORMED")
    connection.wait_closed()


MALFORMED = {
    "a field cut short": PING[:-1],
    "a string longer than the rest": bytes.fromhex("08 01 52 04 1a 7f 61 62"),
    "a varint of 11 bytes": bytes.fromhex("08" + "80" * 10 + "01 5a 00"),
    "a tag of 6 bytes": bytes.fromhex("08 01 da 80 80 80 80 00 00"),
    "a length of 6 bytes": bytes.fromhex("08 01 5a 80 80 80 80 80 00"),
    "field number 0": bytes.fromhex("08 01 02 00 5a 00"),
    "a group": bytes.fromhex("08 01 5b 5c"),
    "the wrong wire type": bytes.fromhex("0d 01 00 00 00 5a 00"),
    "the wrong wire type of a message": bytes.fromhex("08 01 58 01"),
    "wire type 7": bytes.fromhex("08 01 5f"),
    "noise": bytes(range(200, 256)) * 3,
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
def test_malformed(connection, data):
    ask(connection, data, data[1]).refused("MALFORMED")
    connection.wait_closed()


def test_malformed_closes_also_with_requests_behind_it(connection):
    """What follows a frame that cannot be read is not read."""
    connection.asked.update({0: None, 1: None})
    connection.send(frame(MALFORMED["a group"]) + frame(PING))
    connection.next().refused("MALFORMED")
    connection.wait_closed()


INVALID = {
    "no body": ("08 01", None),
    "no id": ("5a 00", "id"),
    "id 0 written out": ("08 00 5a 00", "id"),
    "an unknown field at the top": ("08 01 5a 00 a0 06 01", "#100"),
    "an unknown field below": ("08 01 5a 03 f8 06 01", "ping.#111"),
    "an unknown message": ("08 01 b2 04 00", "#70"),
    "a field sent twice": ("08 01 08 02 5a 00", "id"),
    "two members of a oneof": ("08 01 5a 00 aa 01 00", "find_member"),
    "a message sent twice": ("08 01 5a 00 5a 00", "ping"),
    "an integer outside its type": ("08 01 10 80 80 80 80 10 5a 00", "deadline_ms"),
    "an unknown enum value": ("08 01 aa 01 07 0a 05 08 63 12 01 61", "find_member.identifier.kind"),
    "a string with a NUL": ("08 01 aa 01 09 0a 07 08 01 12 03 31 00 32", "find_member.identifier.value"),
    "a string that is not UTF-8": ("08 01 aa 01 08 0a 06 08 01 12 02 c3 28", "find_member.identifier.value"),
    "an overlong UTF-8 form": ("08 01 aa 01 08 0a 06 08 01 12 02 c0 80", "find_member.identifier.value"),
    "a surrogate": ("08 01 aa 01 09 0a 07 08 01 12 03 ed a0 80", "find_member.identifier.value"),
    "two members of a lower oneof": ("08 01 b2 01 1e 0a 1c 0a 11" + "01" * 17 + "12 07 08 01 12 03 31 32 33",
                                     "get_balance.member.identifier"),
}


@pytest.mark.parametrize("text,field", INVALID.values(), ids=INVALID)
def test_readable_but_against_a_rule(connection, text, field):
    reply = ask(connection, bytes.fromhex(text), 1).refused("INVALID_FIELD")
    assert field is None or reply.field == field
    connection.call("ping").ok()


FINE = {
    "fields in another order": "5a 00 08 07",
    "a padded varint": "08 87 80 80 80 00 5a 00",
    "a padded length": "08 07 5a 80 80 80 00",
    "a default written out": "08 07 10 00 5a 00",
}


@pytest.mark.parametrize("text", FINE.values(), ids=FINE)
def test_unusual_but_fine(connection, text):
    connection.asked[7] = "ping"
    connection.send(frame(bytes.fromhex(text)))
    connection.next().ok()


def test_any_64_bits_are_an_id(connection):
    for number in (1 << 63, (1 << 64) - 1, 1):
        assert connection.take(connection.submit("ping", {}, request_id=number)).response.id == number


def test_garbage_instead_of_tls_harms_nobody(world, connection):
    with socket.create_connection(("127.0.0.1", world.stack.port), timeout=10) as raw:
        raw.sendall(b"GET / HTTP/1.1\r\n\r\n" * 50)
        try:
            while raw.recv(4096):
                pass
        except ConnectionError:
            pass
    connection.call("ping").ok()


def test_a_client_that_vanishes_in_the_middle_of_a_frame(world, connection):
    with Connection(world.stack.port, world.bundles["acme"], "acme") as other:
        other.send(frame(PING)[:6])
    with pytest.raises((Closed, OSError)):
        other.send(b"x")
    connection.call("ping").ok()
