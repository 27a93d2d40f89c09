"""Tests of throughput: the server's slots as any agent can ask for them by the protocol, its
endpoint as anyone may abuse it, the probe before endpoints that misbehave, and the rate."""
import concurrent.futures
import contextlib
import http.client
import json
import os
import shutil
import socket
import sqlite3
import ssl
import subprocess
import threading
import time

import pytest
import tbf_line
import throughput_scene
from broker import free_port, until
from built import BUILD
from parts import AGENT
from province import Wire
from tbf_line import FarEnd, probe
from throughput_scene import slots

in_namespaces = pytest.mark.skipif(not (shutil.which("unshare") and shutil.which("tc")),
                                   reason="needs unshare and tc")


# ── slots, by the protocol alone ─────────────────────────────────────────────────────


class Asker(Wire):
    """An agent's connection that asks for slots, and answers what the server answers."""

    def ask(self, request, wait=True, take=True, **fields):
        """A question that comes while the server has not subscribed yet is lost: ask anew."""
        fields = {"request": request, **{k: str(v) for k, v in fields.items()}}
        for _ in range(4):
            id_ = os.urandom(8).hex()
            self.publish("reply", {"id": id_, "ok": True, "fields": fields}, "application/json")
            if not wait:
                return None
            with contextlib.suppress(AssertionError):
                cmd = until(f"an answer to {request}", lambda: self.answer(id_), 4)
                self.publish("reply", {"id": cmd["id"], "ok": take, **({} if take else {"error": "gone"})},
                             "application/json")
                return cmd
        raise AssertionError(f"no answer to {request}")

    def answer(self, id_):
        for topic, payload in list(self.messages):
            body = json.loads(payload) if topic.endswith("/cmd") else {}
            if body.get("verb") == "answer" and body["request"] == id_:
                return body

    def slot(self, link, seconds=60, bytes=1 << 20, against="endpoint", **more):
        return self.ask("slot", link=link, seconds=seconds, bytes=bytes, against=against, **more)

    def end(self, slot, bytes=1000, outcome="ok"):
        self.ask("slot-end", wait=False, slot=slot, bytes=bytes, outcome=outcome)


@pytest.fixture
def desk(tmp_path):
    """A province with an endpoint, and the connections of two neighbours."""
    p = throughput_scene.province(tmp_path, day_bytes="50M")
    wires = [Asker(p.enroll(agency, agency)) for agency in ("y-ty", "a-lu", "bat-xat")]
    p.folded()
    try:
        yield p, *wires
    finally:
        for w in wires:
            w.close()
        p.kill()


def refused(answer, why):
    assert not answer["ok"] and why in answer["error"], answer
    return int(answer["fields"].get("wait", 0))


def test_slots(desk):
    p, y_ty, a_lu, bat_xat = desk
    got = y_ty.slot("y-ty-wan")
    fields = got["fields"]
    assert got["ok"] and fields["bytes"] == str(1 << 20) and fields["seconds"] == "60"
    assert fields["url"].startswith("https://127.0.0.1:") and len(fields["token"]) == 64
    assert abs(int(fields["now"]) / 1000 - time.time()) < 60
    # Whoever starts anew has its slot replaced, while nobody waits for it.
    again = y_ty.slot("y-ty-wan")["fields"]
    assert again["slot"] != fields["slot"] and again["token"] != fields["token"]

    # A sibling, and what both hang on, wait; so does the same link from elsewhere.
    assert refused(a_lu.slot("a-lu-wan"), "test of y-ty-wan by y-ty-1 is under way and shares the link hub") > 0
    assert refused(bat_xat.slot("hub", against="url"), "shares the link hub") > 0
    # Nobody tests, or ends, what is another's.
    refused(a_lu.slot("y-ty-wan"), "is another agency's")
    refused(a_lu.slot("nowhere"), "no link nowhere")
    a_lu.end(again["slot"])
    refused(a_lu.slot("a-lu-wan"), "under way")
    refused(a_lu.slot("a-lu-wan", seconds=100000), "not as the protocol says")

    # Others wait: it has what it has, and its turn after theirs. Who gives it back makes room.
    refused(y_ty.slot("y-ty-wan"), "has waited longer")
    y_ty.end(again["slot"], bytes=777)
    until("the slot has ended", lambda: slots(p, "ended_ms IS NULL") == [])
    # The hub's agent asked before the sibling did for the last time, but after its first.
    refused(bat_xat.slot("hub"), "a-lu-1 has waited longer")
    third = a_lu.slot("a-lu-wan", seconds=1)
    assert third["ok"], third
    # A restart of the server forgets nobody.
    p.server.kill()
    p.server.start()
    until("it listens again", lambda: p.server.log.read_text().count("event=ingest.online") == 2)
    last = until("the slot has expired", lambda: (s := y_ty.slot("y-ty-wan"))["ok"] and s, 20)
    rows = slots(p)
    assert rows[-1]["granted"] >= rows[-2]["expires"] == rows[-2]["granted"] + 4000
    # An answer that nobody takes gives the slot back.
    y_ty.end(last["fields"]["slot"])
    until("the slot has ended", lambda: slots(p, "ended_ms IS NULL AND outcome IS NULL AND id > 3") == [])
    assert y_ty.ask("slot", take=False, link="y-ty-wan", seconds=60, bytes=1 << 20, against="url")["ok"]
    until("it is back", lambda: slots(p)[-1]["outcome"] == "not taken")
    assert [s["outcome"] for s in slots(p)][:2] == ["replaced", "ok"]
    assert slots(p)[1]["bytes"] == 777


def test_what_keeps_a_slot_away(desk):
    p, y_ty, *_ = desk
    # The link's budget at the server: what nobody accounts for counts whole.
    assert y_ty.slot("y-ty-wan", bytes=40 << 20)["ok"]
    got = y_ty.slot("y-ty-wan", bytes=40 << 20)["fields"]
    assert int(got["bytes"]) == (50 << 20) - (40 << 20)
    y_ty.end(got["slot"], bytes=10 << 20)
    until("the slot has ended", lambda: slots(p, "ended_ms IS NULL") == [])
    refused(y_ty.slot("y-ty-wan"), "budget at the server is used up")
    with contextlib.closing(sqlite3.connect(p.state / "server.db", timeout=20)) as db:
        db.execute("UPDATE throughput_slot SET bytes = 0")
        db.commit()
    # Maintenance that a person entered.
    now = time.time()
    stamp = lambda s: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now + s))
    status, window = p.request("POST", "/api/v1/maintenance", {
        "scope": "agency", "subject": "y-ty", "from": stamp(-60), "to": stamp(600), "reason": "new router"})
    assert status in (200, 201), window
    until("it is known", lambda: p.query("SELECT 1 FROM maintenance"))
    refused(y_ty.slot("y-ty-wan"), "under maintenance")
    assert p.request("DELETE", f"/api/v1/maintenance/{window['id']}")[0] == 204
    until("it is over", lambda: p.query("SELECT 1 FROM maintenance WHERE removed_ms IS NOT NULL"))
    # Office traffic, as a poll said a minute ago; and one that is too old to matter.
    for age, busy in ((60, True), (600, False)):
        with contextlib.closing(sqlite3.connect(p.state / "server.db", timeout=20)) as db:
            db.execute("INSERT OR REPLACE INTO link_view (link, agent, counter_ms, used_down_bps, used_up_bps)"
                       " VALUES ('y-ty-wan', 'core', ?, 9e6, 1e5)", (int((time.time() - age) * 1000),))
            db.commit()
        answer = y_ty.slot("y-ty-wan")
        assert answer["ok"] is not busy
        if busy:
            refused(answer, "carries office traffic: 9.0 Mbit/s down, more than 20 % of its 20.0")


# ── the endpoint ─────────────────────────────────────────────────────────────────────


@contextlib.contextmanager
def far_end(folder=None, **options):
    e = FarEnd("127.0.0.1", folder, **options)
    try:
        yield e
    finally:
        e.process.kill()


def request(e, method, path, token=None, body=None, headers=None, head=False, source="127.0.0.1"):
    trust = ssl.create_default_context(cafile=str(e.ca)) if e.ca else None
    c = (http.client.HTTPSConnection("127.0.0.1", e.port, timeout=20, context=trust, source_address=(source, 0)) if trust
         else http.client.HTTPConnection("127.0.0.1", e.port, timeout=20, source_address=(source, 0)))
    try:
        c.request(method, path, body, {**({"Authorization": f"Bearer {token}"} if token else {}),
                                       **(headers or {})})
        r = c.getresponse()
        return r.status, b"" if head else r.read()
    finally:
        c.close()


def test_endpoint_serves_who_has_a_pass(tmp_path):
    with far_end(tmp_path, bytes=5_000_000) as e:
        status, body = request(e, "GET", "/down?bytes=1000000", e.token)
        assert status == 200 and len(body) == 1_000_000
        import zlib
        assert len(zlib.compress(body)) > 990_000
        assert request(e, "PUT", "/up", e.token, b"x" * 300_000) == (200, b'{"bytes":300000}\n')
        carried, _ = e.close()
        assert carried == 1_300_000
    # Who leaves early is charged what came, not what lay in the server's socket.
    with far_end(bytes=1 << 30) as e:
        with socket.create_connection(("127.0.0.1", e.port)) as c:
            c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            c.sendall(f"GET /down?bytes={1 << 29} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {e.token}\r\n\r\n".encode())
            while len(c.recv(1 << 20)) < 1000:
                pass
            reset(c)
        until("it has seen that", lambda: request(e, "GET", f"/down?bytes={(1 << 30) - (1 << 20)}", e.token, head=True)[0] == 200)


def test_endpoint_refuses_the_rest():
    with far_end(bytes=1_000_000) as e:
        bad = e.token[:-1] + ("0" if e.token[-1] != "0" else "1")
        for token in (None, "", "x", bad, e.token[:-2], e.token + "00", e.token.replace(e.token[3], "g")):
            assert request(e, "GET", "/down?bytes=10", token)[0] == 403
            assert request(e, "PUT", "/up", token, b"x")[0] == 403
        assert request(e, "GET", "/down?bytes=1000001", e.token)[0] == 413
        assert request(e, "PUT", "/up", e.token, headers={"Content-Length": "1000001"})[0] == 413
        assert request(e, "PUT", "/up", e.token, headers={"Content-Length": str(1 << 70)})[0] in (400, 413)
        for query in ("", "?bytes=", "?bytes=0", "?bytes=-5", "?bytes=1e3", "?bytes=99999999999999999999"):
            assert request(e, "GET", "/down" + query, e.token)[0] == 400
        assert request(e, "POST", "/up", e.token, b"x")[0] == 405
        assert request(e, "PUT", "/down?bytes=1", e.token, b"x")[0] == 405
        assert request(e, "GET", "/", e.token)[0] == 404
        # A body without a length runs the pass dry: closed, and nothing more is carried.
        def endless():
            while True:
                yield b"x" * 65536
        with pytest.raises((ConnectionError, http.client.RemoteDisconnected, ssl.SSLError)):
            request(e, "PUT", "/up", e.token, endless())
        assert request(e, "GET", "/down?bytes=500000", e.token)[0] == 413
        carried, _ = e.close()
        assert 0 < carried <= 1_000_000


def test_endpoint_keeps_to_its_time():
    with far_end(seconds=1) as e:
        with socket.create_connection(("127.0.0.1", e.port), timeout=20) as slow:
            slow.sendall(f"GET /down?bytes={1 << 40} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {e.token}\r\n\r\n".encode())
            got = 0
            with contextlib.suppress(ConnectionError):
                while data := slow.recv(1 << 20):
                    got += len(data)
        assert 0 < got < 1 << 40
        assert request(e, "GET", "/down?bytes=10", e.token)[0] == 403


UNFINISHED = b"GET /down?bytes=10 HTTP/1.1\r\nHost: x\r\n"


@pytest.mark.parametrize("tls", [False, True])
def test_endpoint_is_kept_from_nobody(tmp_path, tls):
    """More connections than it takes, none with a pass, each of which sends a little again and again."""
    with far_end(tmp_path if tls else None) as e, contextlib.ExitStack() as stack:
        stop = threading.Event()
        held = []

        def hold_them():
            while not stop.is_set():
                for c in held[:]:
                    with contextlib.suppress(OSError):
                        c.sendall(b"X: y\r\n" if not tls else b"\0")
                stop.wait(0.5)

        for _ in range(400):
            c = stack.enter_context(socket.create_connection(("127.0.0.1", e.port), timeout=20))
            with contextlib.suppress(OSError):
                c.sendall(UNFINISHED if not tls else b"\x16\x03\x01\x02\x00\x01")
            held.append(c)
        holder = threading.Thread(target=hold_them)
        holder.start()
        try:
            for source in ("127.0.0.1", "127.0.0.2"):
                status, body = request(e, "GET", "/down?bytes=1000", e.token, source=source)
                assert (status, len(body)) == (200, 1000), source
        finally:
            stop.set()
            holder.join()


def test_endpoint_waits_for_no_pass_for_ever():
    with far_end(grace=0.3) as e:
        with socket.create_connection(("127.0.0.1", e.port), timeout=20) as c:
            c.sendall(UNFINISHED)
            c.settimeout(0.05)
            until("it is closed, though it goes on sending", lambda: goes_on(c) is False)
        # A pass outlasts that: the answer to a slow body comes after it.
        with socket.create_connection(("127.0.0.1", e.port), timeout=20) as c:
            c.sendall(f"PUT /up HTTP/1.1\r\nHost: x\r\nContent-Length: 14\r\n"
                      f"Authorization: Bearer {e.token}\r\n\r\n".encode())
            began = time.monotonic()
            c.settimeout(0.05)
            for _ in range(13):
                c.sendall(b"x")
                with pytest.raises(TimeoutError):
                    c.recv(1000)
            assert time.monotonic() - began > 2 * 0.3
            c.settimeout(20)
            c.sendall(b"x")
            answer = http.client.HTTPResponse(c)
            answer.begin()
            assert answer.read() == b'{"bytes":14}\n'


def goes_on(c):
    """One more line of an endless header; False: the other side has closed."""
    try:
        c.sendall(b"X: y\r\n")
        return c.recv(1) != b""
    except TimeoutError:
        return True
    except ConnectionError:
        return False


# ── the probe and endpoints that misbehave ───────────────────────────────────────────


class Wicked:
    """An HTTP server that answers as badly as `serve(connection)` does, to many at once."""

    def __init__(self, serve):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/file"
        self.serve, self.open = serve, True
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while self.open:
            with contextlib.suppress(OSError):
                c, _ = self.listener.accept()
                threading.Thread(target=self.one, args=(c,), daemon=True).start()

    def one(self, c):
        with contextlib.suppress(OSError), c:
            c.recv(65536)
            self.serve(c)

    def close(self):
        self.open = False
        self.listener.close()


def say(head, body=b""):
    return lambda c: c.sendall(head.replace("\n", "\r\n").encode() + b"\r\n" + body)


def drip(c):
    c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    while True:
        c.sendall(b"x")
        time.sleep(0.2)


def endless(c):
    c.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        c.sendall(b"x" * 65536)


def hold(c):
    while c.recv(65536):
        pass


def reset(c):
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


WICKED = {
    "drips": (drip, "failed: down: only", None),
    "silent": (hold, "failed: down: only 0 bytes", None),
    "too short": (say("HTTP/1.1 200 OK\nContent-Length: 5\n", b"hello"), "failed: down: the answers are too short", None),
    "promises more": (say("HTTP/1.1 200 OK\nContent-Length: 900000\n", b"x" * 1000), "failed: down: closed", None),
    "brings more": (say("HTTP/1.1 200 OK\nContent-Length: 9\n", b"x" * 500000), "failed: down: the answers are too short", None),
    "not found": (say("HTTP/1.1 404 No\nContent-Length: 900000\n", b"x" * 900000), "failed: down: the endpoint answered 404", None),
    "elsewhere": (say("HTTP/1.1 302 Found\nLocation: http://127.0.0.1:1/\nContent-Length: 0\n"), "failed: down: the endpoint answered 302", None),
    "no HTTP": (say("SSH-2.0-OpenSSH\n"), "failed: down: malformed", None),
    "resets": (reset, "failed: down: closed", None),
    "endless": (endless, None, 64 << 20),
}


def test_endpoints_that_misbehave(tmp_path):
    def one(case):
        serve, status, most = WICKED[case]
        w = Wicked(serve)
        try:
            began = time.monotonic()
            argv = [BUILD / "tests/unit/probes/probe_drive", "throughput", "30", "--set",
                    f"url: {w.url}?secret=1\nduration: 2s\nwatch: 0s\nonce_in: 0s\nbytes: {most or 1 << 22}"]
            said = subprocess.run([str(a) for a in argv], check=True, capture_output=True, text=True).stdout
            return case, said, time.monotonic() - began
        finally:
            w.close()

    with concurrent.futures.ThreadPoolExecutor(len(WICKED)) as pool:
        for case, said, took in pool.map(one, WICKED):
            got = dict(line.split("\t")[:2] for line in said.splitlines())
            serve, status, most = WICKED[case]
            assert got["done"] == "true" and took < 12, (case, took)
            assert "secret" not in said, "a query is nobody's business"
            if status:
                assert got["throughput/test/status"].startswith(status), (case, got)
                assert "throughput/test/down" not in got, case
            else:
                # It reads no more than its bytes; what the kernel has taken in by then
                # counts too: a few megabytes for each of at most 16 connections.
                assert most <= float(got["throughput/test/bytes"]) < 1.5 * most, (case, got)


def test_by_hand(tmp_path):
    """`hatang-agent probe` measures any URL, and says what did not protect it."""
    with far_end() as e:
        w = Wicked(lambda c: c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" + b"x" * 300000))
        done = subprocess.run([AGENT, "probe", "throughput", "--set", f"url={w.url}", "--set", "duration=2s",
                               "--set", "watch=0s", "--set", "bytes=4G", "--set", "day_bytes=4G"],
                              capture_output=True, text=True, timeout=60)
        w.close()
        assert done.returncode == 0, done.stdout + done.stderr
        assert "partial: no slot of the server kept other tests off the uplink" in done.stdout
        assert "/down_low" in done.stdout
        assert "no budget protected this run" in done.stderr
        done = subprocess.run([AGENT, "probe", "throughput", "--set", "watch=0s"], capture_output=True, text=True)
        assert "skipped: there is no server to ask for a slot: give a url" in done.stdout
    for url in ("ftp://x/", "http://", "http://a b/", "http://u@h/"):
        done = subprocess.run([AGENT, "probe", "throughput", "--set", f"url={url}"], capture_output=True, text=True)
        assert done.returncode != 0 and "is no URL" in done.stderr, url


def test_endpoint_must_be_vouched_for(tmp_path):
    """A pass is sent to nobody whose certificate is not of the agent's CA."""
    from broker import Pki
    with far_end(tmp_path) as e:
        e.ca = Pki(tmp_path / "other").ca
        got = probe(e, duration="2s", seconds=30)
        assert got["status"].startswith("failed: down: tls: ") and "up: tls: " in got["status"], got
        assert e.close()[0] == 0


def test_bad_hours_are_told(tmp_path):
    from parts import SERVER
    file = tmp_path / "server.yaml"
    file.write_text("throughput:\n  port: 8444\n  hours: [\"17:30-07:00\", \"noon\"]\n")
    done = subprocess.run([SERVER, "check-config", "--config", file], capture_output=True, text=True)
    assert done.returncode == 78
    assert f"{file}:3:" in done.stderr and '"noon" is no time of day; write it as 17:30-07:00' in done.stderr


def test_it_rests_after_a_test(tmp_path):
    """The memory between two runs: what was spent counts, and a test that measured rests."""
    def run(yaml):
        argv = [BUILD / "tests/unit/probes/probe_drive", "throughput", "30", "--memory", tmp_path / "memory",
                "--set", f"url: {w.url}\nduration: 2s\nwatch: 0s\nbytes: 4G\n{yaml}"]
        said = subprocess.run([str(a) for a in argv], check=True, capture_output=True, text=True,
                              env={**os.environ, "HATANG_CLOCK": "synchronised"}).stdout
        return {line.split("\t")[0].split("/")[-1]: line.split("\t")[1] for line in said.splitlines()}

    w = Wicked(lambda c: c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" + b"x" * 300000))
    first = run("day_bytes: 8G")
    assert float(first["down"]) > 0, first
    assert run("day_bytes: 8G") == {"done": "true"}, "nothing is due, nothing is said"
    spent = int(float(first["bytes"]))
    again = run(f"day_bytes: {spent + 1000}\nonce_in: 0s")
    assert again["status"].startswith("skipped: the budget is used up: "), again
    w.close()


# ── all together ─────────────────────────────────────────────────────────────────────


@in_namespaces
@pytest.mark.long
def test_neighbours_never_test_at_once(tmp_path):
    got = throughput_scene.inside("neighbours", str(tmp_path))
    ended = sorted((s for s in got["slots"] if s["ended"]), key=lambda s: s["granted"])
    assert {s["link"] for s in ended} == {"y-ty-wan", "a-lu-wan"} and len(ended) >= 3
    for one, next_ in zip(ended, ended[1:]):
        assert one["ended"] <= next_["granted"], "one at a time"
    truth = 20e6 * 1448 / 1514
    for link, values in got["down"].items():
        assert values, link
        for v in values:
            # The loopback carries the acknowledgements too.
            assert 0.85 * truth < v < 1.03 * truth, "nobody took a part of it"
    # A budget outlives a kill, and says what it is.
    assert got["spent"].startswith("skipped: the budget is used up: ")
    assert got["spent_after_kill"].startswith("skipped: the budget is used up: ")
    assert got["slots_after_kill"] == 0
    # What the server concludes: the newest good test stands, the newest attempt beside it.
    down, up = got["figures"]["down"]["measured"], got["figures"]["up"]["measured"]
    assert any(down["value"] == pytest.approx(v) for v in got["down"]["y-ty-wan"]) and down["low"] <= down["value"] <= down["high"] and down["evidence"]
    assert up["status"] == "unknown" and up["reason"] == "the tests told the other direction alone"
    assert got["figures"]["newest_test"]["status"].startswith("skipped: the budget is used up: ")


@in_namespaces
def test_traffic_of_the_machine_itself():
    busy, allowed = tbf_line.inside("busy")
    assert busy["status"].startswith("skipped: an interface of this machine carries ")
    assert busy["status"].endswith("Mbit/s, more than 2.0") and "bytes" not in busy
    assert not allowed["status"].startswith("skipped"), allowed


@in_namespaces
@pytest.mark.alone
@pytest.mark.once("it measures rates")
def test_the_rate_of_a_line(tmp_path):
    rates = [2_000_000, 10_000_000, 100_000_000]

    def one(rate):
        return tbf_line.inside("measure", str(tmp_path / str(rate)), [rate], True, None, {"duration": "8s"})[0]

    with concurrent.futures.ThreadPoolExecutor(len(rates)) as pool:
        for rate, got in zip(rates, pool.map(one, rates)):
            print(f"\n{rate / 1e6:g} Mbit/s: down {got['down'] / got['truth'] - 1:+.2%},"
                  f" up {got['up'] / got['truth_up'] - 1:+.2%}, {got['bytes'] / 1e6:.1f} MB")
            # A busy machine may unsettle a rate; what is told of it must be right all the same.
            assert got["status"] == "ok" or "did not settle" in got["status"], got
            for way, truth in (("down", got["truth"]), ("up", got["truth_up"])):
                assert abs(got[way] / truth - 1) < 0.03, (rate, way, got)
                assert got[way + "_low"] <= got[way] <= got[way + "_high"]
            assert got["endpoint"].startswith("https://")
