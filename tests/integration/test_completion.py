"""Completion in bash and zsh: every command and every option that the programs have is offered, and nothing else."""
import os
import pty
import re
import shutil
import subprocess

import pytest

from support.paths import LOYALCTL, LOYALD, ROOT, run, wait_for


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


# --- zsh: asked as a person asks it, in a terminal with its completion system on ---

ZSH = r"""
PS1= PS2= LISTMAX=-1
unsetopt autolist automenu beep prompt_sp zle_bracketed_paste 2>/dev/null
unset zle_bracketed_paste
fpath=("$FOLDER" $fpath)
autoload -U compinit && compinit -D -u
compadd() {
    if [[ " ${argv[1,(i)(-|--)]} " == *' -'[[:alnum:]]#[OAD]' '* ]]; then
        builtin compadd "$@"
        return
    fi
    local -a hits
    builtin compadd -A hits "$@"
    (( $#hits )) && print -rl -- $hits >>"$FOLDER/offered"
    builtin compadd "$@"
}
print ready >>"$FOLDER/offered"
"""


class Zsh:
    """One shell for all questions; what it offers goes to a file."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "_loyalctl").write_text(run(LOYALCTL, "completion", "--shell", "zsh").stdout, encoding="utf-8")
        shutil.copy(os.path.join(ROOT, "deploy", "completion", "_loyald"), folder)
        (folder / "rc").write_text(ZSH, encoding="utf-8")
        self.terminal, inner = pty.openpty()
        path = f"{os.path.dirname(LOYALCTL)}:{os.path.dirname(LOYALD)}:/usr/bin:/bin"
        self.process = subprocess.Popen(["zsh", "-f", "-i"], stdin=inner, stdout=inner, stderr=inner, cwd=folder,
                                        start_new_session=True,
                                        env={"FOLDER": str(folder), "PATH": path, "HOME": str(folder), "TERM": "dumb"})
        os.close(inner)
        os.set_blocking(self.terminal, False)
        self.type('setopt extended_glob; source "$FOLDER/rc"\r', "ready")

    def said(self):
        """All that it offered; the terminal's own output is read and forgotten, or the shell would stand."""
        try:
            os.read(self.terminal, 1 << 16)
        except BlockingIOError:
            pass
        path = self.folder / "offered"
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []

    def type(self, text, end):
        os.write(self.terminal, text.encode())
        return wait_for(lambda: (lines := self.said()) and lines[-1] == end and lines, f"zsh answers {text!r}")

    def offered(self, line):
        (self.folder / "offered").unlink()
        return {word.strip() for word in self.type(f'{line}\t\x15print end >>"$FOLDER/offered"\r', "end")[:-1]}

    def close(self):
        self.process.kill()
        self.process.wait(20)
        os.close(self.terminal)


@pytest.fixture(scope="module")
def zsh(tmp_path_factory):
    shell = Zsh(tmp_path_factory.mktemp("zsh"))
    yield shell
    shell.close()


def test_zsh_offers_nouns_and_verbs(zsh):
    known = commands()
    nouns = {words[0] for words in known}
    assert zsh.offered("loyalctl ") == nouns | {"--help", "--version"}
    for noun in nouns:
        verbs = {words[1] for words in known if words[0] == noun and len(words) > 1}
        if verbs:
            assert zsh.offered(f"loyalctl {noun} ") - set(os.listdir(zsh.folder)) == verbs, noun


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_zsh_offers_the_options_of_each_command(zsh, words):
    assert zsh.offered(f"loyalctl {' '.join(words)} --") == options(LOYALCTL, *words)


def test_zsh_offers_files_and_the_daemons_options(zsh):
    assert "rc" in zsh.offered("loyalctl ping --profile r")
    assert "rc" in zsh.offered("loyalctl replay r")
    assert zsh.offered("loyald --") >= options(LOYALD)
    assert "rc" in zsh.offered("loyald --config=r")
