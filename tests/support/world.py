"""The network that the tests play in: merchants, stores, tills and an operator, over the wire."""
import os
import secrets

from support.database import Database
from support.paths import LOYALCTL, run
from support.proto import ANALYSIS, CARD, EARN, EMAIL, PHONE, SERVICE
from support.stack import Bundle
from support.wire import Connection

CURRENCY = "EUR"
NOW = object()


def uuid7(us):
    data = bytearray((us // 1000).to_bytes(6, "big") + secrets.token_bytes(10))
    data[6] = 0x70 | data[6] & 0x0F
    data[8] = 0x80 | data[8] & 0x3F
    return bytes(data)


def identifier(card):
    kind = EMAIL if "@" in card else PHONE if card.startswith("+") else CARD
    return {"kind": kind, "value": card}


def member(who):
    """A card number, or the bytes of a ref."""
    return {"ref": who} if isinstance(who, bytes) else {"identifier": identifier(who)}


class Till:
    """A terminal's connection, in the words of the domain. Each method makes a request; `submit_` ones do not wait."""

    def __init__(self, world, merchant, bundle, port=None):
        self.world, self.merchant, self.bundle = world, merchant, bundle
        self.connection = Connection(port or world.stack.port, bundle, merchant)
        self.store = "north"

    def close(self):
        self.connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def key(self, ahead_us=0):
        return uuid7(self.world.clock.now_us + ahead_us)

    def occasion(self, store=None, till="1", receipt="", part=0, date=None, at=NOW):
        self.world.secrets.add(receipt)
        return {"store": store or self.store, "till": till, "receipt": receipt, "part": part,
                "business_date": date or self.world.clock.date(),
                "occurred_at_us": self.world.clock.now_us if at is NOW else at}

    # --- requests ---

    def earn_fields(self, who, amount, key=None, currency=CURRENCY, paid=0, lines=(), **occasion):
        return {"key": key or self.key(), "member": member(who),
                "purchase": {"occasion": self.occasion(**occasion), "amount_minor": amount, "currency": currency,
                             "paid_in_points_minor": paid, "lines": list(lines)}}

    def redeem_fields(self, who, points, key=None, **occasion):
        return {"key": key or self.key(), "member": member(who), "points": points, "occasion": self.occasion(**occasion)}

    def reverse_fields(self, who, original, kind=EARN, amount=None, key=None, **occasion):
        extent = {"whole": {}} if amount is None else {"amount_minor": amount}
        return {"key": key or self.key(), "member": member(who), "original_key": original, "original_kind": kind,
                "occasion": self.occasion(**occasion), **extent}

    def enrol_fields(self, *cards, key=None, store=None):
        self.world.secrets.update(cards)
        return {"key": key or self.key(), "identifiers": [identifier(card) for card in cards],
                "store": store or self.store}

    def call(self, message, fields, deadline_ms=0):
        return self.connection.call(message, deadline_ms, **fields)

    def submit(self, message, fields, deadline_ms=0):
        return self.connection.submit(message, fields, deadline_ms=deadline_ms)

    def take(self, request_id):
        return self.connection.take(request_id)

    # --- done at once ---

    def enrol(self, *cards, **more):
        fields = self.enrol_fields(*cards, **more)
        reply = self.call("enrol_member", fields)
        if reply.code == "OK":
            for card in cards:
                self.world.enrolments.setdefault(card, fields["key"])
        return reply

    def enrolled(self, points=0):
        """A new member, with points of this merchant when asked; returns his card number."""
        card = self.world.new_card()
        self.enrol(card).ok()
        if points:
            assert self.earn(card, points * 100).ok().points == points
        return card

    def earn(self, who, amount, **more):
        return self.call("earn", self.earn_fields(who, amount, **more))

    def redeem(self, who, points, **more):
        return self.call("redeem", self.redeem_fields(who, points, **more))

    def reverse(self, who, original, kind=EARN, amount=None, **more):
        return self.call("reverse", self.reverse_fields(who, original, kind, amount, **more))

    # --- grants and purchases elsewhere ---

    def grant_fields(self, who, fields=(1, 2, 3), purpose=SERVICE, source="", days=300, key=None, recipient="", text="v1"):
        return {"key": key or self.key(), "member": member(who),
                "grant": {"recipient": recipient, "source": source, "purpose": purpose, "fields": list(fields),
                          "last_day": self.world.clock.date(days), "text_version": text}}

    def grant(self, who, **more):
        return self.call("set_grant", self.grant_fields(who, **more))

    def revoke(self, who, recipient=None, purpose=0):
        which = {"all": {}} if recipient is None else {"recipient": recipient}
        return self.call("revoke_grant", {"member": member(who), "purpose": purpose, **which})

    def purchases(self, who, purpose=SERVICE, page_rows=0, cursor=b"", **purchase_filter):
        return self.call("query_purchases", {"member": member(who), "purpose": purpose, "filter": purchase_filter,
                                             "page_rows": page_rows, "cursor": cursor})

    def never_met(self, purpose=SERVICE, page_rows=0, cursor=b"", **purchase_filter):
        return self.call("list_members_never_met", {"purpose": purpose, "filter": purchase_filter,
                                                    "page_rows": page_rows, "cursor": cursor})

    def count(self, purpose=ANALYSIS, k=0, **purchase_filter):
        return self.call("count_members", {"purpose": purpose, "filter": purchase_filter, "k": k})

    def grants(self, who, cursor=b""):
        return self.call("list_grants", {"member": member(who), "cursor": cursor})

    def entries(self, who, page_rows=0, cursor=b"", reason=""):
        return self.call("list_entries", {"member": member(who), "page_rows": page_rows, "cursor": cursor, "reason": reason})

    def entries_of_period(self, from_us, until_us, page_rows=0, cursor=b""):
        return self.call("list_entries", {"period": {"from_us": from_us, "until_us": until_us}, "page_rows": page_rows,
                                          "cursor": cursor})

    @staticmethod
    def all_pages(ask, items, **more):
        """Follows the cursor to its end: ask(cursor=..., **more) gives replies, items names the repeated field."""
        found, cursor = [], b""
        while True:
            body = ask(cursor=cursor, **more).ok()
            found += getattr(body, items)
            cursor = body.cursor
            if not cursor:
                return found

    def balance(self, who):
        return self.connection.call("get_balance", member=member(who)).ok().balance

    def ref(self, card):
        return self.connection.call("find_member", identifier=identifier(card)).ok().ref


class World:
    """acme, beta: 1 point a euro (a year, two years); brief: one that lasts a month; tenth: 1 point for 10 EUR, for
    ever; giant: 10^6 points a cent."""

    MERCHANTS = {"acme": (1, 100, 12), "beta": (1, 100, 24), "brief": (1, 100, 1), "tenth": (1, 1000, 0),
                 "giant": (1000000, 1, 0)}

    def __init__(self, stack):
        self.stack, self.clock = stack, stack.clock
        self.secrets, self.enrolments, self.bundles = set(), {}, {}
        self.database = Database(stack.socket_dir, self.enrolments)
        self.operator = Connection(stack.port, stack.operator)
        for code, (numerator, denominator, months) in self.MERCHANTS.items():
            self.add_merchant(code, numerator, denominator, months)
        self.tills = {code: Till(self, code, self.bundles[code]) for code in self.MERCHANTS}

    def add_merchant(self, code, numerator=1, denominator=100, months=12):
        ask = self.operator.call
        ask("add_merchant", merchant={"code": code, "name": f"The {code}", "currency": CURRENCY}).ok()
        ask("add_stores", stores=[{"merchant": code, "code": store} for store in ("north", "south")]).ok()
        self.set_rate(code, numerator, denominator, months).ok()
        self.bundles[code] = self.add_terminal(code, "till-1")

    def set_rate(self, merchant, numerator, denominator, months, days=0):
        return self.operator.call("set_earn_rate", rate={
            "merchant": merchant, "numerator": numerator, "denominator": denominator, "lifetime_months": months,
            "valid_from": self.clock.date(days)})

    def add_terminal(self, merchant, code, store="", channel=1):
        bundle = self.stack.bundle(merchant, code)
        self.operator.call("add_terminal", terminal={
            "merchant": merchant, "code": code, "store": store, "channel": channel,
            "certificate_sha256": bundle.sha256()}).ok()
        return bundle

    def add_operator(self, name):
        """As nobody does it over the wire: with the first operator's tool."""
        folder = os.path.join(self.stack.dir, name)
        run(LOYALCTL, "cert", "operator", "--ca", self.stack.ca, "--operator", name, "--out", folder)
        bundle = Bundle(folder, "operator", self.stack.authority)
        run(LOYALCTL, "bootstrap", "--operator", name, "--certificate", bundle.certificate,
            env={"PGHOST": self.stack.socket_dir, "PGPORT": "5432", "PGUSER": "postgres", "PGDATABASE": "loyal"})
        return bundle

    def set_standing(self, standing, reason="a test", **subject):
        return self.operator.call("set_standing", standing=standing, reason=reason, **subject)

    def till(self, merchant, port=None):
        """A further connection of the merchant's till, to another daemon when a port is given."""
        return Till(self, merchant, self.bundles[merchant], port)

    def new_card(self):
        card = "9826" + "".join(secrets.choice("0123456789") for _ in range(12))
        self.secrets.add(card)
        return card

    def refresh(self):
        """Connects anew what a test has cut, so that the next one begins with whole tills."""
        for code, till in self.tills.items():
            try:
                till.connection.call("ping").ok()
            except Exception:  # pylint: disable=broad-except
                till.close()
                till.connection = Connection(self.stack.port, till.bundle, code)
        try:
            self.operator.call("ping").ok()
        except Exception:  # pylint: disable=broad-except
            self.operator.close()
            self.operator = Connection(self.stack.port, self.stack.operator)

    def close(self):
        for till in self.tills.values():
            till.close()
        self.operator.close()

    # --- programs ---

    def ctl(self, *words, profile=None, check=False, timeout=60):
        return run(LOYALCTL, *words, env={"LOYALCTL_PROFILE": profile or self.stack.operator_profile}, check=check,
                   timeout=timeout)

    def environment_of(self, merchant, port=None):
        """Of the SDK's examples."""
        bundle = self.bundles[merchant]
        return {"LOYAL_HOST": "localhost", "LOYAL_PORT": str(port or self.stack.port), "LOYAL_MERCHANT": merchant,
                "LOYAL_STORE": "north", "LOYAL_CURRENCY": CURRENCY, "LOYAL_CERTIFICATE": bundle.certificate,
                "LOYAL_KEY": bundle.key, "LOYAL_AUTHORITY": bundle.authority}

    def profile_of(self, merchant, port=None):
        bundle = self.bundles[merchant]
        path = os.path.join(self.stack.dir, f"{merchant}-{port or self.stack.port}.profile")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"host = localhost\nport = {port or self.stack.port}\nauthority = {self.stack.authority}\n"
                       f"certificate = {bundle.certificate}\nkey = {bundle.key}\nmerchant = {merchant}\n")
        return path
