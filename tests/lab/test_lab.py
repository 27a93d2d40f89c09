"""The lab's provinces end to end: real kernels, snmpd, dnsmasq, mosquitto, server and
agents; what the server says is held against what was done."""
import datetime
import json
import os
import pathlib
import subprocess
import sys
import time

import pytest

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("HATANG_BUILD", HERE.parent.parent / "build" / "dev"))
sys.path.insert(0, str(HERE))
from labkit import compare, truth  # noqa: E402

# One province at a time: each is dozens of processes.
pytestmark = [pytest.mark.long, pytest.mark.xdist_group("lab")]

# A topology that nobody shipped: two levels, a government line, no headcount in one office.
UNSEEN = """\
name: unseen
sites:
  - { id: sa-pa, name: UBND huyện Sa Pa, level: district, servants: 25, subnet: 192.168.40.0/25,
      machines: { computers: 7, phones: 2 }, firewall: yes,
      link: { down: 30M, up: 30M, kind: government-wan, line_type: leased-line } }
  - { id: ta-van, name: UBND xã Tả Van, parent: sa-pa, subnet: 192.168.41.0/26,
      machines: { computers: 5, printers: 1 }, link: { down: 8M, up: 4M, line_type: xdsl } }
  - { id: hau-thao, name: UBND xã Hầu Thào, parent: sa-pa, servants: 9, subnet: 192.168.42.0/27,
      machines: { computers: 4 }, agent: no, snmp: no, link: { down: 6M, up: 3M, kind: internet } }
"""


class Lab:
    def __init__(self, state):
        self.state = pathlib.Path(state)

    def __call__(self, *words, check=True):
        r = subprocess.run([HERE / "lab", "--state", self.state, *words], capture_output=True, text=True, timeout=180)
        assert not check or r.returncode == 0, r.stdout + r.stderr
        return r

    def wrong(self):
        rows = list(compare.lines(compare.Api(self.state), truth.read(self.state)))
        assert rows
        return [(s, i, w, compare.show(g)) for ok, s, i, w, g in rows if not ok]

    def api(self, path):
        return compare.Api(self.state).get(path)


@pytest.fixture
def lab(tmp_path):
    lab = Lab(tmp_path / "lab")
    yield lab
    if (lab.state / "lab.sock").exists():
        lab("down")


def until(seconds, test):
    """Poll until `test` returns something true, and return it; the last answer if never."""
    deadline = time.monotonic() + seconds
    while True:
        answer = test()
        if answer or time.monotonic() > deadline:
            return answer
        time.sleep(0.5)


def all_right(lab, seconds):
    until(seconds, lambda: not lab.wrong())
    assert lab.wrong() == []


def left_behind(lab):
    """Processes that still hold the lab's state folder."""
    out = []
    for p in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(lab.state).encode() in p.read_bytes():
                out.append(p.parent.name)
        except OSError:
            pass
    return out


@pytest.mark.once("another province runs there")
def test_district(lab):
    lab("up", HERE / "topologies" / "district.yaml", "--build", BUILD)
    all_right(lab, 180)
    # Each machine is seen under the address that it really has.
    done = {m["mac"]: m["ipv4"] for m in truth.read(lab.state)["agencies"]["muong-hum"]["machines"]}
    seen = {n["mac"]: n["ipv4"] for m in lab.api("/api/v1/machines?agency=muong-hum&limit=1000")["items"] for n in m["nics"]}
    assert done.items() <= seen.items()
    lab("down")
    assert until(10, lambda: not left_behind(lab)), left_behind(lab)


def test_unseen_topology(lab, tmp_path):
    (tmp_path / "t.yaml").write_text(UNSEEN, encoding="utf-8")
    lab("up", tmp_path / "t.yaml", "--build", BUILD)
    all_right(lab, 180)
    own = {(r["scope"], r["indicator"]): r for r in lab.api("/api/v1/index?own=true")["items"]}
    assert own["ta-van", "computers"]["status"] == "unknown"
    assert "servants" in own["ta-van", "computers"]["reason"] or "headcount" in own["ta-van", "computers"]["reason"]
    # A real snmpd tells what its interface negotiated; where none is asked, that is unknown.
    figures = lambda link: lab.api(f"/api/v1/links/{link}/bandwidth")["figures"]  # noqa: E731
    assert until(60, lambda: figures("sa-pa-wan")["down"]["negotiated"]["status"] == "known"), figures("sa-pa-wan")
    told = figures("sa-pa-wan")["down"]
    assert told["contracted"]["value"] == 30_000_000 and told["negotiated"]["value"] > 0 and told["negotiated"]["evidence"]
    assert told["negotiated"]["interface"].startswith("sa-pa-wan:") and told["measured"]["status"] == "unknown"
    dark = figures("hau-thao-wan")["down"]
    assert dark["negotiated"]["status"] == dark["used"]["status"] == "unknown" and "SNMP" in dark["used"]["cure"]


def test_cut_link(lab, tmp_path):
    """A cut link is seen from the core, its office's readings arrive afterwards."""
    text = (HERE / "topologies" / "one-office.yaml").read_text(encoding="utf-8")
    (tmp_path / "t.yaml").write_text("every: 2s\n" + text, encoding="utf-8")
    lab("up", tmp_path / "t.yaml", "--build", BUILD)
    state = lambda: lab.api("/api/v1/links/cam-duong-wan")["state"]  # noqa: E731
    assert until(60, lambda: state() == "UP")
    cut_at = datetime.datetime.now(datetime.timezone.utc)
    lab("cut", "cam-duong-wan")
    assert until(90, lambda: state() == "DOWN"), state()
    time.sleep(15)  # the agent goes on measuring meanwhile: that is what is tested
    lab("restore", "cam-duong-wan")
    assert until(120, lambda: state() == "UP"), state()

    def pinged_while_cut():
        # From the cut on only: buckets of a day are wider than the cut was long.
        s = lab.api("/api/v1/series?agent=cam-duong&name=icmp/cam-duong-wan/received&points=2000"
                    f"&from={cut_at:%Y-%m-%dT%H:%M:%SZ}")
        return [t for t, m in zip(s["t"], s["mean"]) if m == 0]
    assert until(90, pinged_while_cut), "the office's own pings of the cut never arrived"
    assert lab.api("/api/v1/gaps?agent=cam-duong")["items"] == []


def test_unknown_names_are_refused(lab):
    lab("up", HERE / "topologies" / "one-office.yaml", "--build", BUILD)
    r = lab("cut", "nowhere-wan", check=False)
    assert r.returncode == 1 and "cam-duong-wan" in r.stderr
    r = lab("kill", "nobody", check=False)
    assert r.returncode == 1 and "agent-cam-duong" in r.stderr
    status = lab("status").stdout
    assert "server" in status and "ended" not in status


@pytest.mark.once("runs Python alone")
def test_nothing_up(tmp_path):
    r = Lab(tmp_path)("truth", check=False)
    assert r.returncode != 0
    r = Lab(tmp_path)("status", check=False)
    assert r.returncode == 1 and "lab up" in r.stderr
