"""Reads what PROTOCOL.md states for machines: the byte examples."""
import re

from support.paths import PROTOCOL

BLOCK = re.compile(r"^```frame ([^\n]*)\n(.*?)^```$", re.M | re.S)


class Example:
    def __init__(self, head, text):
        attributes = dict(word.split("=", 1) for word in head.split())
        self.name, self.direction = attributes["name"], attributes["direction"]
        self.expect, self.field = attributes.get("expect"), attributes.get("field", "")
        self.after = attributes.get("after")
        lines = [line.split("#")[0] for line in text.splitlines()]
        self.data = bytes.fromhex("".join(lines))


def examples():
    with open(PROTOCOL, encoding="utf-8") as file:
        found = [Example(*match) for match in BLOCK.findall(file.read())]
    assert found, "PROTOCOL.md has no examples"
    return {example.name: example for example in found}
