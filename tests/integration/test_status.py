"""loyalctl status by the admin port: one round, many rounds, daemons that come and go."""
import json
import os
import pty
import re
import select
import signal
import subprocess
import time

from support.paths import LOYALCTL, run, wait_for


def url(one):
    return f"http://127.0.0.1:{one.admin_port}"


def status(*words, **more):
    return run(LOYALCTL, "status", *words, env={"LOYALCTL_PROFILE": "", "LOYALCTL_URL": ""}, **more)


class Following:
    """`loyalctl status --follow` in the background."""

    def __init__(self, *words, tty=False):
        self.text, self.master = "", None
        out = subprocess.PIPE
        if tty:
            self.master, out = pty.openpty()
        self.process = subprocess.Popen([LOYALCTL, "status", "--follow", *words], stdin=subprocess.DEVNULL, stdout=out,
                                        stderr=subprocess.STDOUT, env={**os.environ, "LOYALCTL_PROFILE": ""})
        self.fd = self.master if tty else self.process.stdout.fileno()
        if tty:
            os.close(out)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        if self.master is not None:
            os.close(self.master)
        else:
            self.process.stdout.close()

    def read(self):
        while select.select([self.fd], [], [], 0.05)[0]:
            try:
                data = os.read(self.fd, 65536)
            except OSError:  # the other end of a terminal is gone
                break
            if not data:
                break
            self.text += data.decode()
        return self.text

    def wait(self, pattern):
        return wait_for(lambda: re.search(pattern, self.read()), f"{pattern}")


def test_one_round_shows_load_and_waiting_times(stack, acme):
    with subprocess.Popen([LOYALCTL, "status", "--url", url(stack), "--interval", "2", "--json"],
                          stdout=subprocess.PIPE, text=True) as asked:
        until = time.monotonic() + 60
        while asked.poll() is None:
            assert time.monotonic() < until
            acme.enrolled(5)
        shown = json.loads(asked.stdout.read())
    assert asked.returncode == 0
    daemon, = shown["daemons"]
    assert daemon["state"] == "ready" and daemon["daemon"] == f"127.0.0.1:{stack.admin_port}"
    assert daemon["req_per_s"] > 0 and daemon["ok_per_s"] > 0 and daemon["refused_per_s"] == 0
    assert 0 < daemon["p50_ms"] <= daemon["p99_ms"] and daemon["commit_ms"] > 0 and daemon["batch"] >= 1
    assert daemon["db"] >= 14 and daemon["conns"] >= 4
    assert [(row["worker"], row["state"]) for row in shown["workers"]] == [(0, "ready"), (1, "ready")]
    assert sum(row["req_per_s"] for row in shown["workers"]) == daemon["req_per_s"]
    assert all(row["mib"] > 1 and row["files"] > 5 for row in shown["workers"])


def test_people_get_two_tables_and_several_daemons_a_row_each(stack, second):
    done = status("--url", f"{url(stack)},{url(second)}")
    lines = done.stdout.splitlines()
    assert lines[0] == "daemons" and lines[1].split()[:2] == ["daemon", "state"]
    assert [line.split()[:2] for line in lines[2:4]] == [
        [f"127.0.0.1:{one.admin_port}", "ready"] for one in (stack, second)]
    assert lines[5] == "workers" and len(lines) == 7 + 3


def test_a_daemon_that_is_down_is_shown_as_such(stack):
    done = status("--url", f"{url(stack)},http://127.0.0.1:1", check=False)
    assert done.returncode == 1 and re.search(r"^127\.0\.0\.1:1 +no answer", done.stdout, re.M), done.stdout


def test_what_is_no_admin_port_is_said(stack):
    assert status("--url", "ftp://127.0.0.1", check=False).returncode == 2
    assert status("--url", url(stack) + "/metrics", check=False).returncode == 2
    for words in (("--interval", "0"), ("--count", "none")):
        assert status("--url", url(stack), *words, check=False).returncode == 2


def test_following_writes_a_line_an_interval_and_survives_a_restart(daemon):
    """Not a terminal: lines; down: it says so and goes on asking; SIGINT ends it."""
    fresh = daemon("followed", workers=1)
    with Following("--url", url(fresh)) as follow:
        first = follow.wait(r"time=(\S+)Z daemon=127.0.0.1:\d+ state=\"ready\" connections=0\.00 [^\n]*database=[1-9]\.00\n")
        assert "\033" not in follow.text and first
        fresh.stop()
        follow.wait('state="no answer"')
        assert follow.process.poll() is None
        follow.process.send_signal(signal.SIGINT)
        assert follow.process.wait(10) == 0
    assert len(follow.text.splitlines()) >= 2


def test_following_on_a_terminal_draws_one_table_again(stack):
    with Following("--url", url(stack), tty=True) as follow:
        follow.wait(r"(?s)\033\[H\033\[J.*\033\[H\033\[J[^\n]*Ctrl-C ends\r\n\r\ndaemons\r\n")
        follow.process.send_signal(signal.SIGINT)
        assert follow.process.wait(10) == 0


def test_following_has_an_end_when_asked(stack):
    done = status("--follow", "--url", url(stack), "--count", "2")
    assert len(done.stdout.splitlines()) == 2
    documents = status("--follow", "--url", url(stack), "--count", "2", "--json").stdout
    first, end = json.JSONDecoder().raw_decode(documents)
    assert first["daemons"] and json.loads(documents[end:])["workers"]
