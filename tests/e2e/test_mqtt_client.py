"""mqtt/client.c against a real mosquitto: TLS both ways, outages, and never a blocked loop.
The client runs in tests/unit/mqtt/client_driver.c; its 10 ms timer shows any blocking."""
import json
import os
import pathlib
import queue
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time

import pytest

from broker import Broker, Pki, free_port, until
from built import BUILD

DRIVER = BUILD / "tests" / "unit" / "mqtt" / "mqtt_client_driver"

# A busy machine delays any process; a blocking connect or look-up takes seconds.
BLOCKED_MS = 1500


class Driver:
    def __init__(self, host, ports, pki, name="driver", address_file="", tls_name=None,
                 certificate=None, prefix=(), env=None, popen=None):
        crt, key = certificate or pki.issue(name)
        args = [*prefix, str(DRIVER), host, ",".join(map(str, ports)), name, str(pki.ca),
                str(crt), str(key), str(address_file)]
        if tls_name:
            args.append(tls_name)
        self.process = subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, env={**os.environ, **(env or {})}, **(popen or {}))
        self.events = queue.Queue()
        self.seen = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.events.put(json.loads(line))

    def wait(self, event, seconds=20, **match):
        end = time.monotonic() + seconds
        while True:
            try:
                got = self.events.get(timeout=max(0.01, end - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no {event} {match} within {seconds} s; seen {self.seen}")
            self.seen.append(got)
            if got["event"] == event and all(got.get(k) == v for k, v in match.items()):
                return got

    def do(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.wait("result")["name"]

    def cpu_s(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self):
        self.process.stdin.close()
        closed = self.wait("closed")
        assert self.process.wait(10) == 0
        return closed

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    return Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def broker(tmp_path, pki):
    b = Broker(tmp_path, pki).start()
    yield b
    b.stop()


@pytest.fixture
def drive(pki):
    made = []

    def make(*args, **kwargs):
        made.append(Driver(*args, pki=kwargs.pop("pki", pki), **kwargs))
        return made[-1]

    yield make
    for d in made:
        d.end()


def test_a_message_goes_round_with_its_properties(broker, drive):
    d = drive("localhost", [broker.port])
    d.wait("online")
    assert d.do("sub t/#") == "ok"
    assert d.do("pub t/1 9223372036854775807 hello") == "ok"
    m = d.wait("message")
    assert (m["topic"], m["type"], m["payload"]) == ("t/1", "text/plain", "hello")
    assert (m["seq"], m["mono_ns"], m["epoch"]) == (2**63 - 1, 12_500_000_000, "0123456789abcdef")
    assert not m["bad"] and not m["retained"]
    d.wait("published")
    assert d.close()["longest"] < BLOCKED_MS


def test_a_bad_property_is_marked(broker, drive):
    d = drive("localhost", [broker.port])
    d.wait("online")
    assert d.do("sub t/#") == "ok"
    until("subscribed", lambda: d.do("pub t/1 1 x") == "ok")
    d.wait("message", topic="t/1")
    subprocess.run(["mosquitto_pub", "-V", "5", "-p", str(broker.plain_port), "-t", "t/2", "-m", "y",
                    "-D", "publish", "user-property", "seq", "minus one",
                    "-D", "publish", "user-property", "epoch", "fedcba9876543210"], check=True)
    m = d.wait("message", topic="t/2")
    assert m["bad"] and m["epoch"] == "fedcba9876543210" and m["type"] == ""


def test_many_large_messages_come_through(broker, drive):
    """Several messages in one TLS record: what is decrypted already is shown by no poll."""
    d = drive("localhost", [broker.port])
    d.wait("online")
    assert d.do("sub t/#") == "ok"
    n = 100
    for i in range(1, n + 1):
        assert d.do(f"pub t/{i} {i} *{65000 if i % 10 == 0 else 20}") == "ok"
    got = {m["seq"]: m["len"] for m in d.seen if m["event"] == "message"}
    while len(got) < n:
        m = d.wait("message")
        got[m["seq"]] = m["len"]
    assert all(size == (65000 if seq % 10 == 0 else 20) for seq, size in got.items())
    assert d.close()["longest"] < BLOCKED_MS


def test_goodbye_keeps_the_will_unsaid_and_a_kill_does_not(broker, drive):
    watcher = subprocess.Popen(["mosquitto_sub", "-p", str(broker.plain_port), "-t", "will/driver",
                                "-t", "said", "-v"], stdout=subprocess.PIPE, text=True)
    lines = queue.Queue()
    threading.Thread(target=lambda: [lines.put(l.strip()) for l in watcher.stdout], daemon=True).start()
    try:
        until("the watcher hears", lambda: (subprocess.run(
            ["mosquitto_pub", "-p", str(broker.plain_port), "-t", "said", "-m", "ready"], check=True),
            not lines.empty())[1])
        polite = drive("localhost", [broker.port], name="polite")
        polite.wait("online")
        polite.close()
        rude = drive("localhost", [broker.port], name="rude")
        rude.wait("online")
        assert rude.do("will later") == "ok"
        rude.do("reconnect")
        rude.wait("online")
        rude.end()
        seen = []
        until("the will", lambda: (seen.append(lines.get(timeout=15)), seen[-1] != "said ready")[1])
        assert seen[-1] == "will/driver later"
        assert "will/driver gone" not in seen
    finally:
        watcher.kill()
        watcher.wait()


def test_a_wrong_server_name_is_refused(tmp_path, pki, drive):
    b = Broker(tmp_path, pki, san="DNS:elsewhere.example", name="elsewhere").start()
    try:
        d = drive("localhost", [b.port])
        why = d.wait("offline")["why"]
        assert "certificate is refused" in why and "mismatch" in why
        ok = drive("localhost", [b.port], tls_name="elsewhere.example", name="other")
        ok.wait("online")
    finally:
        b.stop()


def test_an_unknown_ca_is_refused(tmp_path, pki, drive):
    stranger = Pki(tmp_path / "stranger")
    b = Broker(tmp_path, stranger, name="stranger").start()
    try:
        why = drive("localhost", [b.port])
        assert "certificate is refused" in why.wait("offline")["why"]
    finally:
        b.stop()


def test_the_broker_refuses_a_stranger(tmp_path, broker, pki, drive):
    stranger = Pki(tmp_path / "stranger")
    d = drive("localhost", [broker.port], certificate=stranger.issue("mallory"))
    # Its alert can be lost to the reset behind it.
    why = d.wait("offline")["why"]
    assert "the broker refuses us" in why or "may refuse our certificate" in why


def test_a_clock_in_1970_does_not_lock_us_out(broker, drive):
    d = drive("localhost", [broker.port], env={"DRIVER_TIME": "86400"})
    d.wait("online")


def test_bad_files_are_named(tmp_path, pki, drive):
    crt, key = pki.issue("one")
    _, other_key = pki.issue("two")
    for files, word in [((tmp_path / "none.crt", key), "none.crt"), ((crt, other_key), "two.key")]:
        d = drive("localhost", [1], certificate=files)
        assert word in d.wait("fault")["text"]
        assert d.process.wait(10) == 78


def test_reload_keeps_the_old_files_on_error(broker, pki, drive):
    crt, key = pki.issue("reloader")
    d = drive("localhost", [broker.port], name="reloader", certificate=(crt, key))
    d.wait("online")
    good = crt.read_text()
    crt.write_text("garbage")
    d.process.stdin.write("reload\n")
    d.process.stdin.flush()
    assert "reloader.crt" in d.wait("fault")["text"]
    assert d.wait("result")["name"] == "configuration"
    d.do("reconnect")
    d.wait("online")
    crt.write_text(good)
    assert d.do("reload") == "ok"
    d.do("reconnect")
    d.wait("online")


def test_it_comes_back_after_the_broker_was_killed(broker, drive):
    d = drive("localhost", [broker.port])
    d.wait("online")
    for _ in range(3):
        broker.kill()
        assert d.wait("offline")["why"]
        assert d.do("pub t/1 1 x") == "again"
        broker.start()
        d.wait("online", seconds=60)
    assert d.close()["longest"] < BLOCKED_MS


def test_two_of_one_name_slow_down(broker, pki, drive):
    """Clones push each other out; without a brake they would do so twice a second."""
    certificate = pki.issue("twin")
    twins = [drive("localhost", [broker.port], name="twin", certificate=certificate) for _ in range(2)]
    end = time.monotonic() + 12
    online = 0
    while time.monotonic() < end:
        for t in twins:
            try:
                online += t.events.get(timeout=0.05)["event"] == "online"
            except queue.Empty:
                pass
    assert 2 <= online <= 16, online
    until("one is in again", lambda: twins[0].wait("online", seconds=30))


def test_ports_are_tried_in_turn(broker, drive):
    closed = free_port()
    d = drive("127.0.0.1", [closed, broker.port])
    d.wait("online", seconds=5)     # a refusal is known at once


def test_a_refusal_is_told_at_once_and_without_spinning(drive):
    port = free_port()
    d = drive("127.0.0.1", [port])
    assert f"no connection to port {port}" in d.wait("offline", seconds=5)["why"]
    d.wait("offline", seconds=30)
    d.wait("offline", seconds=30)
    assert d.cpu_s() < 1


@pytest.mark.parametrize("reset", [False, True])
def test_a_broker_that_hangs_up_does_not_make_it_spin(drive, reset):
    with socket.socket() as rude:
        rude.bind(("127.0.0.1", 0))
        rude.listen(8)

        def serve():
            while True:
                try:
                    s, _ = rude.accept()
                except OSError:
                    return
                s.recv(1)
                if reset:
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                s.close()

        threading.Thread(target=serve, daemon=True).start()
        d = drive("127.0.0.1", [rude.getsockname()[1]])
        assert d.wait("offline", seconds=5)["why"]
        d.wait("offline", seconds=30)
        assert d.cpu_s() < 1
        rude.shutdown(socket.SHUT_RDWR)


def test_a_broker_that_never_answers_tls_does_not_block(broker, drive):
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(8)
        d = drive("127.0.0.1", [deaf.getsockname()[1], broker.port])
        before = d.cpu_s()
        d.wait("online", seconds=30)    # the next port, after the deadline of the first
        assert d.cpu_s() - before < 2, "it spun while it waited"
        assert d.close()["longest"] < BLOCKED_MS


def test_a_black_hole_does_not_block(broker, drive):
    """A full accept queue: SYNs go unanswered, as behind a firewall that drops."""
    with socket.socket() as hole:
        hole.bind(("127.0.0.1", 0))
        hole.listen(0)
        address = hole.getsockname()
        fill = []
        for _ in range(4):
            s = socket.socket()
            s.setblocking(False)
            s.connect_ex(address)
            fill.append(s)
        d = drive("127.0.0.1", [address[1], broker.port])
        d.wait("online", seconds=30)
        assert d.close()["longest"] < BLOCKED_MS
        for s in fill:
            s.close()


def can_unshare():
    return shutil.which("unshare") and subprocess.run(
        ["unshare", "-Urm", "true"], capture_output=True).returncode == 0


@pytest.mark.skipif(not can_unshare(), reason="no user namespaces here")
def test_a_dead_resolver_does_not_block_and_the_last_address_helps(tmp_path, pki, broker, drive):
    """resolv.conf names a server that never answers; the address file knows better."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as dead:
        dead.bind(("127.0.0.53", 0))
        # glibc asks port 53 only; an address from TEST-NET-1 is dropped by every network,
        # and where there is no route the look-up fails at once: both are outages.
        conf = tmp_path / "resolv.conf"
        conf.write_text("nameserver 192.0.2.1\noptions timeout:5 attempts:3\n")
        prefix = ["unshare", "-Urm", "sh", "-c",
                  f'mount --bind {conf} /etc/resolv.conf && exec "$@"', "sh"]
        address = tmp_path / "address"
        lost = drive("broker.invalid-name.example", [broker.port], name="lost", prefix=prefix,
                     address_file=address, tls_name="localhost")
        assert "cannot find broker" in lost.wait("offline", seconds=30)["why"]
        address.write_text("127.0.0.1\n")
        d = drive("broker.invalid-name.example", [broker.port], name="found", prefix=prefix,
                  address_file=address, tls_name="localhost")
        got = d.wait("online", seconds=30)
        assert got["longest"] < BLOCKED_MS


# In a network of its own a name server that takes questions and never answers.
SILENT_RESOLVER = """
ip link set lo up
mount --bind "$1" /etc/resolv.conf
shift
/usr/bin/python3 -c 'import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 53))
print("ready", flush=True)
sys.stdin.read()' <&3 >&4 &
read -r _ <&5
exec "$@"
"""


@pytest.mark.skipif(not can_unshare(), reason="no user namespaces here")
def test_a_silent_resolver_blocks_neither_the_loop_nor_the_end(tmp_path, pki, drive):
    conf = tmp_path / "resolv.conf"
    conf.write_text("nameserver 127.0.0.1\noptions timeout:5 attempts:3\n")
    keep_r, keep_w = os.pipe()      # the resolver lives while this is open
    ready_r, ready_w = os.pipe()
    fds = {"pass_fds": (keep_r, ready_w, ready_r), "close_fds": True}
    script = SILENT_RESOLVER.replace("<&3", f"<&{keep_r}").replace(">&4", f">&{ready_w}")
    script = script.replace("<&5", f"<&{ready_r}")
    try:
        d = drive("broker.example", [8883], prefix=["unshare", "-Urnm", "bash", "-ec", script, "bash", str(conf)],
                  popen=fds)
        lost = d.wait("offline", seconds=30)
        assert "cannot find broker.example" in lost["why"]
        assert lost["longest"] < BLOCKED_MS
        before = time.monotonic()
        d.process.stdin.close()
        d.wait("closed", seconds=2)     # the look-up may still be under way
        assert d.process.wait(15) == 0
        assert time.monotonic() - before < 15
    finally:
        for fd in (keep_r, keep_w, ready_r, ready_w):
            os.close(fd)


@pytest.mark.parametrize("when", ["at once", "while connecting", "while waiting"])
def test_it_can_be_closed_at_any_time(drive, when):
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(8)
        port = free_port() if when == "while waiting" else deaf.getsockname()[1]
        d = drive("127.0.0.1", [port])
        if when == "while waiting":
            d.wait("offline")
        elif when == "while connecting":
            assert d.do("gap") == "ok"
            deaf.accept()[0].recv(1)    # its hello is here, and gets no answer
        before = time.monotonic()
        d.close()
        assert time.monotonic() - before < 2


@pytest.mark.skipif(os.environ.get("HATANG_CHECK") != "extended", reason="takes 30 s: extended only")
def test_a_broker_that_hangs_is_noticed(broker, drive):
    d = drive("localhost", [broker.port])   # keep-alive 10 s
    d.wait("online")
    broker.process.send_signal(signal.SIGSTOP)
    try:
        assert d.wait("offline", seconds=40)["longest"] < BLOCKED_MS
    finally:
        broker.process.send_signal(signal.SIGCONT)
    d.wait("online", seconds=60)


def test_the_last_good_address_is_kept(tmp_path, broker, drive):
    address = tmp_path / "address"
    d = drive("localhost", [broker.port], address_file=address)
    d.wait("online")
    assert until("the file", lambda: address.exists() and address.read_text()) == "127.0.0.1\n"


def test_a_subscription_that_is_refused_is_told(tmp_path, pki, drive):
    acl = tmp_path / "acl"
    acl.write_text("pattern readwrite own/%u/#\n")
    b = Broker(tmp_path, pki, extra=f"acl_file {acl}", name="fenced").start()
    try:
        d = drive("localhost", [b.port])
        d.wait("online")
        assert d.do("sub own/driver/x") == "ok"
        assert d.do("pub own/driver/x 1 mine") == "ok"
        d.wait("message", topic="own/driver/x")
    finally:
        b.stop()
