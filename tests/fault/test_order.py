"""The requests of one terminal about one member are done in the order in which they were sent, whatever held one of them up."""
import contextlib
import random
import threading
import time

import pytest

from support.pgproxy import PgProxy

TILLS, HOLDERS, SECONDS = 12, 4, 60
IN_FLIGHT = 24


def earned(database, card):
    return [row["points"] for row in database.entries(card) if row["kind"] == 2]


def test_what_is_known_by_now_goes_behind_what_was_asked_before(daemon, world, database):
    """Three earns with a card whose member the daemon learns while the second still waits to be asked for."""
    with PgProxy(database.socket_dir, delay_s=0.15) as proxy:
        far = daemon("far", workers=1, lanes=1, postgres=f'"host={proxy.folder} port=5432 dbname=loyal user=loyal_daemon"')
        with world.till("acme", far.port) as till:
            card = world.tills["acme"].enrolled()
            sent = [till.submit("earn", till.earn_fields(card, 100))]  # the question takes 0.3 s
            time.sleep(0.1)
            sent.append(till.submit("earn", till.earn_fields(card, 200)))
            time.sleep(0.35)
            sent.append(till.submit("earn", till.earn_fields(card, 300)))
            for number in sent:
                till.take(number).ok()
    assert earned(database, card) == [1, 2, 3]


class Pipeline(threading.Thread):
    """A till that earns 1, 2, 3... points for a member of its own, many in flight."""

    def __init__(self, world, port, card, is_over):
        super().__init__()
        self.world, self.port, self.card, self.is_over = world, port, card, is_over

    def run(self):
        with self.world.till("acme", self.port) as till:
            sent, points = [], 0
            while sent or not self.is_over.is_set():
                while len(sent) < IN_FLIGHT and not self.is_over.is_set():
                    points += 1
                    sent.append(till.submit("earn", till.earn_fields(self.card, 100 * points)))
                till.take(sent.pop(0))


def hold_rows(database, members, is_over, dice):
    """Foreign transactions, one after the other, that hold a member's row for a moment or for long."""
    while not is_over.is_set():
        member = dice.choice(members)
        with database.holding("select from loyal.member where bucket = %s and member_id = %s for update",
                              member["bucket"], member["member_id"]):
            time.sleep(dice.choice((0.01, 0.03, 0.1, 0.15, 0.3, 0.5)))


@pytest.mark.slow
def test_held_rows_keep_the_order_under_load(daemon, world, database, dice):
    one = daemon("ordered", workers=1, lanes=1, lock_timeout_ms=15000, statement_timeout_ms=20000)
    cards = [world.tills["acme"].enrolled() for _ in range(TILLS)]
    members, is_over = [database.member(card) for card in cards], threading.Event()
    threads = [Pipeline(world, one.port, card, is_over) for card in cards]
    threads += [threading.Thread(target=hold_rows, args=(database, members, is_over, random.Random(dice.random())))
                for _ in range(HOLDERS)]
    with contextlib.ExitStack() as stack:
        stack.callback(lambda: [thread.join(60) for thread in threads])
        stack.callback(is_over.set)
        for thread in threads:
            thread.start()
        time.sleep(SECONDS)
    assert not any(thread.is_alive() for thread in threads)
    rows = [earned(database, card) for card in cards]
    late = sum(after < before for points in rows for before, after in zip(points, points[1:]))
    print(f"\n  {sum(map(len, rows))} earns of {TILLS} tills beside {HOLDERS} that hold rows: {late} out of order")
    assert min(map(len, rows)) > IN_FLIGHT and late == 0
