"""Torture of the start, the reload and the admin port: a clear error and exit status, or a good daemon; no signal, ever."""
import contextlib
import re
import signal

import pytest

from conftest import NEVER, STARTER, Victim, budget
from support.paths import LOYALD, run, wait_for


def test_check_config(stack, memory, dice):
    """Reads the configuration, the keyring, the certificates."""
    victim = Victim(stack, memory, "tried")
    victim.write_conf()
    words = (*memory.before, LOYALD, "--config", victim.conf, "--check-config")
    memory.aim(STARTER, NEVER)
    assert run(*words).returncode == 0
    seen, _ = memory.rest()
    assert seen > 100
    refused = 0
    for at in budget(dice, 1, seen, 12):
        memory.aim(STARTER, at, dice.choice((1, 1, 2, 20)))
        done = run(*words, check=False)
        assert done.returncode in (0, 2), f"allocation {at}: {done.returncode} at {memory.stack()}\n{done.stderr}"
        # the last: the scanner of libconfuse ends the program by itself
        assert done.returncode == 0 or re.search("^loyald: |event=|^out of dynamic memory", done.stderr), done.stderr
        refused += done.returncode == 2
    memory.rest()
    assert refused > 0, "no failure was ever noticed"


def test_reload(stack, memory, dice):
    """What fails changes nothing, and the next one works."""
    victim = Victim(stack, memory, "mastered").start()
    memory.aim(victim.pid, NEVER)
    reload(victim)
    seen, _ = memory.rest()
    for at in budget(dice, 1, seen, 4):
        mark = victim.log.mark()
        memory.aim(victim.pid, at, dice.choice((1, 1, 2, 20)))
        reload(victim)
        victim.judge(f"reload, allocation {at}", mark)
        assert victim.is_ready()
    reload(victim)
    victim.log.wait("event=reloaded")
    assert victim.stop() == 0


@pytest.mark.parametrize("path", ("/metrics", "/healthz", "/readyz"))
def test_admin_port(stack, memory, dice, path):
    """An answer may be cut short; the next is whole."""
    victim = Victim(stack, memory, "asked" + path.replace("/", "-")).start()
    memory.aim(victim.children()["admin"], NEVER)
    victim.page(path)
    seen, _ = memory.rest()
    for at in budget(dice, 1, seen, 3):
        mark = victim.log.mark()
        memory.aim(victim.children()["admin"], at, dice.choice((1, 1, 2, 20)))
        with contextlib.suppress(Exception):
            victim.page(path)
        wait_for(lambda at=at, mark=mark: works(victim, f"{path}, allocation {at}", mark), "it answers again")
    assert victim.stop() == 0


def works(victim, what, mark):
    victim.judge(what, mark)  # again: an end may be seen only now
    return victim.page("/metrics")[0] == 200 and "admin" in victim.children()


def reload(victim):
    mark = victim.log.mark()
    victim.signal(signal.SIGHUP)
    victim.log.wait("process=master event=(reloaded|reload_failed|reload_partial|reload_unchanged)", mark)
