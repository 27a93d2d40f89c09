"""The probes tcp, dns and http of the real agent: by hand, for a monitoring plugin, and next to
servers that drip, never end and are silent, with the schedule undisturbed."""
import http.server
import json
import socket
import sqlite3
import struct
import subprocess
import threading
import time

import pytest
from broker import Pki, until
from parts import AGENT, Process, json_records

SECONDS = 6


def probe(*args, code=0):
    done = subprocess.run([AGENT, "probe", *map(str, args)], capture_output=True, text=True, timeout=60)
    assert done.returncode == code, f"{args}: {done.returncode} {done.stdout}{done.stderr}"
    return done.stdout


def readings(*args, code=0):
    """Quantity to value, by --json."""
    return {r["n"].rsplit("/", 1)[1]: next(r[k] for k in ("v", "vs", "vb") if k in r)
            for r in json_records(probe(*args, "--json", code=code))}


class Servers:
    """Sockets that the test ends; each connection is served by a thread."""

    def __init__(self):
        self.sockets = []

    def listen(self, serve):
        s = socket.create_server(("127.0.0.1", 0))
        self.sockets.append(s)
        threading.Thread(target=self._accept, args=(s, serve), daemon=True).start()
        return s.getsockname()[1]

    def _accept(self, listener, serve):
        while True:
            try:
                c, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(c, serve), daemon=True).start()

    @staticmethod
    def _serve(c, serve):
        with c:
            try:
                serve(c)
            except OSError:
                pass  # the agent has gone

    def udp(self, answer):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.bind(("127.0.0.1", 0))
        self.sockets.append(s)

        def loop():
            while True:
                try:
                    query, peer = s.recvfrom(2048)
                except OSError:
                    return
                if not query:  # shut down
                    return
                if reply := answer(query):
                    s.sendto(reply, peer)
        threading.Thread(target=loop, daemon=True).start()
        return s.getsockname()[1]

    def hole(self):
        """A listener whose queue is full: further SYNs are dropped."""
        s = socket.socket()
        s.bind(("127.0.0.1", 0))
        s.listen(0)
        self.sockets.append(s)
        for _ in range(2):
            c = socket.socket()
            c.setblocking(False)
            c.connect_ex(s.getsockname())
            self.sockets.append(c)
        return s.getsockname()[1]

    def close(self):
        for s in self.sockets:
            try:
                s.shutdown(socket.SHUT_RDWR)  # wakes who waits in it
            except OSError:
                pass
            s.close()


@pytest.fixture
def servers():
    s = Servers()
    yield s
    s.close()


def one_address(query):
    question = query[12:query.index(b"\0", 12) + 5]
    return (query[:2] + struct.pack(">HHHHH", 0x8180, 1, 1, 0, 0) + question +
            b"\xc0\x0c\0\x01\0\x01\0\0\x01\x2c\0\x04\xc0\0\x02\x07")


@pytest.fixture
def web(servers):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"the portal of the province")

        def log_message(self, *args):
            pass
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def test_by_hand(servers, web):
    tcp = readings("tcp", "--target", "127.0.0.1", "--set", f"port={web}")
    assert tcp["status"] == "ok" and tcp["target"] == f"127.0.0.1:{web}" and 0 < tcp["connect"] < 5
    dns = readings("dns", "--set", "name=portal.example", "--set", "expect=192.0.2.7",
                   "--set", f"server=127.0.0.1:{servers.udp(one_address)}")
    assert dns["status"] == "ok" and dns["answers"] == "192.0.2.7" and dns["correct"] is True
    url = f"http://127.0.0.1:{web}/?token=secret"
    got = readings("http", "--set", f"url={url}", "--set", "expect_text=of the province")
    assert got["status"] == "ok" and got["code"] == 200 and got["matched"] is True
    assert got["url"] == f"http://127.0.0.1:{web}/" and got["bytes"] == 26
    assert "secret" not in json.dumps(got)


def test_for_a_monitoring_plugin(servers, web):
    good = probe("tcp", "--target", "127.0.0.1", "--set", f"port={web}", "--nagios")
    assert good.startswith("tcp OK - ok |") and "'tcp.connect'=" in good
    good = probe("http", "--set", f"url=http://127.0.0.1:{web}/", "--nagios")
    assert good.startswith("http OK - ok |") and "'http.total'=" in good and "'http.code'=200" in good
    assert probe("http", "--set", f"url=http://127.0.0.1:{web}/", "--set", "expect_text=of the moon",
                 "--nagios", code=2).startswith("http CRITICAL - wrong-text")
    assert probe("tcp", "--target", "127.0.0.1", "--set", "port=9", "--nagios",
                 code=2).startswith("tcp CRITICAL - refused")
    server = f"server=127.0.0.1:{servers.udp(one_address)}"
    good = probe("dns", "--set", "name=a.example", "--set", server, "--nagios")
    assert good.startswith("dns OK - ok |") and "'dns.time'=" in good
    assert probe("dns", "--set", "name=a.example", "--set", server, "--set", "expect_rcode=NXDOMAIN",
                 "--nagios", code=2).startswith("dns CRITICAL - wrong-answer")


def test_mistakes_are_named_before_anything_is_sent(tmp_path):
    for args, says in ((["http", "--set", "url=ftp://host/"], "only http"),
                       (["dns", "--set", "name=a..b"], "no domain name")):
        done = subprocess.run([AGENT, "probe", *args], capture_output=True, text=True, timeout=60)
        assert done.returncode == 78 and says in done.stderr, done.stderr


CONFIG = """\
agent: {{ id: a1, state_dir: {dir}/state }}
mqtt: {{ host: 127.0.0.1, ports: [1], ca: {dir}/ca.crt, cert: {dir}/a1.crt, key: {dir}/a1.key,
  format: json }}
probes:
  - {{ probe: selftest, id: st, every: 100ms }}
  - {{ probe: tcp, id: web, every: 1s, target: 127.0.0.1, port: {web} }}
  - {{ probe: tcp, id: hole, every: 2s, target: 127.0.0.1, port: {hole}, wait: 1s }}
  - {{ probe: dns, id: silent, every: 2s, name: a.example, server: "127.0.0.1:{silent}", wait: 1s }}
  - {{ probe: dns, id: resolver, every: 1s, name: a.example, server: "127.0.0.1:{dns}" }}
  - {{ probe: http, id: drip, every: 3s, url: "http://127.0.0.1:{drip}/", slow_for: 1s }}
  - {{ probe: http, id: endless, every: 2s, url: "http://127.0.0.1:{endless}/", max_bytes: 64M }}
  - {{ probe: http, id: tls, every: 2s, url: "https://127.0.0.1:{drip}/", wait: 1s }}
"""


def drip(c):
    c.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        c.sendall(b".")
        time.sleep(0.5)  # it is what this server does


def endless(c):
    c.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        c.sendall(bytes(1 << 16))


def spooled(folder):
    found = {}
    db = sqlite3.connect(f"file:{folder}/state/spool.db?mode=ro", uri=True, timeout=20)
    for (payload,) in db.execute("SELECT payload FROM pack ORDER BY id"):
        for r in json_records(payload):
            value = next(r[k] for k in ("v", "vs", "vb") if k in r)
            found.setdefault(r["n"][len("a1/"):], []).append((r["t"], value))
    db.close()
    return {n: sorted(v, key=lambda x: x[0]) for n, v in found.items()}


@pytest.mark.alone
def test_bad_servers_delay_nobody(tmp_path, servers, web):
    Pki(tmp_path).issue("a1")
    (tmp_path / "agent.yaml").write_text(CONFIG.format(
        dir=tmp_path, web=web, hole=servers.hole(), silent=servers.udp(lambda q: None),
        dns=servers.udp(one_address), drip=servers.listen(drip), endless=servers.listen(endless)))
    agent = Process("agent", tmp_path, [AGENT, "run", "--config", tmp_path / "agent.yaml"],
                    {"HATANG_FINGERPRINT": "a1", "HATANG_CLOCK": "synchronised"}).start()
    try:
        until("it measures", lambda: agent.running() and "event=agent.start" in agent.tail(50))
        began = time.time()
        until("the time is over", lambda: time.time() - began > SECONDS or not agent.running(),
              SECONDS + 5)
        assert agent.stop() == 0
    finally:
        agent.kill()
    found = spooled(tmp_path)
    for name, status in (("tcp/web", "ok"), ("tcp/hole", "timeout"), ("dns/silent", "timeout"),
                         ("dns/resolver", "ok"), ("http/drip", "too-slow"),
                         ("http/endless", "too-large"), ("http/tls", "tls")):
        got = [v for _, v in found[f"{name}/status"]]
        assert len(got) >= 2 or name == "http/drip", (name, got)
        assert set(got) == {status}, (name, got)
    beats = [t for t, _ in found["selftest/st/count"]]
    late = max(b - a for a, b in zip(beats, beats[1:])) - 0.1
    print(f"\n{len(beats)} beats in {SECONDS} s, the worst {late * 1000:.0f} ms late")
    assert len(beats) >= SECONDS * 8
    assert late < 0.4
