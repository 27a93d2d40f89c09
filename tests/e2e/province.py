"""A province as an administrator makes it: `hatang-server init`, the mosquitto that it
configured, `hatang-server run`, the registry, tokens and machines by the `hatang` program
and `hatang-agent enroll`. The fixture in conftest.py ends every process.

    def test_something(province):
        province.registry()
        m = province.enroll("box")              # a machine, now agent "bat-xat-1"
        m.run("  - { probe: selftest, id: st, every: 200ms }\\n")
        until("online", lambda: province.presence(m.id) == "online")
"""
import datetime
import json
import os
import pathlib
import shutil
import socket
import sqlite3
import ssl
import subprocess
import threading
import urllib.error
import urllib.request

from broker import free_port, until
from parts import AGENT, CLI, ROOT, SERVER, Process, share_dir

DATA = ROOT / "tests/data/registry"
REGISTRY = """\
id,name,level,parent,servants,servants_as_of,link_id,role,kind,line_type,provider,contracted_down,contracted_up,router_address
lao-cai,UBND tỉnh Lào Cai,province,,420,2018-03-01,,,,,,,,
bat-xat,UBND huyện Bát Xát,district,lao-cai,96,2018-03-01,bat-xat-wan,primary,province-wan,leased-line,VNPT,50M,50M,127.0.0.1
"""
SELFTEST = "  - { probe: selftest, id: st, every: 200ms }\n"


def when_ms(text):
    """Unix milliseconds of an RFC 3339 time of the API."""
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000


class Machine:
    """A computer with hatang-agent on it; `id` is the agent's once it is enrolled."""

    def __init__(self, province, name, env=None, prefix=(), program=(AGENT,)):
        self.province, self.name = province, name
        self.folder = province.folder / name
        self.config = self.folder / "agent.yaml"
        self.env = {"HATANG_FINGERPRINT": name, "HATANG_CLOCK": "synchronised", **(env or {})}
        self.prefix, self.program = list(prefix), list(program)
        self.id, self.process = None, None

    def verb(self, *args, code=0):
        done = subprocess.run([*self.program, *args, "--config", self.config], capture_output=True,
                              text=True, timeout=60, env={**os.environ, **self.env})
        assert done.returncode == code, f"{args}: {done.returncode} {done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def enroll(self, token, url=None, code=0, *more):
        said = self.verb("enroll", "--server", url or self.province.url, "--token", token,
                         "--dir", self.folder, *more, code=code)
        if code == 0:
            self.id = said.split("Enrolled as ", 1)[1].split()[0]
        return said

    def probes(self, text):
        drop = self.folder / "agent.d"
        drop.mkdir(exist_ok=True)
        (drop / "probes.yaml").write_text("probes:\n" + text)

    def run(self, probes=None, name=""):
        if probes:
            self.probes(probes)
        self.process = Process(f"agent-{self.name}", self.folder,
                               [*self.prefix, *self.program, "run", "--config", self.config], self.env)
        self.province.processes.append(self.process)
        self.process.start()
        return self

    def copy(self, name, **env):
        """A clone: the same folder on another machine, which has another fingerprint."""
        other = Machine(self.province, name, env)
        shutil.copytree(self.folder, other.folder,
                        ignore=shutil.ignore_patterns("*.sock", "*.log"))
        for file in [other.config, *other.folder.glob("agent.d/*")]:
            file.write_text(file.read_text().replace(str(self.folder), str(other.folder)))
        other.id = self.id
        return other

    def status(self):
        return json.loads(self.verb("status", "--json"))

    def answers(self):
        with socket.socket(socket.AF_UNIX) as s:
            return s.connect_ex(str(self.folder / "status.sock")) == 0

    @property
    def certificate(self):
        return self.folder / "cert.pem", self.folder / "key.pem"

    @property
    def approved(self):
        return self.folder / "approved.yaml"


class Wire:
    """A machine's connection with its real certificate, without any code of ours. Raises
    ConnectionError when the broker refuses it."""

    def __init__(self, machine, *topics):
        import paho.mqtt.client as paho
        cert, key = machine.certificate
        self.id, self.messages, self.granted = machine.id, [], {}
        self.refused, self.closed = None, threading.Event()
        self.connected = threading.Event()
        self.confirmed = set()
        self.client = paho.Client(client_id=f"wire-{os.urandom(4).hex()}", protocol=paho.MQTTv5)
        self.client.tls_set(str(machine.folder / "ca.pem"), str(cert), str(key))
        self.client.on_connect = self._on_connect
        self.client.on_disconnect = self._on_disconnect
        self.client.on_subscribe = self._on_subscribe
        self.client.on_publish = lambda c, u, mid: self.confirmed.add(mid)
        self.client.on_message = lambda c, u, m: self.messages.append((m.topic, m.payload))
        self.client.connect("127.0.0.1", machine.province.mqtt_port)
        self.thread = threading.Thread(target=self._loop, daemon=True)
        self.thread.start()
        if not self.connected.wait(10) or self.refused or self.closed.is_set():
            self.close()
            raise ConnectionError(self.refused or "the broker closed the connection")
        for topic in topics or [f"hatang/v1/{self.id}/ack", f"hatang/v1/{self.id}/cmd"]:
            self.subscribe(topic)

    def _on_connect(self, client, userdata, flags, reason, props=None):
        if int(reason.value) != 0:
            self.refused = str(reason)
        self.connected.set()

    def _loop(self):
        try:
            self.client.loop_forever()
        except ssl.SSLError as e:
            self.refused = str(e)
        self.closed.set()
        self.connected.set()

    def _on_disconnect(self, client, *_):
        self.closed.set()
        client.disconnect()         # and do not come back

    def _on_subscribe(self, client, userdata, mid, reasons, props=None):
        self.granted[mid] = reasons[0].value < 128

    def subscribe(self, topic):
        """Whether the broker grants it."""
        _, mid = self.client.subscribe(topic, 1)
        until(f"an answer to {topic}", lambda: mid in self.granted)
        return self.granted[mid]

    def publish(self, topic, payload, content_type="application/senml+json", retain=False,
                **props):
        """Returns when the broker has answered: with QoS 1 it answers refusals too."""
        from paho.mqtt.packettypes import PacketTypes
        from paho.mqtt.properties import Properties
        p = Properties(PacketTypes.PUBLISH)
        if content_type:
            p.ContentType = content_type
        if props:
            p.UserProperty = [(k, str(v)) for k, v in props.items()]
        if isinstance(payload, (dict, list)):
            payload = json.dumps(payload)
        topic = topic if "/" in topic else f"hatang/v1/{self.id}/{topic}"
        sent = self.client.publish(topic, payload, qos=1, retain=retain, properties=p)
        until(f"the broker answers {topic}",
              lambda: sent.mid in self.confirmed or self.closed.is_set())
        return not self.closed.is_set()

    def acked(self, epoch):
        told = set()
        for topic, payload in list(self.messages):
            if topic == f"hatang/v1/{self.id}/ack":
                body = json.loads(payload)
                if body["epoch"] == epoch:
                    for first, last in body["ranges"]:
                        told.update(range(first, last + 1))
        return told

    def close(self):
        self.client.disconnect()
        self.thread.join(10)


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
        self.processes = []

    def start(self):
        done = subprocess.run([SERVER, "init", "--config", self.config], capture_output=True,
                              text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        self.bearer = (self.state / "admin.token").read_text().strip()
        self.broker.start()
        self.server.start()
        until("the server answers", lambda: self.get("/readyz")[0] == 200)
        return self

    # ── what a person does ──

    def request(self, method, path, body=None, type="application/json"):
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        ask = urllib.request.Request(self.url + path, data, method=method, headers={
            "Authorization": f"Bearer {self.bearer}", "Content-Type": type})
        trust = ssl.create_default_context(cafile=self.state / "ca/ca.crt")
        try:
            with urllib.request.urlopen(ask, context=trust, timeout=10) as reply:
                text = reply.read()
                if "json" in (reply.headers["Content-Type"] or "json"):
                    text = json.loads(text or b"null")
                return reply.status, text
        except urllib.error.HTTPError as e:
            return e.code, json.loads(e.read() or b"null")
        except OSError:
            return 0, None

    def get(self, path):
        return self.request("GET", path)

    def hatang(self, *args, code=0):
        """The `hatang` program with the first account's token; what it said."""
        env = {**os.environ, "HATANG_URL": self.url, "HATANG_CA": str(self.state / "ca/ca.crt"),
               "HATANG_TOKEN_FILE": str(self.state / "admin.token"),
               "XDG_CONFIG_HOME": str(self.folder)}
        done = subprocess.run([CLI, *args], capture_output=True, text=True, timeout=60, env=env)
        assert done.returncode == code, f"{args}: {done.returncode} {done.stdout}{done.stderr}"
        return done.stdout if code == 0 else done.stdout + done.stderr

    def registry(self, csv=REGISTRY):
        file = self.folder / "registry.csv"
        file.write_text(csv)
        assert "imported" in self.hatang("agency", "import", str(file))

    def token(self, agency="bat-xat", *more):
        return self.hatang("token", "create", "--agency", agency, *more).strip()

    def machine(self, name, **env):
        return Machine(self, name, env)

    def enroll(self, name, agency="bat-xat", **env):
        m = self.machine(name, **env)
        m.enroll(self.token(agency))
        return m

    # ── what a person sees ──

    def show(self, agent):
        status, answer = self.get(f"/api/v1/agents/{agent}")
        assert status == 200, answer
        return answer

    def presence(self, agent):
        return (self.show(agent)["presence"] or {}).get("state")

    def latest(self, agent, prefix=""):
        """Name to what the API says of it."""
        status, answer = self.get(f"/api/v1/latest?agent={agent}&limit=500"
                                  + (f"&prefix={prefix}" if prefix else ""))
        assert status == 200, answer
        return {i["name"]: i for i in answer["items"]}

    # ── what is in the store ──

    def query(self, sql, *args):
        db = sqlite3.connect(f"file:{self.state}/server.db?mode=ro", uri=True, timeout=20)
        try:
            return db.execute(sql, args).fetchall()
        finally:
            db.close()

    def packs(self, agent):
        return self.query("SELECT count(*) FROM journal WHERE source = 'agent' AND kind = 'data'"
                          " AND agent = ?", agent)[0][0]

    def folded(self, seconds=15):
        """Wait until every fold has seen what is in the journal now."""
        end = self.query("SELECT max(id) FROM journal")[0][0]
        until("the folds", lambda: self.query("SELECT min(journal_id) FROM fold_cursor")[0][0]
              >= end, seconds)

    def kill(self):
        for part in [*self.processes, self.server, self.broker]:
            part.kill()
