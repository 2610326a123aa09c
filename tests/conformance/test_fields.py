"""The ranges of PROTOCOL.md section 7: just outside each of them, INVALID_FIELD names the field; just inside it passes."""
import copy

import pytest

AMOUNT_MAX = 10 ** 15
TIME_MAX = 253402300799999999
V4_KEY = bytes.fromhex("01900000000040008000000000000001")
ODD_VARIANT = bytes.fromhex("0190000000007000c000000000000001")


def fields_of(message, till, operator_code):
    card = "0000000000000000"
    who = {"member": {"identifier": {"kind": 1, "value": card}}}
    return {
        "enrol_member": lambda: {"key": till.key(), "identifiers": [{"kind": 1, "value": "1234"}], "store": "nowhere"},
        "find_member": lambda: {"identifier": {"kind": 1, "value": card}},
        "get_balance": lambda: {"member": {"identifier": {"kind": 1, "value": card}}},
        "earn": lambda: till.earn_fields(card, 100, lines=[{"product": "p", "quantity_milli": 1000, "amount_minor": 100}]),
        "redeem": lambda: till.redeem_fields(card, 1),
        "reverse": lambda: till.reverse_fields(card, till.key(), amount=1),
        "add_merchant": lambda: {"merchant": {"code": operator_code, "name": "N", "currency": "EUR"}},
        "list_merchants": lambda: {"after": ""},
        "add_stores": lambda: {"stores": [{"merchant": "nobody", "code": "s"}]},
        "list_stores": lambda: {"merchant": "acme"},
        "add_terminal": lambda: {"terminal": {"merchant": "nobody", "code": "t", "channel": 1,
                                              "certificate_sha256": b"c" * 32}},
        "list_terminals": lambda: {"merchant": "acme"},
        "set_earn_rate": lambda: {"rate": {"merchant": "nobody", "numerator": 1, "denominator": 1,
                                           "lifetime_months": 1, "valid_from": 20991231}},
        "list_earn_rates": lambda: {"merchant": "acme"},
        "check_conservation": lambda: {"bucket_first": 1, "bucket_last": 1},
        "set_grant": lambda: till.grant_fields(card),
        "revoke_grant": lambda: {**who, "recipient": "acme"},
        "list_grants": lambda: {**who},
        "translate_refs": lambda: {"refs": [b"r" * 17]},
        "query_purchases": lambda: {**who, "purpose": 1, "filter": dict(FILTER)},
        "list_members_never_met": lambda: {"purpose": 1, "filter": dict(FILTER)},
        "count_members": lambda: {"purpose": 1, "filter": dict(FILTER)},
        "list_entries": lambda: {**who},
        "list_disclosures": lambda: {**who},
        "set_standing": lambda: {**who, "standing": 2, "reason": "r"},
        "erase_member": lambda: {**who, "key": till.key(), "reason": "r"},
        "export_member": lambda: {**who, "reason": "r"},
    }[message]()


def sender(message, till, operator):
    return operator if message in OPERATORS else till.connection


def put(fields, path, value):
    """Sets a.b[0].c; None removes it."""
    fields = copy.deepcopy(fields)
    at, words = fields, path.replace("[", ".[").split(".")
    for word in words[:-1]:
        at = at[int(word[1:-1])] if word.startswith("[") else at[word]
    last = int(words[-1][1:-1]) if words[-1].startswith("[") else words[-1]
    if value is None:
        del at[last]
    else:
        at[last] = value
    return fields


OPERATORS = {"add_merchant", "list_merchants", "add_stores", "list_stores", "add_terminal", "list_terminals", "set_earn_rate",
             "list_earn_rates", "check_conservation", "list_disclosures", "set_standing", "erase_member", "export_member"}
FILTER = {"merchants": ["nobody"]}  # so that what is inside its range ends in UNKNOWN_MERCHANT, not in a charge
LINE = {"quantity_milli": 1, "amount_minor": 1}
IDENTIFIER = {"kind": 1, "value": "1234"}
STORE = {"merchant": "acme", "code": "s"}
OCCASION = [("store", None), ("store", "x" * 33), ("till", "x" * 33), ("receipt", "x" * 65), ("part", 1 << 31),
            ("business_date", None), ("business_date", 20240230), ("business_date", 20241301),
            ("business_date", 20240100), ("business_date", 19691231), ("business_date", 100000101),
            ("occurred_at_us", -1), ("occurred_at_us", TIME_MAX + 1)]
KEY = [("key", None), ("key", b"k" * 15), ("key", b"k" * 17), ("key", V4_KEY), ("key", ODD_VARIANT)]
MEMBER = [("member", None), ("member", {}), ("member.identifier.kind", None), ("member.identifier.value", None),
          ("member.identifier.value", "1" * 255), ("member.identifier.value", "123"), ("member.identifier.value", "12a4"),
          ("member.identifier.value", "1" * 33)]
REFS = [("member", {"ref": b""}), ("member", {"ref": b"r" * 16}), ("member", {"ref": b"r" * 18})]

# (message, path of what is changed, value; the field named, when it is another)
BAD = [(m, path, value) for m in ("earn", "redeem", "reverse") for path, value in KEY + MEMBER + REFS]
BAD += [("enrol_member", path, value) for path, value in KEY]
BAD += [("get_balance", path, value) for path, value in MEMBER + REFS]
BAD += [("redeem", "occasion." + path, value) for path, value in OCCASION]
BAD += [("reverse", "occasion." + path, value) for path, value in OCCASION]
BAD += [("earn", "purchase.occasion." + path, value) for path, value in OCCASION]
BAD += [
    ("earn", "purchase", None), ("earn", "purchase.occasion", None), ("redeem", "occasion", None),
    ("reverse", "occasion", None),
    ("earn", "purchase.amount_minor", -1), ("earn", "purchase.amount_minor", AMOUNT_MAX + 1),
    ("earn", "purchase.currency", None), ("earn", "purchase.currency", "eur"), ("earn", "purchase.currency", "EURO"),
    ("earn", "purchase.currency", "E1R"), ("earn", "purchase.paid_in_points_minor", 101),
    ("earn", "purchase.paid_in_points_minor", -1), ("earn", "purchase.lines", [LINE] * 201),
    ("earn", "purchase.lines[0].product", "x" * 65), ("earn", "purchase.lines[0].category", "x" * 65),
    ("earn", "purchase.lines[0].quantity_milli", None), ("earn", "purchase.lines[0].quantity_milli", -1),
    ("earn", "purchase.lines[0].quantity_milli", 10 ** 12 + 1),
    ("earn", "purchase.lines[0].amount_minor", AMOUNT_MAX + 1),
    ("earn", "purchase.lines[0].amount_minor", -AMOUNT_MAX - 1),
    ("redeem", "points", None), ("redeem", "points", -1), ("redeem", "points", AMOUNT_MAX + 1),
    ("reverse", "original_key", b"k" * 15), ("reverse", "original_key", V4_KEY), ("reverse", "original_kind", None),
    ("reverse", "amount_minor", 0), ("reverse", "amount_minor", -5), ("reverse", "amount_minor", AMOUNT_MAX + 1),
    ("reverse", "original_kind", 2),
    ("enrol_member", "identifiers", None), ("enrol_member", "identifiers", [IDENTIFIER] * 9),
    ("enrol_member", "identifiers[0].kind", None), ("enrol_member", "identifiers[0].value", None),
    ("enrol_member", "identifiers[0].value", "12 3"), ("enrol_member", "store", None),
    ("enrol_member", "store", "x" * 33),
    ("enrol_member", "identifiers[0]", {"kind": 2, "value": "12"}),
    ("enrol_member", "identifiers[0]", {"kind": 2, "value": "+44 12 letters"}),
    ("enrol_member", "identifiers[0]", {"kind": 3, "value": "nobody"}),
    ("find_member", "identifier", None), ("find_member", "identifier.kind", None),
    ("find_member", "identifier.value", "---"),
    ("add_merchant", "merchant", None), ("add_merchant", "merchant.code", None),
    ("add_merchant", "merchant.code", "Upper"), ("add_merchant", "merchant.code", "-x"),
    ("add_merchant", "merchant.code", "x" * 33), ("add_merchant", "merchant.name", None),
    ("add_merchant", "merchant.name", "x" * 101), ("add_merchant", "merchant.currency", "EU"),
    ("list_merchants", "after", "x" * 33),
    ("add_stores", "stores", None), ("add_stores", "stores", [STORE] * 501),
    ("add_stores", "stores[0].merchant", None), ("add_stores", "stores[0].code", "x" * 33),
    ("add_stores", "stores[0].name", "x" * 101),
    ("list_stores", "merchant", None), ("list_terminals", "merchant", None), ("list_earn_rates", "merchant", None),
    ("add_terminal", "terminal", None), ("add_terminal", "terminal.code", None),
    ("add_terminal", "terminal.channel", None), ("add_terminal", "terminal.certificate_sha256", b"c" * 31),
    ("add_terminal", "terminal.store", "x" * 33),
    ("set_earn_rate", "rate", None), ("set_earn_rate", "rate.denominator", None),
    ("set_earn_rate", "rate.denominator", 10 ** 9 + 1), ("set_earn_rate", "rate.numerator", 10 ** 6 + 1),
    ("set_earn_rate", "rate.lifetime_months", 1201), ("set_earn_rate", "rate.valid_from", 20230229),
    ("set_earn_rate", "rate.valid_from", 20200101),
    ("check_conservation", "bucket_first", 2), ("check_conservation", "bucket_last", 256),
    ("add_merchant", "merchant.standing", 1), ("add_terminal", "terminal.standing", 1),
]
BAD += [(m, path, value) for m in ("set_grant", "revoke_grant", "list_grants", "query_purchases", "list_entries",
                                   "list_disclosures", "set_standing", "erase_member", "export_member")
        for path, value in MEMBER[2:] + REFS]
BAD += [(m, "member", None) for m in ("set_grant", "revoke_grant", "list_grants", "query_purchases", "list_entries",
                                      "list_disclosures", "erase_member", "export_member")]
BAD += [(m, path, value) for m in ("set_grant", "erase_member") for path, value in KEY]
BAD += [(m, "reason", value) for m in ("set_standing", "erase_member", "export_member") for value in (None, "x" * 201)]
BAD += [(m, "cursor", b"c" * 257) for m in ("list_grants", "query_purchases", "list_members_never_met", "list_entries",
                                            "list_disclosures", "export_member")]
BAD += [(m, "page_rows", 201) for m in ("query_purchases", "list_members_never_met", "list_entries")]
BAD += [(m, path, value) for m in ("query_purchases", "list_members_never_met", "count_members") for path, value in [
    ("purpose", None), ("filter.merchants", ["beta"] * 21), ("filter.merchants", [""]), ("filter.merchants", ["x" * 33]),
    ("filter.categories", ["c"] * 21), ("filter.categories", [""]), ("filter.categories", ["c", "x" * 65]),
    ("filter.date_first", 20240230), ("filter.date_first", 19691231), ("filter.date_last", 20241301),
    ("filter.date_last", 100000101), ("filter.amount_minor_min", -1), ("filter.amount_minor_min", AMOUNT_MAX + 1),
    ("filter.amount_minor_max", -1), ("filter.amount_minor_max", AMOUNT_MAX + 1), ("filter.channels", [1] * 6),
    ("filter.channels", [0])]]
BAD += [
    ("set_grant", "grant", None), ("set_grant", "grant.recipient", "Upper"), ("set_grant", "grant.recipient", "x" * 33),
    ("set_grant", "grant.source", "-x"), ("set_grant", "grant.source", "x" * 33), ("set_grant", "grant.purpose", None),
    ("set_grant", "grant.fields", None), ("set_grant", "grant.fields", [1, 2, 3, 1]), ("set_grant", "grant.last_day", None),
    ("set_grant", "grant.last_day", 20240230), ("set_grant", "grant.text_version", None),
    ("set_grant", "grant.text_version", "x" * 33),
    ("revoke_grant", "recipient", "Upper"), ("revoke_grant", "recipient", "x" * 33),
    ("translate_refs", "refs", None), ("translate_refs", "refs", [b"r" * 17] * 501), ("translate_refs", "refs", [b""]),
    ("translate_refs", "refs", [b"r" * 17, b"r" * 16]), ("translate_refs", "refs", [b"r" * 18]),
    ("count_members", "k", 10 ** 6 + 1), ("list_entries", "reason", "x" * 201), ("list_entries", "reason", "r"),
    ("set_standing", "standing", None),
]
# Where what is missing or related is named otherwise than what was changed.
NAMED = {
    ("reverse", "amount_minor", "0"): "reverse.amount_minor",
    ("reverse", "original_kind", "2"): "reverse.amount_minor",
    ("list_entries", "member", "None"): "list_entries.of",
}


def expected(message, path, value):
    return NAMED.get((message, path, str(value)), f"{message}.{path}")


def test_each_field_violation_is_named(world, acme, operator):
    """All on one connection, which stays: a mistake is answered and costs nothing else."""
    faults = []
    for message, path, value in BAD:
        # pylint: disable=cell-var-from-loop
        fields = put(fields_of(message, acme, "newcomer"), path, value)
        reply = sender(message, acme, operator).call(message, **fields)
        want = expected(message, path, value)
        named = reply.field
        if isinstance(value, dict):
            good = named.startswith(want)  # the whole, or the part of it that is wrong
        else:
            good = named == want
        if reply.code != "INVALID_FIELD" or not good:
            faults.append(f"{message} {path} = {str(value)[:30]!r}: {reply.code} field {named!r}, expected {want}")
    assert not faults, "\n".join(faults)
    acme.connection.call("ping").ok()


GOOD = [
    ("earn", "purchase.amount_minor", AMOUNT_MAX, "UNKNOWN_MEMBER"),
    ("earn", "purchase.paid_in_points_minor", 100, "UNKNOWN_MEMBER"),
    ("earn", "purchase.lines", [LINE] * 200, "UNKNOWN_MEMBER"),
    ("earn", "purchase.lines[0].quantity_milli", 10 ** 12, "UNKNOWN_MEMBER"),
    ("earn", "purchase.lines[0].amount_minor", -AMOUNT_MAX, "UNKNOWN_MEMBER"),
    ("earn", "purchase.lines[0].product", "x" * 64, "UNKNOWN_MEMBER"),
    ("earn", "purchase.occasion.business_date", 20240229, "UNKNOWN_MEMBER"),
    ("earn", "purchase.occasion.receipt", "é" * 32, "UNKNOWN_MEMBER"),
    ("earn", "purchase.occasion.occurred_at_us", TIME_MAX, "INVALID_FIELD"),  # in range, but not yet
    ("earn", "purchase.occasion.occurred_at_us", 0, "UNKNOWN_MEMBER"),
    ("redeem", "points", AMOUNT_MAX, "UNKNOWN_MEMBER"),
    ("redeem", "occasion.part", (1 << 31) - 1, "UNKNOWN_MEMBER"),
    ("redeem", "occasion.till", "x" * 32, "UNKNOWN_MEMBER"),
    ("redeem", "member", {"ref": b"r" * 17}, "UNKNOWN_MEMBER"),
    ("reverse", "amount_minor", AMOUNT_MAX, "UNKNOWN_MEMBER"),
    ("reverse", "original_key", b"", "UNKNOWN_MEMBER"),
    ("find_member", "identifier.value", "1" * 32, "UNKNOWN_MEMBER"),
    ("find_member", "identifier", {"kind": 2, "value": "0121 496 0000"}, "UNKNOWN_MEMBER"),
    ("add_terminal", "terminal.store", "", "UNKNOWN_MERCHANT"),
    ("set_earn_rate", "rate.lifetime_months", 1200, "UNKNOWN_MERCHANT"),
    ("set_earn_rate", "rate.numerator", 10 ** 6, "UNKNOWN_MERCHANT"),
    ("check_conservation", "bucket_first", 0, "OK"),
    ("set_grant", "grant.text_version", "x" * 32, "UNKNOWN_MEMBER"),
    ("revoke_grant", "recipient", "x" * 32, "UNKNOWN_MEMBER"),
    ("translate_refs", "refs", [b"r" * 17] * 500, "OK"),
    ("query_purchases", "page_rows", 200, "UNKNOWN_MEMBER"),
    ("query_purchases", "filter", {}, "UNKNOWN_MEMBER"),
    ("query_purchases", "filter", None, "UNKNOWN_MEMBER"),
    ("list_members_never_met", "page_rows", 200, "UNKNOWN_MERCHANT"),
    ("list_members_never_met", "cursor", b"c" * 256, "UNKNOWN_MERCHANT"),
    ("list_members_never_met", "cursor", b"c", "UNKNOWN_MERCHANT"),
    ("count_members", "filter.merchants", ["beta"] * 19 + ["x" * 32], "UNKNOWN_MERCHANT"),
    ("count_members", "filter.categories", ["é" * 32] * 20, "UNKNOWN_MERCHANT"),
    ("count_members", "filter.channels", [1, 2, 3, 4, 5], "UNKNOWN_MERCHANT"),
    ("count_members", "filter.amount_minor_max", AMOUNT_MAX, "UNKNOWN_MERCHANT"),
    ("count_members", "filter.date_last", 99991231, "UNKNOWN_MERCHANT"),
    ("count_members", "k", 10 ** 6, "UNKNOWN_MERCHANT"),
    ("list_entries", "page_rows", 200, "UNKNOWN_MEMBER"),
    ("set_standing", "reason", "x" * 200, "UNKNOWN_MEMBER"),
    ("erase_member", "reason", "x" * 200, "UNKNOWN_MEMBER"),
    ("export_member", "reason", "x" * 200, "UNKNOWN_MEMBER"),
]


@pytest.mark.parametrize("message,path,value,code", GOOD, ids=lambda value: str(value)[:30])
def test_the_edge_of_a_range_is_inside(world, acme, operator, message, path, value, code):
    fields = put(fields_of(message, acme, "newcomer"), path, value)
    assert sender(message, acme, operator).call(message, **fields).code == code


def test_a_missing_extent(acme):
    fields = fields_of("reverse", acme, "")
    del fields["amount_minor"]
    reply = acme.connection.call("reverse", **fields).refused("INVALID_FIELD")
    assert reply.field.startswith("reverse")


def faults_of(connection, message, cases):
    for fields, want in cases:
        reply = connection.call(message, **fields)
        if reply.code != "INVALID_FIELD" or reply.field != want:
            yield f"{message} {fields}: {reply.code} field {reply.field!r}, expected {want}"


def test_fields_that_contradict_each_other(acme):
    for message in ("query_purchases", "list_members_never_met", "count_members"):
        fields = fields_of(message, acme, "")
        dates, amounts = {"date_first": 20240602, "date_last": 20240601}, {"amount_minor_min": 2, "amount_minor_max": 1}
        assert not list(faults_of(acme.connection, message, [
            ({**fields, "filter": dates}, message + ".filter.date_first"),
            ({**fields, "filter": amounts}, message + ".filter.amount_minor_min")]))


@pytest.mark.parametrize("period,field", [
    ({"from_us": 0}, "period.until_us"), ({"until_us": TIME_MAX + 1}, "period.until_us"),
    ({"from_us": -1, "until_us": 5}, "period.from_us"), ({"from_us": 6, "until_us": 5}, "period.from_us"),
    ({"from_us": 0, "until_us": 31 * 86400 * 10 ** 6 + 1}, "period"), ({"until_us": TIME_MAX}, "period")])
def test_a_period_out_of_range(acme, period, field):
    assert acme.connection.call("list_entries", period=period).refused("INVALID_FIELD").field == "list_entries." + field


def test_a_period_in_range(acme):
    for period in ({"from_us": TIME_MAX, "until_us": TIME_MAX}, {"until_us": 31 * 86400 * 10 ** 6}):
        assert not acme.connection.call("list_entries", period=period).ok().entries


def test_who_needs_a_reason_and_who_asks_for_a_period(acme, operator):
    who = {"member": {"ref": b"r" * 17}}
    assert operator.call("list_entries", **who).refused("INVALID_FIELD").field == "list_entries.reason"
    assert operator.call("list_entries", period={"until_us": 5}, reason="r").refused("INVALID_FIELD").field == \
        "list_entries.period"
    assert acme.connection.call("list_entries", period={"until_us": 5}, reason="r").refused("INVALID_FIELD").field == \
        "list_entries.reason"


def test_a_grant_that_makes_no_sense(acme, operator, clock):
    """What only the server's state can tell, of a member who is there."""
    card = acme.enrolled()
    fields = acme.grant_fields(card)
    cases = [("last_day", clock.date(-1)), ("last_day", 99991231), ("last_day", 19700101), ("fields", [2, 2]),
             ("fields", [0]), ("channel", 1), ("source", "acme")]
    assert not list(faults_of(acme.connection, "set_grant", [
        (put(fields, "grant." + name, value), "set_grant.grant." + name) for name, value in cases]))
    own = put(put(fields, "grant.recipient", "acme"), "grant.channel", 2)
    assert not list(faults_of(operator, "set_grant", [
        (put(own, "grant." + name, value), "set_grant.grant." + name)
        for name, value in [*cases[:-2], ("channel", 0), ("recipient", ""), ("source", "acme")]]))
    ahead = clock.local().replace(year=clock.local().year + 2)
    last = int(ahead.strftime("%Y%m%d"))
    acme.connection.call("set_grant", **put(fields, "grant.last_day", last)).ok()
    operator.call("set_grant", **put(put(own, "grant.last_day", clock.date()), "key", acme.key())).ok()


def test_standings_and_subjects(acme, operator):
    base = {"standing": 2, "reason": "r"}
    assert not list(faults_of(operator, "set_standing", [
        ({**base, "merchant": "Upper"}, "set_standing.merchant"), ({**base, "operator": "x" * 33}, "set_standing.operator"),
        ({**base, "operator": "admin"}, "set_standing.operator"),
        ({**base, "store": {"merchant": "acme"}}, "set_standing.store.code"),
        ({**base, "store": {"code": "north"}}, "set_standing.store.merchant"),
        ({**base, "store": {"merchant": "acme", "code": "x" * 33}}, "set_standing.store.code"),
        ({**base, "terminal": {"merchant": "acme"}}, "set_standing.terminal.code"),
        ({**base, "terminal": {"merchant": "acme", "code": "Upper"}}, "set_standing.terminal.code"),
        ({**base, "terminal": {"merchant": "", "code": "t"}}, "set_standing.terminal.merchant"),
        ({**base, "certificate": {"code": "t", "certificate_sha256": b"c" * 32}}, "set_standing.certificate.merchant"),
        ({**base, "certificate": {"merchant": "acme", "certificate_sha256": b"c" * 32}}, "set_standing.certificate.code"),
        *(({**base, "certificate": {"merchant": "acme", "code": "t", "certificate_sha256": b"c" * size}},
           "set_standing.certificate.certificate_sha256") for size in (0, 31, 33))]))
    assert operator.call("set_standing", **base).refused("INVALID_FIELD").field == "set_standing.subject"
    assert operator.call("set_standing", **base, merchant="").refused("INVALID_FIELD").field == "set_standing.merchant"
    assert operator.call("add_stores", stores=[STORE, {**STORE, "standing": 1}]).refused("INVALID_FIELD") \
        .field.startswith("add_stores.stores")
    assert acme.connection.call("revoke_grant", member={"ref": b"r" * 17}).refused("INVALID_FIELD").field == \
        "revoke_grant.which"


def test_text_never_repeats_what_was_sent(acme):
    """R1 of care: an identifier that is wrong does not come back in a text that ends in somebody's log."""
    reply = acme.connection.call("find_member", identifier={"kind": 1, "value": "98260000x77777"})
    assert "77777" not in reply.refused("INVALID_FIELD").outcome.text
