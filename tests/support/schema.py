"""Judges every reply of the test run against the .proto files and the tables of PROTOCOL.md, and remembers which
messages and result codes were seen. wire.py calls it for each frame that arrives; nothing else may read a reply."""
import re

from google.protobuf.descriptor import FieldDescriptor

from support.paths import PROTOCOL
from support.proto import AMOUNT, BASKET, MERCHANT_AND_DATE, MESSAGES, Response, result

ROW = re.compile(r"^\| (\d+) `(\w+)` \| (\w+) \| (yes)? *\|([^|]*)\|", re.M)
TEXT_MAX, FIELD_MAX, RETRY_MS_MAX = 300, 160, 60000
REF_BYTES, KEY_BYTES, CURSOR_BYTES_MAX = 17, 16, 256
BYTES = {"ref": REF_BYTES, "refs": REF_BYTES, "purchase_id": REF_BYTES, "entry_key": KEY_BYTES, "grant_key": KEY_BYTES,
         "original_key": KEY_BYTES}
KEYED = {"enrol_member", "earn", "redeem", "reverse", "set_grant", "erase_member"}
BODY_BESIDE_OK = {"DUPLICATE_RECEIPT", "ALREADY_ENROLLED"}
CLOSES = {"MALFORMED", "NOT_IDENTIFIED", "WRONG_MERCHANT"}


def _table():
    with open(PROTOCOL, encoding="utf-8") as file:
        rows = ROW.findall(file.read())
    return {name: (int(number), kind, recorded == "yes", fields.replace("`", "").split())
            for number, name, kind, recorded, fields in rows}


TABLE = _table()


class Coverage:
    """What the run has exercised: (message, code) pairs."""

    def __init__(self):
        self.seen = set()

    def add(self, message, code):
        self.seen.add((message, code))

    def codes_missing(self):
        return sorted(set(TABLE) - {code for _, code in self.seen})

    def messages_missing(self):
        return sorted(set(MESSAGES) - {message for message, code in self.seen if code == "OK"})


coverage = Coverage()


def code_name(outcome):
    return result.ResultCode.Name(outcome.code).removeprefix("RESULT_CODE_")


def kind_name(outcome):
    return result.OutcomeKind.Name(outcome.kind).removeprefix("OUTCOME_KIND_")


def _walk(message, path):
    assert len(message.UnknownFields()) == 0, f"unknown field in {path or 'Response'}"
    for field, value in message.ListFields():
        here = f"{path}.{field.name}".lstrip(".")
        values = value if field.label == FieldDescriptor.LABEL_REPEATED else [value]
        for item in values:
            if field.type == FieldDescriptor.TYPE_MESSAGE:
                _walk(item, here)
            elif field.type == FieldDescriptor.TYPE_BYTES and field.name in BYTES:
                assert len(item) in (0, BYTES[field.name]), f"{here} has {len(item)} bytes"
            elif field.type == FieldDescriptor.TYPE_ENUM:
                assert item in field.enum_type.values_by_number, f"{here}: unknown enum value {item}"
            elif field.type == FieldDescriptor.TYPE_STRING:
                assert "\0" not in item, f"{here}: holds a NUL"
    judge = JUDGES.get(message.DESCRIPTOR.name)
    if judge:
        judge(message, path)


# --- what is true of a message wherever it stands ---

def _check_purchase(row, path):
    """R38: what is not granted is masked."""
    assert len(row.purchase_id) == REF_BYTES and row.kind, f"{path}: without id or kind"
    assert row.fields and len(set(row.fields)) == len(row.fields), f"{path}.fields"
    assert MERCHANT_AND_DATE in row.fields or not (row.merchant or row.business_date or row.channel), path
    assert AMOUNT in row.fields or not (row.amount_minor or row.currency or row.points), path
    assert BASKET in row.fields or not row.lines, path
    assert AMOUNT in row.fields or not any(line.amount_minor for line in row.lines), path


def _check_group(group, path):
    """R39: rounded, and 0 below k."""
    assert group.members % 5 == 0 and not (group.fewer_than_k and group.members), path


def _check_disclosure(row, path):
    assert bool(row.merchant) == bool(row.terminal) != bool(row.operator), f"{path}: to whom?"
    assert row.disclosed_at_us > 0 and row.verb in MESSAGES, path
    assert bool(row.merchant) == bool(row.purpose), f"{path}: what for?"


def _check_grant_record(row, path):
    assert len(row.grant_key) == KEY_BYTES and row.state and row.granted_at_us and row.until_us, path
    assert row.grant.recipient and row.grant.purpose and row.grant.fields and row.grant.channel, path
    assert not (row.terminal and row.operator), f"{path}: two recorded it"


def _check_entry(row, path):
    assert len(row.ref) == REF_BYTES and len(row.entry_key) == KEY_BYTES and row.kind and row.decided_at_us, path
    assert row.balance >= 0 and row.debt >= 0, f"{path}: below 0 (R31)"
    assert not row.erased or not (row.HasField("occasion") or row.terminal or row.currency or row.lines), path


JUDGES = {"NetworkPurchase": _check_purchase, "GroupCount": _check_group, "Disclosure": _check_disclosure,
          "GrantRecord": _check_grant_record, "Entry": _check_entry}


def _check_balance(balance, path):
    assert balance.available >= 0, f"{path}.available is negative (R31)"
    assert balance.debt >= 0, f"{path}.debt is negative"
    assert balance.as_of_us > 0, f"{path}.as_of_us is missing"


def _check_body(body, name, code):
    fields = body.DESCRIPTOR.fields_by_name
    if "ref" in fields:
        assert len(body.ref) == REF_BYTES, f"{name}.ref has {len(body.ref)} bytes"
    if "balance" in fields and code != "ALREADY_ENROLLED":
        assert body.HasField("balance"), f"{name}.balance is missing (R37)"
        _check_balance(body.balance, f"{name}.balance")
    has_entry = code in ("OK", "DUPLICATE_RECEIPT") and not getattr(body, "before_original", False) \
        and name != "erase_member"  # who was erased before has none
    if "entry_key" in fields and has_entry:
        assert len(body.entry_key) == KEY_BYTES, f"{name}.entry_key has {len(body.entry_key)} bytes"
    if "cursor" in fields:
        assert len(body.cursor) <= CURSOR_BYTES_MAX, f"{name}.cursor has {len(body.cursor)} bytes"
    for field, value in body.ListFields():
        if field.name in ("points", "debt_repaid", "debt_made", "expired"):
            assert value >= 0, f"{name}.{field.name} is negative"


def _check_field(field, code, message):
    """Whether the field is one that the code is about, in this message (None: not known)."""
    paths = TABLE[code][3]
    if code == "INVALID_FIELD":
        assert field, "INVALID_FIELD without a field"
    elif not paths:
        assert not field or code == "MALFORMED", f"{code} names field {field}"
    elif field != "id" or code != "UNEXPECTED_MESSAGE":
        body, _, path = field.partition(".")
        assert message in (body, None) and (path or ".") in paths, f"{code} of {message} names field {field!r}"


def _check_outcome(outcome, message):
    code, kind = code_name(outcome), kind_name(outcome)
    assert code in TABLE, f"code {code} is not in PROTOCOL.md"
    number, kind_wanted, may_record, _ = TABLE[code]
    assert outcome.code == number
    assert kind == kind_wanted, f"{code} came as {kind}, PROTOCOL.md says {kind_wanted} (R36)"
    assert len(outcome.text.encode()) <= TEXT_MAX
    assert len(outcome.field.encode()) <= FIELD_MAX
    assert code == "OK" or outcome.text, f"{code} without a text"
    _check_field(outcome.field, code, message)
    assert outcome.retry_after_ms <= RETRY_MS_MAX
    assert kind == "RETRY" or outcome.retry_after_ms == 0, f"{code} with a delay"
    assert kind != "RETRY" or outcome.retry_after_ms > 0, f"{code} without a delay"
    assert not outcome.recorded or code == "OK" or may_record, f"{code} is said to be recorded"
    return code


def check(data, asked):
    """A reply's bytes, and which messages are unanswered by id. Returns (Response, message or None, code)."""
    assert data, "a frame of length 0"
    response = Response()
    assert response.ParseFromString(data) == len(data)
    _walk(response, "")
    assert response.HasField("outcome"), "a reply without an outcome"
    message = asked.get(response.id)
    code = _check_outcome(response.outcome, message)
    name = response.WhichOneof("body")
    if response.id == 0:
        assert code == "MALFORMED" or None in asked.values(), f"{code} with id 0"
    assert response.id == 0 or response.id in asked, f"a reply to {response.id}, which is not in flight"
    if response.outcome.recorded:
        assert message in KEYED | {None}, f"{message} is said to be recorded"
        assert code == "OK" or message != "set_grant", f"set_grant: {code} is said to be recorded"
    if code == "OK" or code in BODY_BESIDE_OK:
        assert name, f"{code} without a body"
    elif not TABLE[code][2]:
        assert name is None, f"{code} with the body {name}"
    if name:
        assert message in (name, None), f"{message} answered by {name}"
        _check_body(getattr(response, name), name, code)
    coverage.add(message or name, code)
    return response, message, code
