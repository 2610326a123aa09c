"""What loyald says of itself without serving: --help, --version, --limits, --dump-fsm, and its exit statuses."""
import os
import re

import pytest

from support.paths import LOYALD, ROOT, run


def read(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as file:
        return file.read()


def test_the_diagram_is_what_dump_fsm_prints():
    """Every event that moves a session, and no other, stands at its arrow in HACKING.md."""
    rows = [re.split(r"  +", line)[:3] for line in run(LOYALD, "--dump-fsm").stdout.splitlines()[1:]]
    moves = {(start, end, event) for start, event, end in rows if start != end}
    drawn = {(start, end, event) for start, end, events in re.findall(r"(?m)^    (\w+) --> (\w+): (.+)$", read("HACKING.md"))
             for event in events.split(", ")}
    assert moves and drawn == moves


def test_the_protocol_closes_where_the_machine_does():
    """PROTOCOL.md names the answers after which the connection closes: those said on the way to CLOSING."""
    rows = [re.split(r"  +", line)[:4] for line in run(LOYALD, "--dump-fsm").stdout.splitlines()[1:]]
    said = {action.split()[1] for start, _, end, action in rows
            if end == "CLOSING" and start != end and action.startswith("say ")}
    line = re.search(r"The connection closes after ([^.]*)\.", read("proto", "PROTOCOL.md"))[1]
    assert said == set(re.findall(r"`(\w+)`", line))


def test_limits_are_whole():
    """Each line: name, number, meaning; every number of the configuration is among them."""
    limits = {}
    for line in run(LOYALD, "--limits").stdout.splitlines():
        name, value, meaning = re.match(r"^([a-z_]+) +(\d+)  (\S.*)$", line).groups()
        assert name not in limits and meaning
        limits[name] = int(value)
    options = [line.split("\t") for line in run(LOYALD, "--dump-config-options").stdout.splitlines()]
    for name, kind, default, *_ in options:
        if kind == "number":
            assert limits[name] == int(default)
    assert limits["request_bytes_max"] == 65536 and limits["basket_lines_max"] == 200


def test_version_is_everybodys():
    version = re.search(r"(?m)^VERSION := (\S+)$", read("Makefile"))[1]
    assert run(LOYALD, "--version").stdout == f"loyald {version}\n"


@pytest.mark.parametrize("words", [("--no-such-option",), ("argument",), ("--config",)], ids=" ".join)
def test_a_wrong_command_line_is_refused(words):
    done = run(LOYALD, *words, check=False)
    assert done.returncode == 2 and "--help" in done.stderr and not done.stdout


def test_help_names_each_option_with_its_meaning():
    text = run(LOYALD, "--help").stdout
    for option in ("config", "check-config", "dump-config-options", "dump-metrics", "limits", "dump-fsm", "make-keyring",
                   "version"):
        assert re.search(rf"--{option}\b[^\n]* \w+", text), option
