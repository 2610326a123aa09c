"""Torture of the start, the reload and the admin port: a clear error and exit status, or a good daemon; no signal, ever."""
import re
import signal

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


def test_reload_and_admin_port_of_the_master(stack, memory, dice):
    """What fails changes nothing, and the next one works."""
    victim = Victim(stack, memory, "mastered").start()
    for what, ask in (("page", lambda: victim.page("/metrics")), ("page", lambda: victim.page("/readyz")),
                      ("reload", lambda: reload(victim))):
        memory.aim(victim.pid, NEVER)
        ask()
        seen, _ = memory.rest()
        for at in budget(dice, 1, seen, 4):
            mark = victim.log.mark()
            memory.aim(victim.pid, at, dice.choice((1, 1, 2, 20)))
            try:
                ask()
            except Exception as fault:  # pylint: disable=broad-except  # an answer cut short
                assert what == "page", fault
            wait_for(lambda at=at, mark=mark: works(victim, f"{what}, allocation {at}", mark), "the admin port answers again")
    reload(victim)
    victim.log.wait("event=reloaded")
    assert victim.stop() == 0


def works(victim, what, mark):
    victim.judge(what, mark)  # again: an end may be seen only now
    return victim.page("/metrics")[0] == 200


def reload(victim):
    mark = victim.log.mark()
    victim.signal(signal.SIGHUP)
    victim.log.wait("process=master event=(reloaded|reload_failed|reload_partial|reload_unchanged)", mark)
