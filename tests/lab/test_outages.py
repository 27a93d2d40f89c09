"""Outages end to end: what is done to links, routers and machines of a lab, held against
what people are told, and against what the server says of it afterwards."""
import pathlib
import sys

import pytest
from broker import until

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from labkit import outages  # noqa: E402
from test_lab import BUILD, Lab, lab  # noqa: E402, F401

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("lab")]

INTERVAL_S = 1      # of the pings
# Grace for a machine on which other tests run: the promise of 5 s is tests/bench/outages'.
TOLD_S = 15

OFFICES = """\
name: causes
sites:
  - { id: cut, name: Xã A, subnet: 172.20.1.0/28, snmp: no, link: { down: 20M, up: 20M } }
  - { id: hung, name: Xã B, subnet: 172.20.2.0/28, snmp: no, link: { down: 20M, up: 20M } }
  - { id: dark, name: Xã C, subnet: 172.20.3.0/28, snmp: no, link: { down: 20M, up: 20M } }
  - { id: mute, name: Xã D, subnet: 172.20.4.0/28, snmp: no, link: { down: 20M, up: 20M } }
"""


def begin(lab, tmp_path, topology, links):
    (tmp_path / "t.yaml").write_text(topology, encoding="utf-8")
    lab("up", tmp_path / "t.yaml", "--build", BUILD)
    until("every link is seen", lambda: outages.watched(lab.state, links), 60)


def is_told(lab, kind, link, after):
    return until(f"{kind} of {link}", lambda: outages.first(lab.state, kind, link, after), TOLD_S)


def last(lab, verb):
    return outages.done(lab.state, verb)[-1]


def times(lab, kind, link):
    return sum(outages.of(r, link) for r in outages.told(lab.state, kind))


def test_what_died_is_named_by_the_edge(lab, tmp_path):  # noqa: F811
    begin(lab, tmp_path, OFFICES, 4)
    sees = lambda site: outages.query(  # noqa: E731
        lab.state, "SELECT count(*) FROM latest WHERE agent = ? AND name LIKE 'reach/%/state' AND string = 'up'", site)
    for site in ("cut", "hung", "dark", "mute"):
        until(f"{site} looks outwards itself", lambda: sees(site)[0][0] >= 2, 30)  # noqa: B023
    lab("cut", "cut-wan")
    lab("router-down", "hung")
    lab("power-off", "dark")
    lab("kill", "agent-mute")
    cut = last(lab, "cut")
    for link in ("cut-wan", "hung-wan", "dark-wan"):
        is_told(lab, "announce", link, cut["at"])
    lab("restore", "cut-wan")
    lab("router-up", "hung")
    lab("power-on", "dark")
    lab("start", "agent-mute")
    restored = last(lab, "restore")
    for link in ("cut-wan", "hung-wan", "dark-wan"):
        is_told(lab, "resolve", link, restored["at"])

    causes = {"cut-wan": "wan-link", "hung-wan": "router", "dark-wan": "power"}

    def rows():
        return {r[0]: r[1:] for r in outages.query(
            lab.state, "SELECT link, cause, edge_start_ms, edge_end_ms FROM outage")}
    # The records come when the offices are back, one after the other; the last word counts.
    outages.settles(lambda: {link: r[0] for link, r in rows().items()} == causes and rows()["cut-wan"][2], 60)
    rows = rows()
    assert {link: r[0] for link, r in rows.items()} == causes
    # One interval to either side (the moment lies between two pings), a round trip, and how
    # exactly the lab knows what it did.
    for at_ms, did in ((rows["cut-wan"][1], cut), (rows["cut-wan"][2], restored)):
        assert did["at"] - INTERVAL_S - 0.1 <= at_ms / 1000 <= did["until"] + INTERVAL_S + 0.1, (at_ms, did)
    assert all(times(lab, k, link) == 1 for k in ("announce", "resolve") for link in rows)
    assert times(lab, "announce", "mute-wan") == 0, "an agent's death is not its link's"


def test_a_restart_of_the_server_is_no_outage(lab, tmp_path):  # noqa: F811
    begin(lab, tmp_path, outages.topology(3, 20), 23)
    spans = lambda: outages.query(lab.state, "SELECT link, from_ms, to_ms, state FROM link_span WHERE state = 'UP'")  # noqa: E731
    before = spans()
    for name in ("server", "mosquitto"):
        lab("kill", name)
        lab("start", name)
    lab("cut", "x001-wan")      # and it sees again
    is_told(lab, "announce", "x001-wan", last(lab, "cut")["at"])
    assert outages.query(lab.state, "SELECT DISTINCT link FROM outage") == [("x001-wan",)]
    assert [r for r in spans() if r[0] != "x001-wan"] == [r for r in before if r[0] != "x001-wan"]
    assert len(outages.told(lab.state)) == 1


@pytest.mark.parametrize("name", ["server", "mosquitto"])
def test_a_kill_within_an_incident_tells_once(lab, tmp_path, name):  # noqa: F811
    begin(lab, tmp_path, outages.topology(4), 4)
    # Killed before it can know, while it knows, and when the link is back.
    lab("cut", "x000-wan")
    lab("kill", name)
    lab("start", name)
    is_told(lab, "announce", "x000-wan", last(lab, "cut")["at"])
    lab("kill", name)
    lab("restore", "x000-wan")
    lab("start", name)
    lab("kill", name)
    lab("start", name)
    is_told(lab, "resolve", "x000-wan", last(lab, "restore")["at"])
    # Another one after it, so that late repetitions would be here by now.
    lab("cut", "x001-wan")
    is_told(lab, "announce", "x001-wan", last(lab, "cut")["at"])
    assert (times(lab, "announce", "x000-wan"), times(lab, "resolve", "x000-wan")) == (1, 1)
