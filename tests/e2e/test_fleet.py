"""snmp.fleet: against snmpd (version 3) that restarts, forgets and changes, and as an agent
runs it: over the server's list."""
import contextlib
import json
import os
import pathlib
import re
import socket
import subprocess

import pytest

from broker import free_port
from built import BUILD, DRIVE
from province import AGENT, SELFTEST, until
from test_targets import links_csv, vantage

pytestmark = pytest.mark.xdist_group("snmp")

ENGINE = "0x80001f8880aabbccdd00000001"


class Snmpd:
    """An engine of so many boots; what it keeps is in `folder`."""

    def __init__(self, folder):
        self.folder, self.process = folder, None
        self.port = free_port(socket.SOCK_DGRAM)

    def start(self, engine=ENGINE, boots=1):
        (self.folder / "snmpd.conf").write_text(
            f"exactEngineID {engine}\noldEngineID {engine}\nengineBoots {boots - 1}\n"
            'createUser watcher SHA-256 "authpass123" AES-256 "privpass123"\nrouser watcher authPriv\n')
        kept = self.folder / "kept"
        kept.mkdir(exist_ok=True)
        env = dict(os.environ, SNMP_PERSISTENT_DIR=str(kept), MIBS="", SNMPCONFPATH=str(self.folder))
        self.process = subprocess.Popen(
            ["/usr/sbin/snmpd", "-f", "-Lf", self.folder / "log", "-C", "-c", self.folder / "snmpd.conf",
             "-p", self.folder / "pid", f"udp:127.0.0.1:{self.port}"], env=env)

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait()


def boots(folder):
    kept = folder / "kept/snmpd.conf"
    found = re.findall(r"^engineBoots (\d+)", kept.read_text(), re.M) if kept.exists() else []
    return int(found[-1]) if found else 0


class Fleet:
    """The probe in a process of its own; `said` are the states of a device that it logged."""

    def __init__(self, folder, yaml):
        self.log = folder / "fleet.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen([DRIVE, "snmp.fleet", "60", "--set", yaml],
                                            stdout=subprocess.DEVNULL, stderr=log)

    def said(self, device):
        assert self.process.poll() is None, self.log.read_text()
        return re.findall(rf"event=snmp.device id={device} status=(\S+)", self.log.read_text())

    def kill(self):
        self.process.kill()
        self.process.wait()


def secret(path, text, mode=0o600):
    path.write_text(text + "\n")
    path.chmod(mode)
    return path


def credentials(folder):
    return (f"[{{name: v3, version: '3', user: watcher, priv: aes-256, "
            f"auth_file: {secret(folder / 'auth', 'authpass123')}, "
            f"priv_file: {secret(folder / 'priv', 'privpass123')}}}]")


def test_engines_that_restart_forget_and_change(tmp_path):
    """SHA-256 and AES-256. The engine is known from poll to poll: one that comes back with more
    boots, with fewer (its memory is lost; RFC 3414 has us refuse it), or as another engine
    must be read again by itself."""
    d = Snmpd(tmp_path)
    fleet = Fleet(tmp_path, "{interval: 300ms, back_off: 1s, wait: 300ms, retries: 1, skip: [ifTable], "
                  f"credentials: {credentials(tmp_path)}, "
                  f"devices: [{{id: rt, address: 127.0.0.1, port: {d.port}}}]}}")
    try:
        until("silence", lambda: fleet.said("rt") == ["timeout"])
        lives = [(ENGINE, 41), (ENGINE, 42), (ENGINE, 3), ("0x80001f8880aabbccdd00000002", 1)]
        for turn, (engine, n) in enumerate(lives):
            d.kill()
            until("silence", lambda: len(fleet.said("rt")) == 2 * turn + 1)
            d.start(engine, n)
            until("it is read", lambda: len(fleet.said("rt")) == 2 * turn + 2)
            assert boots(tmp_path) == n
        assert fleet.said("rt") == ["timeout", "ok"] * 4
    finally:
        fleet.kill()
        d.kill()


def test_a_lost_clock_costs_no_poll(tmp_path):
    """Restarted between two polls: the cached engine is refused, and the same poll asks anew."""
    d = Snmpd(tmp_path)
    d.start(boots=41)
    yaml = ("{interval: 1s, wait: 600ms, retries: 1, tables: [ifXTable], "
            f"credentials: {credentials(tmp_path)}, devices: [{{id: rt, address: 127.0.0.1, port: {d.port}}}]}}")
    p = subprocess.Popen([DRIVE, "snmp.fleet", "6.5", "--set", yaml], text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    asked = d.folder / "log"
    try:
        until("a poll", lambda: asked.exists() and asked.read_text().count("Connection from") >= 4)
        d.kill()
        d.start(boots=3)
        told = [line.split("\t")[:2] for line in p.communicate()[0].splitlines()]
    finally:
        p.kill()
        d.kill()
    statuses = [v for k, v in told if k == "snmp/rt/status"]
    requests = [int(v) for k, v in told if k == "snmp/rt/round_trips"]
    assert statuses.count("ok") >= len(statuses) - 1 >= 3, "at most the poll that it was killed in"
    # one poll asked twice in vain, discovered the engine and learned its clock
    assert max(requests[1:]) >= requests[-1] + 4, requests


def test_a_wrong_phrase_is_named(tmp_path):
    d = Snmpd(tmp_path)
    d.start()
    other = credentials(tmp_path)
    secret(tmp_path / "auth", "another-phrase")
    fleet = Fleet(tmp_path, f"{{interval: 300ms, wait: 300ms, credentials: {other}, "
                  f"devices: [{{id: rt, address: 127.0.0.1, port: {d.port}}}]}}")
    try:
        until("the refusal", lambda: "auth-failed" in fleet.said("rt"))
    finally:
        fleet.kill()
        d.kill()


@contextlib.contextmanager
def routers(port, silent=0):
    """Each address of 127/8 is one."""
    program = pathlib.Path(BUILD) / "tests/bench/snmp_responder"
    p = subprocess.Popen([program, str(port), str(silent), "1400", "3", "2"], stdout=subprocess.PIPE, text=True)
    try:
        assert p.stdout.readline().startswith("ready")
        yield
    finally:
        p.kill()
        p.wait()


def test_the_fleet_is_what_the_registry_says(province):
    """Nobody writes a device's address: links of the registry are polled, an edit is followed,
    and without snmp.fleet in its configuration an agent asks nobody."""
    port = free_port(socket.SOCK_DGRAM)

    def csv(n, moved=""):
        return links_csv(n, address=lambda i: moved if moved and i == 1 else f"127.0.7.{i + 1}")

    def told(name):
        return (province.latest(m.id, name).get(name) or {}).get("value")

    with routers(port):
        province.registry(csv(3))
        m = vantage(province).run(SELFTEST)
        until("the list is in force", lambda: m.answers() and m.status()["targets"]["pinged"] == 3)
        community = secret(m.folder / "community", "public", 0o644)
        fleet = SELFTEST + json.dumps([{
            "probe": "snmp.fleet", "interval": "1s", "wait": "300ms", "port": port,
            "credentials": [{"name": "offices", "match": ["127.0.7.0/24"], "community_file": str(community)}]}])[1:-1].join(
                ["  - ", "\n"])
        m.probes(fleet)
        refused = m.verb("check-config", code=78)
        assert str(community) in refused and "chmod 600" in refused
        assert not province.latest(m.id, "snmp/")

        secret(community, "public")
        m.process.signal(1)
        for i in range(3):
            until(f"link {i}", lambda: told(f"snmp/x{i:05}-wan/status") == "ok")
        assert told("if/x00002-wan:Gi0-0-3/name") == "Gi0/0/3"
        assert not province.latest(m.id, "mac/")

        province.registry(csv(4, moved="127.9.9.9"))
        until("the new one", lambda: told("snmp/x00003-wan/status") == "ok")
        until("no credentials for where it went", lambda: told("snmp/x00001-wan/status") == "error")
        assert told("snmp/x00001-wan/reason") == "no credentials match its address"


def test_credentials_of_systemd_are_roots(tmp_path):
    """The agent starts as root and gives that up; what systemd hands over belongs to root."""
    if os.geteuid() != 0 or "0 4294967295" not in " ".join(pathlib.Path("/proc/self/uid_map").read_text().split()[1:]):
        pytest.skip("only root can give up root: not tested here")
    given = tmp_path / "given"
    given.mkdir(mode=0o700)
    secret(given / "offices", "public", 0o400)
    config = tmp_path / "agent.yaml"
    config.write_text(f"agent: {{ id: core, user: nobody, state_dir: {tmp_path}/state }}\n"
                      "mqtt: { host: 127.0.0.1, ca: /none, cert: /none, key: /none }\n")
    port = free_port(socket.SOCK_DGRAM)

    def verb(**env):
        return subprocess.run(
            [AGENT, "probe", "snmp.interfaces", "--config", config, "--set", "target=127.0.0.1",
             "--set", f"port={port}", "--set", "community_file=offices", "--json"],
            capture_output=True, text=True, timeout=30, cwd=tmp_path, env={**os.environ, **env})

    with routers(port):
        done = verb(CREDENTIALS_DIRECTORY=str(given))
        assert done.returncode == 0, done.stderr
        assert '"ok"' in done.stdout and "Gi0/0/2" in done.stdout
        assert "cannot be read" in verb().stderr
