"""An office without a box for an agent, and one with: what the vantage alone can say of the first,
what stays UNKNOWN and why (docs/agentless.md), by API and command line."""
import json, os, sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from folded import HOUR, MINUTE, NOW, Journal, folded
from test_cli import hatang
from web_fixture import Client

pytestmark = pytest.mark.xdist_group("agentless")  # one server for all
BEGIN = NOW - 3 * HOUR


def registry(j):
    for id_, level, parent in (("tinh", "province", None), ("xa", "commune", "tinh"), ("huyen", "district", "tinh")):
        j.edit("agency.put", {"id": id_, "name": id_.title(), "level": level, **({"parent": parent} if parent else {})})
    for id_, servants in (("xa", 20), ("huyen", 100)):
        j.edit("headcount.put", {"agency": id_, "as_of": "2018-01-01T00:00:00.000Z", "servants": servants})
    for id_, agency, down, address in (("xa-wan", "xa", 20_000_000, "10.1.0.1"), ("huyen-wan", "huyen", 50_000_000, "10.2.0.1")):
        j.edit("link.put", {"id": id_, "agency": agency, "role": "primary", "kind": "province-wan", "line_type": "ftth",
                            "provider": "VNPT", "contracted_down_bps": down, "contracted_up_bps": down // 2,
                            "router_address": address})
    j.edit("agent.put", {"id": "loi", "agency": "tinh", "vantage": True})
    j.edit("agent.put", {"id": "huyen-1", "agency": "huyen", "vantage": False})


def bits(s, bps):
    return int(s * bps / 8)


def readings(link, i, at_ms, down_bps, up_bps):
    s = (at_ms - BEGIN) / 1000
    iface = f"if__{link}:wan__"
    return {
        f"reach__{link}__sent": (60, "count"), f"reach__{link}__received": (60 if i % 30 else 58, "count"),
        f"reach__{link}__rtt-avg": (0.008 + i % 5 * 0.001, "s"),
        f"reach__{link}__rtt-histogram": "l8,64:40,70:20",  # base/hist.h: about 8 and 14 ms
        f"snmp__{link}__status": "ok", f"snmp__{link}__uptime": (5000 + s, "s"),
        f"snmp__{link}__link_interface": f"{link}:wan", f"snmp__{link}__link_interface_why": "the default route leaves by it",
        f"snmp__{link}__link_interface_confidence": (0.9, "/"),
        iface + "oper_status": "up", iface + "speed": (100_000_000, "bit/s"),
        iface + "in_octets": (bits(s, down_bps), "count"), iface + "out_octets": (bits(s, up_bps), "count"),
        iface + "counter_bits": (64, "count")}


def journal():
    j = Journal()
    registry(j)
    j.presence("loi", BEGIN - MINUTE)
    j.presence("huyen-1", BEGIN - MINUTE)
    for i in range(180):
        at = BEGIN + i * MINUTE
        j.pack("loi", at, **readings("xa-wan", i, at, 19_000_000, 2_000_000), **readings("huyen-wan", i, at, 5_000_000, 1_000_000))
    j.pack("loi", NOW - 20 * MINUTE, **{
        "path__xa-wan__status": "ok", "path__xa-wan__target": "10.1.0.1", "path__xa-wan__network": "province-wan",
        "path__xa-wan__reason": "hop 1, 10.0.0.254, is of the province's WAN", "path__xa-wan__trace": "10.0.0.254 10.1.0.1"})
    # The district's own agent: its traffic leaves by the Internet; a test finds less than paid for.
    j.pack("huyen-1", NOW - 15 * MINUTE, **{
        "path__huyen-wan__status": "ok", "path__huyen-wan__target": "10.9.9.9", "path__huyen-wan__network": "internet",
        "path__huyen-wan__reason": "hop 2, 203.0.113.1, is of no inside network", "path__huyen-wan__trace": "192.168.1.1 203.0.113.1 10.9.9.9"})
    j.pack("huyen-1", NOW - 14 * MINUTE, **{
        "throughput__huyen-wan__status": "ok", "throughput__huyen-wan__endpoint": "https://loi.example/speed",
        "throughput__huyen-wan__down": (21_000_000, "bit/s"), "throughput__huyen-wan__down_low": (20_400_000, "bit/s"),
        "throughput__huyen-wan__down_high": (21_600_000, "bit/s"), "throughput__huyen-wan__up": (23_500_000, "bit/s")})
    return j


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    s = folded(tmp_path_factory.mktemp("web"), tmp_path_factory.mktemp("share"), journal())
    yield s
    s.stop()


@pytest.fixture(scope="module")
def api(server):
    c = Client(server.base)
    assert c.login("admin", server.password).status == 200
    return lambda path: c.get(path)


def figure(doc, way, what):
    f = doc[way][what]
    assert (f["value"] is None) == (f["status"] == "unknown") == bool(f["reason"]) == bool(f["cure"]), f
    return f


def test_what_the_vantage_knows(api):
    link = api("links/xa-wan").json
    assert link["state"] == "UP" and link["agent"] == "loi" and link["rtt_s"] is not None
    doc = api("links/xa-wan/bandwidth").json["figures"]
    assert figure(doc, "down", "contracted")["value"] == 20_000_000
    assert figure(doc, "down", "negotiated")["value"] == 100_000_000
    assert figure(doc, "down", "negotiated")["interface_why"] == "the default route leaves by it"
    used = figure(doc, "down", "used")
    assert abs(used["value"] - 19e6) < 1e4 and used["agent"] == "loi" and used["evidence"]
    assert abs(figure(doc, "up", "used")["value"] - 2e6) < 1e4
    assert 0 < used["coverage"] < 0.01 and used["confidence"] < 0.01  # three hours of thirty days
    assert doc["used_window"]["gaps"] == []
    wan = api("agencies/xa").json["wan"]
    assert wan["answer"] == "yes" and wan["confidence"] == 0.9 and "over province-wan" in wan["reason"]
    assert wan["links"][0]["path"]["trace"] == "10.0.0.254 10.1.0.1" and len(wan["links"][0]["evidence"]) >= 3
    availability = api("availability?scope=link&id=xa-wan").json["total"]
    assert availability["availability"] == 1


def test_what_stays_unknown_says_why_and_what_would_help(api):
    doc = api("links/xa-wan/bandwidth").json["figures"]
    measured = figure(doc, "down", "measured")
    assert measured["status"] == "unknown"
    assert measured["reason"] == "no throughput test has run over the link" and "agent" in measured["cure"]
    own = {v["indicator"]: v for v in api("agencies/xa").json["index_own"]}
    for indicator, reason, cure in (("computers", "no agent measures its network", "enrol an agent"),
                                    ("security", "no solution was measured or declared", "declare")):
        v = own[indicator]
        assert v["status"] == "unknown" and v["value"] is None, v
        assert reason in v["reason"] and cure in v["cure"], v
    assert own["wan"]["status"] == "known" and own["wan"]["source"] == "measured" and own["wan"]["value"] == 1
    assert own["bandwidth"]["status"] == "known" and own["bandwidth"]["source"] == "mixed"
    assert own["bandwidth"]["confidence"] == 0.8  # the interface agrees; no test says so


def test_contradictions_are_findings(api):
    link = api("links/huyen-wan").json
    kinds = [f["kind"] for f in link["findings"]]
    assert kinds == ["measured-below-contract"], link["findings"]
    assert link["throughput"]["down"] == 21_000_000 and link["used_p95"]["up"] is not None
    assert link["wan"]["answer"] == "no" and "runs over internet" in link["wan"]["reason"]
    assert link["wan"]["path"]["network"] == "internet"
    own = {v["indicator"]: v for v in api("agencies/huyen").json["index_own"]}
    assert own["wan"]["value"] == 0 and own["wan"]["status"] == "known"
    assert own["bandwidth"]["confidence"] == 0.3 and own["bandwidth"]["low"] == 210_000
    x = api("index/huyen/bandwidth?own=true").json["value"]["explain"]
    whats = {i["what"]: i for i in x["inputs"]}
    assert {"contracted-rate", "negotiated-rate", "measured-rate", "used-rate", "bandwidth-findings"} <= set(whats)
    assert whats["measured-rate"]["bps"] == 21_000_000


def test_days_and_months(api):
    b = api("links/xa-wan/bandwidth").json
    assert b["days"] and sum(d["observed"] for d in b["days"]) in range(20, 37)
    assert all(d["kind"] in ("workday", "weekend", "holiday", "compensated", "working") for d in b["days"])
    assert [m["month"] for m in b["months"]][-1] == b["month"]
    assert max(m["down"]["p95"] or 0 for m in b["months"]) == pytest.approx(19e6, rel=0.01)
    other = api("links/xa-wan/bandwidth?month=2018-03").json
    assert len(other["days"]) == 31 and all(d["observed"] == 0 and d["down"]["p95"] is None for d in other["days"])
    assert api("links/xa-wan/bandwidth?month=2018-13").status == 400
    assert api("links/none/bandwidth").status == 404


def test_smoke(api):
    s = api("links/xa-wan/smoke").json
    assert s["agent"] == "loi" and s["agents"] == ["loi"] and s["step_s"] == 900
    assert 12 <= len(s["parts"]) <= 14 and all(p["p5"] <= p["p25"] <= p["p50"] <= p["p75"] <= p["p95"] for p in s["parts"])
    assert any(p["loss"] > 0 for p in s["parts"]) and sum(p["sent"] for p in s["parts"]) == 180 * 60
    assert 0.007 < s["parts"][0]["p50"] < 0.01 < s["parts"][0]["p95"] < 0.016
    assert api("links/xa-wan/smoke?agent=huyen-1").json["parts"] == []
    assert api("links/none/smoke").status == 404
    assert api("links/xa-wan/smoke?from=2018-01-02&to=2018-01-01").status == 400


def test_metrics(server):
    c = Client(server.base)
    c.login("admin", server.password)
    lines = [l for l in c.call("GET", "/metrics").body.decode().splitlines() if l.startswith("hatang_link_bandwidth_bits_per_second{")]
    got = {l.split("{")[1].split("}")[0]: float(l.rsplit(" ", 1)[1]) for l in lines}
    assert got['agency="huyen",link="huyen-wan",figure="measured",direction="down"'] == 21e6
    assert got['agency="xa",link="xa-wan",figure="used",direction="up"'] == pytest.approx(2e6, rel=0.01)
    assert not any('link="xa-wan",figure="measured"' in k for k in got)  # unknown is no line


def test_scope(server):
    admin = Client(server.base)
    admin.login("admin", server.password)
    made = admin.call("POST", "/api/v1/accounts", {"account": "xa-viewer", "password": "a long password 1", "role": "viewer", "agency": "xa"})
    assert made.status in (200, 201, 204), made.body
    c = Client(server.base)
    assert c.login("xa-viewer", "a long password 1").status == 200
    assert c.get("links/xa-wan/bandwidth").status == 200
    assert c.get("links/huyen-wan/bandwidth").status == 404


def test_command_line(server, tmp_path):
    r = hatang(tmp_path, "login", stdin=server.password + "\n", HATANG_URL=server.base)
    assert r.returncode == 0, r.stderr
    cli = lambda *words: hatang(tmp_path, *words, HATANG_URL=server.base)
    lines = cli("links").stdout.splitlines()
    assert lines[0].split()[4:8] == ["CONTRACTED", "NEGOTIATED", "MEASURED", "USED"]
    assert [l.split()[4:8] for l in lines if l.startswith("huyen-wan")] == [["50M", "100M", "21M", "5M"]]
    assert [l.split()[6] for l in lines if l.startswith("xa-wan")] == ["–"]
    show = cli("links", "show", "huyen-wan").stdout
    for words in ("21 Mbit/s were measured of the 50 Mbit/s contracted", "have the carrier deliver", "runs over internet",
                  "192.168.1.1 203.0.113.1 10.9.9.9", "P95 DOWN"):
        assert words in show, show
    show = cli("links", "show", "xa-wan").stdout
    assert "no throughput test has run over the link" in show and "enrol an agent in the office" in show
    x = json.loads(cli("links", "explain", "xa-wan").stdout)
    assert x["bandwidth"]["figures"]["down"]["used"]["status"] == "known" and x["wan"]["answer"] == "yes"
    assert cli("links", "show", "none").returncode == 1
    assert cli("links", "show").returncode == 2
