"""hatang-agent against a real broker and server: the way of a reading, and what a person
and the server can ask of it."""
import contextlib
import hashlib
import json
import sqlite3
import time

from parts import json_records, records, until

SELFTEST = "  - { probe: selftest, id: st, every: 100ms }\n"


def counts(office, agent):
    return [r["v"] for p in office.server.packs(agent) for r in json_records(p[5])
            if r["n"] == f"{agent}/selftest/st/count"]


def test_reading_to_journal_and_goodbye(office):
    a = office.agent("a1", SELFTEST).start()
    until("20 numbers in the journal", lambda: len(counts(office, "a1")) >= 20)
    status = a.status()
    assert status["agent"] == "a1" and status["publish"]["state"] == "sending"
    assert a.stop() == 0
    got = counts(office, "a1")
    assert got == list(range(1, len(got) + 1))
    assert a.queue()["count"] == 0, "all was acknowledged before the end"
    # Start again: the sequence goes on, in a new session, on the same epoch.
    a.start()
    until("more numbers", lambda: len(counts(office, "a1")) >= len(got) + 5)
    a.stop()
    now = counts(office, "a1")
    assert now == list(range(1, len(now) + 1))
    assert len({p[2] for p in office.server.packs("a1")}) == 1


def test_cbor_is_the_default(office):
    a = office.agent("a1", SELFTEST, format="cbor").start()
    until("packs", lambda: len(office.server.packs("a1")) >= 20)
    a.stop()
    packs = office.server.packs("a1")
    assert {p[4] for p in packs} == {"application/senml+cbor"}
    names = {r["n"] for p in packs for r in records(p[4], p[5])}
    assert "a1/selftest/st/count" in names
    assert "a1/agent/self/version" in names


def test_backlog_goes_to_hist_and_live_to_data(office):
    office.server.stop()
    a = office.agent("a1", SELFTEST).start()
    until("a backlog", lambda: a.status()["spool"]["packs"] >= 20)
    assert a.status()["publish"]["state"] == "waiting"
    office.server.start()
    until("the backlog is gone", lambda: a.status()["publish"]["state"] == "sending"
          and a.status()["spool"]["packs"] < 5)
    until("live packs", lambda: any(p[1] == "data" for p in office.server.packs("a1")))
    a.stop()
    lanes = [p[1] for p in sorted(office.server.packs("a1"), key=lambda p: p[3])]
    assert lanes.count("hist") >= 20
    assert lanes == sorted(lanes, reverse=True), "old packs on hist, then new on data"
    got = sorted(counts(office, "a1"))
    assert got == list(range(1, len(got) + 1))


def test_clock_that_is_free_sends_relative_times(office):
    a = office.agent("a1", SELFTEST, env={"HATANG_CLOCK": "free"}).start()
    until("packs", lambda: len(office.server.packs("a1")) >= 3)
    a.stop()
    for p in office.server.packs("a1"):
        for r in json_records(p[5]):
            assert -60 < r["t"] <= 0


def test_spool_full_becomes_a_gap_that_is_reported(office):
    office.broker.kill()
    # Big runs and a spool of 1 MiB: the oldest must go while nobody listens.
    a = office.agent("a1", "  - { probe: selftest, id: st, every: 50ms, count: 100 }\n",
                     spool="{ max_bytes: 1M }").start()
    until("packs were given up", lambda: a.status()["spool"]["dropped"] >= 3, 60)
    office.broker.start()

    def gaps():
        return [r["vs"] for p in office.server.packs("a1") for r in json_records(p[5])
                if r["n"] == "a1/agent/spool/gap"]

    until("the gap is in the journal", gaps, 60)
    until("it is forgotten then", lambda: a.status()["spool"]["gaps"] == 0, 60)
    a.stop()
    epoch, first, last = parse_gap(gaps()[-1])
    seqs = {p[3] for p in office.server.packs("a1") if p[2] == epoch}
    lost = {s for g in gaps() for s in range(parse_gap(g)[1], parse_gap(g)[2] + 1)}
    waiting = {p["seq"] for p in a.queue()["packs"]}
    assert seqs | lost | waiting == set(range(1, max(seqs | waiting) + 1))


def parse_gap(text):
    where, _reason = text.split(" ", 1)
    epoch, span = where.split(":")
    first, last = span.split("-")
    return epoch, int(first), int(last)


def test_reload_keeps_the_old_on_error(office):
    a = office.agent("a1", SELFTEST).start()
    until("numbers", lambda: len(counts(office, "a1")) >= 3)
    good = a.config.read_text()
    a.config.write_text(good.replace("every: 100ms", "evry: 100ms"))
    a.signal(1)
    until("the error is logged with its place",
          lambda: "agent.yaml:" in a.tail() and "every" in a.tail())
    n = len(counts(office, "a1"))
    until("it goes on", lambda: len(counts(office, "a1")) > n + 3)
    a.config.write_text(good.replace("id: st,", "id: st2,"))
    a.signal(1)
    until("the new probe runs", lambda: any(
        r["n"] == "a1/selftest/st2/count" for p in office.server.packs("a1")[-5:]
        for r in json_records(p[5])))
    assert a.stop() == 0


def test_commands_over_mqtt(office):
    """The approved configuration is checked, stored, put into force; a bad one is refused
    with its place; a probe runs at once."""
    import paho.mqtt.client as paho

    replies = {}
    eye = paho.Client(client_id="eye", protocol=paho.MQTTv5)
    eye.on_message = lambda c, u, m: replies.update(
        {json.loads(m.payload)["id"]: json.loads(m.payload)})
    eye.connect("127.0.0.1", office.broker.plain_port)
    eye.subscribe("hatang/v1/a1/reply", 1)
    eye.loop_start()
    a = office.agent("a1", SELFTEST).start()
    until("it sends", lambda: len(counts(office, "a1")) >= 1)

    def ask(number, **cmd):
        cmd["id"] = number
        eye.publish("hatang/v1/a1/cmd", json.dumps(cmd), qos=1)
        return until(f"the answer to {cmd['verb']}", lambda: replies.get(number))

    try:
        bad = "probes:\n  - { probe: selftset, id: x }\n"
        got = ask("aa", verb="config", yaml=bad, hash=hashlib.sha256(bad.encode()).hexdigest())
        assert not got["ok"] and "approved.yaml:2:" in got["error"], got
        evil = "mqtt: { host: elsewhere }\n"
        got = ask("ab", verb="config", yaml=evil,
                  hash=hashlib.sha256(evil.encode()).hexdigest())
        assert not got["ok"] and "mqtt" in got["error"], got
        good = "probes:\n  - { probe: selftest, id: approved, every: 100ms }\n"
        digest = hashlib.sha256(good.encode()).hexdigest()
        got = ask("ac", verb="config", yaml=good, hash="0" * 64)
        assert not got["ok"], "the hash must fit"
        got = ask("ad", verb="config", yaml=good, hash=digest)
        assert got["ok"], got
        until("it is in force", lambda: a.status()["approved"] == digest)
        assert (a.state / "approved.yaml").read_text() == good
        assert (a.state / "approved.yaml").stat().st_mode & 0o077 == 0
        until("the approved probe runs", lambda: [p["id"] for p in a.status()["probes"]]
              == ["approved"])

        got = ask("ae", verb="probe", name="selftest", set={"count": "3"})
        assert got["ok"], got
        assert [r["v"] for r in json.loads(got["text"])] == [1, 2, 3]
        # What a command spends counts in the agent's own budget; a counter does not go on.
        got = ask("a0", verb="probe", name="throughput", set={"day_bytes": "0", "watch": "0s"})
        assert got["ok"] and "budget is used up" in got["text"], got
        until("it is remembered", lambda: memories(a) & {"throughput.throughput"})
        assert "selftest.selftest" not in memories(a)
        # A command carries no secrets off the machine.
        got = ask("a1", verb="probe", name="http",
                  set={"url": "https://127.0.0.1:9", "basic_file": str(a.state / "approved.yaml")})
        assert not got["ok"] and "names a file of this machine" in got["error"], got
        got = ask("af", verb="dance")
        assert not got["ok"], got
        got = ask("b0", verb="propose")
        assert got["ok"] and "probes" in got["text"], got
    finally:
        eye.loop_stop()
        eye.disconnect()
    assert a.stop() == 0
    # It is still in force after a start.
    a.start()
    until("approved again", lambda: a.log.read_text().count("event=agent.start id=") == 2)
    assert until("status", lambda: a.status())["approved"] == digest


def test_what_follows_a_list_says_that_it_waits(office):
    a = office.agent("a1", "  - { probe: path, id: ways }\n").start()
    until("it says so", lambda: [l for l in a.log.read_text().splitlines() if "reach.wait" in l])
    assert a.stop() == 0
    said = [l for l in a.log.read_text().splitlines() if "reach.wait" in l]
    assert len(said) == 1 and "probe=path id=ways" in said[0], said
    assert "the server has sent none yet" in said[0]


def memories(agent):
    db = sqlite3.connect(f"file:{agent.state}/spool.db?mode=ro", uri=True, timeout=20)
    with contextlib.closing(db):
        return {row[0] for row in db.execute("SELECT instance FROM memory")}


def test_stale_will_is_overwritten(office):
    import paho.mqtt.client as paho

    said = []
    eye = paho.Client(client_id="eye", protocol=paho.MQTTv5)
    eye.on_message = lambda c, u, m: said.append(json.loads(m.payload))
    eye.connect("127.0.0.1", office.broker.plain_port)
    eye.subscribe("hatang/v1/a1/presence", 1)
    eye.loop_start()
    try:
        a = office.agent("a1", SELFTEST).start()
        first = until("online", lambda: said and said[-1])
        assert first["state"] == "online" and len(first["fingerprint"]) == 64
        eye.publish("hatang/v1/a1/presence", json.dumps({**first, "state": "lost"}), qos=1,
                    retain=True)
        until("it says online anew", lambda: len(said) >= 3 and said[-1]["state"] == "online")
        a.kill()
        until("the will speaks", lambda: said[-1]["state"] == "lost", 30)
        assert said[-1]["session"] == first["session"]
        a.start()
        until("online", lambda: said[-1]["state"] == "online")
        assert said[-1]["session"] != first["session"]
        began = time.monotonic()
        assert a.stop() == 0
        assert time.monotonic() - began < 10
        until("goodbye", lambda: said[-1]["state"] == "offline")
    finally:
        eye.loop_stop()
        eye.disconnect()


def test_foreign_acknowledgements_begin_a_new_epoch(office):
    """An ack that names a number we never gave means that another machine uses our epoch;
    one that says new_epoch means a conflict. Old packs keep their epoch, none is lost."""
    import paho.mqtt.client as paho

    eye = paho.Client(client_id="eye", protocol=paho.MQTTv5)
    eye.connect("127.0.0.1", office.broker.plain_port)
    eye.loop_start()

    def ack(**body):
        eye.publish("hatang/v1/a1/ack", json.dumps(body), qos=1)

    def epoch():
        return a.status()["spool"]["epoch"]

    try:
        a = office.agent("a1", SELFTEST).start()
        until("numbers", lambda: len(counts(office, "a1")) >= 5)
        first = epoch()
        ack(epoch="00000000000000ff", ranges=[[1, 1000000]])  # nobody's
        ack(epoch=first, ranges=[[5, 2]])                      # garbage
        until("the garbage is counted", lambda: a.status()["publish"]["bad_messages"] == 1)
        assert epoch() == first
        ack(epoch=first, ranges=[[1, 1000000]])
        until("a new epoch", lambda: epoch() != first)
        second = epoch()
        ack(epoch=second, ranges=[], new_epoch=True)
        until("another", lambda: epoch() != second)
        n = len(counts(office, "a1"))
        until("it goes on", lambda: len(counts(office, "a1")) > n + 5)
        a.stop()
    finally:
        eye.loop_stop()
        eye.disconnect()
    got = counts(office, "a1")
    assert sorted(got) == list(range(1, len(got) + 1))
    assert len({p[2] for p in office.server.packs("a1")}) == 3


def test_verbs_for_people(office):
    a = office.agent("a1", SELFTEST)
    assert "ok" in a.verb("check-config")
    assert a.verb("status", code=1) == ""
    a.start()
    until("numbers", lambda: len(counts(office, "a1")) >= 3)
    assert "sending" in a.verb("status")
    got = json.loads(a.verb("probe", "selftest", "--json", "--set", "count=2"))
    assert [r["v"] for r in got] == [1, 2]
    assert a.verb("probe", "selftest", "--nagios").startswith("selftest OK")
    a.verb("probe", "selftset", code=78)
    a.verb("probe", code=2)
    assert json.loads(a.verb("queue", "verify", "--json"))["bad"] == 0
    good = a.config.read_text()
    a.config.write_text(good.replace("every:", "evry:"))
    a.verb("check-config", code=78)
    a.config.write_text(good)
    a.stop()
