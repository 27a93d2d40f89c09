"""The probe `path` on real routers, in network namespaces and without root (path_net.py)."""
import json
import pathlib
import subprocess

import pytest
from parts import AGENT

HERE = pathlib.Path(__file__).resolve().parent


def province(scenario):
    p = subprocess.run(["unshare", "-Urnm", "-pf", "--mount-proc", "--kill-child", "/usr/bin/python3",
                        str(HERE / "path_net.py"), str(AGENT), scenario],
                       capture_output=True, text=True, timeout=120)
    assert p.returncode == 0, p.stderr
    return json.loads(p.stdout)


def test_each_method_and_family_tells_the_wan_from_the_internet():
    runs = province("ways")
    assert len(runs) == 14
    for r in runs:
        v4 = r["version"] == 4
        assert r["status"] == "ok", r
        assert r["method"] == {"icmp": "icmp", "udp": "udp/33434", "tcp": "tcp/443"}[r["asked"]]
        assert r["target"] == ("10.20.0.1" if v4 else "fd20::1")
        hops = r["trace"].split()
        assert r["hops"] == len(hops) and hops[-1] == r["target"], r
        if r["way"] == "p1":
            second = "10.1.0.2" if v4 else "fd01::2"
            assert r["network"] == "province-wan" and len(hops) == 5, r
            assert r["reason"] == (f"hop 2, {second}, is in {'10.1.0.0/16' if v4 else 'fd01::/16'}"
                                   " of rule 2, province-wan")
        else:  # it comes back inside by 10.1.255.2, and ran over the Internet all the same
            third = "9.9.9.2" if v4 else "2a00:9::2"
            assert r["network"] == "internet" and len(hops) == 4, r
            assert r["reason"] == f"hop 3, {third}, is a public address that no rule lists: the Internet"


def test_udp_and_tcp_need_no_rights():
    r = province("unprivileged")
    assert r["icmp"]["status"] == "denied" and r["icmp"]["network"] == "unknown"
    assert "udp and tcp need no rights" in r["icmp"]["reason"]
    assert "trace" not in r["icmp"] and "hops" not in r["icmp"]
    for method in ("udp", "tcp"):
        assert (r[method]["status"], r[method]["network"]) == ("ok", "province-wan"), r[method]


def test_rules_silence_and_refusals():
    r = province("rules")
    assert r["none"]["network"] == "unknown" and r["none"]["status"] == "ok"
    assert "list under `networks`" in r["none"]["reason"]
    # A silent router before the prefix hides the way; a named hop behind it does not care.
    assert r["silent"]["trace"].split()[:3] == ["192.168.10.2", "*", "*"]
    assert r["silent"]["status"] == "ok" and r["silent"]["network"] == "unknown"
    assert r["silent"]["reason"].startswith("hop 2 is silent before hop 4, 10.1.")
    assert "name it under `hops`" in r["silent"]["reason"]
    assert r["named"]["network"] == "province-wan" and "a named hop" in r["named"]["reason"]
    assert (r["short"]["status"], r["short"]["hops"]) == ("incomplete", 2)
    assert r["short"]["reason"].endswith("; the trace ended after 2 hops without the target")
    assert (r["refused"]["status"], r["refused"]["network"]) == ("unreachable", "province-wan")
    assert r["refused"]["reason"].endswith("at hop 5: administratively prohibited")
    assert r["nobody"]["status"] == "timeout" and "hops" not in r["nobody"]
    silent = r["nobody"]["trace"].split()  # five end it; a late one may have left by then
    assert set(silent) == {"*"} and len(silent) >= 5 and r["nobody"]["network"] == "unknown"
    assert r["no route"]["status"] == "unreachable" and "trace" not in r["no route"]
    assert "Network is unreachable" in r["no route"]["reason"]


def test_address_translation_and_tunnels():
    r = province("awkward")
    assert len(r["nat"]) == 4
    for run in r["nat"]:
        assert (run["status"], run["network"], run["hops"]) == ("ok", "province-wan", 5), run
    if "listed" not in r:
        pytest.skip("this kernel has no vxlan to make a tunnel of")
    # The tunnel's end has an inside address: as such it must not pass for the WAN.
    assert r["listed"]["trace"] == "192.168.10.2 10.1.254.2 10.20.0.1"
    assert r["listed"]["network"] == "internet", r["listed"]
    assert r["excluded"]["network"] == "unknown"
    assert "one of the not_hops of rule 1" in r["excluded"]["reason"]
    assert r["accepted"]["network"] == "province-wan", r["accepted"]
    # By hand, one line a hop, to pick a rule's hops from.
    assert "path/wan/trace\n   1  192.168.10.2\n   2  10.1.254.2\n   3  10.20.0.1\n" in r["shown"]


def test_balanced_load_shows_one_whole_way():
    """Two routers side by side: (10.1.2.2, 10.1.4.2) and (10.1.3.2, 10.1.5.2) are ways, and
    nothing else is. Ports that vary show ways that no packet ever went."""
    r = province("balanced")
    assert len(r["runs"]) == 12
    for run in r["runs"]:
        pair = tuple(run["trace"].split()[2:4])
        assert pair in {("10.1.2.2", "10.1.4.2"), ("10.1.3.2", "10.1.5.2"),
                        ("fd01:2::2", "fd01:4::2"), ("fd01:3::2", "fd01:5::2")}, run
    mixed = {tuple(pair) for pair in r["naive"]} & {("10.1.2.2", "10.1.5.2"), ("10.1.3.2", "10.1.4.2")}
    assert mixed, r["naive"]


def test_forged_answers_are_ignored():
    """They come first, and name a router of the Internet."""
    r = province("forged")
    assert r.pop("sent") >= 4 * 5 * 2
    assert set(r) == {"icmp raw", "udp raw", "icmp datagram", "udp datagram"}
    for run in r.values():
        assert run["network"] == "province-wan" and run["status"] == "ok", run
        assert "9.9.9.2" not in run["trace"] and "*" in run["trace"], run
        assert "forged answers were ignored" in run["reason"], run


@pytest.mark.long
def test_connected_to_the_wan_until_the_route_is_switched():
    """An office without an agent, seen from a vantage: its router answers all the time."""
    before, after = province("concluded")
    assert "over province-wan: hop 2, 10.1.0.2, is in 10.1.0.0/16 of rule 1" in before["reason"], before
    assert before["links"][0]["path"]["trace"].endswith(" 10.20.0.1")
    assert "but its traffic runs over internet: hop 3, 9.9.9.2" in after["reason"], after
    assert after["links"][0]["path"]["trace"] == "192.168.10.2 100.64.0.2 9.9.9.2 10.20.0.1"
    assert after["cure"] and after["links"][0]["evidence"]
