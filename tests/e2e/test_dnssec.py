"""The probe dns judges signatures as unbound does, which knows nothing of ours: whole zones and
spoiled ones, each name by both."""
import re
import shutil
import subprocess

import pytest
from parts import AGENT, BUILD

SERVE = BUILD / "tests/unit/probes/dns_world_serve"
NAMES = [("www.one.example", "A"), ("www.three.example", "A"), ("x.wild.three.example", "A"),
         ("there.one.example", "A"), ("here.one.example", "A"), ("www.one.example", "MX"),
         ("no.three.example", "A"), ("no.unsigned.example", "A")]
# What is spoiled, and how many of the names must show it.
CASES = [((), 0),
         (("unsign", "www.three.example.", "A"), 2),
         (("add", "www.one.example. 300 IN A 203.0.113.66"), 1),
         (("drop", "www.one.example.", "NSEC"), 1),
         (("unsign", "one.example.", "DNSKEY"), 4),
         (("drop", "one.example.", "DS"), 4),
         (("unsign", "unsigned.example.", "NSEC"), 2)]
CONF = """server:
  do-not-query-localhost: no
  trust-anchor-file: {anchor}
  qname-minimisation: no
  username: ""
  chroot: ""
forward-zone: {{ }}
"""


def by_unbound(conf, name, kind):
    said = subprocess.run(["unbound-host", "-C", conf, "-v", "-t", kind, name], capture_output=True,
                          text=True, timeout=60)
    found = re.search(r"\((secure|insecure|BOGUS)", said.stdout)
    assert found, said.stdout + said.stderr
    return found[1].lower()


def by_ours(port, anchor, name, kind):
    sets = (f"name={name}", f"type={kind}", f"server=127.0.0.1:{port}", "dnssec=validate",
            f"anchors={anchor}")
    said = subprocess.run([AGENT, "probe", "dns", *(x for s in sets for x in ("--set", s))],
                          capture_output=True, text=True, timeout=60)
    found = re.search(r"/dnssec +(\w+)", said.stdout)
    assert found, said.stdout + said.stderr
    return found[1]


@pytest.mark.skipif(not shutil.which("unbound-host"), reason="needs unbound-host")
def test_verdicts_are_those_of_unbound(tmp_path):
    anchor, conf = tmp_path / "anchor", tmp_path / "unbound.conf"
    for spoiled, n_bogus in CASES:
        server = subprocess.Popen([SERVE, anchor, *spoiled], stdout=subprocess.PIPE, text=True)
        try:
            port = int(server.stdout.readline())
            conf.write_text(CONF.format(anchor=anchor).replace(
                "forward-zone: { }", f'forward-zone:\n  name: "."\n  forward-addr: 127.0.0.1@{port}'))
            ours = {n: by_ours(port, anchor, *n) for n in NAMES}
            assert ours == {n: by_unbound(conf, *n) for n in NAMES}, spoiled
            assert list(ours.values()).count("bogus") == n_bogus, (spoiled, ours)
            if not spoiled:
                assert {v for v in ours.values()} == {"secure", "insecure"}
        finally:
            server.kill()
            server.wait()
