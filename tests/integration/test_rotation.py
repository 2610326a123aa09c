"""RUNBOOK.md, Keys and Certificates: the master key and the authority are changed over at two daemons, one after the other,
and at no step does one of them refuse what the other gave."""
import contextlib
import os
import secrets
import shutil
import signal
import ssl

from support.paths import LOYALCTL, run
from support.stack import Bundle
from support.wire import Closed, Connection


def read(path):
    with open(path, encoding="ascii") as file:
        return file.read()


def write(path, text, mode=0o600):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)
    os.chmod(path, mode)


# --- keys ---

def make_and_open(world, daemons, card, versions):
    """Each makes refs of its version and a cursor; every daemon opens all of them. Returns the refs."""
    refs, cursors = [], []
    with contextlib.ExitStack() as opened:
        tills = [opened.enter_context(world.till("acme", one.port)) for one in daemons]
        for till in tills:
            refs.append(till.ref(card))
            cursors.append(till.entries(card, page_rows=2).ok().cursor)
        assert [ref[0] for ref in refs] == versions
        for till in tills:
            assert {till.balance(ref).available for ref in refs} == {20}
            assert [len(till.entries(card, page_rows=2, cursor=cursor).ok().entries) for cursor in cursors] == [1] * len(cursors)
    return refs


def test_a_new_version_of_the_key(world, stack, daemon, acme):
    """Announced everywhere first, then made with: refs and cursors of either daemon are good at both, at each step."""
    rings = [os.path.join(stack.dir, f"ring-{name}") for name in "ab"]
    first = read(os.path.join(stack.dir, "keyring"))
    for ring in rings:
        write(ring, first)
    daemons = [daemon(f"ring-{name}", keyring_file=f'"{ring}"') for name, ring in zip("ab", rings)]
    card = acme.enrolled(10)
    acme.earn(card, 1000).ok()
    old = make_and_open(world, daemons, card, [1, 1])[0]
    second = f"2 {secrets.token_hex(32)}"
    for line, versions in ((f"{second} announced\n", ([1, 1], [1, 1])), (f"{second}\n", ([2, 1], [2, 2]))):
        for one, ring, expected in zip(daemons, rings, versions):
            write(ring, first + line)
            assert one.stop() == 0
            one.start()
            new, _ = make_and_open(world, daemons, card, expected)
    for one in daemons:
        with world.till("acme", one.port) as till:
            assert till.balance(old).available == 20
            assert till.connection.call("translate_refs", refs=[old]).ok().refs[0] == new
    # What the announcement is for: a daemon that was left out does not know whom the new ref names.
    acme.connection.call("get_balance", member={"ref": new}).refused("UNKNOWN_MEMBER")


# --- the authority ---

class Rotating:
    """A daemon with an authority file and a certificate of its own."""

    def __init__(self, world, name, daemon):
        self.folder = os.path.join(world.stack.dir, f"rotating-{name}")
        shutil.copytree(os.path.join(world.stack.dir, "server"), self.folder)
        self.authority = os.path.join(self.folder, "authority.pem")
        shutil.copy(world.stack.authority, self.authority)
        self.daemon = daemon(f"rotating-{name}", authority_file=f'"{self.authority}"',
                             certificate_file=f'"{self.folder}/server.crt"', key_file=f'"{self.folder}/server.key"')
        self.port = self.daemon.port

    def reload(self):
        start = self.daemon.log.mark()
        self.daemon.signal(signal.SIGHUP)
        for process in ("worker0", "master"):
            self.daemon.log.wait(f"process={process} event=reloaded", start)

    def trust(self, *authorities):
        write(self.authority, "".join(read(path) for path in authorities))
        self.reload()

    def take_certificate_of(self, ca):
        fresh = self.folder + "-fresh"
        run(LOYALCTL, "cert", "server", "--ca", ca, "--names", "localhost,127.0.0.1", "--out", fresh)
        for name in ("server.crt", "server.key"):
            os.replace(os.path.join(fresh, name), os.path.join(self.folder, name))
        self.reload()


def is_let_in(one, bundle):
    """Whether both sides take the other's certificate."""
    try:
        with Connection(one.port, bundle, "acme") as connection:
            connection.call("ping").ok()
        return True
    except (Closed, ssl.SSLError, ConnectionError):
        return False


def terminal(world, verb, *words):
    run(LOYALCTL, "terminal", verb, "--merchant", "acme", "--code", "rotating", *words,
        env={"LOYALCTL_PROFILE": world.stack.operator_profile})


def test_a_new_authority(world, stack, daemon):
    """Beside the old one at every daemon, then in the clients' files, then certificates, then the old one goes."""
    ca, both = os.path.join(stack.dir, "new-ca"), os.path.join(stack.dir, "both.pem")
    run(LOYALCTL, "cert", "authority", "--network", "town", "--out", ca)
    new_authority = os.path.join(ca, "authority.crt")
    write(both, read(stack.authority) + read(new_authority))
    old = stack.bundle("acme", "rotating")
    terminal(world, "add", "--certificate", old.certificate)
    run(LOYALCTL, "cert", "terminal", "--ca", ca, "--merchant", "acme", "--code", "rotating", "--out", stack.dir + "/rotated")
    new = Bundle(stack.dir + "/rotated", "terminal", both)
    terminal(world, "renew", "--certificate", new.certificate, "--reason", "another authority")
    daemons = [Rotating(world, name, daemon) for name in "ab"]
    assert not any(is_let_in(one, new) for one in daemons)
    with contextlib.ExitStack() as opened:
        kept = [opened.enter_context(Connection(one.port, old, "acme")) for one in daemons]
        for one in daemons:
            one.trust(stack.authority, new_authority)
            assert is_let_in(one, new) and all(is_let_in(each, old) for each in daemons)
        kept += [opened.enter_context(Connection(one.port, new, "acme")) for one in daemons]

        not_told, old.authority = Bundle(old.folder, "terminal", stack.authority), both
        for one in daemons:
            one.take_certificate_of(ca)
            assert all(is_let_in(each, bundle) for each in daemons for bundle in (old, new))
            assert not is_let_in(one, not_told)  # why clients have both before the daemons change over
        new.authority = new_authority
        for one in daemons:
            one.trust(new_authority)
            assert not is_let_in(one, old) and all(is_let_in(each, new) for each in daemons)
        for connection in kept:
            connection.call("ping").ok()  # nobody was cut
