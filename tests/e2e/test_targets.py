"""What the registry says is pinged, with nobody writing YAML: lists go to vantages and
offices' agents in pages, follow edits, and come whole through whatever is killed."""
import hashlib
import json


from province import REGISTRY, SELFTEST, Wire, until

HEAD = "id,name,level,parent,servants,servants_as_of,link_id,role,kind,line_type,provider,contracted_down,contracted_up,router_address,parents\n"


def links_csv(n, first=0, address=lambda i: f"127.64.{i // 250}.{i % 250 + 1}"):
    """n communes with a link each, every tenth of them the parent of the nine behind it. The
    addresses are this machine's own: all of 127/8 answers."""
    lines = ["lao-cai,UBND tỉnh Lào Cai,province,,420,2018-03-01,,,,,,,,,\n"]
    for i in range(first, first + n):
        parent = "" if i % 10 == 0 else f"x{i - i % 10:05}-wan"
        lines.append(f"x{i:05},Xã {i},commune,lao-cai,10,2018-03-01,x{i:05}-wan,primary,"
                     f"province-wan,ftth,VNPT,50M,50M,{address(i)},{parent}\n")
    return HEAD + "".join(lines)


def kept(machine):
    """The list that the agent keeps: text, id -> (address, parents)."""
    file = machine.folder / "targets"
    if not file.exists():
        state = next(machine.folder.rglob("targets"), None)
        if state is None:
            return "", {}
        file = state
    text = file.read_text()
    targets = {}
    for line in text.splitlines():
        if line.startswith("target "):
            _, id, address, *parents = line.split()
            targets[id] = (address, parents)
    return text, targets


def in_force(province, agent):
    t = province.show(agent)["targets"]
    return bool(t) and t["state"] == "in-force"


def vantage(province, name="core", **options):
    m = province.enroll(name, "lao-cai")
    province.hatang("agents", "vantage", m.id)
    if options:
        drop = m.folder / "agent.d"
        drop.mkdir(exist_ok=True)
        (drop / "reach.yaml").write_text(f"reach: {json.dumps(options)}\n")
    return m


def test_imported_links_reach_the_vantage_and_follow_edits(province):
    province.registry(links_csv(30))
    m = vantage(province).run(SELFTEST)
    until("the list", lambda: len(kept(m)[1]) == 30)
    until("in force", lambda: in_force(province, m.id))
    text, targets = kept(m)
    assert targets["x00000-wan"] == ("127.64.0.1", [])
    assert targets["x00009-wan"] == ("127.64.0.10", ["x00000-wan"])
    shown = province.show(m.id)["targets"]
    assert shown["count"] == 30 and shown["hash"] == hashlib.sha256(text.encode()).hexdigest()
    session = province.show(m.id)["presence"]["session"]

    province.registry(links_csv(30, address=lambda i: "127.9.9.9" if i == 7 else f"127.64.0.{i + 1}"))
    until("the agent follows", lambda: kept(m)[1]["x00007-wan"][0] == "127.9.9.9", 10)
    status, _ = province.request("DELETE", "/api/v1/links/x00005-wan")
    assert status in (200, 204), status
    until("it is no longer pinged", lambda: "x00005-wan" not in kept(m)[1], 10)
    until("in force", lambda: in_force(province, m.id))

    # It is kept, and in force at once after a start.
    assert m.process.stop() == 0
    m.run()
    until("a new session", lambda: province.show(m.id)["presence"]["session"] != session)
    until("in force", lambda: in_force(province, m.id))
    assert m.process.log.read_text().count("event=command.targets") == 3, "sent once each"

    # No vantage any more: only its own office's roles, and this agency has no link.
    province.hatang("agents", "vantage", m.id, "--off")
    until("nothing is left to ping", lambda: not kept(m)[1], 10)
    until("in force", lambda: in_force(province, m.id))



def test_offices_agent_measures_its_own_roles(province):
    province.registry()
    m = province.enroll("box").run(SELFTEST)
    until("the roles", lambda: len(kept(m)[1]) == 2)
    text, targets = kept(m)
    assert targets == {"bat-xat-wan": ("server", ["bat-xat-wan:gateway"]),
                       "bat-xat-wan:gateway": ("gateway", [])}
    until("in force", lambda: in_force(province, m.id))
    assert "self" not in text, "no stranger is pinged that nobody named"


def test_what_the_agent_does_not_take_is_shown(province):
    province.registry(links_csv(30))
    m = vantage(province, max_targets=10).run(SELFTEST)
    refused = until("the refusal", lambda: (province.show(m.id)["targets"] or {}).get("refused"))
    assert "30 targets" in refused and "reach.max_targets" in refused
    assert province.show(m.id)["targets"]["state"] == "refused"
    assert kept(m)[1] == {}
    assert "refused" in province.hatang("agents")
    # The administrator of that machine allows more.
    assert m.process.stop() == 0
    (m.folder / "agent.d/reach.yaml").write_text("reach: { max_targets: 30 }\n")
    m.run()
    until("in force", lambda: in_force(province, m.id))
    assert province.show(m.id)["targets"]["refused"] is None


def test_pages_go_on_where_the_agent_stands(province):
    """The server may start anywhere: the agent says which page it wants next."""
    province.registry(links_csv(2500))
    m = vantage(province)
    got = []

    def be_online(session):
        wire = Wire(m)
        wire.publish("presence", {
            "state": "online", "session": session, "mono": 1.5, "wall": 1.5,
            "boot": "01234567-89ab-cdef-0123-456789abcdef", "synchronised": True,
            "version": "1", "fingerprint": province.show(m.id)["fingerprint"]},
            content_type="application/json", retain=True)
        return wire

    def page(wire, n):
        def find():
            return next((c for t, p in list(wire.messages) if t.endswith("/cmd")
                         and (c := json.loads(p))["verb"] == "targets" and c["page"] == n), None)
        c = until(f"page {n}", find)
        got.append(c["page"])
        return c

    def answer(wire, c, next_):
        wire.publish("reply", {"id": c["id"], "ok": True, "fields": {"next": str(next_)}},
                     content_type="application/json")

    wire = be_online("00000000000000a1")
    texts = {}
    for n in (0, 1):
        c = page(wire, n)
        texts[n] = c["text"]
        answer(wire, c, n + 1)
    c = page(wire, 2)
    pages = c["pages"]
    assert pages > 2 and all(len(t.encode()) == 48 * 1024 for t in texts.values())
    wire.close()

    wire = be_online("00000000000000a2")
    answer(wire, page(wire, 0), 2)          # the first two are here already
    for n in range(2, pages):
        c = page(wire, n)
        texts[n] = c["text"]
        answer(wire, c, n + 1)
    assert got == [0, 1, 2, 0, *range(2, pages)]
    whole = "".join(texts[n] for n in range(pages))
    assert hashlib.sha256(whole.encode()).hexdigest() == c["hash"]
    assert whole.count("\ntarget ") == 2500
    wire.close()


def test_twenty_thousand_links_come_whole_through_kills(province):
    province.registry(links_csv(20))
    m = vantage(province, max_targets=20000, packets_per_s=30000).run(SELFTEST)
    until("the small list", lambda: len(kept(m)[1]) == 20)
    for part in range(0, 20000, 10000):     # a CSV has a ceiling
        province.registry(links_csv(10000, part))
        province.folded(200)                # the next is refused while this one is taken in
    until("composed", lambda: province.show(m.id)["targets"]["count"] == 20000, 60)
    for part in (m.process, province.broker, m.process):
        part.kill()
        assert len(kept(m)[1]) in (20, 10000, 20000), "the old list or the new, never a part"
        part.start()
        until("pages, or all of them", lambda: m.answers() and (
            m.status()["targets"]["pages"] > 0 or len(kept(m)[1]) == 20000), 30)
    until("the whole list", lambda: len(kept(m)[1]) == 20000, 60)
    until("in force", lambda: in_force(province, m.id), 60)
    text, targets = kept(m)
    assert hashlib.sha256(text.encode()).hexdigest() == province.show(m.id)["targets"]["hash"]
    assert targets["x19999-wan"][1] == ["x19990-wan"]
    composed = [line for line in province.server.log.read_text().splitlines()
                if "event=targets.composed" in line and "vantage=20000" in line]
    assert len(composed) == 1, "an import is one list, not one a row"


def test_the_vantage_pings_what_the_list_says(province):
    def csv(n, moved=""):
        return links_csv(n, address=lambda i: moved if moved and i == 1 else f"127.0.7.{i + 1}")

    drop = province.folder / "server.d"
    drop.mkdir()
    (drop / "reach.yaml").write_text("reach: { self: [127.0.0.1] }\n")
    assert province.server.stop() == 0
    province.server.start()
    until("the server answers", lambda: province.get("/readyz")[0] == 200)
    province.registry(csv(4))
    m = vantage(province).run(SELFTEST)

    def told(link):
        return province.latest(m.id, "reach/").get(f"reach/x{link:05}-wan/state")

    for i in range(4):
        until(f"link {i} is up", lambda: (told(i) or {}).get("value") == "up")
    until("it sees", lambda: (province.latest(m.id, "reach/").get("reach/reach/blind") or
                              {}).get("value") is False)
    assert m.status()["targets"]["pinged"] == 4
    before = {i: told(i)["at"] for i in range(4)}

    # Another address is another target, learned within seconds; the rest goes on untold.
    province.registry(csv(4, moved="127.0.8.1"))
    until("link 1 is told anew", lambda: told(1)["at"] != before[1], 10)
    assert {i: told(i)["at"] for i in (0, 2, 3)} == {i: before[i] for i in (0, 2, 3)}
    status, _ = province.request("DELETE", "/api/v1/links/x00003-wan")
    assert status == 204
    until("it is no longer pinged", lambda: m.status()["targets"]["pinged"] == 3, 10)
    assert "event=reach.retarget" in m.process.log.read_text()

    # A configuration that lists targets itself wins, and the server is told why.
    m.probes(SELFTEST + "  - { probe: reach, id: own, targets: [ { id: mine, address: 127.0.9.1 } ] }\n")
    m.process.signal(1)
    until("its own target", lambda: "reach/mine/state" in province.latest(m.id, "reach/"))
    until("nothing of the server's", lambda: m.status()["targets"]["pinged"] == 0)
    province.registry(csv(6))
    refused = until("the refusal", lambda: province.show(m.id)["targets"]["refused"])
    assert 'probe reach "own"' in refused
    # And when it lists none any more, the registry's are pinged again.
    m.probes(SELFTEST)
    m.process.signal(1)
    until("the registry's", lambda: m.status()["targets"]["pinged"] == 3)
    assert m.process.stop() == 0
    m.run()                             # a start is asked at once, not ten minutes later
    until("all of the registry's", lambda: m.answers() and m.status()["targets"]["pinged"] == 6, 20)


def test_an_office_pings_where_it_reaches_the_broker(province):
    province.registry()
    m = province.enroll("box").run(SELFTEST)
    until("the far end answers", lambda: (province.latest(m.id, "reach/").get(
        "reach/bat-xat-wan/state") or {}).get("value") == "up")
