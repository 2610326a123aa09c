#!/usr/bin/python3
"""Owns the byte examples of PROTOCOL.md: makes them from the .proto files.

    proto/examples.py --write    puts them into PROTOCOL.md
    proto/examples.py --check    fails where PROTOCOL.md differs from what it should say

--check also holds PROTOCOL.md against the .proto files (each message and field is named in it) and its table of
results against outcome.c. It speaks to no server: the conformance tests send the examples.
"""
import importlib
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
DOCUMENT = os.path.join(HERE, "PROTOCOL.md")
BLOCK = re.compile(r"^```frame name=(\S+)[^\n]*\n.*?^```$", re.M | re.S)
OLD_KEY = bytes.fromhex("01900000000070008000000000000001")
REF = bytes.fromhex("01" + "5a" * 16)


def load():
    """The modules that protoc makes of the .proto files."""
    folder = tempfile.TemporaryDirectory()
    base = os.path.join(HERE, "loyal", "v1")
    protos = sorted(os.path.join(base, name) for name in os.listdir(base) if name.endswith(".proto"))
    subprocess.run(["protoc", "-I", HERE, "--python_out", folder.name, *protos], check=True)
    sys.path.insert(0, folder.name)
    sys.dont_write_bytecode = True
    names = [os.path.basename(path)[: -len(".proto")] for path in protos]
    return folder, {name: importlib.import_module(f"loyal.v1.{name}_pb2") for name in names}


# --- a message as lines of hex with comments ---

def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def hex_lines(data, comment, indent):
    text = [data[i:i + 16].hex(" ") for i in range(0, len(data), 16)] or [""]
    lines = [(" " * indent + text[0], comment)]
    return lines + [(" " * indent + more, None) for more in text[1:]]


def show(value, field):
    if field.type == field.TYPE_ENUM:
        known = field.enum_type.values_by_number.get(value)
        return known.name if known else str(value)
    if isinstance(value, bytes):
        if field.type == field.TYPE_BYTES:
            return f"{len(value)} bytes"
        return '"' + value.decode("utf-8", "backslashreplace") + '"'
    signed = field.type in (field.TYPE_INT64, field.TYPE_INT32)
    return str(value - (1 << 64) if signed and value >> 63 else value)


def annotate(data, descriptor, indent=0):
    lines, at = [], 0
    while at < len(data):
        start = at
        tag, at = varint(data, at)
        field = descriptor.fields_by_number.get(tag >> 3)
        name = field.name if field else f"field {tag >> 3}, which {descriptor.name} does not have"
        if tag & 7 == 0:
            value, at = varint(data, at)
            lines += hex_lines(data[start:at], f"{name}: {show(value, field)}" if field else name, indent)
        elif tag & 7 == 2:
            length, at = varint(data, at)
            head, body = data[start:at], data[at:at + length]
            at += length
            if field and field.message_type:
                lines += hex_lines(head, f"{name}, {length} bytes", indent)
                lines += annotate(body, field.message_type, indent + 2)
            else:
                lines += hex_lines(head + body, f"{name}: {show(body, field)}" if field else name, indent)
        else:
            return lines + hex_lines(data[start:], "a group, which nothing uses", indent)
    return lines


def block(example, descriptor):
    attributes = " ".join(f"{name}={value}" for name, value in example["attributes"].items())
    data = example["message"]
    length = example.get("length", len(data))
    lines = [(length.to_bytes(4, "big").hex(" "), f"{length} bytes follow")]
    lines += annotate(data, descriptor)
    width = max(len(left) for left, _ in lines)
    body = [f"{left:{width}}  # {right}" if right else left for left, right in lines]
    return "\n".join([f"```frame name={example['name']} {attributes}", *body, "```"])


# --- the examples ---

def examples(pb):
    request, response = pb["envelope"].Request, pb["envelope"].Response
    result = pb["result"]
    card = {"kind": 1, "value": "0000 0000 0000"}
    day = {"store": "north", "till": "2", "receipt": "4711", "business_date": 20240601}
    ping = request(id=2, ping={})
    late = {"key": OLD_KEY, "member": {"identifier": card}, "points": 250, "occasion": day}
    free = {"key": OLD_KEY, "member": {"ref": REF}, "purchase": {
        "occasion": day, "amount_minor": 1999, "currency": "EUR",
        "lines": [{"product": "milk", "quantity_milli": 1000, "amount_minor": 1999}, {"product": "bag"}]}}
    elsewhere = {"member": {"identifier": card}, "purpose": 1, "filter": {"categories": ["coffee"], "date_first": 20240501}}
    refused = {"kind": result.OUTCOME_KIND_REFUSED, "code": result.RESULT_CODE_NOT_ENOUGH_POINTS,
               "text": "The member has fewer points than asked for.", "field": "redeem.points"}
    balance = {"ref": REF, "balance": {"available": 120, "as_of_us": 1717243200000000}}

    def hello(first, last):
        return request(id=1, hello={"version_min": first, "version_max": last, "merchant": "acme",
                                    "software": "till 4.2"})

    def ask(name, message, expect, **more):
        data = message if isinstance(message, bytes) else message.SerializeToString()
        return {"name": name, "message": data, "attributes": {"direction": "request", "expect": expect, **more}}

    def tell(name, message):
        return {"name": name, "message": message.SerializeToString(), "attributes": {"direction": "response"}}

    after = {"after": "hello"}
    too_long = ask("too-long", b"", "MALFORMED", **after)
    too_long["length"] = 65537
    return [
        ask("hello", hello(1, 1), "hello"),
        ask("hello-of-tomorrow", hello(7, 9), "UNSUPPORTED_VERSION", field="hello.version_min"),
        ask("ping-before-hello", ping, "UNEXPECTED_MESSAGE", field="ping"),
        ask("ping", ping, "ping", **after),
        ask("balance-of-nobody", request(id=3, get_balance={"member": {"identifier": card}}), "UNKNOWN_MEMBER",
            field="get_balance.member", **after),
        ask("redeem-for-nobody", request(id=4, deadline_ms=2000, redeem=late), "UNKNOWN_MEMBER", field="redeem.member", **after),
        ask("purchases-of-nobody", request(id=10, query_purchases=elsewhere), "UNKNOWN_MEMBER", field="query_purchases.member", **after),
        ask("cursor-made-up", request(id=11, list_members_never_met={"purpose": 2, "page_rows": 100, "cursor": bytes(48)}),
            "CURSOR_INVALID", field="list_members_never_met.cursor", **after),
        ask("list-as-a-till", request(id=5, list_merchants={}), "NOT_ALLOWED", field="list_merchants", **after),
        ask("disclosures-as-a-till", request(id=12, list_disclosures={"member": {"ref": REF}}), "NOT_ALLOWED",
            field="list_disclosures", **after),
        ask("line-without-quantity", request(id=6, earn=free), "INVALID_FIELD",
            field="earn.purchase.lines[1].quantity_milli", **after),
        ask("unknown-message", bytes.fromhex("0807b20400"), "INVALID_FIELD", field="#70", **after),
        ask("invalid-utf-8", bytes.fromhex("0808aa010b0a09") + bytes.fromhex("080312056140e28262"), "INVALID_FIELD",
            field="find_member.identifier.value", **after),
        ask("empty", b"", "MALFORMED", **after),
        too_long,
        ask("group", bytes.fromhex("08090b0c"), "MALFORMED", **after),
        tell("balance", response(id=3, outcome={"kind": 1, "code": 1}, get_balance=balance)),
        tell("not-enough-points", response(id=4, outcome=refused, redeem=balance)),
    ]


# --- checks ---

def fields_missing(text, pb):
    for module in pb.values():
        for message in module.DESCRIPTOR.message_types_by_name.values():
            for word in [message.name, *(field.name for field in message.fields)]:
                if not re.search(rf"\b{word}\b", text):
                    yield f"{message.name}: `{word}` is not in PROTOCOL.md"


def results_wrong(text):
    with open(os.path.join(HERE, "outcome.c"), encoding="utf-8") as file:
        source = file.read()
    rows = re.findall(r"^    ROW\((\w+), (\w+), (\w+), \w+,\s+((?:\"[^\"]*\"\s*)+),", source, re.M)
    table = re.findall(r"^\| \d+ `(\w+)` \| (\w+) \| ([^|]*)\|([^|]*)\|", text, re.M)
    expected = [(name, kind, "yes" if recorded == "RECORDED" else "", "".join(re.findall(r'"([^"]*)"', fields)))
                for name, kind, recorded, fields in rows]
    found = [(name, kind, recorded.strip(), fields.strip().replace("`", "")) for name, kind, recorded, fields in table]
    if not rows or expected != found:
        yield f"the table of results is not that of outcome.c: {set(expected) ^ set(found) or 'order'}"


def main():
    if sys.argv[1:] not in (["--write"], ["--check"]):
        sys.exit(__doc__)
    folder, pb = load()
    with folder, open(DOCUMENT, encoding="utf-8") as file:
        text = file.read()
        wanted = {}
        for example in examples(pb):
            incoming = example["attributes"]["direction"] == "request"
            wanted[example["name"]] = block(example, getattr(pb["envelope"], "Request" if incoming else "Response").DESCRIPTOR)
        new = BLOCK.sub(lambda match: wanted.get(match.group(1), match.group(0)), text)
        faults = [f"example {name} is missing" for name in wanted if wanted[name] not in new]
        faults += [f"example {name} has no maker" for name in BLOCK.findall(text) if name not in wanted]
        if sys.argv[1] == "--write":
            with open(DOCUMENT, "w", encoding="utf-8") as out:
                out.write(new)
        elif new != text:
            faults.append("examples differ: proto/examples.py --write")
        faults += [*fields_missing(text, pb), *results_wrong(text)]
    for fault in faults:
        print(fault)
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
