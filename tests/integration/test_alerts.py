"""deploy/alerts.yml: what Prometheus' own tool says of it, the unit tests of each alert, and what it leans on."""
import os
import re
import subprocess

import pytest

from support.paths import LOYALD, ROOT, run

ALERTS = os.path.join(ROOT, "deploy", "alerts.yml")
UNIT_TESTS = os.path.join(ROOT, "tests", "support", "alerts.test.yml")


def read(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as file:
        return file.read()


def rules():
    """Alert -> its text."""
    return dict(re.findall(r"- alert: (\w+)\n(.*?)(?=\n\n|\Z)", read(ALERTS), re.S))


@pytest.mark.parametrize("words", [("check", "rules", ALERTS), ("test", "rules", UNIT_TESTS)], ids=" ".join)
def test_promtool(words):
    done = subprocess.run(["promtool", *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120,
                          check=False)
    assert done.returncode == 0 and "SUCCESS" in done.stdout and "FAILED" not in done.stdout, done.stdout


def test_each_alert_is_raised_by_a_unit_test():
    assert set(re.findall(r'alertname="(\w+)"', read(UNIT_TESTS))) == set(rules())


def test_each_alert_has_its_section_in_the_runbook():
    runbook = read("deploy", "RUNBOOK.md")
    for name, text in rules().items():
        for part in ("severity:", "summary:", "description:", f"runbook: RUNBOOK.md#{name.lower()}\n"):
            assert part in text + "\n", (name, part)
        section = re.search(rf"^### {name}\n(.*?)(?=^##|\Z)", runbook, re.S | re.M)
        assert section and "*Do:*" in section[1] or "| do |" in section[1], name
    assert set(re.findall(r"^### (Loyald\w+)$", runbook, re.M)) == set(rules())


def test_alerts_use_metrics_that_exist():
    metrics = {line.split("\t")[0] for line in run(LOYALD, "--dump-metrics").stdout.splitlines()}
    for where in (read(ALERTS), read(UNIT_TESTS), read("deploy", "RUNBOOK.md")):
        used = {re.sub(r"_(bucket|count|sum)$", "", name) for name in re.findall(r"\bloyald_[a-z_]+\b", where)}
        assert used and used <= metrics, used - metrics
