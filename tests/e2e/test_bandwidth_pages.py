"""Bandwidth and WAN sections in Debian's Chromium, on a store that the folds made."""
import os, subprocess, sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from folded import folded
from test_agentless import journal
from test_dashboard import WEB, share  # noqa: F401: the same build

pytestmark = pytest.mark.xdist_group("dashboard")  # one build for all


@pytest.mark.long
@pytest.mark.once("the pages run in the browser")
def test_bandwidth(share, tmp_path):  # noqa: F811
    s = folded(tmp_path, share, journal())
    try:
        done = subprocess.run(["node", "test/bandwidth.mjs", s.base, s.password, str(tmp_path / "shots")],
                              cwd=WEB, capture_output=True, text=True, timeout=120)
    finally:
        s.stop()
    assert done.returncode == 0, done.stdout + done.stderr
    assert len([l for l in done.stdout.splitlines() if l.startswith("ok ")]) == 6, done.stdout
