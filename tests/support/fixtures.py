"""pytest's fixtures: one stack and one world a run; after each test the sanitizers' reports and the tills' health."""
import signal

import pytest

from support.paths import wait_for
from support.stack import Daemon, Stack
from support.world import World


def _interrupt(_number, _frame):
    raise KeyboardInterrupt


def pytest_configure(config):
    config.addinivalue_line("markers", "last: judges the whole run, so it comes last")
    config.addinivalue_line("markers", "slow: too long for `make test`; `make fault` runs it")
    signal.signal(signal.SIGTERM, _interrupt)  # so that a run that is stopped still ends what it started


def pytest_collection_modifyitems(items):
    """What judges the whole run comes last."""
    items.sort(key=lambda item: bool(item.get_closest_marker("last")))


@pytest.fixture(scope="session")
def stack():
    made = Stack()
    try:
        yield made.start()
    finally:
        made.stop()
    assert not made.sanitizer_reports()


@pytest.fixture(scope="session")
def shared_world(stack):
    made = World(stack)
    yield made
    made.close()


@pytest.fixture
def world(shared_world, stack):
    wait_for(stack.is_whole, "the daemon is ready")
    shared_world.refresh()
    yield shared_world


@pytest.fixture(autouse=True)
def no_sanitizer_report(stack):
    yield
    reports = stack.sanitizer_reports()
    assert not reports, "\n".join(reports)


@pytest.fixture
def acme(world):
    return world.tills["acme"]


@pytest.fixture
def beta(world):
    return world.tills["beta"]


@pytest.fixture
def brief(world):
    return world.tills["brief"]


@pytest.fixture
def tenth(world):
    return world.tills["tenth"]


@pytest.fixture
def giant(world):
    return world.tills["giant"]


@pytest.fixture
def database(world):
    return world.database


@pytest.fixture
def clock(world):
    return world.clock


@pytest.fixture
def operator(world):
    return world.operator


@pytest.fixture
def second(stack, world):
    """Another daemon on the same database, kept for the run."""
    del world
    if not hasattr(stack, "second"):
        stack.second = Daemon(stack, "second", workers=1, lock_timeout_ms=20000, statement_timeout_ms=25000).start()
    wait_for(stack.second.is_ready, "the second daemon is ready")
    return stack.second


@pytest.fixture
def daemon(stack, world):
    """Makes daemons that live for one test: daemon("name", queue_max=1)."""
    del world
    made = []

    def make(name, wait=True, **settings):
        fresh = Daemon(stack, name, **settings)
        made.append(fresh)
        return fresh.start(wait)

    yield make
    for one in made:
        one.stop()
