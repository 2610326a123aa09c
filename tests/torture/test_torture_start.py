"""Torture of the start, the reload and the admin port: a clear error and exit status, or a good daemon; no signal, ever."""
import contextlib
import http.client
import os
import re
import signal

import pytest

from conftest import CHILD, NEVER, STARTER, Victim, budget
from support.paths import LOYALD, run, wait_for
from support.stack import Stack


def is_parser_excused(text):
    """libconfuse has ended it by abort() or exit(); by nothing else."""
    return set(re.findall(r"the parser ended, [^(]*\((.*?)\)", text)) <= {"signal 6", "status 1"}


# The parser of the configuration is the first that main forks: libconfuse ends its process when memory is short.
@pytest.mark.parametrize("whom", (STARTER, CHILD - 1), ids=("main", "parser"))
def test_check_config(stack, memory, dice, whom):
    """Reads the configuration, the keyring, the certificates."""
    victim = Victim(stack, memory, f"tried-{whom:x}")
    victim.write_conf()
    words = (*memory.before, LOYALD, "--config", victim.conf, "--check-config")
    memory.aim(whom, NEVER)
    assert run(*words).returncode == 0
    seen, _ = memory.rest()
    assert seen > 100
    refused = 0
    for at in budget(dice, 1, seen, 8):
        memory.aim(whom, at, dice.choice((1, 1, 2, 20)))
        done = run(*words, check=False)
        assert done.returncode in (0, 2), f"allocation {at}: {done.returncode} at {memory.stack()}\n{done.stderr}"
        assert done.returncode == 0 or re.search("^loyald: |event=", done.stderr, re.MULTILINE), done.stderr
        assert is_parser_excused(done.stderr), done.stderr
        refused += done.returncode == 2
    memory.rest()
    assert refused > 0, "no failure was ever noticed"


# A worker reads the configuration after the master, and forks its parser after the master's.
@pytest.mark.parametrize("whom", ("master", "master's parser", "worker", "worker's parser"))
def test_reload(stack, memory, dice, whom):
    """What fails changes nothing, and the next one works."""
    victim = Victim(stack, memory, whom.replace("'s ", "-")).start()
    aims = {"master": victim.pid, "master's parser": CHILD - 1, "worker": victim.worker, "worker's parser": CHILD - 2}
    teller = "worker0" if whom.startswith("worker") else "master"
    memory.aim(aims[whom], NEVER)
    reload(victim, teller)
    seen, _ = memory.rest()
    assert seen > 100
    refused = 0
    for at in budget(dice, 1, seen, 50 if "parser" in whom else 10):
        mark = victim.log.mark()
        memory.aim(aims[whom], at, dice.choice((1, 1, 2, 20)))
        refused += not reload(victim, teller)
        victim.judge(f"reload, allocation {at}", mark)
        changed = re.search("event=reload_partial.*|changed=(?!nothing).*", victim.log.text(mark))
        assert not changed, f"allocation {at}: {changed[0]} at {memory.stack()}"
        assert victim.is_ready() and is_parser_excused(victim.log.text(mark)), victim.log.text(mark)
    assert refused > 0, "no failure was ever noticed"
    assert reload(victim, "worker0")
    assert victim.stop() == 0


@pytest.mark.parametrize("path", ("/metrics", "/healthz", "/readyz"))
def test_admin_port(stack, memory, dice, path):
    """An answer may be cut short; the next is whole."""
    victim = Victim(stack, memory, "asked" + path.replace("/", "-")).start()
    memory.aim(victim.children()["admin"], NEVER)
    victim.page(path)
    seen, _ = memory.rest()
    assert seen > 30
    for at in range(1, seen + 1):
        mark = victim.log.mark()
        memory.aim(victim.children()["admin"], at, dice.choice((1, 1, 2, 20, 1000)))
        with contextlib.suppress(Exception):
            victim.page(path)
        wait_for(lambda at=at, mark=mark: works(victim, f"{path}, allocation {at}", mark), "it answers again")
    assert victim.stop() == 0


def works(victim, what, mark):
    victim.judge(what, mark)  # again: an end may be seen only now
    return victim.page("/metrics")[0] == 200 and "admin" in victim.children()


def reload(victim, teller):
    """Returns whether that process has reloaded."""
    mark = victim.log.mark()
    victim.signal(signal.SIGHUP)
    told = re.compile(f"process={teller} event=(reloaded|reload_failed)")
    wait_for(lambda: told.search(victim.log.text(mark)) or victim.process.poll() is not None, "the reload is told")
    assert victim.process.poll() is None, f"it ended at {victim.memory.stack()}\n{victim.log.text(mark)[-2000:]}"
    return told.search(victim.log.text(mark))[1] == "reloaded"


@pytest.fixture(scope="module")
def alone():
    """A database without a daemon: whoever is born gets the lease of maintenance, and has its duties to do."""
    made = Stack()
    made.start()
    pid = made.pid
    os.kill(pid, signal.SIGTERM)
    wait_for(lambda: not os.path.exists(f"/proc/{pid}"), "its daemon has ended")
    yield made
    made.stop()
    assert not made.sanitizer_reports()


def maintenance_of(stack):
    with open(os.path.join(stack.dir, "loyald.conf"), encoding="utf-8") as file:
        return re.search(r"^postgres_maintenance = (.*)$", file.read(), re.MULTILINE)[1]


class Newborn(Victim):
    """Is started again and again. Who is being started may end in order, and is started again."""

    def may_end(self, slot, status, number):
        del self, slot
        return number == 0 and status == 1

    def launch(self):
        """Returns where its log begins."""
        with open(self.log.path, "ab") as out:
            start = out.tell()
            self.process = self.spawn(out)
        return start

    def is_whole(self):
        """All its processes are well, and the duties of maintenance done."""
        try:
            status, text = self.page("/metrics")
            done = re.findall(r"^loyald_maintenance_last_success_timestamp_seconds\S* (\S+)", text, re.MULTILINE)
            return status == 200 and self.is_ready() and done and all(float(at) > 0 for at in done)
        except http.client.HTTPException:
            return False  # an answer that was cut short

    def come_to_life(self, what):
        """Returns whether it did; else it has ended with a clear error."""
        mark = self.launch()
        wait_for(lambda: self.process.poll() is not None or self.is_whole(), f"{what}: it lives or has ended")
        if self.process.poll() is None:
            self.judge(what, mark)
            self.signal(signal.SIGTERM)
            status = self.wait_end()
            self.judge_reports(what)
            assert status == 0, f"{what}: {status} at {self.memory.stack()}\n{self.log.text(mark)[-2000:]}"
            return True
        self.judge_reports(what)
        text = self.log.text(mark)
        assert self.process.returncode in (1, 2), f"{what}: {self.process.returncode} at {self.memory.stack()}\n{text[-2000:]}"
        assert re.search("^loyald: ", text, re.MULTILINE), f"{what}: ended without a word: {text[-2000:]}"
        return False


# The order in which the master forks them.
@pytest.mark.parametrize("whom", (STARTER, *(CHILD - fork for fork in range(1, 5))), ids=("master", "parser", "worker", "maintenance", "admin"))
def test_start(alone, memory, dice, whom):
    """From main to a daemon that serves and whose maintenance has done its duties. The master says why not, also without its
    parser; whom it starts to serve may end, and is started again."""
    victim = Newborn(alone, memory, f"born-{whom:x}", postgres_maintenance=maintenance_of(alone))
    victim.write_conf()
    memory.aim(whom, NEVER)
    assert victim.come_to_life("undisturbed")
    seen, _ = memory.rest()
    assert seen > 100
    struck, refused = 0, 0
    for at in budget(dice, 1, seen, 1):
        memory.aim(whom, at, dice.choice((1, 1, 2, 20)))
        refused += not victim.come_to_life(f"allocation {at}")
        struck += memory.rest()[1] > 0
    assert struck > 0
    assert whom in (STARTER, CHILD - 1) or not refused, "the master lives"
