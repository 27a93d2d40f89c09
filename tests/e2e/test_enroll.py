"""From nothing to an agent whose packs are journaled, on real parts: hatang-server with
its own CA over HTTPS, the mosquitto that it configured, hatang-agent enroll and run."""
import json
import os
import pathlib
import sqlite3
import ssl
import stat
import subprocess
import time
import urllib.error
import urllib.request

import pytest
from broker import free_port, until
from parts import AGENT, ROOT, SERVER, Process, share_dir

DATA = ROOT / "tests/data/registry"


class Province:
    """The server and its broker as `hatang-server init` makes them."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.state, self.config = self.folder / "state", self.folder / "server.yaml"
        self.mqtt_port, self.http_port = free_port(), free_port()
        broker_dir = self.folder / "broker"
        self.config.write_text(f"""\
server: {{ state_dir: {self.state}, share_dir: {share_dir()} }}
mqtt: {{ host: 127.0.0.1, port: {self.mqtt_port} }}
http: {{ port: {self.http_port}, tls: yes }}
broker: {{ config_dir: {broker_dir}, pid_file: {self.folder}/mosquitto.pid, listen: 127.0.0.1 }}
""")
        self.url = f"https://127.0.0.1:{self.http_port}"
        self.broker = Process("mosquitto", self.folder,
                              ["/usr/sbin/mosquitto", "-c", broker_dir / "mosquitto.conf"])
        self.server = Process("server", self.folder, [SERVER, "run", "--config", self.config])
        self.agents = []

    def start(self):
        done = subprocess.run([SERVER, "init", "--config", self.config], capture_output=True,
                              text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        self.bearer = (self.state / "admin.token").read_text().strip()
        self.broker.start()
        self.server.start()
        until("the server answers", lambda: self.get("/readyz")[0] == 200)
        return self

    def request(self, method, path, body=None, type="application/json"):
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        ask = urllib.request.Request(self.url + path, data, method=method, headers={
            "Authorization": f"Bearer {self.bearer}", "Content-Type": type})
        trust = ssl.create_default_context(cafile=self.state / "ca/ca.crt")
        try:
            with urllib.request.urlopen(ask, context=trust, timeout=10) as reply:
                return reply.status, json.loads(reply.read() or b"null")
        except urllib.error.HTTPError as e:
            return e.code, json.loads(e.read() or b"null")
        except OSError:
            return 0, None

    def get(self, path):
        return self.request("GET", path)

    def import_csv(self, name, query=""):
        return self.request("POST", "/api/v1/agencies/import" + query, (DATA / name).read_bytes(),
                            "text/csv")

    def token(self, agency="bat-xat", **more):
        status, answer = self.request("POST", "/api/v1/tokens", {"agency": agency, **more})
        assert status == 201, answer
        return answer["token"]

    def agent(self, name):
        return self.folder / name, {"HATANG_FINGERPRINT": name, "HATANG_CLOCK": "synchronised"}

    def enroll(self, name, token, url=None, code=0, *more):
        folder, env = self.agent(name)
        done = subprocess.run(
            [AGENT, "enroll", "--server", url or self.url, "--token", token, "--dir", folder,
             "--config", folder / "agent.yaml", *more],
            capture_output=True, text=True, timeout=60, env={**os.environ, **env})
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def run(self, name):
        folder, env = self.agent(name)
        drop = folder / "agent.d"
        drop.mkdir(exist_ok=True)
        (drop / "probes.yaml").write_text("probes:\n  - { probe: selftest, id: st, every: 200ms }\n")
        a = Process(f"agent-{name}", folder, [AGENT, "run", "--config", folder / "agent.yaml"], env)
        self.agents.append(a)
        return a.start()

    def query(self, sql, *args):
        db = sqlite3.connect(f"file:{self.state}/server.db?mode=ro", uri=True, timeout=20)
        try:
            return db.execute(sql, args).fetchall()
        finally:
            db.close()

    def packs(self, agent):
        return self.query("SELECT count(*) FROM journal WHERE source = 'agent' AND kind = 'data'"
                          " AND agent = ?", agent)[0][0]

    def kill(self):
        for part in [*self.agents, self.server, self.broker]:
            part.kill()


@pytest.fixture
def province(tmp_path):
    p = Province(tmp_path)
    try:
        yield p.start()
    finally:
        p.kill()


def test_registry_import_over_the_api(province):
    status, report = province.import_csv("bad.csv")
    assert status == 422 and not report["applied"] and report["bad_rows"] == 9, report
    status, report = province.import_csv("district.csv", "?dry_run=true")
    assert status == 200 and report["agencies"]["added"] == 6 and not report["applied"]
    status, report = province.import_csv("district.csv")
    assert status == 200 and report["applied"] and report["links"]["added"] == 6
    status, report = province.import_csv("district.vi.csv")
    assert status == 200 and not report["applied"] and report["agencies"]["unchanged"] == 3


def test_enrolled_agent_delivers_and_a_revoked_one_does_not(province):
    province.import_csv("district.csv")
    said = province.enroll("a", province.token())
    assert "Enrolled as bat-xat-1 of bat-xat" in said
    folder, _ = province.agent("a")
    assert stat.S_IMODE(os.stat(folder / "key.pem").st_mode) == 0o600
    province.run("a")
    until("packs of the agent are journaled", lambda: province.packs("bat-xat-1") > 3)

    status, _ = province.request("POST", "/api/v1/agents/bat-xat-1/revoke", {"reason": "stolen"})
    assert status in (200, 204)
    log = province.broker.log
    until("the live session is kicked", lambda: "administrative action" in log.read_text(), 2)
    refused = lambda: log.read_text().split("administrative action", 1)[1].count("verify failed")
    until("it was refused on coming back", refused, 30)
    had = province.packs("bat-xat-1")  # with what was on its way when it was kicked
    until("it was refused again", lambda: refused() >= 2, 30)
    assert province.packs("bat-xat-1") == had


def test_enrolling_again_adopts_the_history(province):
    province.import_csv("district.csv")
    province.enroll("a", province.token())
    folder, _ = province.agent("a")
    config, key = (folder / "agent.yaml").read_text(), (folder / "key.pem").read_text()
    assert "stays as it is" in province.enroll("a", province.token())
    assert (folder / "agent.yaml").read_text() == config
    assert (folder / "key.pem").read_text() != key
    # A new machine takes the id over, with a token that was made for it.
    assert "as bat-xat-1 of" in province.enroll("b", province.token(agent="bat-xat-1"))
    province.run("b")
    until("the new machine delivers", lambda: province.packs("bat-xat-1") > 0)


def aged(province, folder, agent):
    """Put a certificate in place that is good for ten minutes more, and was for nine days:
    for the agent's own key, and known to the server."""
    ca = province.folder / "mint"
    ca.mkdir()
    (ca / "index").write_text("")
    (ca / "conf").write_text(f"""\
[ca]
default_ca = d
[d]
new_certs_dir = {ca}
database = {ca}/index
rand_serial = yes
default_md = sha256
policy = p
x509_extensions = x
[p]
commonName = supplied
[x]
basicConstraints = CA:FALSE
extendedKeyUsage = clientAuth
""")
    now = int(time.time())
    start, end = now - 9 * 86400, now + 600
    stamp = lambda t: time.strftime("%Y%m%d%H%M%SZ", time.gmtime(t))
    openssl = lambda *a: subprocess.run(["openssl", *map(str, a)], check=True, capture_output=True)
    openssl("req", "-new", "-key", folder / "key.pem", "-subj", f"/CN={agent}", "-out", ca / "csr")
    openssl("ca", "-batch", "-notext", "-config", ca / "conf", "-cert", province.state / "ca/ca.crt",
            "-keyfile", province.state / "ca/ca.key", "-in", ca / "csr", "-out", ca / "crt",
            "-startdate", stamp(start), "-enddate", stamp(end))
    (folder / "cert.pem").write_bytes((ca / "crt").read_bytes())
    db = sqlite3.connect(province.state / "server.db", timeout=20)
    with db:
        db.execute("UPDATE certificate SET not_before_ms = ?, not_after_ms = ? WHERE agent = ?",
                   (start * 1000, end * 1000, agent))
    db.close()
    return end


def ends(cert):
    text = subprocess.run(["openssl", "x509", "-in", cert, "-noout", "-enddate"], check=True,
                          capture_output=True, text=True).stdout
    return ssl.cert_time_to_seconds(text.strip().split("=", 1)[1])


def test_a_certificate_is_renewed_before_it_ends(province):
    province.import_csv("district.csv")
    province.enroll("a", province.token())
    folder, _ = province.agent("a")
    end, key = aged(province, folder, "bat-xat-1"), (folder / "key.pem").read_bytes()
    assert ends(folder / "cert.pem") == end
    agent = province.run("a")
    until("a new certificate is there", lambda: ends(folder / "cert.pem") > end + 300 * 86400)
    until("the agent has connected with it", lambda: agent.log.read_text().count("to=sending") >= 2)
    had = province.packs("bat-xat-1")
    until("packs come by it", lambda: province.packs("bat-xat-1") > had + 1)
    assert (folder / "key.pem").read_bytes() == key
    rows = province.query("SELECT count(*) FROM certificate WHERE revoked_ms IS NULL")
    assert rows == [(2,)]  # the old one stays good until its end
    assert province.query("SELECT agent FROM certificate ORDER BY issued_ms DESC LIMIT 1") == [("bat-xat-1",)]
    assert province.query("SELECT count(*) FROM journal WHERE source = 'operator'"
                          " AND kind = 'agent.renew'") == [(1,)]


def test_refusals_say_why(province):
    province.import_csv("district.csv")
    token = province.token()
    # Another server's CA: the token must not be sent, nor used up.
    other = token[:-32] + ("0" * 32)
    assert "not the one that made the token" in province.enroll("a", other, None, 1)
    assert "copy it whole" in province.enroll("a", token[:-1], None, 1)
    assert "unprotected" in province.enroll("a", token, "http://hatang.example", 1)
    assert "cannot be reached" in province.enroll("a", token, f"https://127.0.0.1:{free_port()}", 1)
    assert "Enrolled as" in province.enroll("a", token)
    assert "used already" in province.enroll("b", token, None, 1)
    wrong = token[:9] + ("f" if token[9] != "f" else "0") + token[10:]
    assert "not known" in province.enroll("b", wrong, None, 1)
    assert not (province.agent("b")[0] / "key.pem").exists()
