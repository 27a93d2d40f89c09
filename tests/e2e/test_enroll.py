"""From nothing to an agent whose packs are journaled, on real parts: hatang-server with
its own CA over HTTPS, the mosquitto that it configured, hatang-agent enroll and run."""
import json
import os
import pathlib
import ssl
import stat
import subprocess
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

    def packs(self, agent):
        import sqlite3
        db = sqlite3.connect(f"file:{self.state}/server.db?mode=ro", uri=True, timeout=20)
        try:
            return db.execute("SELECT count(*) FROM journal WHERE source = 'agent' AND kind = 'data'"
                              " AND agent = ?", (agent,)).fetchone()[0]
        finally:
            db.close()

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
