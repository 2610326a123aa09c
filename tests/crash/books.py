"""Compares what the crash test's clients wrote down with what the journal holds, outside the daemon.

    books.py check DIR      DIR/client-*.log, faults.log, setup.json and the tables of DIR/tables
    books.py selftest DIR   alters a part of the same books, one thing at a time: each must be objected to

Prints one line a check and at last `N passed, N failed`. The format of the logs stands in tests/bench/crash_client.c;
tests/crash/run writes the tables as the auditor reads them.
"""
import bisect
import collections
import copy
import glob
import json
import os
import sys

OK, REFUSED, RETRY, UNKNOWN = 1, 2, 3, 4
ENROL, EARN, REDEEM, REVERSE_EARN, REVERSE_REDEEM, EXPIRY = 1, 2, 3, 4, 5, 6
MADE, REDEEMED, CLAWED_BACK, REPAID, EXPIRED, RESTORED, OWED = 1, 2, 3, 4, 5, 6, 7
VERBS = {2: ENROL, 5: EARN, 6: REDEEM}
# The recorded refusals (R33), which are all that these clients can provoke.
RECORDED = {"REVERSED_BEFORE": 19, "DUPLICATE_RECEIPT": 23, "NO_ORIGINAL": 24, "ALREADY_REVERSED": 25,
            "EXCEEDS_ORIGINAL": 26, "NOT_ENOUGH_POINTS": 27, "BALANCE_LIMIT": 28}
SHOWN = 12  # objections of one check

Answer = collections.namedtuple(
    "Answer", "kind code recorded points balance debt repaid owed expired entry before ref")
Refusal = collections.namedtuple("Refusal", "key member merchant code kind balance bound")


class Request:
    """What one key asked for, how often it was sent, and all its answers."""
    __slots__ = ("key", "client", "kind", "card", "receipt", "date", "amount", "points", "original", "whole",
                 "sent", "answers", "given_up", "twins")

    def __init__(self, client, words):
        verb, original_kind = int(words[4]), int(words[13])
        self.key, self.client = words[2], client
        self.kind = VERBS.get(verb) or (REVERSE_EARN if original_kind == 1 else REVERSE_REDEEM)
        self.card, self.receipt, self.date = int(words[5]), words[7], int(words[8])
        self.amount, self.points = int(words[10]), int(words[11])
        self.original, self.whole = words[12], words[14] == "1"
        self.sent, self.twins, self.answers, self.given_up = 1, 0, [], False

    def unknowns(self):
        return self.sent - sum(a.kind != UNKNOWN for a in self.answers)

    def definite(self):
        return [a for a in self.answers if a.kind in (OK, REFUSED)]


class Entry:
    """A row of the journal; legs: (kind, issuer, points)."""
    __slots__ = ("key", "member", "seq", "kind", "merchant", "points", "balance", "debt", "original", "amount",
                 "receipt", "date", "legs")

    def __init__(self, row):
        self.key, self.member, self.seq, self.kind = row[0], row[1], int(row[2]), int(row[3])
        self.merchant, self.points, self.balance, self.debt = row[4], int(row[5]), int(row[6]), int(row[7])
        self.original, self.amount, self.receipt, self.date = row[8], int(row[9]), row[10], int(row[11])
        flat = [int(n) for n in row[12].strip("{}").split(",") if n]
        self.legs = [(flat[i], flat[i + 4], flat[i + 5]) for i in range(0, len(flat), 8)]

    def sum_of(self, kind):
        return sum(points for leg, _, points in self.legs if leg == kind)


class World:
    """All books: requests by key, entries and refusals in order of the tables, the sums of the database."""

    def __init__(self, folder):
        with open(os.path.join(folder, "setup.json"), encoding="utf-8") as file:
            setup = json.load(file)
        self.rates = {code: tuple(rate) for code, rate in setup["rates"].items()}
        self.merchants = setup["clients"]  # of a client's number, as text
        self.requests, self.oks, self.torn = {}, [], 0
        for path in sorted(glob.glob(os.path.join(folder, "client-*.log"))):
            self._read_log(path)
        table = lambda name: _rows(os.path.join(folder, "tables", name))
        self.entries = [Entry(row) for row in table("entry")]
        self.refusals = [Refusal(r[0], r[1], r[2], int(r[3]), int(r[4]), int(r[5]), r[6] == "t")
                         for r in table("refusal")]
        self.sums = [[int(n) for n in row] for row in table("sums")]
        self.lots = {int(row[0]): int(row[1]) for row in table("lots")}
        self.members = {row[0]: tuple(map(int, row[1:])) for row in table("members")}
        self.negative = [int(row[0]) for row in table("negative")][0]
        self.findings = list(table("findings"))
        self.legs = collections.Counter()
        for entry in self.entries:
            for kind, issuer, points in entry.legs:
                self.legs[issuer, kind] += points

    def _read_log(self, path):
        client = os.path.basename(path)[len("client-"):-len(".log")]
        sent_at = {}
        with open(path, encoding="ascii") as file:
            for line in file:
                words = line.split()
                if not line.endswith("\n"):
                    self.torn += 1
                elif words[0] == "Q":
                    assert words[2] not in self.requests, "a key made twice: " + words[2]
                    self.requests[words[2]] = Request(client, words)
                    sent_at[words[2], words[3]] = int(words[1])
                elif words[0] in "RT":
                    self.requests[words[2]].sent += 1
                    self.requests[words[2]].twins += words[0] == "T"
                    sent_at[words[2], words[3]] = int(words[1])
                elif words[0] == "G":
                    self.requests[words[2]].given_up = True
                elif words[0] == "A":
                    self._take_answer(client, words, sent_at)

    def _take_answer(self, client, words, sent_at):
        kind = int(words[4])
        self.requests[words[2]].answers.append(
            Answer(kind, sys.intern(words[5]), words[6] == "1", *map(int, words[7:13]), words[13],
                   words[14] == "1", sys.intern(words[15])))
        if kind == OK:
            self.oks.append((int(words[1]), sent_at[words[2], words[3]], client))

    def part(self, cards):
        """A small world of its own, of those members."""
        part = copy.copy(self)
        part.requests = {k: copy.deepcopy(r) for k, r in self.requests.items() if r.card in cards}
        members = {e.member for e in self.entries
                   if e.kind == ENROL and e.key in part.requests}
        part.entries = [copy.deepcopy(e) for e in self.entries if e.member in members]
        part.refusals = [r for r in self.refusals if r.member in members]
        part.members = {m: row for m, row in self.members.items() if m in members}
        part.sums, part.findings, part.oks = copy.deepcopy(self.sums), list(self.findings), []
        return part


def _rows(path):
    with open(path, encoding="utf-8") as file:
        for line in file:
            yield line.rstrip("\n").split("\t")


class Books:
    """The comparison. objections: name of the check -> what it found."""

    CHECKS = ("each OK is in the journal once, as answered", "each refusal is without effect, and recorded",
              "each unknown came to one definite answer", "what was given up after RETRY left nothing",
              "no entry and no refusal that nobody asked for", "each entry does what its request says",
              "each member's entries follow one another", "R30: issued equals what became of it",
              "R31: nothing is negative", "each chain and lot verifies")

    def __init__(self, world):
        self.world = world
        self.objections = {name: [] for name in self.CHECKS}
        self.by_key = collections.defaultdict(list)
        for entry in world.entries:
            self.by_key[entry.key].append(entry)
        self.refused = {(r.merchant, r.key): r for r in world.refusals}
        self.card_of = {}
        for entry in world.entries:
            if entry.kind == ENROL and entry.key in world.requests:
                self.card_of[entry.member] = world.requests[entry.key].card

    def object(self, number, text, *values):
        self.objections[self.CHECKS[number]].append(text.format(*values))

    def compare(self):
        for request in self.world.requests.values():
            self.check_request(request)
        self.check_refs()
        self.check_strangers()
        self.check_members()
        self.check_sums()
        return self.objections

    def merchant(self, request):
        return self.world.merchants[request.client]

    # ---- requests ----

    def check_request(self, request):
        entries = self.by_key.get(request.key, ())
        if len(entries) > 1:
            self.object(0, "key {} has {} entries", request.key, len(entries))
        entry = entries[0] if entries else None
        refusal = self.refused.get((self.merchant(request), request.key))
        definite = request.definite()
        for answer in definite:
            if answer.kind == OK:
                self.check_ok(request, answer, entry, refusal)
            else:
                self.check_refused(request, answer, entry, refusal)
        if not definite:
            self.check_without(request, entry, refusal)
        self.check_recorded(request, definite)

    def check_ok(self, request, answer, entry, refusal):
        key = request.key
        if answer.before:
            if entry or not refusal or refusal.code != OK or request.kind not in (REVERSE_EARN, REVERSE_REDEEM):
                self.object(0, "key {}: OK before its original, but entry {} refusal {}", key, bool(entry), refusal)
            # An original may be there all the same, of a kind that the reversal did not name.
            kind = EARN if request.kind == REVERSE_EARN else REDEEM
            for late in self.by_key.get(request.original, ()):
                if late.kind == kind and late.merchant == self.merchant(request):
                    self.object(0, "key {}: reversed before it came, yet {} is there", key, late.key)
            return
        if not entry:
            self.object(0, "key {}: answered OK, no entry", key)
            return
        told = (answer.balance, answer.debt)
        if request.kind != ENROL:
            told += (answer.points, answer.repaid, answer.owed, answer.expired, answer.entry)
        true = (entry.balance, entry.debt, entry.points, entry.sum_of(REPAID) if entry.kind == EARN else 0,
                entry.sum_of(OWED), entry.sum_of(EXPIRED) if entry.kind == REVERSE_REDEEM else 0, key)
        if told != true[:len(told)]:
            self.object(0, "key {}: answered {}, the entry says {}", key, told, true)
        if refusal and refusal.bound:
            self.object(0, "key {}: answered OK, but recorded as refused {}", key, refusal.code)

    def check_refused(self, request, answer, entry, refusal):
        if entry:
            self.object(1, "key {}: refused {}, yet an entry is there", request.key, answer.code)
        if answer.code not in RECORDED:
            self.object(1, "key {}: {}, which nobody provoked", request.key, answer.code)
        elif not refusal or refusal.code != RECORDED[answer.code]:
            self.object(1, "key {}: {} is not recorded ({})", request.key, answer.code, refusal)
        elif refusal.code == RECORDED["NOT_ENOUGH_POINTS"] and refusal.balance >= request.points:
            self.object(1, "key {}: {} points are enough for {}", request.key, refusal.balance, request.points)
        elif answer.code == "DUPLICATE_RECEIPT":
            self.check_duplicate(request, answer)
        elif answer.code == "NO_ORIGINAL":
            for original in self.by_key.get(request.original, ()):
                if original.kind == request.kind - 2 and original.merchant == self.merchant(request):
                    self.object(1, "key {}: NO_ORIGINAL, but {} is there", request.key, request.original)

    def check_duplicate(self, request, answer):
        twins = self.by_key.get(answer.entry, ())
        if not twins:
            self.object(1, "key {}: duplicate of {}, which is not there", request.key, answer.entry)
        for twin in twins:
            told = (request.receipt, request.date, request.kind, answer.points, answer.balance)
            true = (twin.receipt, twin.date, twin.kind, twin.points, twin.balance)
            if told != true or answer.entry == request.key:
                self.object(1, "key {}: duplicate {}, the entry {} says {}", request.key, told, twin.key, true)

    def check_without(self, request, entry, refusal):
        if not request.given_up and request.unknowns() == 0 and all(a.kind == RETRY for a in request.answers):
            self.object(2, "key {}: RETRY, and never asked again", request.key)
        if request.unknowns() > 0:
            self.object(2, "key {}: sent {} times, no definite answer", request.key, request.sent)
        elif entry or (refusal and refusal.bound):
            self.object(3, "key {}: only RETRY was answered, but it is recorded", request.key)

    def check_recorded(self, request, definite):
        """Only one sending decides; all others get its record, and nothing of a RETRY is recorded."""
        first = sum(not a.recorded for a in definite)
        if first > 1 and not all(a.code not in RECORDED and a.kind == REFUSED for a in definite):
            self.object(2, "key {}: decided {} times", request.key, first)
        others = request.sent - 1 - sum(a.kind == RETRY for a in request.answers)
        tombstone = any(a.code == "REVERSED_BEFORE" for a in definite)
        if any(a.recorded for a in definite) and others < 1 and not tombstone:
            self.object(3, "key {}: recorded by an earlier sending, but all those were answered RETRY", request.key)
        if len({(a.kind, a.code, a.points, a.balance, a.debt, a.entry, a.before) for a in definite}) > 1:
            self.object(2, "key {}: answered in two ways: {}", request.key, definite)

    def check_refs(self):
        refs = {}
        for request in self.world.requests.values():
            for answer in request.answers:
                if answer.kind == OK and answer.ref != refs.setdefault((request.client, request.card), answer.ref):
                    self.object(0, "key {}: another ref than before", request.key)

    # ---- the journal ----

    def check_strangers(self):
        requests = self.world.requests
        reversed_keys = {r.original for r in requests.values() if r.original != "-"}
        for entry in self.world.entries:
            request = requests.get(entry.key)
            if request:
                self.check_effect(request, entry)
            elif entry.kind != EXPIRY:
                self.object(4, "entry {} of kind {} was never asked for", entry.key, entry.kind)
        for refusal in self.world.refusals:
            known = refusal.key in requests if refusal.bound else refusal.key in reversed_keys
            if not known:
                self.object(4, "refusal {} of {} was never asked for", refusal.key, refusal.code)

    def check_effect(self, request, entry):
        told = [request.kind, self.merchant(request), request.card, request.original]
        true = [entry.kind, entry.merchant, self.card_of.get(entry.member), entry.original]
        if request.kind in (EARN, REDEEM):
            told += [request.receipt, request.date]
            true += [entry.receipt, entry.date]
        if request.kind == EARN:
            told += [request.amount, self.earned(self.merchant(request), request.amount)]
            true += [entry.amount, entry.points]
        elif request.kind == REDEEM:
            told.append(request.points)
            true.append(entry.points)
        elif request.kind == REVERSE_EARN and not request.whole:
            told.append(request.amount)
            true.append(entry.amount)
        if told != true:
            self.object(5, "entry {}: asked {}, recorded {}", entry.key, told, true)

    def earned(self, merchant, amount):
        numerator, denominator = self.world.rates[merchant]
        return amount * numerator // denominator

    def check_members(self):
        of_member = collections.defaultdict(list)
        for entry in self.world.entries:
            of_member[entry.member].append(entry)
        for member, entries in of_member.items():
            entries.sort(key=lambda e: e.seq)
            self.check_member(member, entries)

    def check_member(self, member, entries):
        balance = debt = 0
        known, refunded, clawed = {}, collections.Counter(), collections.Counter()
        for seq, entry in enumerate(entries, 1):
            balance += self.change(entry)
            debt += entry.sum_of(OWED) - entry.sum_of(REPAID)
            if (entry.seq, entry.balance, entry.debt) != (seq, balance, debt):
                self.object(6, "member {} entry {}: seq {} balance {} debt {}, expected {} {} {}", member,
                            entry.key, entry.seq, entry.balance, entry.debt, seq, balance, debt)
                return
            known[entry.key] = entry
            original = known.get(entry.original)
            if entry.kind in (REVERSE_EARN, REVERSE_REDEEM):
                self.check_reversal(entry, original, refunded, clawed)
        last = (len(entries), balance, debt)
        if self.world.members.get(member) != last:
            self.object(6, "member {}: the row says {}, the entries {}", member,
                        self.world.members.get(member), last)

    @staticmethod
    def change(entry):
        if entry.kind == EARN:
            return entry.points - entry.sum_of(REPAID) - entry.sum_of(EXPIRED)
        if entry.kind == REVERSE_EARN:
            return entry.sum_of(OWED) - entry.points
        if entry.kind == REVERSE_REDEEM:
            return entry.points - entry.sum_of(EXPIRED)
        return -entry.points

    def check_reversal(self, entry, original, refunded, clawed):
        """R4, R8 and R10, worked out from the amounts alone."""
        if not original or original.kind != entry.kind - 2 or original.merchant != entry.merchant:
            self.object(5, "entry {} reverses {}, which is no such entry", entry.key, entry.original)
            return
        refunded[original.key] += entry.amount if entry.kind == REVERSE_EARN else 1
        if entry.kind == REVERSE_REDEEM:
            expected, most = original.points, 1
        else:
            rest = original.amount - refunded[original.key]
            expected = max(0, original.points - clawed[original.key] - self.earned(entry.merchant, max(rest, 0)))
            most = original.amount
        clawed[original.key] += entry.points
        if entry.points != expected or refunded[original.key] > most:
            self.object(5, "entry {} takes back {} of {}, expected {}", entry.key, entry.points, original.key, expected)

    def check_sums(self):
        world = self.world
        for issuer, issued, available, redeemed, expired, forfeited, clawed_back, debt in world.sums:
            if issued != available + redeemed + expired + forfeited + clawed_back - debt:
                self.object(7, "issuer {}: {} issued, {} accounted for", issuer, issued,
                            available + redeemed + expired + forfeited + clawed_back - debt)
            legs = lambda kind, who=issuer: world.legs[who, kind]
            left = (legs(MADE) + legs(RESTORED) - legs(REDEEMED) - legs(CLAWED_BACK) - legs(REPAID) - legs(EXPIRED))
            if left != world.lots.get(issuer, 0) or issued != legs(MADE) or debt != legs(OWED) - legs(REPAID):
                self.object(7, "issuer {}: lots of {}, legs give {}", issuer, world.lots.get(issuer, 0), left)
            if min(issued, available, redeemed, expired, forfeited, clawed_back, debt) < 0:
                self.object(8, "issuer {} has a negative sum", issuer)
        if world.negative or any(min(row) < 0 for row in world.members.values()):
            self.object(8, "{} rows with a negative number", world.negative)
        for finding in world.findings:
            self.object(9, "{}", " ".join(finding))


# ---- what a reader wants to know ----

def print_counters(world):
    requests = world.requests.values()
    by_answer = collections.Counter(a.code for r in requests for a in r.answers if a.kind == REFUSED)
    kinds = collections.Counter(a.kind for r in requests for a in r.answers)
    retries = collections.Counter(a.code for r in requests for a in r.answers if a.kind == RETRY)
    unknown = [r for r in requests if r.unknowns() > 0]
    causes = collections.Counter(a.code for r in unknown for a in r.answers if a.kind == UNKNOWN)
    keys = {e.key for e in world.entries}
    bound = {r.key for r in world.refusals}
    committed = sum(all(a.recorded for a in r.definite()) for r in unknown if r.key in keys and r.definite())
    refused = sum(all(a.recorded for a in r.definite()) for r in unknown
                  if r.key in bound and r.key not in keys and r.definite())
    print(f"requests {len(requests)}, sent {sum(r.sent for r in requests)} times, "
          f"{sum(r.twins for r in requests)} twins, {sum(r.given_up for r in requests)} given up after RETRY")
    print(f"answers: OK {kinds[OK]}, refused {kinds[REFUSED]}, retry {kinds[RETRY]}, unknown {kinds[UNKNOWN]}")
    print("refused by code: " + listed(by_answer))
    print("retry by code: " + listed(retries))
    print("unknown by code: " + listed(causes))
    print(f"requests with an unknown outcome {len(unknown)}; of these committed before they were repeated: "
          f"{committed} effects, {refused} refusals")
    print(f"journal: {len(world.entries)} entries, {len(world.refusals)} recorded refusals, "
          f"{len(world.members)} members")


def listed(counter):
    return ", ".join(f"{name} {count}" for name, count in counter.most_common()) or "none"


def print_faults(world, folder):
    path = os.path.join(folder, "faults.log")
    if not os.path.exists(path):
        return
    with open(path, encoding="utf-8") as file:
        faults = [json.loads(line) for line in file]
    print("faults: " + listed(collections.Counter(f["kind"] for f in faults)) + f"; {len(faults)} in all")
    oks = sorted(world.oks)
    times = collections.defaultdict(list)
    for fault in faults:
        first, everyone = recovery(oks, fault["us"], len(world.merchants) - 1)
        times[fault["kind"]].append((first, everyone))
    print("recovery, ms until the next OK of a request sent after the fault (median, most), and until each client has one:")
    for kind, pairs in sorted(times.items()):
        text = []
        for column in zip(*pairs):
            known = sorted(ms for ms in column if ms is not None)
            text.append(f"{known[len(known) // 2]:6d} {known[-1]:6d}" if known else "     -      -")
        print(f"  {kind:12} {text[0]}   {text[1]}")


def recovery(oks, fault_us, clients):
    first, seen = None, set()
    for at in range(bisect.bisect(oks, (fault_us,)), len(oks)):
        answered_us, sent_us, client = oks[at]
        if sent_us > fault_us and client not in seen:
            first = (answered_us - fault_us) // 1000 if first is None else first
            seen.add(client)
            if len(seen) == clients:
                return first, (answered_us - fault_us) // 1000
    return first, None


# ---- commands ----

def verdict(results):
    passed = failed = 0
    for name, objections in results:
        print(("ok - " if not objections else "FAILED - ") + name)
        for text in objections[:SHOWN]:
            print("    " + text)
        if len(objections) > SHOWN:
            print(f"    and {len(objections) - SHOWN} more")
        passed, failed = passed + (not objections), failed + bool(objections)
    print(f"{passed} passed, {failed} failed")
    return failed == 0 and passed > 0


def check(folder):
    world = World(folder)
    print_counters(world)
    print_faults(world, folder)
    return verdict(Books(world).compare().items())


def some(items, what):
    for item in items:
        return item
    raise LookupError("the books hold no " + what)


def answered(world, code, kinds=(EARN, REDEEM)):
    """A request that was answered once, with that code."""
    return some((r for r in world.requests.values() if r.kind in kinds and len(r.answers) == 1 and r.sent == 1
                 and r.answers[0].code == code and not r.answers[0].before), code)


def alter(request, **changes):
    request.answers[-1] = request.answers[-1]._replace(**changes)


def alter_entry(world, key, **changes):
    for entry in world.entries:
        if entry.key == key:
            for name, value in changes.items():
                setattr(entry, name, value)


def drop_entry(world, key):
    world.entries = [e for e in world.entries if e.key != key]


def double_entry(world, key, new_key=None):
    twin = copy.deepcopy(some((e for e in world.entries if e.key == key), key))
    twin.key = new_key or key
    world.entries.append(twin)


def retried(world):
    request = answered(world, "NOT_ENOUGH_POINTS")
    world.refusals = [r for r in world.refusals if r.key != request.key]
    alter(request, kind=RETRY, code="TRANSIENT")
    request.given_up = True
    return request


def alterations():
    """Each: a name, the check that must object, and what is done to the books."""
    earn = lambda w: answered(w, "OK", (EARN,))
    short = lambda w: answered(w, "NOT_ENOUGH_POINTS")
    return [
        ("an answer with one point more", 0, lambda w: alter(earn(w), points=earn(w).answers[0].points + 1)),
        ("an answer with another balance", 0, lambda w: alter(earn(w), balance=earn(w).answers[0].balance + 1)),
        ("an answer with another entry key", 0, lambda w: alter(earn(w), entry="0" * 32)),
        ("an OK that was a refusal", 0, lambda w: alter(short(w), kind=OK, code="OK")),
        ("a missing entry", 0, lambda w: drop_entry(w, earn(w).key)),
        ("a doubled effect", 0, lambda w: double_entry(w, earn(w).key)),
        ("an effect doubled under another key", 4, lambda w: double_entry(w, earn(w).key, "1" * 32)),
        ("a request that the log does not know", 4, lambda w: w.requests.pop(earn(w).key)),
        ("a refusal with an effect", 1, lambda w: alter(earn(w), kind=REFUSED, code="NOT_ENOUGH_POINTS")),
        ("a refusal that is not recorded", 1,
         lambda w: setattr(w, "refusals", [r for r in w.refusals if r.key != short(w).key])),
        ("a refusal recorded with another code", 1,
         lambda w: setattr(w, "refusals", [r._replace(code=26) if r.key == short(w).key else r for r in w.refusals])),
        ("a request decided twice", 2,
         lambda w: earn(w).answers.append(earn(w).answers[0])),
        ("two answers to one key", 2,
         lambda w: earn(w).answers.append(earn(w).answers[0]._replace(balance=-1, recorded=True))),
        ("an unknown without an answer", 2, lambda w: earn(w).answers.pop()),
        ("an effect although only RETRY was answered", 3,
         lambda w: double_entry(w, earn(w).key, retried(w).key)),
        ("a RETRY that was committed", 3, lambda w: alter(earn(w), recorded=True)),
        ("an entry at another merchant", 5, lambda w: alter_entry(w, earn(w).key, merchant="elsewhere")),
        ("an entry of another kind", 5, lambda w: alter_entry(w, earn(w).key, kind=REVERSE_EARN)),
        ("an entry of another member", 5, lambda w: alter_entry(w, earn(w).key, member="0/0")),
        ("an entry with another balance", 6, lambda w: alter_entry(w, earn(w).key, balance=10 ** 9)),
        ("a member's row with one point more", 6,
         lambda w: w.members.update({m: (r[0], r[1] + 1, r[2]) for m, r in list(w.members.items())[:1]})),
        ("an issuer's sum with one point more", 7, lambda w: w.sums[0].__setitem__(1, w.sums[0][1] + 1)),
        ("a negative number", 8, lambda w: setattr(w, "negative", 1)),
        ("a finding of the database", 9, lambda w: w.findings.append(["0", "1", "entry", "chain", "1"])),
    ]


def cards_for_tests(world):
    """As few members as hold what the alterations need, so that each world is quickly made."""
    of_card = collections.defaultdict(list)
    for request in world.requests.values():
        of_card[request.card].append(request)
    cards, count, codes = set(), 0, set()
    for card in sorted(of_card, key=lambda c: len(of_card[c])):
        cards.add(card)
        count += len(of_card[card])
        codes.update(r.answers[0].code for r in of_card[card] if r.sent == 1 == len(r.answers) and r.kind == REDEEM)
        if count >= 1000 and {"OK", "NOT_ENOUGH_POINTS"} <= codes:
            break
    return cards


def selftest(folder):
    whole = World(folder)
    cards = cards_for_tests(whole)
    base = whole.part(cards)
    results = [("the unaltered part of the books is right",
                [text for texts in Books(base).compare().values() for text in texts])]
    for name, number, change in alterations():
        world = base.part(cards)
        change(world)
        objections = Books(world).compare()[Books.CHECKS[number]]
        results.append((f"objects to {name}", [] if objections else ["it does not"]))
    return verdict(results)


def main():
    commands = {"check": check, "selftest": selftest}
    if len(sys.argv) != 3 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    sys.exit(0 if commands[sys.argv[1]](sys.argv[2]) else 1)


if __name__ == "__main__":
    main()
