"""link.local on a machine that is a router, with real interfaces in a network namespace."""
import json
import pathlib
import subprocess

import pytest

from built import DRIVE

HERE = pathlib.Path(__file__).resolve().parent


@pytest.fixture(scope="module")
def router(tmp_path_factory):
    p = subprocess.run(["unshare", "-Urnm", "/usr/bin/python3", HERE / "link_router.py", DRIVE,
                        tmp_path_factory.mktemp("router")], capture_output=True, text=True, timeout=120)
    assert p.returncode == 0, p.stderr
    return json.loads(p.stdout)


def number(step, name):
    return float(step["if/test:" + name])


def test_what_is_there(router):
    got = router["steps"]["first"]
    assert got["snmp/test/status"] == "ok"
    names = {v for k, v in got.items() if k.startswith("if/") and k.endswith("/name")}
    assert {"lo", "wan0", "far", "lan0", "office"} <= names
    assert int(got["snmp/test/interfaces"]) == len(names)
    assert got["if/test:wan0/alias"] == "đường truyền VNPT"
    assert got["if/test:wan0/addresses"] == "10.9.0.2/30"
    assert (got["if/test:wan0/admin_status"], got["if/test:wan0/oper_status"]) == ("up", "up")
    assert got["if/test:lan0/admin_status"] == "down"
    assert number(got, "wan0/speed") == 10e9  # what the kernel says of a veth
    assert number(got, "lo/type") == 24
    assert got["if/test:wan0/counter_bits"] == "64"
    assert float(got["snmp/test/uptime"]) > 0
    assert "if/test:wan0/lower" not in got  # its other end is no lower layer
    if router["vlan"]:
        assert got["if/test:wan0.35/lower"] == "test:wan0"
        assert number(got, "wan0.35/type") == 135
    if router["bond"]:
        assert got["if/test:bond7/lower"] == "test:office"
        assert number(got, "bond7/type") == 161


def test_the_link_is_where_the_default_route_leaves(router):
    got = router["steps"]["first"]
    assert got["snmp/test/link_interface"] == "test:wan0"
    assert got["if/test:wan0/default_route"] == "true"
    assert float(got["snmp/test/link_interface_confidence"]) > 0.9  # the alias and the name say so too


def test_counters_grow_by_what_was_sent(router):
    first, sent = router["steps"]["first"], router["steps"]["sent"]
    assert number(sent, "wan0/out_octets") - number(first, "wan0/out_octets") == 150_000
    assert number(sent, "wan0/in_octets") - number(first, "wan0/in_octets") == 70_000
    assert number(sent, "far/in_octets") - number(first, "far/in_octets") == 150_000
    assert number(sent, "wan0/discontinuity") == number(first, "wan0/discontinuity") == 0


def test_a_recreated_interface_is_the_same_and_begins_anew(router):
    sent, gone, anew, after = (router["steps"][s] for s in ("sent", "gone", "anew", "after"))
    assert "if/test:wan0/index" not in gone
    assert "snmp/test/link_interface" not in gone
    assert "wan0, is not there" in gone["snmp/test/link_interface_why"]

    assert anew["if/test:wan0/index"] != sent["if/test:wan0/index"]
    assert f"ifIndex was {sent['if/test:wan0/index']}" in anew["if/test:wan0/identity"]
    assert number(anew, "wan0/in_octets") == 3_000 < number(sent, "wan0/in_octets")
    assert anew["snmp/test/link_interface"] == "test:wan0"
    # between the look without it and the one with it; and it stays that
    discontinuity = number(anew, "wan0/discontinuity")
    assert float(gone["snmp/test/uptime"]) - 0.01 < discontinuity < float(anew["snmp/test/uptime"]) + 0.02
    assert number(after, "wan0/discontinuity") == number(anew, "wan0/discontinuity")
    assert number(after, "lo/discontinuity") == 0
    assert "if/test:wan0/identity" not in after


def test_no_carrier_is_down(router):
    down = router["steps"]["down"]
    assert (down["if/test:wan0/admin_status"], down["if/test:wan0/oper_status"]) == ("up", "lowerLayerDown")
    assert down["snmp/test/link_interface"] == "test:wan0"  # it is still that, and down
