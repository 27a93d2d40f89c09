"""From an outbox row to somebody's machine, by real receivers: each message arrives, once a
key, whatever is dead, slow, hostile or killed meanwhile."""
import email
import email.policy
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import time

import pytest

import receivers
from broker import free_port, until
from built import BUILD
from receivers import Receiver

FACTS = {"incident": "i7-wan", "kind": "link-down", "severity": "critical", "rule": "wan",
         "subject": "bat-xat-wan", "title_vi": "Mất kết nối UBND huyện Bát Xát",
         "title_en": "Bát Xát is cut off", "text_vi": "Không còn trả lời từ 05:01.",
         "text_en": "No answer since 05:01.", "agency": "bat-xat", "agency_name": "Bát Xát",
         "opened": "2026-11-23T22:01:03Z", "n_affected": 2, "ack_path": "/incidents/i7-wan",
         "affected": [{"id": "a", "name": 'A "quoted" & <b>', "since": "2026-11-23T22:01:03Z"},
                      {"id": "b", "name": "B\\slash", "since": "2026-11-23T22:01:04Z"}]}


class Desk:
    """The office's server with a channels file, and receivers."""

    def __init__(self, office, folder):
        self.office, self.folder = office, folder
        self.file = folder / "channels.yaml"
        self.receivers = []
        config = office.server.config
        config.write_text(config.read_text() + f"alerts: {{ channels: {self.file} }}\n")
        self.entries = {}

    def secret(self, name, text):
        f = self.folder / name
        f.write_text(text + "\n")
        f.chmod(0o600)
        return f

    def receiver(self, name, kind, *args):
        r = Receiver(self.folder, name, kind, *args)
        self.receivers.append(r)
        return r

    def webhook(self, name, mode="good", kind="webhook", extra=""):
        r = self.receiver(name, "http", mode).start()
        self.entries[name] = (f"  - {{ id: {name}, kind: {kind}, url: 'http://127.0.0.1:{r.port}/{name}'"
                              f"{extra} }}\n")
        return r

    def write(self, more=""):
        self.file.write_text("public_url: https://hatang.test\nchannels:\n"
                             + "".join(self.entries.values()) + more)
        self.file.chmod(0o600)

    def start(self):
        self.write()
        self.office.server.stop()
        self.office.server.start()
        until("the server listens", lambda: "server.started" in self.office.server.tail(200))

    def put(self, channel, kind="announce", incident="i7-wan", n=1, **facts):
        """A row as the rules commit it; the server is told by a signal, for this is not
        its own connection."""
        key = f"{incident}/{channel}/{kind}/{n}"
        now = int(time.time() * 1000)
        db = sqlite3.connect(f"{self.office.server.state}/server.db", timeout=20)
        with db:
            db.execute("INSERT INTO outbox (key, incident, channel, kind, facts, created_ms, due_ms)"
                       " VALUES (?, ?, ?, ?, ?, ?, ?)",
                       (key, incident, channel, kind, json.dumps({**FACTS, **facts}), now, now))
        db.close()
        return key

    def look(self):
        self.office.server.signal(signal.SIGHUP)

    def row(self, key):
        return self.office.server.query(
            "SELECT state, attempts, last_error, due_ms FROM outbox WHERE key = ?", key)[0]

    def sent(self, key, seconds=20):
        until(f"{key} is sent", lambda: self.row(key)[0] == "sent", seconds)


@pytest.fixture
def desk(office, tmp_path):
    d = Desk(office, tmp_path)
    try:
        yield d
    finally:
        for r in d.receivers:
            r.stop()


def mail_entry(desk, port, extra=""):
    password = desk.secret("smtp-password", "mật khẩu".encode().hex())
    return (f"  - {{ id: mail, kind: email, server: localhost, port: {port}, user: hatang,"
            f" password: {{ file: {password} }}, ca: {desk.office.pki.ca}, from: hatang@lc.test,"
            f" to: [truc@lc.test, gone@lc.test]{extra} }}\n")


def mail_server(desk):
    cert, key = desk.office.pki.issue("mail", "DNS:localhost,IP:127.0.0.1")
    return desk.receiver("mail", "smtp", cert, key, "hatang", "mật khẩu".encode().hex())


def test_mail(desk):
    """A mail server that is dead for a while: each mail comes once, in order, as one thread."""
    server = mail_server(desk)
    desk.entries["mail"] = mail_entry(desk, server.port)
    desk.start()
    announce = desk.put("mail")
    resolve = desk.put("mail", "resolve", closed="2026-11-23T22:13:03Z", duration_s=720)
    desk.look()
    until("it was tried in vain", lambda: desk.row(announce)[1] >= 2)
    assert desk.row(announce)[0] == "pending" and "mail server" in desk.row(announce)[2]
    assert desk.row(resolve)[1] == 0, "a resolution waits for its announcement"
    server.start()
    desk.look()
    desk.sent(announce)
    desk.sent(resolve)
    taken = server.taken()
    assert len(taken) == 2
    assert all(m["tls"] and m["login"] for m in taken)
    assert all(m["to"] == ["truc@lc.test"] for m in taken), "a dead mailbox silences nobody else"
    first, second = (email.message_from_string(m["mail"], policy=email.policy.default) for m in taken)
    assert first["Message-ID"] == "<i7-wan/mail/announce/1@lc.test>"
    assert second["In-Reply-To"] == second["References"] == first["Message-ID"]
    assert first["In-Reply-To"] is None and first["Auto-Submitted"] == "auto-generated"
    assert "Mất kết nối UBND huyện Bát Xát" in first["Subject"]
    assert second["Subject"].startswith("[hatang] Đã khắc phục")
    text = first.get_body(("plain",)).get_content()
    assert "Từ 05:01:03 24/11/2026" in text and 'A "quoted" & <b>' in text
    assert "https://hatang.test/incidents/i7-wan" in text
    html = first.get_body(("html",)).get_content()
    assert "A &quot;quoted&quot; &amp; &lt;b&gt;" in html and "<b>" not in html
    assert "12 phút 0 giây" in second.get_body(("plain",)).get_content()


def test_mail_is_refused_without_tls(desk):
    """A mail server that hides STARTTLS gets neither password nor mail; nor one whose
    certificate another CA signed."""
    from broker import Pki

    server = mail_server(desk)
    server.start()
    other = Pki(desk.folder / "other").ca
    desk.entries["mail"] = mail_entry(desk, server.port).replace(str(desk.office.pki.ca), str(other))
    desk.start()
    key = desk.put("mail")
    desk.look()
    until("it was tried", lambda: desk.row(key)[1] >= 1)
    assert "certificate" in desk.row(key)[2]
    assert server.taken() == []
    desk.entries["mail"] = mail_entry(desk, server.port)
    desk.write()
    desk.look()         # the file is read anew, and what failed goes at once
    desk.sent(key)
    assert len(server.taken()) == 1


def test_presets(desk):
    """Each preset's address, token, and JSON as its service wants them."""
    token = desk.secret("token", "123:ABC")
    base = ", token: { file: %s }" % token
    tg = desk.webhook("tg", kind="telegram", extra=base + ", params: { chat: '-100' }")
    desk.entries["tg"] = desk.entries["tg"].replace("/tg'", "/bot%s/sendMessage'")
    zalo = desk.webhook("zalo", "zalo", "zalo-oa", base + ", params: { user: u1 }")
    bad = desk.webhook("zalo-bad", "zalo-bad", "zalo-oa", base + ", params: { user: u1 }")
    slack = desk.webhook("slack", kind="slack")
    ntfy = desk.webhook("ntfy", kind="ntfy", extra=base + ", params: { topic: truc }")
    sms = desk.webhook("sms", kind="sms-gateway", extra=", params: { to: '0912' }")
    am = desk.webhook("am", kind="alertmanager")
    plain = desk.webhook("plain", extra=", headers: { X-Key: abc }")
    desk.start()
    keys = {n: desk.put(n, closed="2026-11-23T22:13:03Z") for n in desk.entries}
    desk.look()
    for name, key in keys.items():
        if name != "zalo-bad":
            desk.sent(key)
    until("Zalo's refusal is seen", lambda: desk.row(keys["zalo-bad"])[1] >= 1)
    assert desk.row(keys["zalo-bad"])[0] == "pending" and "bad token" in desk.row(keys["zalo-bad"])[2]
    (m,) = tg.taken()
    assert m["path"] == "/bot123:ABC/sendMessage" and m["headers"]["idempotency-key"] == keys["tg"]
    body = json.loads(m["body"])
    assert body["chat_id"] == "-100" and 'A "quoted" & <b>' in body["text"] and "B\\slash" in body["text"]
    (m,) = zalo.taken()
    assert m["headers"]["access_token"] == "123:ABC"
    assert json.loads(m["body"])["recipient"] == {"user_id": "u1"}
    assert "Bát Xát" in json.loads(slack.taken()[0]["body"])["text"]
    (m,) = ntfy.taken()
    assert m["headers"]["authorization"] == "Bearer 123:ABC"
    assert json.loads(m["body"])["priority"] == 5
    (m,) = sms.taken()
    assert m["headers"]["content-type"] == "application/x-www-form-urlencoded"
    assert m["body"].startswith("to=0912&text=S%E1%BB%B1") and " " not in m["body"]
    (m,) = am.taken()
    body = json.loads(m["body"])
    assert body["version"] == "4" and body["status"] == "firing" and len(body["alerts"]) == 2
    assert body["alerts"][0]["labels"]["alertname"] == "wan"
    assert len({a["fingerprint"] for a in body["alerts"]}) == 2
    (m,) = plain.taken()
    assert m["headers"]["x-key"] == "abc"
    assert json.loads(m["body"])["affected"][1] == {"id": "b", "name": "B\\slash",
                                                    "since": "2026-11-23T22:01:04Z"}
    log = desk.office.server.log.read_text()
    assert "123:ABC" not in log, "a secret is never logged"
    assert bad.taken()


def test_mqtt_and_command(desk):
    """The server's own connection to the broker; and a program, its input and its end."""
    import paho.mqtt.client as paho

    got = []
    eye = paho.Client(client_id="eye", protocol=paho.MQTTv311)
    eye.on_message = lambda c, u, m: got.append((m.topic, json.loads(m.payload)))
    subscribed = []
    eye.on_subscribe = lambda *a: subscribed.append(1)
    eye.connect("127.0.0.1", desk.office.broker.plain_port)
    eye.loop_start()
    eye.subscribe("hatang/v1/@server/alerts", 1)
    until("the eye looks", lambda: subscribed)
    out = desk.folder / "told"
    program = desk.folder / "tell"
    program.write_text(f"#!/bin/sh\nenv > {out}.env\ncat > {out}\n[ \"$1\" = good ] || {{ echo broken gateway >&2; exit 3; }}\n")
    program.chmod(0o755)
    slow = desk.folder / "slow"
    slow.write_text("#!/bin/sh\nsleep 100 & wait\n")
    slow.chmod(0o755)
    desk.entries["mqtt"] = "  - { id: mqtt, kind: mqtt }\n"
    desk.entries["good"] = f"  - {{ id: good, kind: command, command: [{program}, good] }}\n"
    desk.entries["bad"] = f"  - {{ id: bad, kind: command, command: [{program}, bad] }}\n"
    desk.entries["slow"] = f"  - {{ id: slow, kind: command, command: [{slow}], timeout: 1s }}\n"
    desk.start()
    until("the server is online", lambda: "ingest.online" in desk.office.server.tail())
    keys = {n: desk.put(n) for n in desk.entries}
    desk.look()
    desk.sent(keys["mqtt"])
    desk.sent(keys["good"])
    until("the message came", lambda: got)
    eye.loop_stop()
    assert got[0][1]["key"] == keys["mqtt"] and got[0][1]["status"] == "firing"
    assert json.loads(out.read_text())["incident"] == "i7-wan"
    env = dict(line.split("=", 1) for line in (desk.folder / "told.env").read_text().splitlines())
    assert set(env) <= {"PATH", "LANG", "PWD", "HATANG_KEY", "HATANG_INCIDENT", "HATANG_KIND", "SHLVL", "_"}
    until("the bad one is known", lambda: desk.row(keys["bad"])[1] >= 1)
    assert "code 3" in desk.row(keys["bad"])[2] and "broken gateway" in desk.row(keys["bad"])[2]
    until("the slow one is killed", lambda: desk.row(keys["slow"])[1] >= 1)
    assert "killed" in desk.row(keys["slow"])[2]
    desk.office.broker.kill()
    until("the broker is missed", lambda: "ingest.offline" in desk.office.server.tail())
    later = desk.put("mqtt", incident="i8-wan")
    desk.look()
    until("it was tried", lambda: desk.row(later)[1] >= 1)
    assert desk.row(later)[0] == "pending"
    desk.office.broker.start()
    desk.sent(later, 40)


def test_bad_receivers_delay_nobody(desk):
    """One hangs, one never ends, one redirects, one says how long to wait, one name is dead:
    the good one gets 20 messages as if they were not there."""
    hang = desk.webhook("hang", "hang", extra=", timeout: 60s")
    endless = desk.webhook("endless", "endless")
    redirect = desk.webhook("redirect", "redirect")
    busy = desk.webhook("busy", "refuse3600")
    good = desk.webhook("good")
    desk.entries["dead"] = "  - { id: dead, kind: webhook, url: 'https://nowhere.invalid/' }\n"
    desk.start()
    for i in range(20):
        for name in desk.entries:
            desk.put(name, incident=f"i{i}-wan")
    begin = time.monotonic()
    desk.look()
    until("the good one has all", lambda: len(set(good.keys())) == 20)
    assert time.monotonic() - begin < 15
    assert sorted(good.keys()) == sorted(f"i{i}-wan/good/announce/1" for i in range(20)), "once each"
    desk.sent("i0-wan/endless/announce/1")
    assert len(set(endless.keys())) == len(endless.keys()), "a 200 is a 200, however long it is"
    until("the redirect is refused", lambda: desk.row("i0-wan/redirect/announce/1")[1] >= 1)
    assert "redirect" in desk.row("i0-wan/redirect/announce/1")[2]
    until("busy is heard", lambda: desk.row("i0-wan/busy/announce/1")[1] >= 1)
    waits = desk.row("i0-wan/busy/announce/1")[3] - time.time() * 1000
    assert 3400_000 < waits <= 3600_000, "Retry-After is honoured"
    until("the dead name is known", lambda: desk.row("i0-wan/dead/announce/1")[1] >= 1)
    assert hang.taken() == [] and redirect.taken() == []
    assert desk.office.server.stop() == 0, "what hangs does not hold up the end"


# A name server that takes questions and is silent (its socket stays open in the server that
# this becomes), and a good receiver that ends with it.
SILENT_RESOLVER = """\
import os, socket, subprocess, sys
folder, receivers, port, file, *argv = sys.argv[1:]
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
subprocess.run(["mount", "--bind", folder + "/resolv.conf", "/etc/resolv.conf"], check=True)
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.53", 53))
s.set_inheritable(True)
s.detach()
subprocess.Popen(["setpriv", "--pdeathsig", "KILL", sys.executable, receivers, "http", port, file, "good"])
os.execv(argv[0], argv)
"""


@pytest.mark.skipif(not shutil.which("unshare"), reason="needs unshare")
def test_dead_resolver_delays_nobody(desk):
    """Names that nobody answers for, in four channels: attempts time out while the look-ups
    still hang, and the good channel's messages leave as ever; the server ends in time."""
    good = desk.receiver("good", "http", "good")
    desk.entries["good"] = ("  - { id: good, kind: webhook,"
                            f" url: 'http://127.0.0.1:{good.port}/', timeout: 2s }}\n")
    for i in range(4):
        desk.entries[f"n{i}"] = (f"  - {{ id: n{i}, kind: webhook, url: 'https://n{i}.example.vn/',"
                                 " timeout: 1s }\n")
    (desk.folder / "resolv.conf").write_text("nameserver 127.0.0.53\noptions timeout:30 attempts:1\n")
    server = desk.office.server
    server.argv = ["unshare", "-Urnm", "/usr/bin/python3", "-c", SILENT_RESOLVER, str(desk.folder),
                   receivers.__file__, str(good.port), str(good.file), *server.argv]
    desk.start()
    for i in range(8):
        for name in desk.entries:
            desk.put(name, incident=f"i{i}-wan")
    desk.look()
    until("the good one has all", lambda: len(set(good.keys())) == 8, 8)
    until("the names are given up", lambda: all(desk.row(f"i0-wan/n{i}/announce/1")[1] for i in range(4)))
    assert "timed out" in desk.row("i0-wan/n0/announce/1")[2].lower()
    key = desk.put("good", incident="i9-wan")
    desk.look()
    desk.sent(key, 3)
    assert server.stop() == 0


def test_killed_in_the_middle(desk, extended):
    """kill -9 of the server again and again while it sends: who dedupes by key sees each
    message exactly once, and none is missing."""
    good = desk.webhook("good", extra=", concurrency: 2, per_minute: 6000")
    desk.start()
    rounds = 20 if extended else 6
    keys = []
    for i in range(rounds):
        keys += [desk.put("good", incident=f"i{i}.{k}-wan") for k in range(20)]
        before = len(good.keys())
        desk.look()
        until("some left", lambda: len(good.keys()) > before)
        desk.office.server.kill()
        desk.office.server.start()
    until("all came", lambda: set(good.keys()) == set(keys), 30)
    until("all are marked", lambda: not desk.office.server.query(
        "SELECT 1 FROM outbox WHERE state <> 'sent'"), 30)


def test_answer_lost(desk):
    """Accepted, but the answer never came: sent again, under the same key."""
    r = desk.webhook("r", "accept-and-drop")
    desk.start()
    key = desk.put("r")
    desk.look()
    until("it came twice", lambda: len(r.keys()) >= 2)
    r.stop()
    r.start("good")
    desk.look()
    desk.sent(key)
    assert set(r.keys()) == {key}


def test_overtaken_and_removed(desk):
    """Old updates make room for the newest; a channel that is gone drops its rows, and says so."""
    r = desk.webhook("r")
    r.stop()
    desk.start()
    announce = desk.put("r")
    updates = [desk.put("r", "update", n=n, n_affected=n) for n in (1, 2, 3)]
    gone = desk.put("gone")
    desk.look()
    until("the row without a channel is dropped", lambda: desk.row(gone)[0] == "dropped")
    assert "no channel `gone`" in desk.row(gone)[2]
    r.start()
    desk.look()
    desk.sent(updates[2])
    assert r.keys() == [announce, updates[2]]
    assert [desk.row(u)[0] for u in updates] == ["dropped", "dropped", "sent"]


def test_bad_file_keeps_the_old(desk):
    """A mistake in the file is named with its place; the channels that run go on."""
    r = desk.webhook("r")
    desk.start()
    good = desk.file.read_text()
    desk.file.write_text(good + "  - { id: x, kind: telegramm }\n")
    desk.look()
    until("the mistake is named", lambda: "there is no kind `telegramm`" in desk.office.server.tail())
    assert f"{desk.file}:4:" in desk.office.server.tail()
    key = desk.put("r")
    desk.look()
    desk.sent(key)
    assert len(r.taken()) == 1


def test_heartbeat_and_peer(desk):
    """Somebody outside hears from us while all is well; a peer's silence becomes a row."""
    outside = desk.webhook("outside")
    peer = desk.receiver("peer", "http", "good").start()
    desk.entries.clear()
    desk.start()
    desk.file.write_text(
        f"heartbeat: {{ url: 'http://127.0.0.1:{outside.port}/beat', every: 1s }}\n"
        f"peers:\n  - {{ id: other, url: 'http://127.0.0.1:{peer.port}/readyz', every: 1s, silent: 2s }}\n")
    desk.look()
    until("it beats", lambda: len(outside.taken()) >= 2)
    assert json.loads(outside.taken()[0]["body"])["ok"] is True

    def states():
        return [json.loads(p)["state"] for (p,) in desk.office.server.query(
            "SELECT CAST(payload AS TEXT) FROM journal WHERE kind = 'peer' ORDER BY id")]

    until("the peer answers", lambda: states() == ["answering"])
    peer.stop()
    until("the peer is silent", lambda: states() == ["answering", "silent"])
    until("a problem says so", lambda: desk.office.server.query(
        "SELECT subject FROM problem WHERE kind = 'peer-silent' AND closed_ms IS NULL") == [("other",)])
    peer.start()
    until("the peer is back", lambda: states() == ["answering", "silent", "answering"])
    until("the problem is over", lambda: desk.office.server.query(
        "SELECT count(*) FROM problem WHERE kind = 'peer-silent' AND closed_ms IS NOT NULL") == [(1,)])


def test_history_by_other_rules(desk, tmp_path):
    """A peer fell silent and came back, and somebody was told. A replay by the same rules
    says the same, by others what those would have told; none sends anything."""
    from web_fixture import Client

    duty = desk.webhook("duty")
    peer = desk.receiver("peer", "http", "good").start()
    desk.start()
    desk.write(f"peers:\n  - {{ id: other, url: 'http://127.0.0.1:{peer.port}/readyz', every: 1s, silent: 2s }}\n")
    desk.look()

    def problems(where):
        return desk.office.server.query(f"SELECT count(*) FROM problem WHERE kind = 'peer-silent' AND {where}")[0][0]

    until("the peer answers", lambda: desk.office.server.query("SELECT 1 FROM journal WHERE kind = 'peer'"))
    peer.stop()
    until("a problem says so", lambda: problems("closed_ms IS NULL") == 1)
    peer.start()
    until("the problem is over", lambda: problems("closed_ms IS NOT NULL") == 1)

    web = Client(f"http://127.0.0.1:{desk.office.server.http_port}")
    password = (desk.office.server.state / "first-password").read_text().split()[1]
    assert web.login("admin", password).status == 200
    token = desk.secret("token", web.call("POST", "/api/v1/api-tokens", {"label": "cli"}).json["token"])
    env = {**os.environ, "HATANG_URL": web.base, "HATANG_TOKEN_FILE": str(token), "XDG_CONFIG_HOME": str(tmp_path)}

    def replay(*args, code=0):
        done = subprocess.run([os.path.join(BUILD, "cli", "hatang"), "alert", "replay", *args], env=env,
                              capture_output=True, text=True, timeout=60)
        assert done.returncode == code, (args, done.returncode, done.stdout + done.stderr)
        return done.stdout if code == 0 else done.stderr

    day = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 86400))
    rules = tmp_path / "new.yaml"
    rules.write_text("version: 1\nrules:\n  - { id: peers, kinds: [peer-silent], severity: warning, route: [duty] }\n")
    told = [("duty", "announce", "other"), ("duty", "resolve", "other")]
    outbox = "SELECT channel, kind, json_extract(facts, '$.subject') FROM outbox WHERE state = 'sent' ORDER BY id"
    until("it was told live", lambda: desk.office.server.query(outbox) == told)
    keys = duty.keys()
    got = json.loads(replay("--from", day, "--json"))
    assert [(m["channel"], m["kind"], m["subject"]) for m in got["messages"]] == told
    assert got["rules"].endswith("default.yaml")
    got = json.loads(replay("--from", day, "--rules", str(rules), "--json"))
    assert [(m["channel"], m["kind"], m["subject"]) for m in got["messages"]] == told
    assert got["rules"] == str(rules) and got["channels"] == 1
    (began, over), = desk.office.server.query(
        "SELECT opened_ms, closed_ms FROM problem WHERE kind = 'peer-silent'")
    assert began < over and got["messages"][0]["at"] < got["messages"][1]["at"]
    lines = replay("--from", day, "--rules", str(rules)).splitlines()
    assert lines[0].split() == ["AT", "CHANNEL", "MESSAGE", "SUBJECT", "AFFECTED", "TITLE"]
    assert "announce" in lines[1] and "resolve" in lines[2] and lines[3].startswith("2 messages") and len(lines) == 4
    assert replay("--from", day, "--to", day.replace("Z", ".5Z"), "--rules", str(rules)).startswith("0 messages")
    good = rules.read_text()
    rules.write_text(good.replace("severity: warning", "severity: warning, hold: 1h"))
    assert replay("--from", day, "--rules", str(rules)).startswith("0 messages"), "it ended before an hour"
    rules.write_text(good)
    # Mistakes are named with their place, and what is no time is said.
    assert "by at most 92 days" in replay("--from", "2020-01-01", code=1)
    rules.write_text(rules.read_text().replace("severity: warning", "severity: loud"))
    assert f"{rules}:3:" in replay("--from", day, "--rules", str(rules), code=1)
    rules.write_text(rules.read_text().replace("severity: loud", "severity: info").replace("duty", "night"))
    assert "night" in replay("--from", day, "--rules", str(rules), code=1)
    assert len(keys) == 2 and duty.keys() == keys and desk.office.server.query("SELECT count(*) FROM outbox") == [(2,)]


def test_by_the_api(desk):
    """A test message by each channel: each one's result is told, tried once; rows that the
    server's own connection commits leave at once, without a look; /metrics counts them."""
    from web_fixture import Client

    good, bad = desk.webhook("good"), desk.webhook("bad", "redirect")
    desk.start()
    web = Client(f"http://127.0.0.1:{desk.office.server.http_port}")
    password = (desk.office.server.state / "first-password").read_text().split()[1]
    assert web.login("admin", password).status == 200
    begin = time.monotonic()
    made = web.call("POST", "/api/v1/alerts/test", {})
    assert made.status == 200, made.body
    keys = {m["channel"]: m["key"] for m in made.json["messages"]}
    assert set(keys) == {"good", "bad"}
    until("it came", lambda: good.keys() == [keys["good"]])
    assert time.monotonic() - begin < 5, "woken by the commit, not by a timer"
    until("the bad one has failed", lambda: desk.row(keys["bad"])[0] == "failed")
    assert desk.row(keys["bad"])[1] == 1 and "redirect" in desk.row(keys["bad"])[2]
    listed = web.get(f"alerts/messages?key={keys['bad']}").json["items"]
    assert listed[0]["state"] == "failed"
    assert web.call("POST", "/api/v1/alerts/test", {"channel": "none"}).status == 404
    metrics = web.call("GET", "/metrics").body.decode()
    assert 'hatang_messages{channel="good",state="sent"} 1' in metrics
    assert 'hatang_message_failures{channel="bad",state="failed"} 1' in metrics
    assert bad.taken() == []
