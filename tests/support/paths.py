"""Where things lie, and how long tests wait for them. LOYAL_BUILD selects the build under test."""
import os
import subprocess
import time

ROOT = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
BUILD = os.path.join(ROOT, os.environ.get("LOYAL_BUILD", "build"))
LOYALD = os.path.join(BUILD, "loyald")
LOYALCTL = os.path.join(BUILD, "loyalctl")
PROTOCOL = os.path.join(ROOT, "proto", "PROTOCOL.md")
WAIT_S = 30  # no wait of a test is longer unless it says so


def run(*command, timeout=60, env=None, check=True, **more):
    """Runs a program with a time limit; its output is text."""
    done = subprocess.run([str(word) for word in command], timeout=timeout, text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, **(env or {})},
                          check=False, **more)
    if check and done.returncode != 0:
        raise AssertionError(f"{command} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done


def example(name):
    """The command that runs one of the SDK's examples; in LOYAL_WRAPPER, where that is set."""
    path = os.path.join(BUILD, "client-sdk", "examples", name)
    if not os.path.exists(path):
        run("make", "-C", ROOT, "--no-print-directory", *(["SAN=1"] if BUILD.endswith("asan") else []), "examples",
            timeout=300)
    return [*os.environ.get("LOYAL_WRAPPER", "").split(), path]


def wait_for(condition, what, seconds=WAIT_S, every=0.02):
    """Asks until the condition gives something true, and returns that."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise AssertionError(f"after {seconds} s still not: {what}")
        time.sleep(every)
