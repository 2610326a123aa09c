"""Binaries are hardened, and the check that make runs after each link sees when they are not. Keys lie in locked memory that
no dump holds; processes neither dump core nor are traced."""
import hmac
import os
import re

import pytest

from support.paths import BUILD, LOYALD, ROOT, run
from support.stack import Daemon

CHECK = os.path.join(ROOT, "tests", "lint", "hardened")
PROGRAM = r"""
#include <stdio.h>
int main(int count, char **words)
{
    char text[40];
    snprintf(text, sizeof text - (unsigned long)count, "%s", words[0]);
    puts(text);
    return 0;
}
"""
GOOD = {"protector": "-fstack-protector-strong", "fortify": "-D_FORTIFY_SOURCE=2", "branches": "-fcf-protection", "pie": "-pie",
        "relro": "-Wl,-z,relro", "now": "-Wl,-z,now", "stack": "-Wl,-z,noexecstack", "code": "-Wl,-z,separate-code"}
BAD = {"protector": ("-fno-stack-protector", "no stack protector"), "fortify": ("-U_FORTIFY_SOURCE", "no checked functions"),
       "pie": ("-no-pie", "not a PIE"), "relro": ("-Wl,-z,norelro", "relocations stay writable"),
       "now": ("-Wl,-z,lazy", "relocations are done late"), "stack": ("-Wl,-z,execstack", "the stack is executable"),
       "code": ("-Wl,-z,noseparate-code", "headers and code lie together"), "path": ("-Wl,-rpath,/tmp", "a search path")}


def built(folder, *flags):
    source, program = os.path.join(folder, "program.c"), os.path.join(folder, "program")
    with open(source, "w", encoding="ascii") as file:
        file.write(PROGRAM)
    run("gcc", "-O2", "-fPIE", "-w", *flags, "-o", program, source)
    return program


def test_what_is_built_is_hardened():
    run(CHECK, *(os.path.join(BUILD, name) for name in ("loyald", "loyalctl", "libloyal.so.1")))


def test_the_check_names_each_weakness(tmp_path):
    run(CHECK, built(tmp_path, *GOOD.values()))
    for name, (flag, complaint) in BAD.items():
        flags = {**GOOD, name: flag}
        done = run(CHECK, built(tmp_path, *flags.values()), check=False)
        assert done.returncode != 0 and complaint in done.stderr, (name, done.stderr)


# --- processes ---

def status(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


def mappings(pid):
    """(from, to, rights, flags of the kernel) of all memory of a process."""
    found = []
    with open(f"/proc/{pid}/smaps", encoding="utf-8") as file:
        for line in file:
            head = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+) ", line)
            if head:
                found.append([int(head[1], 16), int(head[2], 16), head[3], ()])
            elif line.startswith("VmFlags:"):
                found[-1][3] = tuple(line.split()[1:])
    return found


def family(one):
    return {"master": one.pid, **one.children()}


@pytest.fixture
def plain(stack):
    """A daemon without capabilities, as an ordinary user's."""
    made = []

    def make(name, **settings):
        one = Daemon(stack, name, **settings)
        one.before = POWERLESS
        made.append(one)
        return one.start()

    yield make
    for one in made:
        one.stop()


# But for the folder of PostgreSQL's socket, which may be another user's.
POWERLESS = ("setpriv", "--bounding-set=-all,+dac_override", "--inh-caps=-all") if os.geteuid() == 0 else ()


def may_trace(pid):
    return run(*POWERLESS, "cat", f"/proc/{pid}/environ", check=False).returncode == 0


def test_no_process_dumps_core_or_is_traced(plain):
    one = plain("undumped")
    assert set(family(one)) == {"master", "worker0", "admin"}
    for name, pid in family(one).items():
        with open(f"/proc/{pid}/limits", encoding="ascii") as file:
            assert re.search(r"^Max core file size +0 +0 ", file.read(), re.MULTILINE), name
        assert not may_trace(pid), name
    traced = plain("dumped", core_dumps='"on"')
    assert all(may_trace(pid) for pid in family(traced).values()), "the test cannot tell"


def test_dumps_are_for_development(stack, tmp_path):
    conf = tmp_path / "production.conf"
    with open(os.path.join(stack.dir, "loyald.conf"), encoding="utf-8") as file:
        lines = [line for line in file if line.split("=")[0].strip() not in ("environment", "clock")]
    conf.write_text("".join(lines) + 'environment = "production"\ncore_dumps = "on"\n', encoding="utf-8")
    done = run(LOYALD, "--config", conf, "--check-config", check=False)
    assert done.returncode == 2 and "core_dumps" in done.stderr and "development" in done.stderr


def expand(prk, label):
    return hmac.digest(prk, label + b"\1", "sha256")


def secrets_of(stack):
    """Everything whose bytes must lie in locked memory alone: what is in the files, and what is derived from it."""
    with open(os.path.join(stack.dir, "keyring"), encoding="ascii") as file:
        text = re.search(r"^1 ([0-9a-f]{64})", file.read(), re.MULTILINE)[1]
    master = bytes.fromhex(text)
    prk = hmac.digest(bytes(32), master, "sha256")
    found = {"master key": master, "master key in hex": text.encode(), "extracted key": prk}
    for label in ("identifier", "enrol", "place", "body", "cursor"):
        found[label] = expand(prk, label.encode())
    for merchant in range(0, 20):
        found[f"refs of {merchant}"] = expand(prk, b"ref" + merchant.to_bytes(4, "big"))
        found[f"purchases of {merchant}"] = expand(prk, b"purchase" + merchant.to_bytes(4, "big"))
    conf = open(os.path.join(stack.dir, "loyald.conf"), encoding="utf-8").read()
    key_file = re.search(r'key_file = "([^"]+)"', conf)[1]
    text = run("openssl", "pkey", "-in", key_file, "-noout", "-text").stdout
    scalar = bytes.fromhex(re.sub(r"[\s:]", "", re.search(r"priv:\n([0-9a-f:\s]+)pub:", text)[1]))[-32:]
    found["private key"] = scalar
    found["private key as a number"] = scalar[::-1]
    found["private key in PEM"] = open(key_file, encoding="ascii").read().splitlines()[1].encode()
    return found


def places_of(pid, wanted):
    """name -> flags of the mappings that hold the bytes."""
    found = {}
    with open(f"/proc/{pid}/mem", "rb") as memory:
        for start, end, rights, flags in mappings(pid):
            if "r" not in rights or start >= 1 << 63:
                continue
            try:
                memory.seek(start)
                data = memory.read(end - start)
            except (OSError, ValueError):
                continue  # guard pages, the kernel's own
            for name, secret in wanted.items():
                if secret in data:
                    found.setdefault(name, []).append(flags)
    return found


def test_keys_lie_in_locked_memory_alone(stack, world, daemon):
    """After work with them; in the master and in a worker that it forked. Who serves the admin port has none."""
    one = daemon("keys", core_dumps='"on"')
    with world.till("acme", one.port) as till:
        card = till.enrolled(10)
        ref = till.ref(card)
        assert till.balance(ref).available == 10
        assert till.purchases(card).code == "OK"
    wanted = secrets_of(stack)
    processes = family(one)
    assert not places_of(processes.pop("admin"), wanted)
    for name, pid in processes.items():
        assert int(status(pid)["VmLck"].split()[0]) >= 2048, f"{name} locked no memory"
        found = places_of(pid, wanted)
        assert {"master key", "identifier"} <= set(found), f"{name}: the search finds nothing: {sorted(found)}"
        loose = {key: flags for key, places in found.items() for flags in places if not {"lo", "dd"} <= set(flags)}
        assert not loose, f"{name}: outside locked memory: {loose}"


def test_little_memory_to_lock_is_said(stack, world, daemon):
    """Softly: it serves, and the log says what is missing."""
    del world
    one = Daemon(stack, "unlocked")
    one.before = (*POWERLESS, "prlimit", "--memlock=65536:65536")
    try:
        one.start()
        one.log.wait(r"process=worker0 event=keys_not_locked .*LimitMEMLOCK")
    finally:
        one.stop()


def test_who_serves_the_admin_port_has_no_password(stack, daemon):
    roles = {"postgres": "daemon", "postgres_reader": "reader", "postgres_eraser": "eraser", "postgres_maintenance": "maintenance"}
    wanted, settings = {}, {}
    for option, role in roles.items():
        password = os.urandom(16).hex()
        wanted[option] = password.encode()
        settings[option] = f'"host={stack.socket_dir} port=5432 dbname=loyal user=loyal_{role} password={password}"'
    processes = family(daemon("passwords", **settings))
    assert set(places_of(processes["master"], wanted)) == set(wanted), "the search finds nothing"
    assert not places_of(processes["admin"], wanted)


if os.path.basename(BUILD) == "asan":  # sanitizers replace mlock, and lay out memory their own way
    del test_what_is_built_is_hardened, test_keys_lie_in_locked_memory_alone, test_little_memory_to_lock_is_said
    del test_who_serves_the_admin_port_has_no_password
