"""The byte examples of PROTOCOL.md, sent as they stand."""
import struct

import pytest
from google.protobuf.message import DecodeError

from support import schema
from support.documents import examples
from support.proto import Request, Response
from support.wire import Connection

EXAMPLES = examples()
REQUESTS = [example for example in EXAMPLES.values() if example.direction == "request"]
RESPONSES = [example for example in EXAMPLES.values() if example.direction == "response"]


def message_of(data):
    """What it can be known to ask: an example need not be readable."""
    request_id = data[5] if data[4:5] == b"\x08" else 0
    request = Request()
    try:
        request.ParseFromString(data[4:])
    except DecodeError:
        return request_id, None
    return request_id, request.WhichOneof("body")


def send(connection, example):
    request_id, message = message_of(example.data)
    connection.asked[request_id] = connection.asked[0] = message
    connection.send(example.data)
    return connection.next()


@pytest.mark.parametrize("example", REQUESTS, ids=lambda example: example.name)
def test_request(example, world):
    with Connection(world.stack.port, world.bundles["acme"], hello=None) as connection:
        if example.after:
            send(connection, EXAMPLES[example.after]).ok()
        reply = send(connection, example)
        if example.expect in schema.TABLE:
            reply.refused(example.expect)
            assert reply.field == example.field
        else:
            reply.ok()
            assert reply.response.WhichOneof("body") == example.expect
        if reply.code in schema.CLOSES:
            assert connection.wait_closed() is None
        elif example.after or reply.code == "OK":
            connection.call("ping").ok()
        else:
            connection.hello("acme").ok()


@pytest.mark.parametrize("example", RESPONSES, ids=lambda example: example.name)
def test_response(example):
    (length,) = struct.unpack(">I", example.data[:4])
    assert length == len(example.data) - 4
    response = Response()
    response.ParseFromString(example.data[4:])
    schema.check(example.data[4:], {response.id: response.WhichOneof("body")})
