"""Every request of the protocol as a till or an operator makes it, anew at each call: for tests that walk through them all."""
import secrets
import uuid

from support.proto import ACTIVE, ANALYSIS, MESSAGES, SERVICE, SUSPENDED
from support.world import identifier, member

LINE = {"product": "milk", "category": "dairy", "quantity_milli": 1000, "amount_minor": 500}


class Verbs:
    """fields(message) makes a request; `asker` says whether a till or an operator sends it. Prepares what it needs over
    connections of its own: `till` is a Till of a merchant of this object's own, `world.operator` the operator."""

    MESSAGES = [name for name in MESSAGES if name != "hello"]

    def __init__(self, world):
        self.world = world
        self.merchant = "verbs-" + uuid.uuid4().hex[:8]
        world.add_merchant(self.merchant)
        self.till = world.till(self.merchant)
        self.card = self.till.enrolled()
        for _ in range(3):  # so that a page has one before and one after it
            self.till.earn(self.card, 10 ** 9, lines=[LINE]).ok()
        self.till.grant(self.card).ok()
        elsewhere = world.tills["beta"]
        stranger = elsewhere.enrolled()  # a customer never met
        self.till.balance(stranger)
        self.till.grant(stranger).ok()
        for card in (self.card, stranger) * 2:
            elsewhere.earn(card, 10 ** 9, lines=[LINE]).ok()
        self.spare = world.add_terminal(self.merchant, "spare")
        self.rates, self.standings = 0, 0

    def close(self):
        self.till.close()

    @staticmethod
    def asker(message):
        tills = ("enrol_member", "find_member", "get_balance", "set_grant", "revoke_grant", "list_grants", "translate_refs",
                 "earn", "redeem", "reverse", "query_purchases", "list_members_never_met", "count_members", "list_entries")
        return "till" if message in tills else "operator"

    @staticmethod
    def is_keyed(message):
        """Whether its answer is recorded under a key (R32)."""
        return message in ("enrol_member", "earn", "redeem", "reverse", "set_grant", "erase_member")

    def fields(self, message):
        return getattr(self, message, dict)()

    # --- a till's ---

    def enrol_member(self):
        return self.till.enrol_fields(self.world.new_card(), "+44121" + "".join(secrets.choice("0123456789") for _ in range(7)),
                                      self.world.new_card() + "@example.org")

    def find_member(self):
        return {"identifier": identifier(self.card)}

    def get_balance(self):
        return {"member": member(self.card)}

    def set_grant(self):
        return self.till.grant_fields(self.card)

    def revoke_grant(self):
        return {"member": member(self.card), "recipient": self.merchant, "purpose": ANALYSIS}

    list_grants = get_balance

    def translate_refs(self):
        return {"refs": [self.till.ref(self.card)] * 3}

    def earn(self):
        return self.till.earn_fields(self.card, 1000, lines=[LINE, LINE], receipt="receipt-" + secrets.token_hex(6))

    def redeem(self):
        return self.till.redeem_fields(self.card, 1)

    def reverse(self):
        return self.till.reverse_fields(self.card, self.till.earn(self.card, 500).key, amount=100)

    def query_purchases(self):
        return {"member": member(self.card), "purpose": SERVICE, "filter": {"categories": ["dairy"]}, "page_rows": 2}

    def list_members_never_met(self):
        return {"purpose": SERVICE, "filter": {"categories": ["dairy"]}, "page_rows": 2}

    def count_members(self):
        return {"purpose": ANALYSIS, "filter": {"merchants": [self.merchant]}}

    def list_entries(self):
        first = self.till.entries(self.card, page_rows=1).ok()
        return {"member": member(self.card), "page_rows": 1, "cursor": first.cursor}

    # --- an operator's ---

    def add_merchant(self):
        return {"merchant": {"code": "added-" + uuid.uuid4().hex[:8], "name": "Added", "currency": "EUR"}}

    def add_stores(self):
        return {"stores": [{"merchant": self.merchant, "code": uuid.uuid4().hex[:8]} for _ in range(3)]}

    def add_terminal(self):
        return {"terminal": {"merchant": self.merchant, "code": "added-" + uuid.uuid4().hex[:8], "channel": 1,
                             "certificate_sha256": secrets.token_bytes(32)}}

    def set_earn_rate(self):
        self.rates += 1
        return {"rate": {"merchant": self.merchant, "numerator": 1, "denominator": 100, "lifetime_months": 12,
                         "valid_from": self.world.clock.date(self.rates)}}

    def list_stores(self):
        return {"merchant": self.merchant}

    list_terminals = list_earn_rates = list_stores

    def check_conservation(self):
        return {"bucket_first": 0, "bucket_last": 3}

    def list_disclosures(self):
        return {"member": member(self.card)}

    def set_standing(self):
        self.standings += 1
        return {"terminal": {"merchant": self.merchant, "code": "spare"}, "reason": "a test",
                "standing": SUSPENDED if self.standings % 2 else ACTIVE}

    def erase_member(self):
        return {"key": self.till.key(), "member": member(self.till.enrolled(5)), "reason": "a letter"}

    def export_member(self):
        return {"member": member(self.card), "reason": "a letter"}
