"""From an empty folder to a reading in the API, as a person does it: init, import, token,
enroll, run. What a token does not open."""
import json
import socket
import ssl
import threading
import time

from province import SELFTEST, until, when_ms


def test_from_nothing_to_the_latest_value(province):
    province.registry()
    agencies = json.loads(province.hatang("agency", "list", "--json"))
    assert {a["id"] for a in agencies} == {"lao-cai", "bat-xat"}
    links = json.loads(province.hatang("links", "--json"))
    assert [l["id"] for l in links] == ["bat-xat-wan"]
    m = province.enroll("box")
    assert m.id == "bat-xat-1"
    assert province.presence(m.id) is None, "enrolled, never seen"
    m.run(SELFTEST)
    until("online", lambda: province.presence(m.id) == "online")
    count = until("a reading", lambda: province.latest(m.id).get("selftest/st/count"))
    assert count["kind"] == "counter" and not count["rebased"]

    # How long a reading takes to be seen by who asks for it.
    delays = []
    while len(delays) < 10:
        new = province.latest(m.id, "selftest/")["selftest/st/count"]
        if new["value"] != count["value"]:
            delays.append(time.time() * 1000 - when_ms(new["at"]))
            count = new
    print(f"\nfrom reading to API: median {sorted(delays)[5]:.0f} ms, worst {max(delays):.0f} ms")
    assert max(delays) < 10_000
    assert m.process.stop() == 0
    until("goodbye is seen", lambda: province.presence(m.id) == "offline")
    listed = json.loads(province.hatang("agents", "--json"))
    assert [(a["id"], a["presence"]["state"]) for a in listed] == [(m.id, "offline")]


def test_what_a_token_does_not_open(province):
    province.registry()
    said = province.hatang("token", "create", "--agency", "nowhere", code=1)
    assert 'no agency "nowhere"' in said
    token = province.token()
    first = province.machine("first")
    first.enroll(token)
    assert "used already" in province.machine("second").enroll(token, code=1)
    # No way to make a token that expires while a test waits: let it be old.
    old = province.token()
    import sqlite3
    db = sqlite3.connect(province.state / "server.db", timeout=20)
    with db:
        db.execute("UPDATE enroll_token SET expires_ms = created_ms + 1 WHERE id = ?",
                   (old.split(".")[0],))
    db.close()
    assert "expired" in province.machine("second").enroll(old, code=1)
    assert not (province.folder / "second" / "key.pem").exists()
    states = {t["id"]: t["state"] for t in
              json.loads(province.hatang("token", "list", "--json"))}
    assert states == {token.split(".")[0]: "used", old.split(".")[0]: "expired"}


class Impostor(threading.Thread):
    """An HTTPS server with a CA of its own that answers like ours and writes down all."""

    def __init__(self, pki):
        super().__init__(daemon=True)
        self.heard, self.ca = b"", pki.ca.read_bytes()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*pki.issue("impostor", "IP:127.0.0.1"))
        self.socket = context.wrap_socket(socket.create_server(("127.0.0.1", 0)),
                                          server_side=True)
        self.url = f"https://127.0.0.1:{self.socket.getsockname()[1]}"
        self.start()

    def run(self):
        while True:
            try:
                with self.socket.accept()[0] as s:
                    self.heard += s.recv(65536)
                    s.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-pem-file\r\n"
                              b"Connection: close\r\nContent-Length: %d\r\n\r\n%s"
                              % (len(self.ca), self.ca))
                    while more := s.recv(65536):
                        self.heard += more
            except ssl.SSLError:
                pass
            except OSError:
                return


def test_the_token_is_never_sent_to_an_impostor(province, tmp_path):
    from broker import Pki
    province.registry()
    token = province.token()
    impostor = Impostor(Pki(tmp_path / "impostor"))
    try:
        said = province.machine("box").enroll(token, impostor.url, 1)
        assert "not the one that made the token" in said
        assert b"GET /api/v1/ca" in impostor.heard
        assert b"POST" not in impostor.heard
        assert token.split(".")[1].encode() not in impostor.heard
    finally:
        impostor.socket.close()
    province.machine("box").enroll(token)      # and so it is still good
