"""Real parts for end-to-end tests: a mosquitto with TLS, hatang-server and hatang-agents,
each on ports and folders of its own. The fixtures in conftest.py end every process.

    def test_something(office):            # broker and server run
        agent = office.agent("a1", "  - { probe: selftest, id: st, every: 100ms }\\n")
        agent.start()
        until("a pack is in the journal", lambda: office.server.packs("a1"))
"""
import json
import os
import pathlib
import signal
import socket
import sqlite3
import subprocess

from broker import Broker, Pki, free_port, until
from built import BUILD, ROOT

SERVER, AGENT, CLI = (BUILD / p for p in
                      ("server/hatang-server", "agent/hatang-agent", "cli/hatang"))
SERVER_NAME = "server"

# Each agent is fenced to its own tree, as in production; the server does it all.
ACL = f"""\
user {SERVER_NAME}
topic readwrite hatang/v1/#
pattern write hatang/v1/%u/presence
pattern write hatang/v1/%u/data
pattern write hatang/v1/%u/hist
pattern write hatang/v1/%u/reply
pattern read hatang/v1/%u/presence
pattern read hatang/v1/%u/ack
pattern read hatang/v1/%u/cmd
pattern read hatang/v1/@server/presence
"""


class Process:
    """One program with a log of its own; start() again after kill() or stop()."""

    def __init__(self, name, folder, argv, env=None):
        self.name = name
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.argv = [str(a) for a in argv]
        self.env = {**os.environ, **(env or {})}
        self.log = self.folder / f"{name}.log"
        self.process = None

    def start(self):
        assert not self.running(), f"{self.name} runs already"
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.argv, stdout=log, stderr=log, env=self.env)
        return self

    def running(self):
        return self.process is not None and self.process.poll() is None

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        """SIGKILL: nothing is flushed."""
        return self._end(signal.SIGKILL, 10)

    def stop(self, seconds=15):
        """SIGTERM, and the exit code; a program that does not end is a failure."""
        return self._end(signal.SIGTERM, seconds)

    def _end(self, number, seconds):
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(number)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)
                raise AssertionError(f"{self.name} did not end in {seconds} s:\n{self.tail()}")
        code, self.process = self.process.returncode, None
        return code

    def tail(self, lines=30):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


class Server(Process):
    def __init__(self, folder, broker, pki):
        folder = pathlib.Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        cert, key = pki.issue(SERVER_NAME)
        self.config, self.state = folder / "server.yaml", folder / "state"
        self.http_port = free_port()
        self.state.mkdir(mode=0o700, exist_ok=True)
        self.config.write_text(f"""\
server: {{ state_dir: {self.state}, share_dir: {share_dir()} }}
mqtt: {{ host: 127.0.0.1, port: {broker.port}, ca: {pki.ca}, cert: {cert}, key: {key} }}
http: {{ port: {self.http_port} }}
broker: {{ config_dir: {folder}/broker.d, pid_file: {folder}/mosquitto.pid }}
""")
        super().__init__("server", folder, [SERVER, "run", "--config", self.config])
        self.initialised = False

    def start(self):
        if not self.initialised:
            self.run("init")
            self.initialised = True
        return super().start()

    def run(self, *args):
        """A verb of the program beside it; its stdout."""
        done = subprocess.run([SERVER, *args, "--config", self.config], capture_output=True,
                              text=True, timeout=120)
        assert done.returncode == 0, f"{args}: {done.stdout}{done.stderr}"
        return done.stdout

    def query(self, sql, *args):
        db = sqlite3.connect(f"file:{self.state}/server.db?mode=ro", uri=True, timeout=20)
        try:
            return db.execute(sql, args).fetchall()
        finally:
            db.close()

    def packs(self, agent):
        """Packs in the journal: (id, lane, epoch, seq, content_type, payload), in order."""
        return self.query("SELECT id, lane, epoch, seq, content_type, payload FROM journal"
                          " WHERE source = 'agent' AND kind = 'data' AND agent = ?"
                          " ORDER BY id", agent)


def share_dir():
    built = BUILD / "share"
    return built if built.exists() else ROOT


class Agent(Process):
    def __init__(self, folder, name, broker, pki, probes, *, format="json", site="", spool="",
                 env=None, program=(AGENT,)):
        folder = pathlib.Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        cert, key = pki.issue(name)
        self.id, self.config, self.state = name, folder / "agent.yaml", folder / "state"
        self.state.mkdir(mode=0o700, exist_ok=True)
        self.config.write_text(f"""\
agent: {{ id: {name}, state_dir: {self.state} }}
mqtt: {{ host: 127.0.0.1, ports: [{broker.port}], ca: {pki.ca}, cert: {cert}, key: {key},
  format: {format} }}
{'spool: ' + spool if spool else ''}
{'site: ' + site if site else ''}
probes:
{probes}""")
        self.program = program
        super().__init__(f"agent-{name}", folder, [*program, "run", "--config", self.config],
                         {"HATANG_FINGERPRINT": name, "HATANG_CLOCK": "synchronised",
                          **(env or {})})

    def verb(self, *args, code=0):
        done = subprocess.run([*self.program, *args, "--config", self.config],
                              capture_output=True, text=True, timeout=60, env=self.env)
        assert done.returncode == code, f"{args}: {done.returncode} {done.stdout}{done.stderr}"
        return done.stdout

    def status(self):
        until(f"{self.name} answers", self.answers)
        return json.loads(self.verb("status", "--json"))

    def answers(self):
        assert self.running(), self.tail()
        with socket.socket(socket.AF_UNIX) as s:
            return s.connect_ex(str(self.state / "status.sock")) == 0

    def queue(self):
        return json.loads(self.verb("queue", "show", "--json"))


class Office:
    """A broker, a server, and as many agents as a test wants."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.pki = Pki(self.folder / "pki")
        acl = self.folder / "acl"
        acl.write_text(ACL)
        acl.chmod(0o700)
        self.broker = Broker(self.folder, self.pki, extra=f"acl_file {acl}")
        self.server = Server(self.folder / "server", self.broker, self.pki)
        self.agents = []

    def start(self):
        self.broker.start()
        self.server.start()
        return self

    def agent(self, name, probes, **options):
        a = Agent(self.folder / name, name, self.broker, self.pki, probes, **options)
        self.agents.append(a)
        return a

    def stop(self):
        for part in [*self.agents, self.server]:
            if part.running():
                part.stop()
        self.broker.stop()

    def kill(self):
        """At the end of a test, however it went: nothing stays behind."""
        for part in [*self.agents, self.server, self.broker]:
            part.kill()


def records(content_type, payload):
    """A pack's records with resolved names, through `hatang decode`."""
    fmt = "cbor" if content_type.endswith("cbor") else "json"
    done = subprocess.run([CLI, "decode", "--format", fmt, "--json"], input=payload,
                          capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def json_records(payload):
    """The same for packs in JSON without starting a program (thousands of packs)."""
    base = {}
    for r in json.loads(payload):
        base.update({k: r[k] for k in ("bn", "bt") if k in r})
        yield {**r, "n": base.get("bn", "") + r.get("n", ""),
               "t": base.get("bt", 0) + r.get("t", 0)}
