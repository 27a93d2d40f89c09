"""lan.arp and lan.passive on real interfaces, in network namespaces, with a second pair
of eyes on the wire (lan_office.py)."""
import collections
import ipaddress
import json
import pathlib
import subprocess

from built import DRIVE

HERE = pathlib.Path(__file__).resolve().parent
AGENT = "02:00:00:00:00:99"
BATCH = 256  # addresses that lan.arp asks at a time


def office(scenario):
    p = subprocess.run(
        ["unshare", "-Urnm", "-pf", "--mount-proc", "--kill-child", "/usr/bin/python3",
         str(HERE / "lan_office.py"), str(DRIVE), scenario],
        capture_output=True, text=True, timeout=120)
    assert p.returncode == 0, p.stderr
    return json.loads(p.stdout)


def by_instance(readings, family):
    """{instance: {quantity: [values]}}"""
    out = collections.defaultdict(lambda: collections.defaultdict(list))
    for name, value, _ in readings:
        if name.startswith(family + "/"):
            _, instance, quantity = name.split("/")
            out[instance][quantity].append(value)
    return out


def times_of(readings, instance):
    """How many readings each moment of an instance has: what belongs together has one."""
    return sorted(collections.Counter(
        at for name, _, at in readings if name.split("/")[1:2] == [instance]).values())


def most_in_a_second(asked):
    times = [at for at, _ in asked]
    most = first = 0
    for last, at in enumerate(times):
        while times[first] <= at - 1:
            first += 1
        most = max(most, last - first + 1)
    return most


def test_scan_finds_who_is_there_and_asks_no_one_else():
    o = office("scan")
    macs = by_instance(o["readings"], "mac")
    assert {m: q["ipv4"] for m, q in macs.items()} == {
        AGENT: ["192.168.10.5", "10.1.2.4"],
        "02:00:00:00:00:01": ["192.168.10.11", "192.168.10.12"],
        "02:00:00:00:00:02": ["192.168.10.126"],
        "02:00:00:00:00:03": ["10.1.2.5"],
    }
    assert macs["02:00:00:00:00:01"]["gateway"] == ["true", "false"]
    assert macs["02:00:00:00:00:02"]["gateway"] == ["false"]
    assert macs["02:00:00:00:00:03"]["subnet"] == ["10.1.2.4/31"]
    assert all(set(q["seen_by"]) == {"arp-scan"} for q in macs.values())

    assert times_of(o["readings"], "02:00:00:00:00:01") == [4, 4]  # two sightings
    assert times_of(o["readings"], "192.168.10.0-25") == [5]

    lan = by_instance(o["readings"], "lan")
    office_, line = lan["192.168.10.0-25"], lan["10.1.2.4-31"]
    assert (office_["status"], office_["targets"], office_["probed"], office_["answered"]) == (
        ["ok"], ["126"], ["126"], ["4"])
    assert (line["status"], line["targets"], line["probed"], line["answered"]) == (
        ["ok"], ["2"], ["2"], ["2"])
    assert lan["172.16.0.0-12"]["status"][0].startswith("not-attached:")
    assert lan["fd00::-64"]["status"][0].startswith("unsupported:")
    assert lan["192.168.99.0-24"]["status"][0].startswith("not-attached:")
    assert "probed" not in lan["172.16.0.0-12"]

    declared = [ipaddress.ip_network(n) for n in ("192.168.10.0/25", "10.1.2.4/31")]
    asked = collections.Counter(target for _, target in o["asked"])
    outside = [t for t in asked if not any(ipaddress.ip_address(t) in n for n in declared)]
    assert outside == []
    assert o["other"] == []
    answered = {"192.168.10.11", "192.168.10.12", "192.168.10.126", "10.1.2.5"}
    own = {"192.168.10.5", "10.1.2.4"}
    assert not own & set(asked)
    for n in declared:
        for host in map(str, n.hosts()):
            if host not in own:
                assert asked[host] == (1 if host in answered else 2), host
    # 100 a second; one more may fall onto the rim of a second, one onto a late stamp.
    assert most_in_a_second(o["asked"]) <= 102
    assert o["readings"][-1] == ["done", "true", 0]


def test_interface_that_is_not_listed_stays_silent():
    o = office("unlisted")
    assert o["asked"] == [] and o["other"] == []
    lan = by_instance(o["readings"], "lan")
    assert lan["192.168.10.0-24"]["status"][0].startswith("not-attached:")
    assert not by_instance(o["readings"], "mac")


def test_large_subnet_is_spread_over_runs():
    first, second = office("spread")["runs"]
    for run in (first, second):
        lan = by_instance(run["readings"], "lan")["10.50.0.0-16"]
        assert lan["status"][0].startswith("partial:")
        assert lan["targets"] == ["65534"]
        asked = collections.Counter(t for _, t in run["asked"])
        assert 0 < int(float(lan["probed"][0])) < 3000
        assert all(ipaddress.ip_address(t) in ipaddress.ip_network("10.50.0.0/16")
                   for t in asked)
        assert max(asked.values()) <= 2
        assert most_in_a_second(run["asked"]) <= 1020
    # The second run goes on where the first was: only the batch whose wait was cut off by
    # the deadline is asked again.
    probed = int(float(by_instance(first["readings"], "lan")["10.50.0.0-16"]["probed"][0]))
    start = ipaddress.ip_address("10.50.0.0")
    before = {str(start + i) for i in range(1, probed + 1 - BATCH)}
    assert len(before) >= BATCH
    assert before - {"10.50.0.5"} <= {t for _, t in first["asked"]}  # its own is not asked
    assert not before & {t for _, t in second["asked"]}
    assert set(by_instance(first["readings"], "mac")) == {AGENT, "02:00:00:00:00:01"}


def test_passive_hears_who_speaks_and_says_nothing():
    o = office("passive")
    assert o["asked"] == [] and o["other"] == []
    assert not o["promiscuous"]
    macs = by_instance(o["readings"], "mac")
    macs.pop("02:00:00:00:00:53", None)  # the server asks who has the address it gives
    assert set(macs) == {"02:00:00:00:00:01", "02:00:00:00:00:02"}
    client = macs["02:00:00:00:00:01"]
    assert client["hostname"][0] == "máy-kế-toán"
    assert client["dhcp_class"][0] == "MSFT 5.0"
    assert client["dhcp_parameters"][0] == "1,3,6,15"
    assert client["dhcp_client_id"][0] == "01020000000001"
    assert client["ipv4"] == [o["address"]]
    assert set(client["subnet"]) == {"192.168.10.0/24"}
    assert set(client["seen_by"]) == {"dhcp"}
    other = macs["02:00:00:00:00:02"]
    assert other["ipv4"] == ["192.168.10.22", "192.168.10.23"]
    assert other["seen_by"] == ["arp", "arp"]
    lan = by_instance(o["readings"], "lan")["eth0"]
    assert lan["status"] == ["ok"]
    assert lan["malformed"] == ["2"]
    assert lan["dropped"] == ["0"]
    assert int(lan["frames"][0]) >= 11
    assert o["readings"][-1] == ["done", "true", 0]


def test_interface_that_vanishes_ends_the_window():
    o = office("vanish")
    first = by_instance(o["first"], "lan")["eth0"]
    assert first["status"][0].startswith("no-interface:")
    assert o["took"] < 10 and o["first"][-1] == ["done", "true", 0]
    gone = by_instance(o["gone"], "lan")["eth0"]
    assert gone["status"][0].startswith("no-interface:") and "frames" not in gone
    again = by_instance(o["again"], "lan")["eth0"]
    assert again["status"] == ["ok"]
    assert set(by_instance(o["again"], "mac")) == {"02:00:00:00:00:01"}


def test_real_agent_proposes_accepts_and_scans():
    o = office("agent")
    office_, lonely = o["ag"], o["lonely"]
    assert office_["check"]["code"] == 0, office_["check"]["err"]
    assert lonely["check"]["code"] == 0, lonely["check"]["err"]
    assert "subnets: []" in lonely["propose"]["out"]
    found = json.loads(office_["json"]["out"])
    assert found["gateway"] == "192.168.10.11" and found["wan_interface"] == "eth0"
    assert {n["subnet"] for n in found["subnets"]} == {"192.168.10.0/24", "192.168.30.0/24"}
    assert [(n["subnet"], n["why"]) for n in found["left_out"]] == [
        ("10.1.2.4/31", "the line to the router")]
    assert found["yaml"] == office_["propose"]["out"]
    assert json.loads(lonely["json"]["out"])["subnets"] == []

    assert o["scan"]["code"] == 0, o["scan"]["err"]
    records = json.loads(o["scan"]["out"])
    seen, base = set(), ""
    for r in records:  # RFC 8428: a base name holds until the next one
        base = r.get("bn", base)
        name = base + r.get("n", "")
        seen |= {name.split("/")[-2]} if name.endswith("/seen_by") else set()
    assert seen == {AGENT, "02:00:00:00:00:01", "02:00:00:00:00:02", "02:00:00:00:00:81",
                    "02:00:00:00:00:82"}
    assert o["other"] == []
    declared = [ipaddress.ip_network(n["subnet"]) for n in found["subnets"]]
    assert all(any(ipaddress.ip_address(t) in n for n in declared) for _, t in o["asked"])
    assert most_in_a_second(o["asked"]) <= 52
