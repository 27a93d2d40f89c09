"""A dead name server and a silent SNMPv3 device delay no ping: all in one agent, in namespaces
of its own, where whoever is asked for a name or for SNMP takes the question and is silent."""
import shutil
import sqlite3
import time

import pytest
from broker import Pki, until
from parts import AGENT, Process, json_records

SECONDS = 12
CONFIG = """\
agent: {{ id: a1, state_dir: {dir}/state }}
mqtt: {{ host: 127.0.0.1, ports: [1], ca: {dir}/ca.crt, cert: {dir}/a1.crt, key: {dir}/a1.key,
  format: json }}
probes:
  - {{ probe: icmp, id: local, every: 1s, target: 127.0.0.1, count: 1, wait: 500ms }}
  - {{ probe: icmp, id: name, every: 3s, target: gateway.example, timeout: 2s, count: 1 }}
  - {{ probe: icmp, id: other, every: 3s, target: other.example, timeout: 2s, count: 1 }}
  - {{ probe: snmp.interfaces, id: silent, every: 4s, target: 127.0.0.1, version: 3, user: watcher,
      auth_file: {dir}/secret, priv_file: {dir}/secret, wait: 1s, retries: 1, timeout: 3500ms }}
"""
# The sockets stay open in the agent that this becomes: no port is closed, nobody answers.
INSIDE = """\
import os, socket, subprocess, sys
folder, agent = sys.argv[1:]
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
subprocess.run(["mount", "--bind", folder + "/resolv.conf", "/etc/resolv.conf"], check=True)
open("/proc/sys/net/ipv4/ping_group_range", "w").write("0 0")
for address in ("127.0.0.53", 53), ("127.0.0.1", 161):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(address)
    s.set_inheritable(True)
    s.detach()
os.execv(agent, [agent, "run", "--config", folder + "/agent.yaml"])
"""


def spooled(folder):
    """What lies in the spool: name to [(time, value)], in order of time."""
    found = {}
    db = sqlite3.connect(f"file:{folder}/state/spool.db?mode=ro", uri=True, timeout=20)
    try:
        for (payload,) in db.execute("SELECT payload FROM pack ORDER BY id"):
            for r in json_records(payload):
                value = next(r[k] for k in ("v", "vs", "vb") if k in r)
                found.setdefault(r["n"][len("a1/"):], []).append((r["t"], value))
    finally:
        db.close()
    return {n: sorted(v, key=lambda x: x[0]) for n, v in found.items()}


@pytest.mark.alone
@pytest.mark.skipif(not shutil.which("unshare"), reason="needs unshare")
def test_no_ping_waits_for_a_name_or_a_silent_device(tmp_path):
    (tmp_path / "agent.yaml").write_text(CONFIG.format(dir=tmp_path))
    (tmp_path / "secret").write_text("correct horse battery\n")
    (tmp_path / "secret").chmod(0o600)
    Pki(tmp_path).issue("a1")
    (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.53\noptions timeout:5\n")
    agent = Process("agent", tmp_path,
                    ["unshare", "-Urnm", "/usr/bin/python3", "-c", INSIDE, tmp_path, AGENT],
                    {"HATANG_FINGERPRINT": "a1", "HATANG_CLOCK": "synchronised"}).start()
    try:
        began = time.time()
        until("it measures", lambda: agent.running() and "event=agent.start" in agent.tail(50))
        until("the time is over", lambda: time.time() - began > SECONDS or not agent.running(),
              SECONDS + 5)
        assert agent.stop() == 0
    finally:
        agent.kill()
    found = spooled(tmp_path)
    pings = [t for t, _ in found["icmp/local/sent"]]
    assert len(pings) >= SECONDS - 2, len(pings)
    assert all(v == "ok" for _, v in found["icmp/local/status"])
    assert all(v == 0 for _, v in found["icmp/local/loss"])
    late = max(abs(b - a - 1.0) for a, b in zip(pings, pings[1:]))
    print(f"\n{len(pings)} rounds of pings, the worst {late * 1000:.0f} ms off its second")
    assert late < 0.4
    # Each bad one says that it got no answer, and why; and that again and again.
    for name, reasons in (("icmp/name", {"timeout", "unresolved", "name"}),
                          ("icmp/other", {"timeout", "unresolved", "name"}),
                          ("snmp/silent", {"timeout"})):
        said = [v for _, v in found[f"{name}/status"]]
        assert len(said) >= 2 and set(said) <= reasons, (name, said)
    assert not [n for n in found if n.startswith("icmp/name/rtt")], "unknown is not zero"
