"""Owns what the fault tests share: the seed of a run, told in its header, so that a failure can be had again."""
import os
import random

import pytest

SEED = int(os.environ.get("LOYAL_SEED") or random.randrange(2**31))
os.environ["LOYAL_SEED"] = str(SEED)  # also of a run that a test starts


def pytest_report_header():
    return f"seed: {SEED} (LOYAL_SEED={SEED} repeats it)"


@pytest.fixture
def dice(request):
    """Random numbers that the run's seed and the test's name decide."""
    return random.Random(f"{SEED}/{request.node.nodeid}")
