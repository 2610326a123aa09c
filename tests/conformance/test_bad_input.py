"""Whatever a client can send that is wrong: the code, the field and the reason that it is told, that nothing changes, and
whether its connection lives on. One row a fault; the ranges of every field are in test_fields.py, a daemon's own files in
test_daemon.py."""
import re
import ssl
import struct
import types

import pytest

from support.paths import run
from support.proto import REVOKED, SUSPENDED, Request
from support.stack import Bundle
from support.wire import Closed, Connection, frame, tls_context
from support.world import Till, member

INT64_MAX = 2 ** 63 - 1
DAY_S, HOUR_S = 86400, 3600
CUT = "cut"  # the connection ends after the answer

# Not part of what a request changes: the lease of maintenance, and the records of who was refused (R33) and who looked (R40).
ASIDE = {"refusal", "disclosure", "lease"}


def state_of(database):
    """Every table's rows, as one number each."""
    tables = [row["name"] for row in database.rows(
        "select c.relname::text as name from pg_class c where c.relnamespace = 'loyal'::regnamespace"
        " and c.relkind in ('r', 'p') and not c.relispartition")]
    assert len(tables) > 15
    return database.rows(" union all ".join(
        f"select '{name}' as name, count(*), sum(hashtextextended(t::text, 0)) from loyal.{name} t"
        for name in tables if name not in ASIDE) + " order by 1")


def varint(number):
    out = b""
    while number > 127:
        out, number = out + bytes([number & 127 | 128]), number >> 7
    return out + bytes([number])


def field(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data


# --- the faults: each sends one request on `at.till` and gives its reply ---

def raw(data):
    """Bytes as they are, headers included; the answer has id 0."""
    def send(at):
        at.till.connection.asked[0] = None
        at.till.connection.send(data)
        return at.till.connection.next()
    return send


def packed(text):
    """A message in hexadecimal, with id 1."""
    data = bytes.fromhex(text)

    def send(at):
        at.till.connection.send_message(data, 1)
        return at.till.connection.take(1)
    return send


def earn(**more):
    return lambda at: at.till.earn(at.card, **{"amount": 100, **more})


def empty_lines(count):
    """An earn whose basket is so many empty messages, which take four bytes of memory for one on the wire and more."""
    def send(at):
        fields = at.till.earn_fields(at.card, 100)
        request = Request(id=77, earn={**fields, "purchase": {}})
        purchase = Request(id=77, earn=fields).earn.purchase.SerializeToString()
        lines_tag = Request.DESCRIPTOR.fields_by_name["earn"].message_type.fields_by_name["purchase"]
        lines = lines_tag.message_type.fields_by_name["lines"].number
        body = request.earn
        body.ClearField("purchase")
        inner = body.SerializeToString() + field(lines_tag.number, purchase + field(lines, b"") * count)
        data = field(Request.DESCRIPTOR.fields_by_name["earn"].number, inner)
        at.till.connection.send_message(varint(1 << 3) + varint(77) + data, 77)
        return at.till.connection.take(77)
    return send


def one_byte_at_a_time(at):
    request_id, data = at.till.connection.build("redeem", at.till.redeem_fields(at.card, 0))
    for byte in frame(data):
        at.till.connection.send(bytes([byte]))
    return at.till.connection.take(request_id)


def two_glued(at):
    """The bad one is refused, the good one behind it is served."""
    bad, first = at.till.connection.build("redeem", at.till.redeem_fields(at.card, 0))
    good, then = at.till.connection.build("ping", {})
    at.till.connection.send(frame(first) + frame(then))
    at.till.connection.take(good).ok()
    return at.till.connection.take(bad)


def hello_of_another(at):
    with Connection(at.world.stack.port, at.till.bundle, hello=None) as connection:
        reply = connection.hello("beta")
        connection.wait_closed()
        return reply


def cursor_of(at, till):
    """That of a list whose first page leaves something for a second."""
    for _ in range(2):
        till.grant(at.card, key=till.key(), purpose=1 + _).ok()
    return till.call("list_entries", {"member": member(at.card), "page_rows": 1}).ok().cursor


def entries_with(till, at, cursor):
    return till.call("list_entries", {"member": member(at.card), "page_rows": 1, "cursor": cursor})


def changed_cursor(at):
    cursor = bytearray(at.cursor)
    cursor[len(cursor) // 2] ^= 1
    return entries_with(at.till, at, bytes(cursor))


def expired_cursor(at):
    at.world.clock.advance(seconds=HOUR_S)
    return entries_with(at.till, at, at.cursor)


FAULTS = {
    # frames
    "a frame of length 0": (raw(struct.pack(">I", 0)), "MALFORMED", "", "length is 0", CUT),
    "a frame over the limit": (raw(struct.pack(">I", 65537)), "MALFORMED", "", "longer than Limits", CUT),
    "a frame of 2^32-1 bytes": (raw(struct.pack(">I", 0xFFFFFFFF)), "MALFORMED", "", "longer than Limits", CUT),
    "a bad request, one byte at a time": (one_byte_at_a_time, "INVALID_FIELD", "redeem.points", "neither 0 nor empty"),
    "a bad request with a good one glued to it": (two_glued, "INVALID_FIELD", "redeem.points", "neither 0 nor empty"),
    # messages
    "not protobuf": (raw(frame(b"\x0b\x0c")), "MALFORMED", "", "a group", CUT),
    "an unknown message": (packed("08 01 b2 04 00"), "INVALID_FIELD", "#70", "no field of Request"),
    "no message": (packed("08 01"), "INVALID_FIELD", "body", "one of its members must be there"),
    "two messages": (packed("08 01 5a 00 aa 01 00"), "INVALID_FIELD", "find_member", "together with ping"),
    "an enum out of range": (packed("08 01 aa 01 07 0a 05 08 63 12 01 61"), "INVALID_FIELD",
                             "find_member.identifier.kind", "no value 99"),
    "invalid UTF-8": (packed("08 01 aa 01 08 0a 06 08 01 12 02 c3 28"), "INVALID_FIELD", "find_member.identifier.value", "UTF-8"),
    "a NUL": (packed("08 01 aa 01 09 0a 07 08 01 12 03 31 00 32"), "INVALID_FIELD", "find_member.identifier.value", "NUL"),
    "201 basket lines": (earn(lines=[{"product": "p", "quantity_milli": 1000, "amount_minor": 1}] * 201),
                         "INVALID_FIELD", "earn.purchase.lines", "200"),
    "32,500 empty messages": (empty_lines(32500), "INVALID_FIELD", "earn.purchase.lines[0].quantity_milli",
                              "neither 0 nor empty"),
    # numbers
    "no points": (lambda at: at.till.redeem(at.card, 0), "INVALID_FIELD", "redeem.points", "neither 0 nor empty"),
    "points below 0": (lambda at: at.till.redeem(at.card, -1), "INVALID_FIELD", "redeem.points", "not -1"),
    "INT64_MAX points": (lambda at: at.till.redeem(at.card, INT64_MAX), "INVALID_FIELD", "redeem.points", "1 to 1000000000000000,"),
    "an amount below 0": (earn(amount=-1), "INVALID_FIELD", "earn.purchase.amount_minor", "not -1"),
    "an amount of INT64_MAX": (earn(amount=INT64_MAX), "INVALID_FIELD", "earn.purchase.amount_minor", "0 to 1000000000000000,"),
    "a line of INT64_MAX": (earn(lines=[{"product": "p", "quantity_milli": INT64_MAX, "amount_minor": 1}]),
                            "INVALID_FIELD", "earn.purchase.lines[0].quantity_milli", "1 to 1000000000000,"),
    "a reversal of nothing": (lambda at: at.till.reverse(at.card, at.earned.key, amount=0), "INVALID_FIELD",
                              "reverse.amount_minor", "not 0"),
    "a sum that overflows": (lambda at: at.giant.earn(at.rich, 10 ** 15), "BALANCE_LIMIT", "earn.purchase.amount_minor",
                             "range of 64 bits"),
    "more paid in points than it cost": (earn(paid=101), "INVALID_FIELD", "earn.purchase.paid_in_points_minor",
                                         "at most amount_minor"),
    "a currency that nobody has": (earn(currency="XXX"), "WRONG_CURRENCY", "earn.purchase.currency", "merchant's currency"),
    "a currency that is none": (earn(currency="eur"), "INVALID_FIELD", "earn.purchase.currency", "three capital letters"),
    "more points than there are": (lambda at: at.till.redeem(at.card, 10 ** 9), "NOT_ENOUGH_POINTS", "redeem.points",
                                   "fewer points"),
    # what belongs to others
    "Hello for another merchant": (hello_of_another, "WRONG_MERCHANT", "hello.merchant", "another merchant"),
    "what operators ask": (lambda at: at.till.call("list_merchants", {}), "NOT_ALLOWED", "list_merchants", "role"),
    "another merchant's purchase reversed": (lambda at: at.beta.reverse(at.card, at.earned.key), "NO_ORIGINAL",
                                             "reverse.original_key", "no original"),
    "another merchant's ref": (lambda at: at.beta.earn(at.till.ref(at.card), 100), "UNKNOWN_MEMBER", "earn.member",
                               "not issued to this merchant"),
    "another merchant's cursor": (lambda at: entries_with(at.beta, at, at.cursor), "CURSOR_INVALID", "list_entries.cursor",
                                  "cursor"),
    "a changed cursor": (changed_cursor, "CURSOR_INVALID", "list_entries.cursor", "changed"),
    "an expired cursor": (expired_cursor, "CURSOR_INVALID", "list_entries.cursor", "older than an hour"),
    # keys and receipts
    "the same key with another body": (lambda at: at.till.earn(at.card, 999, key=at.earned.key), "KEY_REUSED", "earn.key",
                                       "another request"),
    "a key too old": (lambda at: at.till.earn(at.card, 100, key=at.till.key(-36 * DAY_S * 10 ** 6)), "TOO_OLD", "earn.key",
                      "older than the window"),
    "a key in the future": (lambda at: at.till.earn(at.card, 100, key=at.till.key(HOUR_S * 10 ** 6)), "KEY_IN_FUTURE",
                            "earn.key", "ahead of the server's"),
    "a receipt under a new key": (lambda at: at.till.earn(at.card, 1000, receipt=at.receipt), "DUPLICATE_RECEIPT",
                                  "earn.purchase.occasion.receipt", "under another key"),
    "a suspended member": (lambda at: at.till.earn(at.suspended, 100), "MEMBER_SUSPENDED", "earn.member", "suspended"),
    "a store that is none": (lambda at: at.till.earn(at.card, 100, store="nowhere"), "UNKNOWN_STORE",
                             "earn.purchase.occasion.store", "no such store"),
    "a grant of a source that is none": (lambda at: at.till.grant(at.card, source="nobody"), "UNKNOWN_MERCHANT",
                                         "set_grant.grant.source", "no such merchant"),
    "a grant to another merchant": (lambda at: at.till.grant(at.card, recipient="beta"), "NOT_ALLOWED",
                                    "set_grant.grant.recipient", "own merchant"),
}


@pytest.fixture(scope="module")
def at(shared_world, stack):
    """Who and what the faults are about: made before, because nothing may change while they are sent."""
    del stack
    world = shared_world
    world.refresh()
    acme, giant = world.tills["acme"], world.tills["giant"]
    made = types.SimpleNamespace(world=world, till=acme, beta=world.tills["beta"], giant=giant, card=acme.enrolled(),
                                 rich=giant.enrolled(), suspended=acme.enrolled(), receipt="bad-input-1")
    made.earned = acme.earn(made.card, 1000, receipt=made.receipt)
    made.earned.ok()
    for _ in range(20):
        if giant.earn(made.rich, 10 ** 15).code != "OK":
            break
    world.set_standing(SUSPENDED, member=member(made.suspended)).ok()
    made.cursor = cursor_of(made, acme)
    made.beta.ref(made.card)
    acme.ref(made.card)
    return made


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_named_and_changes_nothing(world, database, at, name):
    send, code, named, reason, *cut = FAULTS[name]
    before = state_of(database)
    with Till(world, "acme", world.bundles["acme"]) as till:
        at.till = till
        if "cursor" in name:
            at.cursor = entries_with(till, at, b"").ok().cursor
        reply = send(at)
        assert reply.code == code and reply.field == named, reply
        assert reason in reply.outcome.text, reply
        if cut:
            till.connection.wait_closed()
        else:
            till.connection.call("ping").ok()
    assert state_of(database) == before


def test_a_frame_cut_off_changes_nothing(world, database, at):
    before = state_of(database)
    for share in (1, 4, 5, 40):
        with Till(world, "acme", world.bundles["acme"]) as till:
            _, data = till.connection.build("earn", till.earn_fields(at.card, 100))
            till.connection.send(frame(data)[:share])
    world.tills["acme"].connection.call("ping").ok()
    assert state_of(database) == before


def test_a_terminal_revoked_in_mid_session(world, database):
    bundle = world.add_terminal("acme", "till-revoked")
    card = world.tills["acme"].enrolled()
    with Till(world, "acme", bundle) as till:
        till.earn(card, 100).ok()
        world.set_standing(REVOKED, terminal={"merchant": "acme", "code": "till-revoked"}).ok()
        before = state_of(database)
        try:
            till.earn(card, 100).refused("NOT_IDENTIFIED")
            till.connection.wait_closed()
        except Closed:
            pass  # cut before it was read
        assert state_of(database) == before


# --- certificates ---

def self_signed(stack):
    folder = stack.dir + "/self-signed"
    run("mkdir", "-p", folder)
    bundle = Bundle(folder, "odd", stack.authority)
    run("openssl", "req", "-x509", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=x",
        "-days", "30", "-addext", f"subjectAltName={NAME}", "-addext", "extendedKeyUsage=clientAuth", "-keyout", bundle.key,
        "-out", bundle.certificate)
    return bundle


def of_another_authority(stack):
    folder = stack.dir + "/other-authority"
    run("mkdir", "-p", folder)
    run("openssl", "req", "-x509", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=x",
        "-days", "30", "-keyout", folder + "/authority.key", "-out", folder + "/authority.crt")
    return stack.odd_bundle("other-authority", NAME, ca=folder)


NAME = "URI:loyal://town/merchant/acme/terminal/till-1"
# What the client sees, an alert of TLS or an answer to Hello, and the reason: in the daemon's log, and in the answer's text.
CERTIFICATES = {
    "expired": (lambda stack: stack.odd_bundle("expired", NAME, days=(-2, -1)),
                "SSLV3_ALERT_CERTIFICATE_EXPIRED", "certificate has expired"),
    "not yet valid": (lambda stack: stack.odd_bundle("not-yet", NAME, days=(1, 2)),
                      "SSLV3_ALERT_BAD_CERTIFICATE", "certificate is not yet valid"),
    "self-signed": (self_signed, "TLSV1_ALERT_UNKNOWN_CA", "self-signed certificate"),
    "of another authority": (of_another_authority, "TLSV1_ALERT_UNKNOWN_CA", "unable to get local issuer certificate"),
    "with serverAuth only": (lambda stack: stack.odd_bundle("server-only", NAME, usage="serverAuth"),
                             "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE", "unsuitable certificate purpose"),
    "signed with SHA-1": (lambda stack: stack.odd_bundle("sha1", NAME, digest="sha1"),
                          "SSLV3_ALERT_BAD_CERTIFICATE", "CA signature digest algorithm too weak"),
    "good, but in TLS 1.2": (lambda stack: stack.odd_bundle("old-tls", NAME), "TLSV1_ALERT_PROTOCOL_VERSION",
                             "unsupported protocol"),
    "without a SAN": (lambda stack: stack.odd_bundle("no-san", None), "NOT_IDENTIFIED",
                      "its subject alternative name (SAN) is missing"),
    "with two SANs": (lambda stack: stack.odd_bundle("two-sans", NAME + "," + NAME), "NOT_IDENTIFIED",
                      "its subject alternative name (SAN) holds more than one URI"),
    "with a SAN of another network": (lambda stack: stack.odd_bundle("city", NAME.replace("town", "city")), "NOT_IDENTIFIED",
                                      "its subject alternative name (SAN) is of another network"),
    "for no use": (lambda stack: stack.odd_bundle("no-use", NAME, usage=None), "NOT_IDENTIFIED",
                   "its extended key usage does not say clientAuth"),
}
SAN = "it must be one URI, loyal://town/merchant/M/terminal/T or loyal://town/operator/O"


def careless(bundle, name):
    """A client that would present even a certificate that its own OpenSSL finds too weak."""
    context = tls_context(bundle.authority)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.load_cert_chain(bundle.certificate, bundle.key)
    if "TLS 1.2" in name:
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


@pytest.mark.parametrize("name", CERTIFICATES)
def test_a_bad_certificate_gets_no_session(world, stack, database, name):
    make, end, reason = CERTIFICATES[name]
    bundle, before, start = make(stack), state_of(database), stack.log.mark()
    answer = None
    try:
        with Connection(stack.port, bundle, hello=None, context=careless(bundle, name)) as connection:
            answer = connection.hello("acme").refused("NOT_IDENTIFIED")
            connection.wait_closed()
            found = answer.code
    except Closed as closed:
        found = closed.alert
    except ssl.SSLError as error:  # TLS 1.2 tells it before the handshake is done
        found = error.reason
    assert found == end
    if answer:
        assert reason in answer.outcome.text and "Have the operator make another" in answer.outcome.text
        assert ("SAN" in reason) == (SAN in answer.outcome.text)
    event = "certificate_refused" if answer else "handshake_failed"
    stack.log.wait(re.escape(f'{event} reason="{reason}') + ("" if answer else '"'), start)
    world.tills["acme"].connection.call("ping").ok()
    assert state_of(database) == before
