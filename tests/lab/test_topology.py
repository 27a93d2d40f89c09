"""Topologies: the shipped ones are read whole, bad ones are refused with file, line and cure."""
import json
import pathlib
import subprocess

import pytest

from built import BUILD

HERE = pathlib.Path(__file__).resolve().parent

SITE = """\
name: t
sites:
  - id: a
    name: A
    level: district
    subnet: 192.168.1.0/24
    link: { down: 10M, up: 10M }
"""


def load(path):
    return subprocess.run([BUILD / "tests/lab/lab-topology", path], capture_output=True, text=True)


@pytest.mark.parametrize("name, sites, machines", [("one-office", 1, 12), ("district", 5, 109)])
def test_shipped(name, sites, machines):
    r = load(HERE / "topologies" / f"{name}.yaml")
    assert r.returncode == 0, r.stderr
    got = json.loads(r.stdout)
    assert len(got["sites"]) == sites
    assert sum(sum(s["machines"].values()) for s in got["sites"]) == machines


@pytest.mark.parametrize("text, where, cure", [
    (SITE.replace("subnet:", "subnett:"), "6:5", "did you mean 'subnet'"),
    (SITE.replace("down: 10M", "down: 010M"), "7:19", "10M"),
    (SITE.replace("down: 10M", "down: 5G"), "7:19", "between 64k and 1G"),
    (SITE.replace("192.168.1.0/24", "10.1.0.0/24"), "6:13", "192.168.0.0/16"),
    (SITE.replace("level: district", "level: ward"), "5:12", "province, district, commune"),
    (SITE + SITE[SITE.index("  - id"):], "8:9", "twice"),
    (SITE + SITE[SITE.index("  - id"):].replace("id: a", "id: b"), "11:13", "overlaps the network of site 'a'"),
    (SITE + "  - id: b\n    name: B\n    parent: c\n    subnet: 192.168.2.0/24\n    link: { down: 1M, up: 1M }\n",
     "10:13", "list parents first"),
    (SITE + "    machines: { computers: 251 }\n", "8:28", "between 0 and 250"),
    (SITE.replace("/24", "/29") + "    machines: { computers: 6 }\n", "6:13", "larger network"),
    (SITE.replace("    name: A\n", ""), "3:5", "'name' is missing"),
    (SITE.replace("    level", "\tlevel"), "5:1", "tab"),
    ("name: t\n", "1:1", "'sites' is missing"),
])
def test_refused(tmp_path, text, where, cure):
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    r = load(path)
    assert r.returncode == 78
    line, column = where.split(":")
    assert r.stderr.startswith(f"{path}:{line}:"), r.stderr
    assert cure in r.stderr
    # The place is the value's or the key's, never just the file's beginning.
    if column != "1":
        assert r.stderr.startswith(f"{path}:{line}:{column}:"), r.stderr


def test_missing_file(tmp_path):
    r = load(tmp_path / "none.yaml")
    assert r.returncode == 78 and "cannot open" in r.stderr
