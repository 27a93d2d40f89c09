"""What snmp.interfaces makes of interface tables: of recordings of real devices, served by
snmpsim, against what stands in their files; and of tables of our own that are hard to read."""
import collections
import concurrent.futures
import csv
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import time

import pytest

from broker import free_port
from built import DRIVE, ROOT
from test_snmp import OURS, device, ended, poll

RECORDED = next((p for p in (ROOT.parent / "shared/data", ROOT.parents[1] / "shared/data") if p.exists()),
                ROOT.parent / "shared/data")
IF, IFX = "1.3.6.1.2.1.2.2.1.", "1.3.6.1.2.1.31.1.1.1."

# Where the manifest counts otherwise than we do, and why.
DISPUTED = {"dell-sonic.snmprec": ("n_if_union", 56, "its 57th 'interface' is four cells without an index")}

pytestmark = pytest.mark.xdist_group("snmp")


def run(port, community, seconds=60):
    """{name: value} of one poll of a recording."""
    p = subprocess.run([DRIVE, "snmp.interfaces", str(seconds), "--set",
                        f"{{target: 127.0.0.1, port: {port}, wait: 10s, community_file: {community}}}"],
                       capture_output=True, text=True, timeout=seconds + 30)
    assert p.returncode == 0, p.stderr
    return dict(line.split("\t")[:2] for line in p.stdout.splitlines() if "\t" in line)


def by_index(got):
    """{ifIndex: {quantity: value}}"""
    rows = collections.defaultdict(dict)
    for name, v in got.items():
        if name.startswith("if/"):
            rows[name.split("/")[1]][name.split("/")[2]] = v
    return {int(r["index"]): r for r in rows.values()}


def cells(path):
    """{(column, ifIndex): (tag, text)} of the interface tables, but those told twice."""
    out, twice = {}, set()
    for line in path.read_text(encoding="utf-8", errors="surrogateescape").splitlines():
        part = line.split("|", 2)
        if len(part) < 3:
            continue
        oid = part[0].lstrip(".")
        for base in (IF, IFX):
            found = oid.startswith(base) and re.fullmatch(r"(\d+)\.0*(\d+)", oid[len(base):])
            if found:
                key = (base + found[1], int(found[2]))
                twice |= {key} & out.keys()
                out[key] = part[1:]
    return {k: v for k, v in out.items() if k not in twice}


COLUMNS = {IFX + "6": ("70", "in_octets"), IFX + "10": ("70", "out_octets"), IF + "3": ("2", "type"),
           IF + "14": ("65", "in_errors"), IF + "20": ("65", "out_errors"), IF + "13": ("65", "in_discards"),
           IF + "19": ("65", "out_discards"), IFX + "1": ("4", "name"), IF + "2": ("4", "descr"),
           IFX + "18": ("4", "alias")}


def differences(path, rows):
    """Cells of the file that did not become the reading that they should be."""
    wrong, compared = [], 0
    for (column, index), (tag, text) in cells(path).items():
        want, quantity = COLUMNS.get(column, (None, None))
        if tag != want:
            continue
        if tag == "4" and (not text.strip() or not text.isascii() or not text.isprintable() or len(text) > 255):
            continue
        got = rows.get(index, {}).get(quantity)
        same = got == text.rstrip() if tag == "4" else got is not None and int(float(got)) == int(text)
        if quantity.endswith("octets") and rows.get(index, {}).get("counter_bits") == "32":
            continue  # one direction alone has 64 bits
        compared += 1
        if not same:
            wrong.append((path.name, index, quantity, text, got))
    return wrong, compared


@pytest.fixture(scope="module")
def snmpsim():
    """The port where every recording answers to its own name, and its folder of recordings."""
    recordings = RECORDED / "snmp_dev"
    if not (recordings / "manifest.tsv").exists():
        pytest.skip("no recordings of real devices here: only our own were tested")
    if not shutil.which("snmpsimd"):
        pytest.skip("snmpsim is not installed: recordings of real devices were not tested")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="hatang-snmpsim-"))
    folder.chmod(0o755)
    (folder / "cache").mkdir()
    (folder / "cache").chmod(0o777)
    port = free_port(socket.SOCK_DGRAM)
    user = ["--process-user=nobody", "--process-group=nogroup"] if os.getuid() == 0 else []
    with (folder / "log").open("w") as log, ended(subprocess.Popen(
            ["snmpsimd", f"--data-dir={recordings}", f"--cache-dir={folder}/cache", *user,
             f"--agent-udpv4-endpoint=127.0.0.1:{port}", "--logging-method=null"], stdout=log, stderr=log)) as p:
        community = folder / "public"
        community.write_text("okilan_9450g\n")
        community.chmod(0o600)
        until = time.monotonic() + 60  # it makes an index of each file first
        while poll(5, port=port, community_file=community, wait="300ms", retries=0)["snmp/test/status"] != "ok":
            assert time.monotonic() < until and p.poll() is None, (folder / "log").read_text()
        yield port, recordings, folder
    shutil.rmtree(folder)


def test_recordings(snmpsim):
    port, recordings, folder = snmpsim
    manifest = list(csv.DictReader((recordings / "manifest.tsv").open(), delimiter="\t", quoting=csv.QUOTE_NONE))

    def one(row):
        name = row["file"].removesuffix(".snmprec")
        community = folder / f"community-{name}"
        community.write_text(name + "\n")
        community.chmod(0o600)
        return row, run(port, community)

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        polled = list(pool.map(one, manifest))
    wrong, compared = [], 0
    for row, got in polled:
        rows = by_index(got)
        expect = {"n_if_union": int(row["n_if_union"]), "if_oper_up": int(row["if_oper_up"]),
                  "if_macs": int(row["if_macs"])}
        if row["file"] in DISPUTED:
            expect[DISPUTED[row["file"]][0]] = DISPUTED[row["file"]][1]
        macs = {r["phys_address"] for r in rows.values() if len(r.get("phys_address", "")) == 17}
        seen = {"n_if_union": int(got.get("snmp/test/interfaces", -1)),
                "if_oper_up": sum(r.get("oper_status") == "up" for r in rows.values()),
                "if_macs": len(macs - {"00:00:00:00:00:00"})}
        if got["snmp/test/status"] != "ok" or seen != expect or len(rows) != expect["n_if_union"]:
            wrong.append((row["file"], got["snmp/test/status"], got.get("snmp/test/reason"), expect, seen))
        different, n = differences(recordings / row["file"], rows)
        wrong += different
        compared += n
    assert len(polled) >= 100 and compared > 10000
    assert not wrong


# ---- our own ----

def test_office_router():
    """A LAG, a sub-interface, PPPoE over a port, a tunnel: what is one line is said to be."""
    with device("office") as port:
        got = poll(port=port)
    assert got["snmp/test/status"] == "ok"
    assert got["if/test:Po1/lower"] == "test:Gi0-0,test:Gi0-1"
    assert got["if/test:Po1.10/lower"] == "test:Po1"
    assert got["if/test:Dialer1/lower"] == "test:Gi0-2"
    assert float(got["if/test:Po1.10/speed"]) == 2e9     # it has none of its own
    assert float(got["if/test:Dialer1/speed"]) == 1e9
    assert "if/test:Tu0/speed" not in got                # 100 kbit/s is of no line
    assert got["if/test:Dialer1/addresses"] == "100.64.3.9"
    assert got["if/test:Po1.10/addresses"] == "10.7.0.1/24"
    assert got["if/test:Dialer1/default_route"] == "true"
    assert got["if/test:Tu0/default_route"] == "false"
    assert "if/test:Gi0-0/default_route" not in got      # of a port nobody asks
    assert got["snmp/test/link_interface"] == "test:Dialer1"
    assert 0.8 <= float(got["snmp/test/link_interface_confidence"]) < 1
    assert "default route" in got["snmp/test/link_interface_why"]


def test_link_interface_is_named_by_a_person():
    with device("office") as port:
        by_alias = poll(port=port, link_interface="TSLCD")
        unknown = poll(port=port, link_interface="Gi7/7")
    assert by_alias["snmp/test/link_interface"] == "test:Tu0"
    assert float(by_alias["snmp/test/link_interface_confidence"]) == 1
    assert "snmp/test/link_interface" not in unknown
    assert "check the name" in unknown["snmp/test/link_interface_why"]


def test_hostile_table():
    with device("hostile") as port:
        got = poll(port=port)
    assert got["snmp/test/status"] == "partial"
    assert "ifTable" in got["snmp/test/reason"]
    rows = by_index(got)
    assert set(rows) == {0, 7, 8, 9, 10, 3000000000}
    assert float(rows[7]["speed"]) == 4e9 and "type" not in rows[7]
    assert rows[7]["in_octets"] == str(2**31) and "out_octets" not in rows[7]
    assert rows[0]["phys_address"] == "01:02:03:04:05:06:07:08" and "addresses" not in rows[0]
    assert (rows[8]["name"], rows[8]["alias"]) == ("C?ng", "WAN?")
    assert (rows[8]["counter_bits"], rows[8]["in_octets"], rows[8]["out_octets"]) == ("32", "1000", "2000")
    assert (rows[9]["counter_bits"], rows[9]["in_octets"], rows[9]["out_octets"]) == ("32", "5", "6")
    assert float(rows[9]["speed"]) == 1e8
    assert (rows[10]["counter_bits"], rows[10]["in_octets"]) == ("64", "1")
    assert not {"oper_status", "admin_status", "in_errors", "speed"} & rows[10].keys()


def dealt_anew(path, to):
    """The recording with other ifIndexes: {old: new}."""
    out = []
    for line in (OURS / "office.snmprec").read_text().splitlines():
        oid, tag, text = line.split("|", 2)
        stem, index = oid.rsplit(".", 1)
        if oid.startswith((IF, IFX)):
            oid = f"{stem}.{to(int(index))}"
        elif oid.startswith("1.3.6.1.2.1.31.1.2.1.3."):
            stem, upper = stem.rsplit(".", 1)
            oid = f"{stem}.{to(int(upper))}.{to(int(index))}"
        elif re.match(r"1\.3\.6\.1\.2\.1\.4\.(20\.1\.2|24\.7\.1\.7)\.", oid):
            text = str(to(int(text)))
        out.append((tuple(map(int, oid.split("."))), f"{oid}|{tag}|{text}"))
    path.write_text("\n".join(line for _, line in sorted(out)) + "\n")


@pytest.mark.parametrize("to", [lambda i: {1: 3, 3: 1}.get(i, i), lambda i: i and 1000 - i, lambda i: i])
def test_a_reshuffle_moves_no_history(tmp_path, to):
    """The memory lies in a file between two runs, as the agent's spool keeps it."""
    memory = tmp_path / "memory"
    memory.touch()

    def remembering(path):
        args = ["/usr/bin/python3", pathlib.Path(__file__).parent / "snmp_device.py", path]
        with ended(subprocess.Popen(args, stdout=subprocess.PIPE, text=True)) as p:
            port = int(p.stdout.readline())
            out = subprocess.run([DRIVE, "snmp.interfaces", "20", "--memory", memory, "--set",
                                  f"{{target: 127.0.0.1, port: {port}}}"], capture_output=True, text=True, check=True)
        return dict(line.split("\t")[:2] for line in out.stdout.splitlines() if "\t" in line)

    first = remembering(OURS / "office.snmprec")
    kept = memory.read_bytes()
    assert 100 < len(kept) < 500
    dealt_anew(tmp_path / "anew.snmprec", to)
    second = remembering(tmp_path / "anew.snmprec")
    changing = re.compile(r"/(index|identity|round_trips|link_interface_why|lower|uptime)$")
    assert {k: v for k, v in first.items() if not changing.search(k)} == \
        {k: v for k, v in second.items() if not changing.search(k)}
    for name, v in second.items():
        if name.endswith("/index"):
            moved = to(int(first[name])) != int(first[name])
            assert int(v) == to(int(first[name]))
            assert (name.removesuffix("index") + "identity" in second) == moved
            if moved:
                assert f"ifIndex was {first[name]}" in second[name.removesuffix("index") + "identity"]
    for name, v in first.items():
        if name.endswith("/lower"):
            assert set(v.split(",")) == set(second[name].split(","))
    assert (memory.read_bytes() == kept) == (to(3) == 3)
