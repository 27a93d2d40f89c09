"""The static agent for routers, on real parts: what it is made of, that it measures what the
ordinary one measures, and that nothing is lost on its way, killed or not. What qemu-user does
not have (seccomp filters, packet sockets) is tried by the amd64 build alone."""
import json
import os
import pathlib
import shutil
import subprocess
import tarfile

import pytest
from broker import until
from parts import AGENT, json_records
from router import TARGETS, build

pytestmark = [pytest.mark.once("the static build has none"), pytest.mark.xdist_group("static")]

LIMIT = 4 * 1000 * 1000  # bytes of an archive
HERE = pathlib.Path(__file__).parent
DEVICE, SNMPREC = HERE / "snmp_device.py", HERE.parent / "data/snmp/router.snmprec"
IN_ARCHIVE = {"usr/bin/hatang-agent", "etc/init.d/hatang-agent",
              "etc/hatang/agent.d/10-router.yaml", "usr/share/doc/hatang-agent/README.md",
              "usr/share/doc/hatang-agent/LICENCES"}


@pytest.fixture(scope="module", params=sorted(TARGETS, key=list(TARGETS).index))
def router(request):
    return build(request.param)


def native(*args):
    return subprocess.run([AGENT, *map(str, args)], capture_output=True, text=True, check=True,
                          timeout=60).stdout


def readings(text):
    """Name (after "none/", who was not configured) to what was measured, without the times."""
    return {r["n"].split("/", 1)[1]: {k: r[k] for k in r if k in ("v", "vs", "vb", "u")}
            for r in json_records(text)}


# ── what it is ──

def test_static_for_its_machine(router):
    elf = subprocess.run(["readelf", "-hlW", router.agent], capture_output=True, text=True,
                         check=True).stdout
    assert router.elf_class in elf and router.machine in elf
    assert "INTERP" not in elf, "it needs a loader"
    assert "DYN (Position-Independent" in elf, "addresses are random"
    assert "GNU_RELRO" in elf
    needed = subprocess.run(["readelf", "-dW", router.agent], capture_output=True, text=True).stdout
    assert "NEEDED" not in needed
    text = router.agent.read_bytes()
    assert str(pathlib.Path.home()).encode() + b"/" not in text, "a folder of whoever built it"


def test_archives(router):
    assert [a.suffix for a in router.archives] == [".gz", ".xz"]
    for archive in router.archives:
        assert archive.stat().st_size <= LIMIT
        print(f"\n{archive.name}: {archive.stat().st_size} bytes")
        with tarfile.open(archive) as tar:
            members = tar.getmembers()
            files = {m.name: m for m in members}
            assert set(files) == IN_ARCHIVE, "and no folder: the router's own keep their modes"
            assert {(m.uid, m.gid) for m in members} == {(0, 0)}
            assert len({m.mtime for m in members}) == 1, "the time of the sources, not of the day"
            assert files["usr/bin/hatang-agent"].mode == 0o755
            assert tar.extractfile(files["usr/bin/hatang-agent"]).read() == router.agent.read_bytes()
            licences = tar.extractfile(files["usr/share/doc/hatang-agent/LICENCES"]).read().decode()
    for name in ("musl", "openssl", "libuv", "libseccomp", "net-snmp", "curl", "mosquitto", "ldns"):
        assert f"\n{name} " in licences and f"=== {name} ===" in licences


def test_no_probe_is_left_out(router):
    assert router.run("--version") == native("--version")
    assert json.loads(router.run("metrics", "--json")) == json.loads(native("metrics", "--json"))


def test_the_same_configuration_is_right_and_wrong(router, tmp_path):
    good = tmp_path / "agent.yaml"
    good.write_text(f"agent: {{ id: a1, state_dir: {tmp_path}/state }}\nspool: {{ max_bytes: 10G, max_age: 3650d }}\n"
                    "probes:\n  - { probe: icmp, target: 10.0.0.1, every: 60s }\n")
    assert router.run("check-config", "--config", good, "--json") == \
        native("check-config", "--config", good, "--json")
    bad = tmp_path / "bad.yaml"
    bad.write_text(good.read_text().replace("every: 60s", "evry: 60s"))
    for program in router.program, [AGENT]:
        done = subprocess.run([*program, "check-config", "--config", bad], capture_output=True, text=True)
        assert done.returncode == 78 and "bad.yaml:4:38" in done.stderr and "every" in done.stderr


def test_the_shipped_drop_in_is_read(router, tmp_path):
    (tmp_path / "agent.d").mkdir()
    shutil.copy(HERE.parents[1] / "packaging/static/openwrt/10-router.yaml", tmp_path / "agent.d")
    (tmp_path / "agent.yaml").write_text("agent: { id: a1 }\n")
    assert "ok: agent a1" in router.run("check-config", "--config", tmp_path / "agent.yaml")


# ── what it measures ──

def test_pings(router):
    for target in "127.0.0.1", "::1", "localhost":
        got = readings(router.run("probe", "icmp", "--target", target, "--set", "count=3",
                                  "--set", "spacing=10ms", "--json"))
        assert got["icmp/icmp/status"]["vs"] == "ok", target
        assert got["icmp/icmp/received"]["v"] == 3
        assert 0 < got["icmp/icmp/rtt_min"]["v"] <= got["icmp/icmp/rtt_max"]["v"] < 1
    got = readings(router.run("probe", "icmp", "--target", "no.such.name.invalid", "--json"))
    assert got["icmp/icmp/status"]["vs"] == "unresolved"
    assert "icmp/icmp/loss" not in got, "unknown is not zero"


def test_the_same_of_a_device_by_snmp(router):
    """Counters of 64 bits, names and states, on 32 bits and others as on this machine."""
    with subprocess.Popen(["/usr/bin/python3", DEVICE, SNMPREC], stdout=subprocess.PIPE, text=True) as device:
        try:
            ask = ("probe", "snmp.interfaces", "--target", "127.0.0.1", "--set",
                   f"port={device.stdout.readline().strip()}", "--json")
            mine, theirs = readings(router.run(*ask)), readings(native(*ask))
        finally:
            device.kill()
    up = [side.pop("snmp/snmp.interfaces/uptime")["v"] for side in (mine, theirs)]
    assert abs(up[0] - up[1]) < 10, "it goes on between the two"
    assert mine == theirs
    assert max(r.get("v", 0) for r in mine.values()) > 2 ** 32


INSIDE = """\
set -e
ip link set lo up
echo "0 0" >/proc/sys/net/ipv4/ping_group_range
dnsmasq --user=root --group= --no-resolv --no-hosts --conf-file=/dev/null --pid-file= --bind-interfaces \
    --listen-address=127.0.0.1 --local=/test/ --host-record=far.office.test,127.0.0.7
root=$1; shift
touch "$root/dev/null"
mount --bind /dev/null "$root/dev/null"
exec chroot "$root" "$@"
"""


def test_alone_in_an_empty_root(router, tmp_path):
    """Nothing but the program, resolv.conf, /dev/null and a name server: no NSS, no /etc/hosts, no /proc."""
    if subprocess.run(["unshare", "-Urnm", "true"], capture_output=True).returncode:
        pytest.skip("needs user namespaces")
    for d in "etc", "state", "dev":
        (tmp_path / d).mkdir()
    (tmp_path / "etc/resolv.conf").write_text("nameserver 127.0.0.1\n")
    (tmp_path / "etc/agent.yaml").write_text("agent: { id: a1, state_dir: /state }\n")
    shutil.copy(router.agent, tmp_path / "agent")
    program = ["/agent"]
    if len(router.program) > 1:
        shutil.copy(shutil.which(router.program[0]), tmp_path / "qemu")
        program = ["/qemu", "/agent"]

    def alone(*args):
        done = subprocess.run(
            ["unshare", "-Urnm", "--fork", "--kill-child", "sh", "-c", INSIDE, "sh", tmp_path, *program, *args],
            capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    got = readings(alone("probe", "icmp", "--target", "far.office.test", "--json", "--set", "count=1"))
    assert got["icmp/icmp/target"]["vs"] == "127.0.0.7", "named by DNS alone"
    assert got["icmp/icmp/status"]["vs"] == "ok"
    assert "ok: agent a1" in alone("check-config", "--config", "/etc/agent.yaml")


# ── the way of a reading ──

SELFTEST = "  - { probe: selftest, id: st, every: 100ms }\n"


def counts(office):
    return [r["v"] for p in office.server.packs("a1") for r in json_records(p[5])
            if r["n"] == "a1/selftest/st/count"]


def test_to_the_journal_and_killed_on_the_way(router, office):
    """TLS to a real broker, acknowledged packs are deleted, and a kill -9 loses nothing."""
    agent = office.agent("a1", SELFTEST, program=router.program).start()
    until("numbers are in the journal", lambda: len(counts(office)) >= 10, 30)
    agent.kill()
    agent.start()
    had = len(counts(office))
    until("it goes on", lambda: len(counts(office)) >= had + 10, 30)
    assert agent.stop() == 0
    assert agent.queue()["count"] == 0, "all was acknowledged"
    got = sorted(counts(office))
    assert got == list(range(1, len(got) + 1)), "nothing lost, nothing twice"
    assert len({p[2] for p in office.server.packs("a1")}) == 1, "no new epoch"


def test_a_spool_is_the_same_everywhere(router, office):
    """What one build kept another verifies, reads on and sends."""
    office.broker.kill()
    agent = office.agent("a1", SELFTEST, format="cbor", program=router.program).start()
    until("packs wait", lambda: agent.status()["spool"]["packs"] >= 5, 30)
    assert agent.stop() == 0
    mine = agent.verb("queue", "verify", "--json")
    agent.program = [AGENT]
    assert agent.verb("queue", "verify", "--json") == mine
    assert json.loads(mine)["count"] >= 5
    office.broker.start()
    agent.argv = [str(AGENT), *agent.argv[-3:]]
    agent.start()
    until("this machine's agent sends them", lambda: len(office.server.packs("a1")) >= 5, 30)


def test_enrols_by_a_token(router, province):
    province.registry()
    machine = province.machine("r")
    machine.program = router.program
    assert "Enrolled as" in machine.enroll(province.token())
    machine.run(SELFTEST)
    until("its packs are journaled", lambda: province.packs(machine.id) > 3, 30)
    peak = [line for line in pathlib.Path(f"/proc/{machine.process.process.pid}/status").read_text().splitlines()
            if line.startswith("VmHWM")]
    print(f"\n{router.arch}: {peak} (with qemu's own, where there is one)")
