"""Two enrolled agents with their real certificates: neither reaches the other's topics, and
what is garbage on its own is counted, shown, and derives nothing."""
import json
import os

import pytest
from province import SELFTEST, Wire, until

LEAVES = ("presence", "data", "hist", "reply", "ack", "cmd")
EPOCH = "00000000000000aa"


@pytest.fixture
def two(province):
    province.registry()
    a, b = province.enroll("a"), province.enroll("b")
    assert (a.id, b.id) == ("bat-xat-1", "bat-xat-2")
    wires = []

    def wire(machine, *topics):
        wires.append(Wire(machine, *topics))
        return wires[-1]

    yield a, b, wire
    for w in wires:
        w.close()


def pack(agent, value=1):
    return [{"bn": f"{agent}/", "n": "selftest/t/count", "u": "count", "v": value}]


def presence(state="online", **more):
    return {"state": state, "session": "00112233445566ff",
            "boot": "01234567-89ab-cdef-0123-456789abcdef", "mono": 1.5, "wall": 1519887600.5,
            "synchronised": True, "version": "0", "fingerprint": "0" * 64, "epoch": EPOCH,
            "config": "", **more}


def test_neither_reads_nor_writes_the_other(province, two):
    a, b, wire = two
    b.run(SELFTEST)
    until("b delivers", lambda: province.packs(b.id) > 0)
    before = until("b is there", lambda: province.show(b.id)["presence"])
    listener = wire(b)      # b's own rights: what reaches b
    evil = wire(a)
    refused = [f"hatang/v1/{b.id}/{leaf}" for leaf in LEAVES] + [
        "#", "+/#", "hatang/#", "hatang/v1/#", "hatang/v1/+/data", "hatang/v1/+/ack",
        "hatang/v1/@server/#", "$SYS/#", "$CONTROL/#", "$share/x/hatang/v1/#",
        f"hatang/v1/{a.id}/data", f"hatang/v1/{a.id}/hist", f"hatang/v1/{a.id}/reply",
        f"hatang/v1/{a.id}/#", f"hatang/v1/{a.id}/+"]
    for topic in refused:
        assert not evil.subscribe(topic), topic
    for leaf in LEAVES:
        body = presence("offline") if leaf == "presence" else pack(b.id, 666)
        evil.publish(f"hatang/v1/{b.id}/{leaf}", body, epoch=EPOCH, seq=1,
                     retain=leaf == "presence")
    # Its own acknowledgement, its own commands, the server's presence, the broker's control.
    forged = {"epoch": EPOCH, "ranges": [[1, 1000]]}
    evil.publish("ack", forged, "application/json")
    evil.publish("cmd", {"id": "1", "verb": "propose"}, "application/json")
    evil.publish("hatang/v1/@server/presence", presence("offline"), retain=True)
    evil.publish("$CONTROL/dynamic-security/v1", {"commands": [
        {"command": "setDefaultACLAccess", "acls": [
            {"acltype": "publishClientSend", "allow": True}]}]}, "application/json")

    # What a may do still works, and comes after all of the above.
    assert evil.publish("data", pack(a.id), epoch=EPOCH, seq=7)
    until("a's own pack is acknowledged", lambda: evil.acked(EPOCH) == {7})
    had = province.packs(b.id)
    until("b goes on", lambda: province.packs(b.id) > had + 5)
    seen = [t for t, _ in evil.messages]
    assert set(seen) <= {f"hatang/v1/{a.id}/ack", "hatang/v1/@server/presence",
                         f"hatang/v1/{a.id}/presence"}, set(seen)
    # b hears the server alone: acknowledgements, and the list of what it should reach.
    for topic, payload in listener.messages:
        assert topic in (f"hatang/v1/{b.id}/ack", f"hatang/v1/{b.id}/cmd"), topic
        if topic.endswith("/cmd"):
            assert json.loads(payload)["verb"] == "targets", payload
    assert b"666" not in b"".join(p for _, p in listener.messages)
    after = province.show(b.id)["presence"]
    assert (after["state"], after["session"]) == ("online", before["session"])
    assert province.query("SELECT count(*) FROM journal WHERE agent = ? AND epoch = ?",
                          b.id, EPOCH) == [(0,)]
    assert province.query("SELECT count(*) FROM garbage") == [(0,)]


def test_garbage_is_counted_by_reason_and_derives_nothing(province, two):
    a, _, wire = two
    w = wire(a)
    assert w.publish("presence", presence(fingerprint=province.show(a.id)["fingerprint"]),
                     "application/json", retain=True)
    assert w.publish("data", pack(a.id, 41), epoch=EPOCH, seq=1)
    until("the good pack", lambda: w.acked(EPOCH) == {1})
    cbor = "application/senml+cbor"
    bad = [  # topic, payload, content type, properties, reason
        ("data", os.urandom(500), cbor, dict(epoch=EPOCH, seq=2), "senml"),
        ("hist", b"\x9f" * 3000, cbor, dict(epoch=EPOCH, seq=3), "senml"),
        ("data", b'[{"n":', "application/senml+json", dict(epoch=EPOCH, seq=4), "senml"),
        ("data", b"", cbor, dict(epoch=EPOCH, seq=5), "senml"),
        ("data", pack("bat-xat-2", 666), "application/senml+json", dict(epoch=EPOCH, seq=6),
         "name"),
        ("data", pack(a.id, 666), "text/plain", dict(epoch=EPOCH, seq=7), "content-type"),
        ("hist", pack(a.id, 666), "", dict(epoch=EPOCH, seq=8), "content-type"),
        ("data", pack(a.id, 666), "application/senml+json", dict(epoch="XYZ", seq=9), "props"),
        ("data", pack(a.id, 666), "application/senml+json", dict(epoch=EPOCH, seq=-1), "props"),
        ("data", b"[" + b" " * 70000 + b"]", "application/senml+json",
         dict(epoch=EPOCH, seq=10), "size"),
        ("presence", b"{}", "application/json", {}, "presence"),
        ("presence", os.urandom(64), "application/json", {}, "presence"),
        ("presence", presence("dancing"), "application/json", {}, "presence"),
        ("reply", os.urandom(64), "application/json", {}, "reply"),
        ("reply", b'"text"', "application/json", {}, "reply"),
        ("reply", b'{"id":', "application/json", {}, "reply"),
        ("reply", b'{"ok":true}', "application/json", {}, "reply"),
    ]
    expected = {}
    for topic, payload, kind, props, reason in bad:
        assert w.publish(topic, payload, kind, **props), f"{reason}: the session must live"
        expected[reason] = expected.get(reason, 0) + 1
    assert w.publish("data", pack(a.id, 42), epoch=EPOCH, seq=20)
    until("the last good pack", lambda: 20 in w.acked(EPOCH))

    def counts():
        status, answer = province.get("/api/v1/garbage?limit=100")
        assert status == 200
        return {c["reason"]: c["n"] for c in answer["counts"] if c["agent"] == a.id}

    until("all are counted", lambda: sum(counts().values()) >= len(bad))
    assert counts() == expected
    answer = province.get("/api/v1/garbage?limit=100")[1]
    assert len(answer["items"]) == len(bad)
    assert {i["topic"].split("/")[-1] for i in answer["items"]} == {
        "data", "hist", "presence", "reply"}
    # What can be told by number is acknowledged: to send it again would not better it.
    until("acknowledged", lambda: w.acked(EPOCH) == {1, 2, 3, 4, 5, 6, 7, 8, 10, 20})
    metrics = province.get("/metrics")[1].decode()
    for reason, n in expected.items():
        assert f'hatang_garbage_total{{reason="{reason}"}} {n}\n' in metrics

    province.folded()
    assert province.packs(a.id) == 2
    assert {n: i["value"] for n, i in province.latest(a.id).items()} == {
        "selftest/t/count": "42"}
    assert province.presence(a.id) == "online"
    # What a pack may not have done stays without consequence for the evidence, too.
    assert province.query("SELECT count(*) FROM journal WHERE agent = ? AND kind = 'reply'",
                          a.id) == [(0,)]
    assert province.get("/healthz")[0] == 200 and province.get("/readyz")[0] == 200
    assert province.server.running()
