"""Who may connect. What is wrong with the chain ends in TLS, what is wrong with the name or the register in Hello."""
import ssl

import pytest

from support.paths import LOYALCTL, run
from support.stack import Bundle
from support.wire import Closed, Connection, frame, tls_context

GOOD = "URI:loyal://town/merchant/acme/terminal/till-1"


@pytest.fixture(scope="module")
def foreign_ca(stack):
    folder = stack.dir + "/foreign-ca"
    run(LOYALCTL, "cert", "authority", "--network", "town", "--out", folder)
    return folder


def assert_no_session(port, bundle, context=None):
    """In TLS 1.3 the client sees the refusal at its first read, as an alert."""
    try:
        with Connection(port, bundle, hello=None, context=context) as connection:
            with pytest.raises(Closed) as caught:
                connection.hello("acme")
            assert caught.value.alert, "ended without a TLS alert"
    except (ssl.SSLError, ConnectionError):
        pass


def assert_not_identified(port, bundle, merchant="acme"):
    with Connection(port, bundle, hello=None) as connection:
        connection.hello(merchant).refused("NOT_IDENTIFIED")
        connection.wait_closed()


def test_no_certificate(world):
    assert_no_session(world.stack.port, None, tls_context(world.stack.authority))


def test_another_authority(stack, world, foreign_ca):
    assert_no_session(world.stack.port, stack.odd_bundle("foreign", GOOD, ca=foreign_ca))


def test_a_certificate_that_has_ended(stack, world):
    bundle = stack.odd_bundle("ended", GOOD, days=(-2, -1))
    assert_no_session(world.stack.port, bundle)


def test_a_certificate_for_servers_only(stack, world):
    assert_no_session(world.stack.port, stack.odd_bundle("server", GOOD, usage="serverAuth"))


def test_tls_1_2(world):
    bundle = world.bundles["acme"]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(bundle.authority)
    context.load_cert_chain(bundle.certificate, bundle.key)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        Connection(world.stack.port, bundle, hello=None, context=context)


def test_no_session_ticket(world):
    with Connection(world.stack.port, world.bundles["acme"], "acme") as connection:
        connection.call("ping").ok()
        assert connection.socket.version() == "TLSv1.3"
        session = connection.socket.session
        assert session is None or not session.has_ticket


NAMES = {
    "no name": None,
    "no URI": "DNS:loyal.example",
    "two URIs": GOOD + ",URI:loyal://town/merchant/beta/terminal/till-1",
    "the same URI twice": GOOD + "," + GOOD,
    "another network": "URI:loyal://city/merchant/acme/terminal/till-1",
    "another scheme": "URI:https://town/merchant/acme/terminal/till-1",
    "more behind it": GOOD + "/x",
    "capitals": "URI:loyal://town/merchant/ACME/terminal/till-1",
    "no terminal": "URI:loyal://town/merchant/acme",
    "an empty terminal": "URI:loyal://town/merchant/acme/terminal/",
    "a terminal of 33 bytes": "URI:loyal://town/merchant/acme/terminal/" + "x" * 33,
    "percent signs": "URI:loyal://town/merchant/acme/terminal/till%2d1",
}


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_is_none_of_the_network(stack, world, name):
    assert_not_identified(world.stack.port, stack.odd_bundle(name.replace(" ", "-"), NAMES[name]))


def test_the_right_name_in_a_certificate_that_is_not_registered(stack, world):
    """Same authority, same name: the fingerprint decides."""
    assert_not_identified(world.stack.port, stack.odd_bundle("twin", GOOD))


def test_an_unknown_terminal(stack, world):
    assert_not_identified(world.stack.port, stack.bundle("acme", "till-nobody"))


def test_an_unknown_merchant(stack, world):
    assert_not_identified(world.stack.port, stack.bundle("nobody", "till-1"), "nobody")


def test_an_unknown_operator(stack, world):
    folder = stack.dir + "/mallory"
    run(LOYALCTL, "cert", "operator", "--ca", stack.ca, "--operator", "mallory", "--out", folder)
    assert_not_identified(world.stack.port, Bundle(folder, "operator", stack.authority), "")


def test_an_operator_with_a_terminals_fingerprint(stack, world):
    """A registered certificate does not lend its right to another name."""
    assert_not_identified(world.stack.port, stack.odd_bundle("climber", "URI:loyal://town/operator/admin"), "")


def test_a_stranger_who_does_not_wait(stack, world):
    """While the register is read again for him, what he sent behind Hello must not be served."""
    bundle = stack.bundle("acme", "till-stranger")
    card = world.tills["acme"].enrolled(10)
    for _ in range(5):
        with Connection(world.stack.port, bundle, hello=None) as connection:
            _, hello = connection.build("hello", {"version_min": 1, "version_max": 1, "merchant": "acme"})
            _, redeem = connection.build("redeem", world.tills["acme"].redeem_fields(card, 10))
            connection.send(frame(hello) + frame(redeem) + frame(b"\x0b\x0c"))
            connection.take(1).refused("NOT_IDENTIFIED")
            connection.wait_closed()
    assert world.tills["acme"].balance(card).available == 10


def test_a_stranger_who_is_gone_before_his_answer(stack, world):
    bundle = stack.bundle("acme", "till-hasty")
    for _ in range(10):
        connection = Connection(world.stack.port, bundle, hello=None)
        _, hello = connection.build("hello", {"version_min": 1, "version_max": 1, "merchant": "acme"})
        connection.send(frame(hello))
        connection.close()
    world.tills["acme"].connection.call("ping").ok()


def test_a_terminal_works_as_soon_as_it_is_registered(world):
    bundle = world.add_terminal("acme", "till-fresh")
    for _ in range(4):  # whichever worker he meets
        with Connection(world.stack.port, bundle, "acme") as connection:
            assert connection.welcome.name == "till-fresh"
