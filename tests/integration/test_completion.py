"""Completion in bash: every command and every option that the programs have is offered, and nothing else."""
import os
import re
import subprocess

import pytest

from support.paths import LOYALCTL, LOYALD, ROOT, run


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    path = tmp_path_factory.mktemp("completion") / "loyalctl"
    path.write_text(run(LOYALCTL, "completion").stdout, encoding="utf-8")
    return path


def offered(script, *words, function="_loyalctl", cwd=None):
    """What bash would offer for the last word."""
    command = (f'source "{script}"; COMP_WORDS=("$@"); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); {function};'
               ' printf "%s\\n" "${COMPREPLY[@]}"')
    done = subprocess.run(["bash", "-u", "-c", command, "bash", *words], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=30, check=False, cwd=cwd)
    assert not done.stderr, done.stderr
    return [line for line in done.stdout.splitlines() if line]


def options(*command):
    return set(re.findall(r"(?m)^ +(?:-., )?(--[a-z][a-z-]*)", run(*command, "--help").stdout))


def commands():
    text = run(LOYALCTL, "--help").stdout
    return [line.split() for line in re.findall(r"(?m)^  ([a-z]+(?: [a-z]+)?)(?: FILE)?  ", text)]


def test_nouns_and_verbs(script):
    known = commands()
    nouns = {words[0] for words in known}
    assert set(offered(script, "loyalctl", "")) == nouns | {"--help", "--version"}
    assert len(known) > 50
    for noun in nouns:
        verbs = {words[1] for words in known if words[0] == noun and len(words) > 1}
        if verbs:
            assert set(offered(script, "loyalctl", noun, "")) == verbs, noun
    assert offered(script, "loyalctl", "member", "disc") == ["disclosures"]


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_options_of_each_command(script, words):
    assert set(offered(script, "loyalctl", *words, "--")) == options(LOYALCTL, *words)


def test_files_where_a_file_is_meant(script, tmp_path):
    (tmp_path / "my.profile").touch()
    assert offered(script, "loyalctl", "ping", "--profile", "my", cwd=tmp_path) == ["my.profile"]
    assert offered(script, "loyalctl", "replay", "my", cwd=tmp_path) == ["my.profile"]


def test_the_daemons_options(tmp_path):
    path = os.path.join(ROOT, "deploy", "completion", "loyald.sh")
    assert set(offered(path, "loyald", "--", function="_loyald")) == options(LOYALD)
    (tmp_path / "my.conf").touch()
    assert offered(path, "loyald", "--config", "my", function="_loyald", cwd=tmp_path) == ["my.conf"]
