"""snmp.interfaces against real snmpd (2c, 3), and devices of our own that answer well or
badly."""
import contextlib
import os
import pathlib
import socket
import subprocess
import time

import pytest

from broker import free_port
from built import DRIVE, ROOT

HERE = pathlib.Path(__file__).resolve().parent
OURS = ROOT / "tests/data/snmp"


def poll(timeout_s=20, **options):
    """{name: value} of one run; the device is called 'test'."""
    yaml = ", ".join(f"{k}: '{v}'" if k == "version" else f"{k}: {v}" for k, v in options.items())
    p = subprocess.run([DRIVE, "snmp.interfaces", str(timeout_s), "--set", "{target: 127.0.0.1, " + yaml + "}"],
                       capture_output=True, text=True, timeout=timeout_s + 20)
    assert p.returncode == 0, p.stderr
    return dict(line.split("\t")[:2] for line in p.stdout.splitlines() if "\t" in line)


@contextlib.contextmanager
def ended(process):
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def device(name, *mode):
    args = ["/usr/bin/python3", HERE / "snmp_device.py", OURS / f"{name}.snmprec", *map(str, mode)]
    with ended(subprocess.Popen(args, stdout=subprocess.PIPE, text=True)) as p:
        yield int(p.stdout.readline())


def secret(path, text):
    path.write_text(text + "\n")
    path.chmod(0o600)
    return path


pytestmark = pytest.mark.xdist_group("snmp")  # one snmpd for all


@pytest.fixture(scope="module")
def snmpd(tmp_path_factory):
    folder = tmp_path_factory.mktemp("snmpd")
    (folder / "snmpd.conf").write_text(
        'rocommunity s3cret 127.0.0.1\n'
        'createUser sha SHA-256 "authpass123" AES "privpass123"\nrouser sha authPriv\n'
        'createUser old MD5 "authpass123" DES "privpass123"\nrouser old authPriv\n')
    port = free_port(socket.SOCK_DGRAM)
    env = dict(os.environ, SNMP_PERSISTENT_DIR=str(folder), MIBS="", SNMPCONFPATH=str(folder))
    with ended(subprocess.Popen(
            ["/usr/sbin/snmpd", "-f", "-Lf", folder / "log", "-C", "-c", folder / "snmpd.conf",
             "-p", folder / "pid", f"udp:127.0.0.1:{port}"], env=env)):
        community = secret(folder / "community", "s3cret")
        until = time.monotonic() + 20
        while poll(5, port=port, community_file=community, wait="300ms", retries=0)["snmp/test/status"] != "ok":
            assert time.monotonic() < until, (folder / "log").read_text()
        yield port, folder


def kernel_interfaces():
    """Those that ifName can be compared by: snmpd lists the kernel's."""
    return {n for _, n in socket.if_nameindex()}


def assert_like_kernel(got):
    assert got["snmp/test/status"] == "ok"
    names = {v for k, v in got.items() if k.startswith("if/") and k.endswith("/name")}
    assert names == kernel_interfaces()
    assert int(got["snmp/test/interfaces"]) == len(names)
    assert got["if/test:lo/oper_status"] == "up"
    assert got["if/test:lo/counter_bits"] == "64"
    octets = int(pathlib.Path("/sys/class/net/lo/statistics/rx_bytes").read_text())
    assert 0 < int(got["if/test:lo/in_octets"]) <= octets


def test_snmpd_v2c(snmpd):
    port, folder = snmpd
    assert_like_kernel(poll(port=port, community_file=folder / "community"))


@pytest.mark.parametrize("user,auth,priv", [("sha", "sha-256", "aes"), ("old", "md5", "des")])
def test_snmpd_v3_authpriv(snmpd, user, auth, priv):
    port, folder = snmpd
    got = poll(port=port, version=3, user=user, auth=auth, priv=priv,
               auth_file=secret(folder / "auth", "authpass123"),
               priv_file=secret(folder / "priv", "privpass123"))
    assert_like_kernel(got)


def test_snmpd_v3_refusals(snmpd):
    port, folder = snmpd
    good, bad = secret(folder / "auth", "authpass123"), secret(folder / "bad", "not-the-phrase")
    priv = secret(folder / "priv", "privpass123")
    for options in ({"user": "sha", "auth_file": bad, "priv_file": priv},
                    {"user": "nobody", "auth_file": good, "priv_file": priv},
                    {"user": "sha", "auth_file": good, "priv": "none"}):
        got = poll(port=port, version=3, **options)
        assert got["snmp/test/status"] == "auth-failed", options
        assert not [k for k in got if k.startswith("if/")]


def test_wrong_community_is_silence(snmpd, tmp_path):
    got = poll(port=snmpd[0], community_file=secret(tmp_path / "c", "wrong"), wait="200ms", retries=1)
    assert got["snmp/test/status"] == "timeout"
    assert got["snmp/test/round_trips"] == "2"
    assert "snmp/test/uptime" not in got


def test_router():
    with device("router") as port:
        got = poll(port=port, link_interface="Gi0/0")
    assert got["snmp/test/status"] == "ok"
    assert got["snmp/test/interfaces"] == "5"
    assert got["snmp/test/sys_name"] == "rt-bat-xat"
    assert got["snmp/test/sys_object_id"] == "1.3.6.1.4.1.99999.1"
    assert 86400 <= float(got["snmp/test/uptime"]) < 86410  # when its counters were read
    assert got["snmp/test/link_interface"] == "test:Gi0-0"
    assert got["if/test:Gi0-0/name"] == "Gi0/0"
    assert got["if/test:Gi0-0/alias"] == "WAN - 50M"
    assert got["if/test:Gi0-0/in_octets"] == str(2**64 - 1)
    assert got["if/test:Gi0-0/out_octets"] == "5000000001"
    assert got["if/test:Gi0-0/phys_address"] == "02:00:00:00:00:01"
    assert float(got["if/test:Gi0-0/discontinuity"]) == 1.5
    assert [got[f"if/test:Gi0-0/{q}"] for q in ("in_discards", "in_errors", "out_discards", "out_errors")] == list("3456")
    assert float(got["if/test:Te0-2/speed"]) == 10e9
    assert got["if/test:Te0-2/admin_status"] == "down"
    assert float(got["if/test:Se0-0/speed"]) == 256000      # 0 of ifHighSpeed is less than 1 Mbit/s
    assert "if/test:Tu0/speed" not in got                   # unknown is not zero
    assert got["if/test:Tu0/oper_status"] == "lowerLayerDown"
    assert got["if/test:Tu0/alias"] == "đường hầm"


def test_switch_without_ifx():
    with device("switch") as port:
        got = poll(port=port)
    assert got["snmp/test/status"] == "ok"
    assert got["snmp/test/interfaces"] == "4"
    # one name for all: the index tells them apart; no name: the index alone
    assert {k.split("/")[1] for k in got if k.startswith("if/")} == {
        "test:port.1", "test:port.2", "test:port.10101", "test:if4000000000"}
    assert got["if/test:port.1/counter_bits"] == "32"
    assert got["if/test:port.1/in_octets"] == "4000000001"
    assert got["if/test:if4000000000/in_octets"] == "4000000010"
    assert float(got["if/test:port.1/speed"]) == 100e6
    assert "if/test:port.1/admin_status" not in got         # it has no such column
    assert "if/test:port.1/in_errors" not in got


@pytest.mark.parametrize("mode,limit", [("toobig", 12), ("toobig", 3), ("toobig", 1), ("cut", 7), ("cut", 1), ("lossy", 9)])
def test_small_answers_lose_nothing(mode, limit):
    with device("router") as port:
        whole = poll(port=port)
    with device("router", mode, limit) as port:
        got = poll(port=port, wait="100ms", retries=0)
    changing = {"snmp/test/round_trips", "snmp/test/uptime"}
    assert {k: v for k, v in got.items() if k not in changing} == \
        {k: v for k, v in whole.items() if k not in changing}
    assert int(got["snmp/test/round_trips"]) > int(whole["snmp/test/round_trips"])


@pytest.mark.parametrize("mode", ["backwards", "endless"])
def test_tables_without_end_are_left(mode):
    with device("switch", mode) as port:
        got = poll(port=port, timeout_s=60)
    assert got["snmp/test/status"] == "partial"
    assert 1 <= int(got["snmp/test/interfaces"]) <= 10000


def test_wrong_types_are_not_values():
    with device("router", "wrong-types") as port:
        got = poll(port=port)
    assert got["snmp/test/interfaces"] == "5"
    assert {k.split("/")[2] for k in got if k.startswith("if/")} == {"index"}
