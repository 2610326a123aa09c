"""A backup, restored to a point in time: what was acknowledged after that point is lost there, and clients that repeat it
under its keys bring it back, once. As the runbook says under "Backup and restore"."""
import os
import shutil
import subprocess

import pytest

from support.paths import ROOT, run, wait_for
from support.stack import Daemon, Stack
from support.world import World

BIN = "/usr/lib/postgresql/15/bin"
CLUSTER = os.path.join(ROOT, "deploy", "cluster")
pytestmark = pytest.mark.slow


@pytest.fixture
def own_stack():
    """A network of its own, because its database is to be lost."""
    made = Stack()
    try:
        yield made.start()
    finally:
        made.stop()


class Tills:
    """Tills that keep every request with its answer, as the runbook asks them to."""

    def __init__(self, world):
        self.world, self.kept = world, []

    def ask(self, merchant, message, fields):
        reply = self.world.tills[merchant].call(message, fields)
        self.kept.append((merchant, message, fields, reply))
        return reply

    def trade(self, dice, cards, count):
        """Purchases, redemptions and reversals at random; some are refused."""
        earned = [(merchant, fields) for merchant, message, fields, reply in self.kept
                  if message == "earn" and reply.code == "OK"]
        for _ in range(count):
            merchant, card = dice.choice(("acme", "beta")), dice.choice(cards)
            till = self.world.tills[merchant]
            kind = dice.random()
            if kind < 0.5 or not earned:
                fields = till.earn_fields(card, dice.randrange(100, 9000), receipt=str(len(self.kept)))
                earned.append((merchant, fields))
                self.ask(merchant, "earn", fields).ok()
            elif kind < 0.8:
                self.ask(merchant, "redeem", till.redeem_fields(card, dice.randrange(1, 60)))
            else:
                merchant, original = dice.choice(earned)
                who = original["member"]["identifier"]["value"]
                self.ask(merchant, "reverse", self.world.tills[merchant].reverse_fields(who, original["key"]))

    def enrol(self, count):
        cards = [self.world.new_card() for _ in range(count)]
        for card in cards:
            fields = self.world.tills["acme"].enrol_fields(card)
            self.ask("acme", "enrol_member", fields).ok()
            self.world.enrolments[card] = fields["key"]
        return cards


def restore(stack, backup, received, moment):
    """The backup as of the moment, in a cluster beside the old one; returns the folder of its socket."""
    folder = os.path.join(stack.dir, "restored")
    run(CLUSTER, "start", folder, timeout=120)  # for its user and its socket
    run(CLUSTER, "stop", folder, timeout=120)
    home = dict(line.split("=", 1) for line in open(os.path.join(folder, "state"), encoding="ascii").read().split())
    data = os.path.join(home["home"], "data")
    owner = os.stat(data)
    shutil.rmtree(data)
    shutil.copytree(backup, data)
    shutil.copytree(received, os.path.join(home["home"], "wal"))
    with open(os.path.join(data, "recovery.signal"), "w", encoding="ascii"):
        pass
    for root, folders, files in os.walk(home["home"]):
        for name in (".", *folders, *files):
            os.chown(os.path.join(root, name), owner.st_uid, owner.st_gid)
    os.chmod(data, 0o700)
    wal = os.path.join(home["home"], "wal")
    run(CLUSTER, "start", folder, "--option", f"restore_command=cp {wal}/%f %p || cp {wal}/%f.partial %p", "--option",
        f"recovery_target_time={moment}", "--option", "recovery_target_action=promote", timeout=120)
    return folder, home["socket"]


def test_what_was_lost_comes_back_once_by_its_keys(own_stack, dice):
    stack = own_stack
    world = World(stack)
    tills = Tills(world)
    backup, wal = (os.path.join(stack.dir, name) for name in ("backup", "wal"))
    os.mkdir(wal)
    place = ("-h", stack.socket_dir, "-p", "5432", "-U", "postgres")
    cards = tills.enrol(10)
    tills.trade(dice, cards, 60)

    run(f"{BIN}/pg_receivewal", *place, "--create-slot", "--slot", "restore", "-D", wal)
    receiver = subprocess.Popen([f"{BIN}/pg_receivewal", *place, "--slot", "restore", "--no-loop", "-D", wal])
    restored = None
    try:
        run(f"{BIN}/pg_basebackup", *place, "-X", "none", "--checkpoint=fast", "--no-sync", "-D", backup, timeout=120)
        tills.trade(dice, cards, 60)
        moment = world.database.value("select clock_timestamp()::text")
        kept_at_moment = len(tills.kept)
        assert any(reply.kind == "REFUSED" for *_, reply in tills.kept), "nothing was refused, so no refusal comes back"
        late = tills.enrol(3)
        tills.trade(dice, cards + late, 80)
        refs = {card: world.tills["acme"].ref(card) for card in cards + late}
        members = {card: world.database.member(card) for card in cards + late}
        entries = world.database.value("select count(*) from loyal.entry")
        end = world.database.value("select pg_current_wal_insert_lsn()::text", user="postgres")
        world.database.value("select pg_switch_wal()::text", user="postgres")
        wait_for(lambda: world.database.value(
            "select coalesce(bool_or(flush_lsn >= %s::pg_lsn), false) from pg_stat_replication", end, user="postgres"),
            "all WAL was received")
        world.close()
        stack.deploy("stop")
        stack.postgres("stop")

        restored, socket_dir = restore(stack, backup, wal, moment)
        world.database.socket_dir = socket_dir
        wait_for(lambda: not world.database.value("select pg_is_in_recovery()", user="postgres"), "it was promoted")
        lost = entries - world.database.value("select count(*) from loyal.entry")
        assert lost > 0, "nothing was lost, so nothing is shown"
        daemon = Daemon(stack, "restored", **{name: f'"host={socket_dir} port=5432 dbname=loyal user={role}"' for name, role in (
            ("postgres", "loyal_daemon"), ("postgres_reader", "loyal_reader"), ("postgres_eraser", "loyal_eraser"))})
        daemon.start()
        stack.port = daemon.port
        world.refresh()

        again = [world.tills[merchant].call(message, fields) for merchant, message, fields, _ in tills.kept]
        for number, (reply, (_, message, _, first)) in enumerate(zip(again, tills.kept)):
            assert (reply.code, reply.body) == (first.code, first.body), f"{message} number {number}: {first!r}, now {reply!r}"
            assert reply.recorded or number >= kept_at_moment, f"{message} number {number} was done twice"
        for card, before in members.items():
            after = world.database.member(card)
            assert (after["available"], after["seq"]) == (before["available"], before["seq"]), card
            assert world.tills["acme"].ref(card) == refs[card], "a ref does not survive"
        assert world.database.value("select count(*) from loyal.entry") == entries
        assert not world.database.findings()
        print(f"{len(tills.kept)} requests repeated, {lost} entries had been lost and are back")
    finally:
        receiver.terminate()
        receiver.wait(30)
        for one in stack.daemons:
            one.stop()
        if restored:
            run(CLUSTER, "destroy", restored, timeout=120)
