"""./run as a newcomer would use it, in a network of its own: the four values within a
minute, nothing left after Ctrl-C, everything still there the next time."""
import json
import os
import pathlib
import signal
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("HATANG_BUILD", ROOT / "build" / "dev"))

# One machine on a LAN with one other; both in a namespace that ends with the script.
SCRIPT = r"""
set -eu
mount -t tmpfs tmpfs /run && mkdir /run/netns
ip link set lo up
ip netns add other
ip link add eth0 type veth peer name eth0 netns other
ip addr add 192.168.77.2/24 dev eth0; ip link set eth0 up
nsenter --net=/run/netns/other sh -c 'ip addr add 192.168.77.1/24 dev eth0; ip link set eth0 up'
ip route add default via 192.168.77.1
export HATANG_URL=http://127.0.0.1:18480 HATANG_TOKEN_FILE=$STATE/server/admin.token

once() {
	# Job control: a background job that does not ignore Ctrl-C.
	set -m; ./run --build "$BUILD" --state "$STATE" >"$STATE.$1.out" 2>&1 & run=$!; set +m
	for _ in $(seq 600); do
		grep -q '5/5' "$STATE.$1.out" && break
		kill -0 $run || { cat "$STATE.$1.out"; exit 1; }
		sleep 0.1
	done
	for _ in $(seq 600); do
		"$BUILD/cli/hatang" index show this-office --own --json >"$STATE.$1.json"
		python3 -c 'import json, sys
values = {v["indicator"]: v["value"] for v in json.load(open(sys.argv[1]))}
sys.exit(values["computers"] is None or values["security"] is None)' "$STATE.$1.json" && break
		sleep 0.1
	done
	"$BUILD/cli/hatang" agents --json >"$STATE.$1.agents"
	kill -INT -$run; wait $run || true
	pgrep -fa "$STATE/" >"$STATE.$1.left" || true
}
once first
once second
"""


@pytest.mark.long
def test_run(tmp_path):
    state = tmp_path / "home"
    r = subprocess.run(["unshare", "-Urnmp", "--fork", "--mount-proc", "--propagation", "private", "bash", "-c", SCRIPT],
                       cwd=ROOT, env={**os.environ, "STATE": str(state), "BUILD": str(BUILD)},
                       capture_output=True, text=True, timeout=240,
                       # A shell that runs us in the background has Ctrl-C ignored, and
                       # what is ignored at the start no shell can trap.
                       preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    text = {p.name: p.read_text() for p in tmp_path.iterdir() if p.is_file()}
    assert r.returncode == 0, r.stdout + r.stderr + str(text)
    for run in ("first", "second"):
        assert "Dashboard   http://127.0.0.1:18480/" in text[f"home.{run}.out"]
        assert "Password" in text[f"home.{run}.out"]
        assert text[f"home.{run}.left"] == ""
        values = {v["indicator"]: v for v in json.loads(text[f"home.{run}.json"])}
        assert set(values) == {"computers", "bandwidth", "wan", "security"}
        assert values["computers"]["status"] != "unknown" and values["computers"]["evidence"]
        assert values["security"]["status"] != "unknown" and values["security"]["evidence"]
        # Nobody has told of a line to anywhere: that is said, not shown as 0.
        for name in ("bandwidth", "wan"):
            assert values[name]["value"] is None and values[name]["reason"] and values[name]["cure"]
    first, second = (json.loads(text[f"home.{run}.agents"]) for run in ("first", "second"))
    assert [a["id"] for a in first] == [a["id"] for a in second] == ["this-office-1"]
    assert first[0]["enrolled"] == second[0]["enrolled"]
    assert first[0]["presence"]["session"] != second[0]["presence"]["session"]
