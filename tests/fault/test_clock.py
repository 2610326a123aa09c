"""The domain's clock steps over midnights, the ends of months and of a year, and both changes of daylight saving, while tills
are at work. Every date that the daemon then used is held against one that Python's zoneinfo computes."""
import calendar
import collections
import datetime
import threading
import time
import uuid

from support.paths import wait_for
from support.stack import DAY_US, ZONE
from support.world import ANALYSIS, SERVICE

MONTHS = {"noon": 12, "dusk": 1}  # lifetime of the points of two merchants
Done = collections.namedtuple("Done", "merchant key at_us date amount reply")


def instant(date):
    """When a local day begins."""
    return int(datetime.datetime(date.year, date.month, date.day, tzinfo=ZONE).timestamp()) * 1000000


def local_date(us):
    return datetime.datetime.fromtimestamp(us / 1e6, ZONE).date()


def number(date):
    return date.year * 10000 + date.month * 100 + date.day


def end_after(us, months):
    """R19: the end of the day so many months later, clamped."""
    date = local_date(us)
    year, month = divmod(date.year * 12 + date.month - 1 + months, 12)
    day = min(date.day, calendar.monthrange(year, month + 1)[1])
    return instant(datetime.date(year, month + 1, day) + datetime.timedelta(days=1))


def changes_after(us):
    """The next two instants at which the zone's offset changes."""
    found, at = [], us // 3600000000 * 3600000000
    offset = lambda t: datetime.datetime.fromtimestamp(t / 1e6, ZONE).utcoffset()
    while len(found) < 2:
        if offset(at) != offset(at + 3600000000):
            found.append(at + 3600000000)
        at += 3600000000
    return found


def boundaries_after(us):
    """(name, instant) in order: the next midnight and month's end, both changes and the ends of their days, the year's end,
    the ends of January and February."""
    today = local_date(us)
    month_end = datetime.date(today.year + today.month // 12, today.month % 12 + 1, 1)
    found = [("a midnight", instant(today + datetime.timedelta(days=1))), ("a month's end", instant(month_end))]
    for change in changes_after(us):
        end = instant(local_date(change) + datetime.timedelta(days=1))
        hours = (end - instant(local_date(change))) // 3600000000
        found += [(f"the change to a day of {hours} hours", change), (f"the end of a day of {hours} hours", end)]
    found += [("a year's end", instant(datetime.date(today.year + 1, 1, 1)))]
    found += [("the end of a January", instant(datetime.date(today.year + 1, 2, 1)))]
    found += [("the end of a February", instant(datetime.date(today.year + 1, 3, 1)))]
    return sorted({at: (name, at) for name, at in found}.values(), key=lambda pair: pair[1])


class Tills:
    """Threads that earn and repeat without a pause, and note what they sent and got."""

    def __init__(self, world):
        self.world, self.done, self.faults = world, [], []
        self.ending, self.jump = threading.Event(), threading.Lock()
        self.threads = [threading.Thread(target=self._run, args=(merchant,)) for merchant in MONTHS for _ in range(2)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        for thread in self.threads:
            thread.join(60)

    def _run(self, merchant):
        try:
            with self.world.till(merchant) as till:
                card, mine = till.enrolled(), []
                while not self.ending.is_set():
                    with self.jump:
                        mine.append(self._earn(till, merchant, card))
                    if len(mine) % 5 == 0:
                        self._repeat(till, mine[-5])
                    time.sleep(0.004)
        except Exception as fault:  # pylint: disable=broad-except
            self.faults.append(fault)

    def _earn(self, till, merchant, card):
        at_us = till.world.clock.now_us
        date, amount = number(local_date(at_us)), 1000 + len(self.done) % 7 * 100
        fields = till.earn_fields(card, amount, date=date, at=at_us)
        done = Done(merchant, fields["key"], at_us, date, amount, till.call("earn", fields))
        done.reply.ok()
        self.done.append(done)
        return done

    def _repeat(self, till, done):
        """Decided before, perhaps on another day: the recorded answer, whatever the date is now."""
        again = till.call("earn", done.reply.fields)
        assert again.recorded and again.ok() == done.reply.body

    def step(self, clock, us):
        """Over a boundary the tills go on; over months they let go first, because keys have an age."""
        if us - clock.now_us > DAY_US:
            with self.jump:
                clock.move_to(us)
        else:
            clock.move_to(us)


class Boundary:
    """What ends at an instant, if it is a midnight: points that expire, a grant, the day's budget of questions, a rate."""

    def __init__(self, world, at_us):
        self.world, self.database, self.at_us = world, world.database, at_us
        self.before, self.after = local_date(at_us - 1), local_date(at_us)
        self.till, self.card, self.expiring = world.tills["dusk"], None, 0

    def prepare(self, rates):
        self.card = self.till.enrolled()
        with self.world.till("noon") as noon:
            noon.earn(self.card, 500).ok()
        today = local_date(self.world.clock.now_us)
        if self.before == self.after:
            return
        self.till.grant(self.card, days=(self.before - today).days, purpose=SERVICE).ok()
        for merchant in MONTHS:  # in force from the new day on
            self.world.set_rate(merchant, rates[-1][1] + 1, 100, MONTHS[merchant], days=(self.after - today).days).ok()
        rates.append((self.after, rates[-1][1] + 1))
        for days in range(27, 32):
            earned = instant(self.before - datetime.timedelta(days=days))
            if not self.expiring and earned >= instant(rates[0][0]) and end_after(earned, MONTHS["dusk"]) == self.at_us:
                self.expiring = self.till.earn(self.card, 70000, at=earned).ok().points

    def look(self, is_over):
        """What is there at the last microsecond, and what at the next one."""
        if self.before == self.after:
            return
        kept = self.till.balance(self.card).available - (0 if is_over else self.expiring)
        assert kept == [row["points"] for row in self.database.entries(self.card) if row["kind"] == 2][0]
        assert len(self.till.purchases(self.card, purpose=SERVICE).ok().purchases) == (0 if is_over else 1)
        was = self.used()
        self.till.count(purpose=ANALYSIS, amount_minor_min=self.at_us // DAY_US * 2 + is_over).ok()
        charged = self.before if not is_over else self.after
        assert self.used() - was == collections.Counter({number(charged): 1})

    def used(self):
        return collections.Counter({row["day"]: row["used"] for row in self.database.rows(
            "select day, used from loyal.question_budget join loyal.merchant using (merchant_id) where code = 'dusk'")})

    def books(self):
        """What has expired is entered once, by maintenance or by whoever came first."""
        if self.expiring:
            entries = wait_for(lambda: [row for row in self.database.entries(self.card) if row["kind"] == 6], "an expiry entry")
            assert [row["points"] for row in entries] == [self.expiring]
            assert entries[0]["decided_at"].timestamp() * 1e6 >= self.at_us


def quarters(database):
    return [row["name"] for row in database.rows(
        "select relname as name from pg_class where relname ~ '^entry_[0-9]{4}q[0-9]$' order by relname")]


def check(done, rates, database):
    """Each earn against Python: the rate of its day, the end of its points, and one entry with its date."""
    for one in done:
        numerator = [value for date, value in rates if date <= local_date(one.at_us)][-1]
        body = one.reply.body
        assert body.points == one.amount * numerator // 100, one
        assert body.expires_at_us == end_after(one.at_us, MONTHS[one.merchant]), one
    rows = {row["id"]: row for row in database.rows(
        "select id, business_date, occurred_at, decided_at, points, merchant_id from loyal.entry where kind = 2"
        " and id = any(%s::uuid[])", [str(uuid.UUID(bytes=one.key)) for one in done])}
    assert len(rows) == len(done)
    for one in done:
        row = rows[str(uuid.UUID(bytes=one.key))]
        assert (row["business_date"], row["points"]) == (one.date, one.reply.body.points)
        assert round(row["occurred_at"].timestamp() * 1e6) == one.at_us <= row["decided_at"].timestamp() * 1e6
    for lot in database.rows("select l.earned_at, l.expires_at, m.code from loyal.lot l join loyal.merchant m on"
                             " m.merchant_id = l.issuer where m.code = any(%s)", list(MONTHS)):
        assert lot["expires_at"].timestamp() * 1e6 == end_after(lot["earned_at"].timestamp() * 1e6, MONTHS[lot["code"]])


def test_a_year_of_boundaries_under_load(world, clock, database):
    for code, months in MONTHS.items():
        world.add_merchant(code, 1, 100, months)
        world.tills[code] = world.till(code)
    rates, ahead, expired = [(local_date(clock.now_us), 1)], quarters(database), 0
    with Tills(world) as tills:
        for name, at_us in boundaries_after(clock.now_us):
            boundary, begun = Boundary(world, at_us), len(tills.done)
            tills.step(clock, max(clock.now_us, at_us - 300 * 1000000))
            boundary.prepare(rates)
            for us in (at_us - 1, at_us):
                tills.step(clock, us)
                boundary.look(is_over=us == at_us)
                time.sleep(0.2)
            boundary.books()
            expired += bool(boundary.expiring)
            print(f"  {name}: {clock.local(at_us)}, {len(tills.done) - begun} earns around it", flush=True)
    assert not tills.faults, tills.faults
    assert len(tills.done) > 200 and expired >= 3
    check(tills.done, rates, database)
    wait_for(lambda: quarters(database)[-1] > ahead[-1], "partitions made further ahead")
    assert not database.findings()
    first = tills.done[0]
    stale = world.tills[first.merchant].call("earn", {**first.reply.fields, "key": world.tills["noon"].key(-36 * DAY_US)})
    assert stale.refused("TOO_OLD") and world.tills[first.merchant].call("earn", first.reply.fields).recorded
