"""The MTU of a path with a small hop: where its router says so, where it says nothing, and what
a round of pings that may not be fragmented makes of it."""
import json
import pathlib
import shutil
import subprocess
import sys

import pytest
from built import BUILD

HERE = pathlib.Path(__file__).resolve().parent

pytestmark = pytest.mark.skipif(not (shutil.which("unshare") and shutil.which("nft")),
                                reason="needs unshare and nft")

SEARCH = ["count=2", "path_mtu=true", "wait=300ms"]
CASES = {
    "told": ("10.2.0.2", "tells", SEARCH),
    "told6": ("fd02::2", "tells", SEARCH),
    "hole": ("10.2.0.2", "hole", SEARCH),
    "near": ("10.1.0.2", "tells", SEARCH),
    "whole": ("10.2.0.2", "tells", ["count=2", "df=true", "size=1372"]),
    "large": ("10.2.0.2", "tells", ["count=2", "df=true", "size=1373", "wait=300ms"]),
    "large, silently": ("10.2.0.2", "hole", ["count=2", "df=true", "size=1373", "wait=300ms"]),
    "larger than our own": ("10.1.0.2", "tells", ["count=2", "df=true", "size=1473"]),
    "in pieces": ("10.2.0.2", "tells", ["count=2", "size=4000"]),
}


@pytest.fixture(scope="module")
def said():
    done = subprocess.run(
        ["unshare", "-Urnm", sys.executable, str(HERE / "small_hop.py"),
         str(BUILD / "agent/hatang-agent"), json.dumps(list(CASES.values()))],
        capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(zip(CASES, json.loads(done.stdout)))


@pytest.mark.parametrize("case, mtu", [("told", 1400), ("told6", 1400), ("hole", 1400),
                                       ("near", 1500)])
def test_found(said, case, mtu):
    got = said[case]
    assert got["status"] == "ok" and got["sent"] == got["received"] == 2
    assert got["path_mtu"] == mtu
    assert "reason" not in got


def test_a_round_that_may_not_be_fragmented(said):
    assert said["whole"]["received"] == 2 and said["whole"]["payload"] == 1372
    assert said["large"]["status"] == "too-large" and said["large"]["received"] == 0
    assert "at most 1400 bytes fit" in said["large"]["reason"]
    assert said["large, silently"]["status"] == "timeout"
    assert said["larger than our own"]["status"] == "too-large"
    assert said["larger than our own"]["reason"] == "2 pings that could not be sent"


def test_a_round_that_may(said):
    assert said["in pieces"]["received"] == 2
