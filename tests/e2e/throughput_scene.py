"""Offices that test their links against the server's endpoint, in a network namespace of
their own whose loopback carries 20 Mbit/s each way: everything real, from the broker to
the pass.

    got = inside("neighbours", folder)     # one of the functions below; returns JSON
"""
import json
import pathlib
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
REGISTRY = """\
id,name,level,parent,servants,servants_as_of,link_id,role,kind,line_type,provider,contracted_down,contracted_up,router_address,parents
lao-cai,UBND tỉnh Lào Cai,province,,420,2018-03-01,core,primary,province-wan,leased-line,VNPT,100M,100M,,
bat-xat,UBND huyện Bát Xát,district,lao-cai,96,2018-03-01,hub,primary,province-wan,leased-line,VNPT,50M,50M,127.0.0.1,core
y-ty,UBND xã Y Tý,commune,bat-xat,21,2018-03-01,y-ty-wan,primary,province-wan,leased-line,VNPT,20M,20M,127.0.0.2,hub
a-lu,UBND xã A Lù,commune,bat-xat,19,2018-03-01,a-lu-wan,primary,province-wan,leased-line,VNPT,20M,20M,127.0.0.3,hub
"""
PROBE = ("  - {{ probe: throughput, id: {link}, every: 1s, timeout: 60s, duration: 2s, watch: 0s,"
         " once_in: 0s, bytes: {bytes}, day_bytes: 1G, month_bytes: 1G {more} }}\n")


def inside(function, *arguments, timeout=120):
    done = subprocess.run(
        ["unshare", "-Urnm", sys.executable, __file__, function, json.dumps(arguments)],
        capture_output=True, text=True, timeout=timeout)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-6000:]
    return json.loads(done.stdout.splitlines()[-1])


def shape(bps):
    """Frames of 1,514 bytes on the loopback too, and no more of them than that."""
    for words in (["ip", "link", "set", "lo", "up", "mtu", "1500"],
                  ["tc", "qdisc", "replace", "dev", "lo", "root", "tbf", "rate", f"{bps}bit",
                   "burst", "25000", "latency", "100ms"]):
        subprocess.run(words, check=True, capture_output=True)


def province(folder, **section):
    from broker import free_port
    from province import Province
    p = Province(pathlib.Path(folder))
    section = {"listen": "127.0.0.1", "port": free_port(), "hours": "00:00-24:00", "wide": "core",
               **section}
    drop = p.folder / "server.d"
    drop.mkdir()
    (drop / "throughput.yaml").write_text(
        "throughput: { " + ", ".join(f"{k}: {v}" for k, v in section.items()) + " }\n")
    p.start()
    p.registry(REGISTRY)
    return p


def office(p, agency, link, bytes="4M", more="", run=True):
    m = p.enroll(agency, agency)
    m.probes(PROBE.format(link=link, bytes=bytes, more=more))
    return m.run() if run else m


def slots(p, where="1"):
    rows = p.query("SELECT id, agent, link, granted_ms, expires_ms, ended_ms, bytes_max, bytes, outcome"
                   f" FROM throughput_slot WHERE {where} ORDER BY id")
    names = "id agent link granted expires ended bytes_max bytes outcome".split()
    return [dict(zip(names, row)) for row in rows]


def told(p, machine, link, quantity):
    """Every value that was journaled, in order: the packs, as the server decodes them."""
    from parts import records
    out = []
    for type_, payload in p.query("SELECT content_type, payload FROM journal WHERE source = 'agent'"
                                  " AND kind = 'data' AND agent = ? ORDER BY id", machine.id):
        out += [r for r in records(type_, payload)
                if r["n"] == f"{machine.id}/throughput/{link}/{quantity}"]
    return [next(r[k] for k in ("v", "vs") if k in r) for r in out]


def latest(p, machine, link):
    """Quantity to value, as the API says it."""
    return {name.split("/")[-1]: item["value"]
            for name, item in p.latest(machine.id, "throughput/" + link).items()}


# ── Scenarios: each runs inside and returns JSON ─────────────────────────────────────


def neighbours(folder):
    """Two offices behind one hub test as often as they may; then one's budget is used up."""
    from broker import until
    shape(20_000_000)
    p = province(folder)
    try:
        machines = {link: office(p, agency, link, "16M", ", direction: down")
                    for agency, link in (("y-ty", "y-ty-wan"), ("a-lu", "a-lu-wan"))}
        until("three tests, of both", lambda: (done := slots(p, "outcome = 'ok'")) and len(done) >= 3
              and {s["link"] for s in done} == set(machines), 60)
        for m in machines.values():
            m.process.stop()
        out = {"slots": slots(p),
               "down": {link: told(p, m, link, "down") for link, m in machines.items()}}
        m = machines["y-ty-wan"]
        m.probes(PROBE.format(link="y-ty-wan", bytes="16M", more="").replace("day_bytes: 1G", "day_bytes: 1M"))
        status = lambda: latest(p, m, "y-ty-wan").get("status", "")
        m.run()
        until("its budget is used up", lambda: "budget" in status())
        out["spent"] = status()
        before = slots(p)[-1]["id"]
        m.process.kill()
        m.run()
        packs = p.packs(m.id)
        until("it has said more", lambda: p.packs(m.id) > packs + 1)
        out["spent_after_kill"] = status()
        figures = lambda: p.get("/api/v1/links/y-ty-wan/bandwidth")[1]["figures"]
        until("the newest attempt is told", lambda: "budget" in ((figures() or {}).get("newest_test") or {}).get("status", ""))
        out["figures"] = figures()
        out["slots_after_kill"] = len(slots(p, f"id > {before}"))
        return out
    finally:
        p.kill()


if __name__ == "__main__":
    sys.path.insert(0, str(HERE))
    print(json.dumps(globals()[sys.argv[1]](*json.loads(sys.argv[2]))))
