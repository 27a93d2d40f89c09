"""Incidents, outages, board, maintenance and a link's page in Debian's Chromium, on the real API."""
import json, os, subprocess, sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from outage_fixture import with_outages
from test_dashboard import WEB


@pytest.fixture(scope="module")
def share(tmp_path_factory):
    share = tmp_path_factory.mktemp("share")
    subprocess.run([os.path.join(WEB, "build"), str(share / "dashboard")], check=True)
    return share


def test_pages(share, tmp_path):
    s = with_outages(tmp_path, share, many=500)
    try:
        done = subprocess.run(["node", "test/outages.mjs", s.base, s.password, str(tmp_path / "shots"), json.dumps(s.made)],
                              cwd=WEB, capture_output=True, text=True, timeout=300)
    finally:
        s.stop()
    assert done.returncode == 0, done.stdout + done.stderr
    assert len([l for l in done.stdout.splitlines() if l.startswith("ok ")]) == 10, done.stdout
