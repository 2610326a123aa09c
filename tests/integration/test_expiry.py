"""R18 to R21: the order of lots, the end of days, and the clock that decides at the moment of reading."""
import datetime
import os
import signal
import uuid

from support.paths import wait_for


def next_date(clock, month, day):
    """The next such day that is still to come, at noon."""
    year = clock.local().year
    at = clock.us_of(year, month, day, 12)
    return at if at > clock.now_us else clock.us_of(year + 1, month, day, 12)


def local_midnight(clock, us):
    at = clock.local(us)
    return (at.hour, at.minute, at.second, at.microsecond) == (0, 0, 0, 0)


def test_r18_lots_are_spent_by_expiry_then_age_then_number(acme, beta, brief, tenth, clock, database):
    card = acme.enrolled()
    now = clock.now_us
    tenth.earn(card, 100000).ok()                               # 100 that never expire
    beta.earn(card, 1000).ok()                                  # 10, in two years
    younger = acme.earn(card, 1100, at=now - 1000)              # 11, in a year
    older = acme.earn(card, 1200, at=now - 2000)                # 12, in a year, earned earlier
    brief.earn(card, 1300).ok()                                 # 13, in a month
    assert younger.ok().expires_at_us == older.ok().expires_at_us

    def holdings():
        names = {str(uuid.UUID(bytes=older.key)): "acme-older"}
        return {names.get(lot["entry_id"], lot["merchant"]): lot["points"] for lot in database.lots(card)}
    assert holdings() == {"brief": 13, "acme-older": 12, "acme": 11, "beta": 10, "tenth": 100}
    acme.redeem(card, 14).ok()
    assert holdings() == {"acme-older": 11, "acme": 11, "beta": 10, "tenth": 100}
    acme.redeem(card, 12).ok()
    assert holdings() == {"acme": 10, "beta": 10, "tenth": 100}
    acme.redeem(card, 21).ok()
    assert holdings() == {"tenth": 99}


def test_r19_expiry_is_the_end_of_a_day_in_the_networks_zone(acme, clock):
    card = acme.enrolled()
    body = acme.earn(card, 1000).ok()
    today = clock.local()
    assert local_midnight(clock, body.expires_at_us)
    last = clock.local(body.expires_at_us - 1)
    assert (last.year, last.month, last.day) == (today.year + 1, today.month, today.day)


def test_r19_month_ends_clamp(brief, clock):
    card = brief.enrolled()
    clock.move_to(next_date(clock, 1, 31))
    year = clock.local().year
    leap = year % 4 == 0
    body = brief.earn(card, 1000).ok()
    assert body.expires_at_us == clock.us_of(year, 3, 1)  # the end of the last day of February
    assert clock.local(body.expires_at_us - 1).day == (29 if leap else 28)


def test_r19_a_day_of_summer_ends_at_23_utc(brief, clock):
    card = brief.enrolled()
    clock.move_to(next_date(clock, 6, 10))
    body = brief.earn(card, 1000).ok()
    end = datetime.datetime.fromtimestamp(body.expires_at_us / 1e6, datetime.timezone.utc)
    assert (end.month, end.day, end.hour) == (7, 10, 23)


def test_r20_a_later_rule_never_shortens_a_lot(world, clock, database):
    world.add_merchant("shortens", months=12)
    with world.till("shortens") as till:
        card = till.enrolled()
        first = till.earn(card, 1000).ok()
        world.set_rate("shortens", 1, 100, 1, days=1).ok()
        clock.advance(days=1)
        assert till.earn(card, 1000).ok().expires_at_us < first.expires_at_us
        assert [lot["points"] for lot in database.lots(card)] == [10, 10]
        later = database.lots(card)[1]["expires_at"]
        assert int(later.timestamp()) * 1000000 == first.expires_at_us
        clock.advance(days=60)
        assert till.balance(card).available == 10


def test_r21_with_maintenance_stopped_expired_points_are_neither_shown_nor_usable(brief, acme, clock, stack, database):
    card = brief.enrolled(40)
    kept = acme.enrolled(7)
    brief.earn(kept, 1000).ok()
    pid = stack.children()["maintenance"]
    os.kill(pid, signal.SIGSTOP)
    try:
        expires = brief.earn(card, 100).ok().expires_at_us
        clock.move_to(expires - 1)
        assert brief.balance(card).available == 41  # the last microsecond
        clock.move_to(expires)
        assert brief.balance(card).available == 0
        assert database.lots(card), "nobody has cleared the books yet"
        refused = brief.redeem(card, 1).refused("NOT_ENOUGH_POINTS")
        assert brief.call("redeem", refused.fields).recorded
        assert acme.balance(kept).available == 7
        acme.redeem(kept, 8).refused("NOT_ENOUGH_POINTS")
        assert acme.redeem(kept, 5).ok().balance.available == 2
        assert acme.earn(card, 300).ok().balance.available == 3
        untouched = brief.enrolled()
        brief.earn(untouched, 100, at=clock.now_us - 300 * 86400 * 1000000).ok()  # late: expired before it came
        assert brief.balance(untouched).available == 0
    finally:
        os.kill(pid, signal.SIGCONT)
    assert not database.findings()


def test_r21_maintenance_enters_what_has_expired(brief, clock, database):
    """The books follow by themselves: an expiry entry of the network, chained like any other."""
    card = brief.enrolled(40)
    expires = brief.earn(card, 100).ok().expires_at_us
    clock.move_to(expires)
    entry = wait_for(lambda: (rows := database.entries(card))[-1]["kind"] == 6 and rows[-1], "an expiry entry", 60)
    assert (entry["points"], entry["balance"], entry["merchant_id"]) == (41, 0, 0)
    assert database.member(card)["available"] == 0 and not database.lots(card)
    assert not database.findings()


def test_r21_who_is_held_over_his_expiry_is_entered_once_he_is_free(brief, clock, stack, database):
    """The sweep of that day is not done before: it comes again, and its success is told only then."""
    held, other = brief.enrolled(5), brief.enrolled(5)
    mark = stack.log.mark()
    swept = stack.metric("loyald_maintenance_last_success_timestamp_seconds", 'duty="expiry"')
    with database.holding_member(held):
        clock.advance(days=70)
        wait_for(lambda: database.entries(other)[-1]["kind"] == 6, "the other's points are entered as expired", 60)
        stack.log.wait("event=expiry_failed", mark, 60)
        assert stack.metric("loyald_maintenance_last_success_timestamp_seconds", 'duty="expiry"') == swept
    wait_for(lambda: database.entries(held)[-1]["kind"] == 6, "his are, on the same day", 60)
    wait_for(lambda: stack.metric("loyald_maintenance_last_success_timestamp_seconds", 'duty="expiry"') > swept, "success is told", 30)
