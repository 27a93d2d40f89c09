"""The server's way in, on real parts: mosquitto, hatang-server, and a publisher in Python.
What is acknowledged is in the journal, whatever is killed or full."""
import errno
import json
import os
import random
import shutil
import sqlite3
import subprocess
import time

import pytest

from broker import Broker, Pki, until
from server import Publisher, Server

EPOCH = "00112233445566ff"


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    return Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def broker(tmp_path, pki):
    b = Broker(tmp_path, pki).start()
    yield b
    b.stop()


@pytest.fixture
def server(tmp_path, broker, pki):
    s = Server(tmp_path, broker, pki)
    s.start()
    yield s
    s.end()


@pytest.fixture
def office(broker):
    p = Publisher(broker.plain_port, "office-1")
    yield p
    p.close()


def journal(server, epoch=EPOCH):
    return {r[0] for r in server.query("SELECT seq FROM journal WHERE epoch = ?", epoch)}


def presence(state="online", session="a" * 16, fingerprint="f" * 64, **more):
    return {"state": state, "session": session, "boot": "11111111-2222-3333-4444-555555555555",
            "mono": 100.5, "wall": time.time(), "synchronised": True, "fingerprint": fingerprint,
            "version": "0.1.0", "epoch": EPOCH, "config": "", **more}


def test_packs_are_journaled_then_acknowledged(server, office):
    until("the server's presence", lambda: (office.server or {}).get("state") == "online")
    for seq in range(1, 41):
        office.send(EPOCH, seq, lane="hist" if seq % 2 else "data")
    until("all acknowledged", lambda: office.told(EPOCH) == set(range(1, 41)))
    assert journal(server) == set(range(1, 41))
    lanes = dict(server.query("SELECT lane, count(*) FROM journal WHERE agent = 'office-1' GROUP BY lane"))
    assert lanes == {"data": 20, "hist": 20}
    until("folded", lambda: server.query("SELECT counter FROM latest WHERE name = 'selftest/t/count'"))
    until("the newest value", lambda: server.query(
        "SELECT counter FROM latest WHERE agent = 'office-1' AND name = 'selftest/t/count'") == [("40",)])


def test_a_resend_is_acknowledged_again_and_kept_once(server, office):
    office.send(EPOCH, 1)
    until("acknowledged", lambda: 1 in office.told(EPOCH))
    office.acked.clear()
    office.send(EPOCH, 1)
    until("acknowledged again", lambda: 1 in office.told(EPOCH))
    assert server.query("SELECT count(*) FROM journal WHERE epoch = ?", EPOCH) == [(1,)]


def test_a_conflict_keeps_both_and_asks_for_a_new_epoch(server, office):
    office.send(EPOCH, 1, value=1)
    office.send(EPOCH, 1, value=2)
    until("asked", lambda: EPOCH in office.new_epoch)
    assert server.query("SELECT reason, epoch, seq FROM journal_aside") == [("conflict", EPOCH, 1)]
    assert journal(server) == {1}


def test_garbage_is_counted_kept_out_and_acknowledged(server, office):
    pack = [{"bn": "office-1/", "n": "selftest/t/count", "v": 1}]
    sent = [
        ("data", b"\xff\x00 no senml", "application/senml+json", {"epoch": EPOCH, "seq": 1}, "senml"),
        ("data", pack, "text/plain", {"epoch": EPOCH, "seq": 2}, "content-type"),
        ("data", pack, "application/senml+json", {"epoch": EPOCH, "seq": "minus one"}, "props"),
        ("data", b"[" + b" " * 70000 + b"]", "application/senml+json", {"epoch": EPOCH, "seq": 4}, "size"),
        ("data", [{"bn": "other-office/", "n": "selftest/t/count", "v": 1}],
         "application/senml+json", {"epoch": EPOCH, "seq": 5}, "name"),
        ("presence", b"{\"state\":\"on fire\"}", "application/json", {}, "presence"),
        ("reply", b"hello", "application/json", {"epoch": EPOCH, "seq": 7}, "reply"),
        ("hatang/v1/..bad/data", pack, "application/senml+json", {}, "topic"),
    ]
    for leaf, payload, content_type, props, _ in sent:
        office.publish(leaf, payload, content_type, **props)
    want = {reason for *_, reason in sent}
    until("all counted", lambda: {r[0] for r in server.query("SELECT reason FROM garbage_count")} == want)
    until("those with a key acknowledged", lambda: office.told(EPOCH) == {1, 2, 4, 5})
    assert server.query("SELECT count(*) FROM journal WHERE source = 'agent'") == [(0,)]
    assert server.query("SELECT max(length(sample)) FROM garbage") == [(256,)]
    office.send(EPOCH, 6)       # and the server is none the worse
    until("still serving", lambda: 6 in office.told(EPOCH))


def test_a_publisher_without_epoch_is_welcome(server, office):
    pack = [{"bn": "office-1/", "n": "selftest/sh/count", "v": 7}]
    for _ in range(2):
        office.publish("data", pack)
    until("both kept", lambda: server.query(
        "SELECT count(*) FROM journal WHERE agent = 'office-1'") == [(2,)])


def test_presence_and_the_will_of_an_old_session(server, office):
    state = lambda: server.query("SELECT state, session FROM presence WHERE agent = 'office-1'")
    office.publish("presence", presence(), "application/json", retain=True)
    until("online", lambda: state() == [("online", "a" * 16)])
    office.publish("presence", presence(session="b" * 16), "application/json", retain=True)
    until("new session", lambda: state() == [("online", "b" * 16)])
    office.publish("presence", presence("lost", "a" * 16), "application/json", retain=True)
    office.send(EPOCH, 1)
    until("a later pack is in", lambda: 1 in office.told(EPOCH))
    assert state() == [("online", "b" * 16)]
    office.publish("presence", presence("lost", "b" * 16), "application/json", retain=True)
    until("lost", lambda: state() == [("lost", "b" * 16)])


def test_a_relative_time_is_dated_by_the_boots_clock(server, office):
    boot = {"boot": "11111111-2222-3333-4444-555555555555", "session": "a" * 16}
    office.publish("presence", presence(synchronised=False), "application/json", retain=True)
    sent_at = time.time()
    office.send(EPOCH, 1, mono="90.0", sent_mono="100.6", **boot)   # sealed 10 s before presence
    until("acknowledged", lambda: 1 in office.told(EPOCH))
    got = until("dated", lambda: server.query(
        "SELECT at_ms, rebased, uncertainty_ms FROM latest WHERE name = 'selftest/t/count'"))
    at_ms, rebased, uncertainty_ms = got[0]
    assert rebased == 1 and uncertainty_ms <= 2000
    assert abs(at_ms / 1000 - (sent_at - 10.5 - 1)) < 5


def test_kill_9_during_load_loses_nothing_acknowledged(server, office):
    rng = random.Random(20180301)
    kills = {"quick": 2, "normal": 5, "extended": 40}[os.environ.get("HATANG_CHECK", "normal")]
    seq = 0
    for _ in range(kills):
        already = len(office.told(EPOCH))
        until("some more acknowledged before the kill", lambda: _load(office, rng) and
              len(office.told(EPOCH)) > already)
        server.kill()
        told = office.told(EPOCH)
        assert told <= journal(server), sorted(told - journal(server))[:10]
        server.start()
    # Whatever was sent and not acknowledged is sent again, as an agent does.
    for seq in range(1, office.sent + 1):
        if seq not in office.told(EPOCH):
            office.send(EPOCH, seq)
    everything = set(range(1, office.sent + 1))
    until("all acknowledged in the end", lambda: office.told(EPOCH) == everything, 60)
    assert journal(server) == everything
    server.stop()
    verify = json.loads(server.command("--json", "--strict", "verify").stdout)
    assert verify["holes"] == [] and verify["problems"] == 0


def _load(office, rng):
    for _ in range(rng.randint(5, 40)):
        office.sent = getattr(office, "sent", 0) + 1
        office.send(EPOCH, office.sent)
    return True


def test_stop_says_goodbye_and_journals_it(server, office):
    office.send(EPOCH, 1)
    until("acknowledged", lambda: 1 in office.told(EPOCH))
    server.stop()
    until("goodbye", lambda: office.server.get("state") == "offline")
    kinds = [r[0] for r in server.query("SELECT kind FROM journal WHERE source = 'server' ORDER BY id")]
    assert kinds[0] == "start" and kinds[-1] == "stop"


def test_a_killed_server_is_reported_by_its_will(server, office):
    until("online", lambda: (office.server or {}).get("state") == "online")
    server.kill()
    until("lost", lambda: office.server.get("state") == "lost", 60)


def test_a_full_disk_acknowledges_nothing_and_recovers(tmp_path, broker, pki, office):
    if subprocess.run(["unshare", "-Urm", "true"], capture_output=True).returncode:
        pytest.skip("no user and mount namespaces here")
    s = Server(tmp_path, broker, pki)
    # The state folder is a 32 MiB file system of the server's own.
    script = f'mount -t tmpfs -o size=32m none {s.state} && exec "$@"'
    s.prefix = ["unshare", "-Urm", "sh", "-c", script, "sh"]
    s.start()
    try:
        inside = f"/proc/{s.process.pid}/root{s.state}"
        office.send(EPOCH, 1)
        until("acknowledged while there is room", lambda: 1 in office.told(EPOCH))
        filler = os.open(f"{inside}/filler", os.O_WRONLY | os.O_CREAT)
        try:
            while os.write(filler, b"x" * 4096):
                pass
        except OSError as full:
            assert full.errno == errno.ENOSPC
        os.close(filler)
        offset = s.log.stat().st_size
        pad = [{"n": f"selftest/p{i}/count", "v": i} for i in range(400)]
        seq = 1
        while b"event=writer.failing" not in s.tail(offset):
            seq += 1
            assert seq < 3000, "the disk never filled"
            office.publish("data", office.pack(*pad), epoch=EPOCH, seq=seq)
            time.sleep(0.01)
        told = office.told(EPOCH)
        os.unlink(f"{inside}/filler")
        until("it recovers", lambda: b"event=writer.recovered" in s.tail(offset), 30)
        for n in range(1, seq + 1):     # as an agent resends
            if n not in office.told(EPOCH):
                office.publish("data", office.pack(*pad), epoch=EPOCH, seq=n)
        until("all acknowledged", lambda: office.told(EPOCH) == set(range(1, seq + 1)), 30)
        assert told <= office.told(EPOCH)
    finally:
        s.end()


def test_refold_makes_the_same_tables(server, office):
    boot = {"boot": "11111111-2222-3333-4444-555555555555", "session": "a" * 16}
    office.publish("presence", presence(), "application/json", retain=True)
    for seq in range(1, 60):
        office.send(EPOCH, seq, mono=seq, sent_mono=seq + 0.2, **boot)
    gap = {"n": "agent/spool/gap", "vs": f"{EPOCH}:70-90 age"}
    office.publish("data", office.pack(gap), epoch=EPOCH, seq=60)
    until("acknowledged", lambda: len(office.told(EPOCH)) == 60)
    until("gap folded", lambda: server.query("SELECT 1 FROM gap"))
    server.stop()
    tables = ("latest", "series", "series_block", "presence", "boot_anchor", "gap", "link_fact",
              "machine", "finding", "agency", "agent")
    dump = lambda: {t: server.query(f"SELECT * FROM {t} ORDER BY 1, 2") for t in tables}
    before = dump()
    assert before["series_block"] and before["latest"] and before["gap"]
    server.command("refold")
    assert dump() == before
    server.command("refold", "series")
    assert dump() == before
    assert server.command("refold", "nothing", check=False).returncode == 1


def test_backup_and_restore(server, office, tmp_path):
    office.send(EPOCH, 1)
    until("acknowledged", lambda: 1 in office.told(EPOCH))
    backup = tmp_path / "backup.db"
    server.command("backup", str(backup))
    assert server.command("restore", str(backup), check=False).returncode == 1, "it runs"
    office.send(EPOCH, 2)
    until("acknowledged", lambda: 2 in office.told(EPOCH))
    server.stop()
    server.command("restore", str(backup))
    assert journal(server) == {1}
    damaged = tmp_path / "damaged.db"
    shutil.copy(backup, damaged)
    with open(damaged, "r+b") as f:
        f.seek(8192)
        f.write(os.urandom(40000))
    refused = server.command("restore", str(damaged), check=False)
    assert refused.returncode == 1 and str(damaged) in refused.stderr
    assert journal(server) == {1}


def test_a_clone_goes_aside_and_an_approved_configuration_is_sent(server, office):
    server.stop()
    db = sqlite3.connect(server.db)
    db.execute("INSERT INTO agent (id, agency, fingerprint, approved_config, approved_hash, journal_id)"
               " VALUES ('office-1', 'x', ?, 'probes: []', ?, 0)", ("f" * 64, "c" * 64))
    db.commit()
    db.close()
    server.start()
    office.publish("presence", presence(), "application/json", retain=True)
    command = office.commands.get(timeout=15)
    assert (command["verb"], command["yaml"], command["hash"]) == ("config", "probes: []", "c" * 64)
    office.send(EPOCH, 1, session="a" * 16)
    # The same certificate, another machine: other fingerprint, session and epoch.
    other = "00000000000000cc"
    office.publish("presence", presence(session="c" * 16, fingerprint="e" * 64, epoch=other),
                   "application/json", retain=True)
    office.send(other, 1, session="c" * 16)
    until("both acknowledged", lambda: office.told(EPOCH) == {1} and office.told(other) == {1})
    assert journal(server) == {1} and journal(server, other) == set()
    aside = server.query("SELECT reason, fingerprint FROM journal_aside WHERE epoch = ?", other)
    assert aside == [("clone", "e" * 64)]
    assert server.query("SELECT fingerprint FROM presence") == [("f" * 64,)]
