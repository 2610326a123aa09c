"""The database beside the daemon: read as auditor, and disturbed as owner or superuser where a test needs that."""
import contextlib
import uuid

import psycopg2
import psycopg2.extras

from support.paths import wait_for


class Database:
    """A connection for each statement, because tests restart PostgreSQL."""

    def __init__(self, socket_dir, enrolments):
        self.socket_dir = socket_dir
        self.enrolments = enrolments  # card -> key of its enrolment: the only thing that names a member here

    def connect(self, user="loyal_auditor"):
        return psycopg2.connect(host=self.socket_dir, port=5432, dbname="loyal", user=user, connect_timeout=10,
                                application_name="a test", cursor_factory=psycopg2.extras.RealDictCursor)

    def rows(self, sql, *values, user="loyal_auditor"):
        connection = self.connect(user)
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(sql, values or None)
                return [dict(row) for row in cursor.fetchall()] if cursor.description else []
        finally:
            connection.close()

    def row(self, sql, *values, user="loyal_auditor"):
        rows = self.rows(sql, *values, user=user)
        assert len(rows) == 1, f"{len(rows)} rows: {sql}"
        return rows[0]

    def value(self, sql, *values, user="loyal_auditor"):
        return next(iter(self.row(sql, *values, user=user).values()))

    def change(self, sql, *values, user="postgres"):
        """As superuser."""
        return self.rows(sql, *values, user=user)

    def change_as_owner(self, *statements):
        connection = self.connect("postgres")
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute("set role loyal_owner")
                for sql, *values in statements:
                    cursor.execute(sql, values or None)
        finally:
            connection.close()

    @contextlib.contextmanager
    def holding(self, sql, *values):
        """A foreign transaction that has done the statement, and ends when the block does."""
        connection = self.connect("postgres")
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql, values or None)
            yield connection
        finally:
            connection.close()

    def holding_member(self, card):
        member = self.member(card)
        return self.holding("select 1 from loyal.member where bucket = %s and member_id = %s for update",
                            member["bucket"], member["member_id"])

    # --- who waits ---

    def lanes_waiting(self):
        """Backends of daemons' lanes and waiters that wait for a lock."""
        return [row["pid"] for row in self.rows(
            "select pid from pg_stat_activity where application_name in ('loyald lane', 'loyald waiter')"
            " and wait_event_type = 'Lock'",
            user="postgres")]

    def wait_lanes(self, count=1):
        return wait_for(lambda: (pids := self.lanes_waiting()) and len(pids) >= count and pids,
                        f"{count} lanes wait for a lock")

    # --- a member's rows ---

    def id_of(self, card):
        key = uuid.UUID(bytes=self.enrolments[card])
        return self.row("select bucket, member_id from loyal.entry where id = %s and kind = 1", str(key))

    def _of(self, card, sql):
        member = self.id_of(card)
        return self.rows(sql, member["bucket"], member["member_id"])

    def member(self, card):
        return self._of(card, "select * from loyal.member where bucket = %s and member_id = %s")[0]

    def entries(self, card):
        return self._of(card, "select * from loyal.entry where bucket = %s and member_id = %s order by seq")

    def lots(self, card):
        return self._of(card, "select l.*, m.code as merchant from loyal.lot l join loyal.merchant m on m.merchant_id ="
                              " l.issuer where bucket = %s and member_id = %s order by expires_at, earned_at, entry_id")

    def debts(self, card):
        return {row["code"]: row["points"] for row in self._of(
            card, "select m.code, d.points from loyal.debt d join loyal.merchant m on m.merchant_id = d.issuer"
                  " where bucket = %s and member_id = %s")}

    def refusals(self, card):
        return self._of(card, "select * from loyal.refusal where bucket = %s and member_id = %s order by decided_at")

    def lines(self, card):
        return self._of(card, "select * from loyal.basket_line where bucket = %s and member_id = %s"
                              " order by entry_id, number")

    def findings(self):
        return self.rows("select * from loyal.findings(0, 255, 'infinity', 100)")
