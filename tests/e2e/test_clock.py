"""Clocks that are free, wrong or jump: the server dates the records, marks them, and says how
sure it is. The truth is this machine's own clock; the edges are real ones, or a publisher with
an enrolled machine's certificate that lies about its clock."""
import os
import time
import uuid

import pytest
from parts import records
from province import SELFTEST, Wire, until

HOUR = 3600
MARGIN_MS = 50          # two clocks are read one after the other


def boottime():
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Boot:
    """One start of a machine at `began` (Unix seconds): its clock, its session."""

    def __init__(self, began):
        self.began = began
        self.id, self.session = str(uuid.uuid4()), os.urandom(8).hex()

    def mono(self, at):
        return f"{at - self.began:.3f}"


class Edge:
    """A publisher of one enrolled agent; what it measured, and truly when."""

    def __init__(self, province, machine):
        self.province, self.id, self.wire = province, machine.id, Wire(machine)
        self.fingerprint = province.show(machine.id)["fingerprint"]
        self.epoch, self.seq = os.urandom(8).hex(), 0

    def online(self, boot, synchronised, wall):
        self.wire.publish("presence", {
            "state": "online", "session": boot.session, "boot": boot.id,
            "mono": round(time.time() - boot.began, 3), "wall": wall,
            "synchronised": synchronised, "version": "0", "fingerprint": self.fingerprint,
            "epoch": self.epoch, "config": ""}, "application/json", retain=True)
        until("the server knows the boot", lambda: self.province.query(
            "SELECT 1 FROM boot_anchor WHERE agent = ? AND boot = ?", self.id, boot.id))

    def pack(self, lane, boot, items, sealed, sender=None, **more):
        """Send {name: SenML time} as one pack that `boot` sealed; returns its number."""
        self.seq += 1
        props = {"epoch": self.epoch, "seq": self.seq, "boot": boot.id,
                 "session": (sender or boot).session, "mono": boot.mono(sealed),
                 "sent_mono": (sender or boot).mono(time.time()), **more}
        body = [{"bn": f"{self.id}/", "n": f"selftest/{name}/count", "u": "count",
                 "v": self.seq, "t": t} for name, t in items.items()]
        assert self.wire.publish(lane, body, **props)
        return self.seq

    def dated(self):
        """Name to (at_ms, uncertainty_ms, rebased), once all that was sent is folded."""
        until("acknowledged", lambda: self.wire.acked(self.epoch) >= set(
            range(1, self.seq + 1)))
        self.province.folded()
        return {name.split("/")[1]: rest for name, *rest in self.province.query(
            "SELECT name, at_ms, uncertainty_ms, rebased FROM latest WHERE agent = ?", self.id)}


@pytest.fixture
def edge(province):
    province.registry()
    e = Edge(province, province.enroll("box"))
    yield e
    e.wire.close()


def holds(dated, name, truth):
    """Rebased, marked, and the truth lies in what is told."""
    at, uncertainty, rebased = dated[name]
    assert rebased == 1, f"{name} is not marked"
    assert uncertainty > 0, f"{name} is told as a point"
    assert abs(at - truth * 1000) <= uncertainty + MARGIN_MS, \
        f"{name}: off by {at - truth * 1000:.0f} ms, said ± {uncertainty}"


def test_a_free_clock_is_dated_by_the_server(province):
    province.registry()
    m = province.enroll("box", HATANG_CLOCK="free").run(SELFTEST)
    until("packs", lambda: province.packs(m.id) >= 5)
    assert m.process.stop() == 0
    province.folded()
    wall_of_boot = time.time() - boottime()
    truth = {}
    for kind, payload, mono, received in province.query(
            "SELECT content_type, payload, mono_ns, received_ms FROM journal WHERE agent = ?"
            " AND kind = 'data' ORDER BY id", m.id):
        for r in records(kind, payload):
            assert -60 < r["t"] <= 0, "only relative times"
            truth[r["n"]] = wall_of_boot + mono / 1e9 + r["t"], received
    latest = province.query("SELECT name, at_ms, uncertainty_ms, rebased FROM latest"
                            " WHERE agent = ?", m.id)
    assert "selftest/st/count" in [name for name, *_ in latest]
    for name, at, uncertainty, rebased in latest:
        taken, received = truth[f"{m.id}/{name}"]
        assert rebased == 1 and 0 < uncertainty <= 2000, (name, uncertainty)
        assert abs(at - taken * 1000) <= uncertainty + MARGIN_MS, (name, at - taken * 1000)
        assert at <= received, "nothing is measured after it was received"
    assert province.show(m.id)["presence"]["clock"] == "free"


@pytest.mark.parametrize("synchronised", [False, True])
def test_a_clock_that_began_in_1970(edge, synchronised):
    boot = Boot(time.time() - 400)
    edge.online(boot, synchronised, wall=400.0)
    now = time.time()
    old = lambda at: at - boot.began            # what such a clock shows
    edge.pack("data", boot, {"a": old(now - 8), "b": old(now - 3), "c": old(now)}, now)
    # 1979: no longer read as relative, and yet before any clock of ours.
    late = time.time()
    edge.pack("data", boot, {"d": 3e8 - 5, "e": 3e8}, late)
    dated = edge.dated()
    for name, truth in dict(a=now - 8, b=now - 3, c=now, d=late - 5, e=late).items():
        holds(dated, name, truth)
    at = [dated[name][0] for name in "abc"]
    assert at == sorted(at) and abs(at[2] - at[0] - 8000) <= 1, "order and spacing are kept"
    assert dated["e"][0] - dated["d"][0] == 5000


@pytest.mark.parametrize("lane", ["data", "hist"])
def test_a_clock_in_the_future(edge, lane):
    """Ten minutes ahead, and sure of it; on hist it is old enough to pass for possible."""
    boot = Boot(time.time() - 4000)
    edge.online(boot, True, wall=time.time() + 600)
    sealed = time.time() - (1200 if lane == "hist" else 0)
    edge.pack(lane, boot, {"a": sealed - 2 + 600, "b": sealed + 600}, sealed)
    dated = edge.dated()
    holds(dated, "a", sealed - 2)
    holds(dated, "b", sealed)
    assert abs(dated["b"][0] - dated["a"][0] - 2000) <= 1


def test_a_clock_that_jumps_back_within_a_boot(edge):
    boot = Boot(time.time() - 4000)
    edge.online(boot, True, wall=time.time())
    truth = {}
    steps = [("a", 0), ("b", 0), ("c", -HOUR), ("d", -HOUR), ("e", -24 * HOUR), ("f", 0)]
    for i, (name, wrong) in enumerate(steps):
        at = truth[name] = time.time() - 60 + i * 10
        edge.pack("data", boot, {name: at + wrong}, at)
    dated = edge.dated()
    for name, wrong in steps:
        if wrong:
            holds(dated, name, truth[name])
        else:
            assert dated[name][1:] == [0, 0], "a right time is left alone"
            assert abs(dated[name][0] - truth[name] * 1000) <= 1
    order = [dated[name][0] for name, _ in steps]
    assert order == sorted(order), "the order within the boot is kept"


def before_and_after(edge):
    """A boot that was seen; one of 3 s that never was; one that is online now."""
    first = Boot(time.time() - 1000)
    edge.online(first, False, wall=1000.0)
    edge.pack("data", first, {"first": -0.5}, time.time())
    edge.dated()
    dark = Boot(time.time() + 0.3)
    truth = {"x": dark.began + 0.4, "y": dark.began + 0.6}
    packs = [({name: -0.1}, at + 0.1) for name, at in truth.items()]
    until("the dark boot is over", lambda: time.time() > dark.began + 1.0)
    return dark, packs, truth


def test_a_boot_never_seen_gets_an_interval(edge):
    dark, packs, truth = before_and_after(edge)
    last = Boot(time.time())
    until("it runs", lambda: time.time() > last.began + 0.1)
    edge.online(last, False, wall=0.1)
    for items, sealed in packs:
        edge.pack("hist", dark, items, sealed, sender=last)
    # And clocks of that boot that were wrong: from 1970, years behind, ahead.
    wrong = {"z1970": 0.7, "zbehind": time.time() - 3 * 365 * 24 * HOUR, "zahead": time.time() + 400}
    for name, t in wrong.items():
        truth[name] = dark.began + 0.7
        edge.pack("hist", dark, {name: t}, truth[name], sender=last)
    dated = edge.dated()
    for name, at in truth.items():
        holds(dated, name, at)
        assert dated[name][1] < 120000, "what is known before and after bounds it"
    assert dated["x"][0] < dated["y"][0], "the order within the boot is kept"
    assert edge.province.query("SELECT count(*) FROM boot_anchor WHERE boot = ?", dark.id) == [(0,)]


@pytest.mark.parametrize("live_pack", [True, False])
def test_a_boot_never_seen_whose_packs_outlive_the_next_boot(edge, live_pack):
    """The next boot is online, too short for the backlog: the one after it brings that."""
    dark, packs, truth = before_and_after(edge)
    short = Boot(time.time())
    until("it runs", lambda: time.time() > short.began + 0.1)
    edge.online(short, False, wall=0.1)
    number, edge.seq = edge.seq, edge.seq + len(packs)
    if live_pack:
        edge.pack("data", short, {"short": 0}, time.time())
        until("in", lambda: edge.seq in edge.wire.acked(edge.epoch))
    until("the short boot is over", lambda: time.time() > short.began + 1.5)
    last = Boot(time.time())
    until("it runs", lambda: time.time() > last.began + 0.1)
    edge.online(last, False, wall=0.1)
    end, edge.seq = edge.seq, number
    for items, sealed in packs:
        edge.pack("hist", dark, items, sealed, sender=last)
    edge.seq = end
    dated = edge.dated()
    for name, at in truth.items():
        holds(dated, name, at)
    assert dated["x"][0] < dated["y"][0]


def test_new_data_does_not_wait_for_the_backlog(province):
    """The backlog goes its own way: what is measured meanwhile is committed before its end."""
    province.registry()
    m = province.enroll("box").run("".join(
        f"  - {{ probe: selftest, id: st{i}, every: 50ms }}\n" for i in range(3)))
    until("packs", lambda: province.packs(m.id) > 3)
    province.broker.kill()
    until("a backlog", lambda: m.status()["spool"]["packs"] >= 300, 40)
    reconnected = boottime()
    province.broker.start()
    rows = lambda: province.query(
        "SELECT lane, mono_ns, sent_mono_ns FROM journal WHERE agent = ? AND kind = 'data'"
        " ORDER BY id", m.id)
    until("the backlog is gone", lambda: m.status()["spool"]["packs"] < 5, 60)
    assert m.process.stop() == 0
    got = rows()
    hist = [i for i, r in enumerate(got) if r[0] == "hist"]
    assert len(hist) >= 290
    through = [r for r in got[hist[0]:hist[-1]] if r[0] == "data"]
    fresh = [r for r in through if r[1] / 1e9 > reconnected]
    assert fresh, "new data waited until the backlog was through"
    print(f"{len(hist)} packs of backlog, {len(fresh)} new ones committed in between")
