"""The dispute pack: both clocks, evidence, graphs; names are hostile; who may see it."""
import hashlib, html.parser, json, os, re, sqlite3, sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from test_cli import hatang
from test_web import account, problem
from web_fixture import Client, block, filled, pack, put

EVIL = "<script>alert(1)</script>\"'&"
START = 1604203200000  # 2020-11-01T04:00:00Z, 11:00 in Vietnam
MINUTE = 60000
ID = "y-ty-wan-20201101T040000Z"


def series(db, id_, agent, name, points):
    put(db, "series", id=id_, agent=agent, name=name, unit="s")
    by_hour = {}
    for at, v in points:
        by_hour.setdefault(at // 3600000 * 3600000, []).append((at, v))
    for hour, some in by_hour.items():
        put(db, "series_block", series=id_, hour_ms=hour, n=len(some), min=0, max=1, sum=1, points=block(hour, some))


def fill_outage(store):
    with sqlite3.connect(store) as db:
        db.execute("UPDATE agency SET name = ? WHERE id = 'y-ty'", ("Xã " + EVIL,))
        db.execute("UPDATE link SET provider = ? WHERE id = 'y-ty-wan'", ("VNPT " + EVIL,))
        put(db, "agent", id="y-ty-1", agency="y-ty", vantage=0, journal_id=1)
        rows = []
        for i, agent in enumerate(("loi-1", "loi-1", "y-ty-1")):
            rows.append(db.execute(
                "INSERT INTO journal (source, kind, agent, received_ms, content_type, payload) VALUES"
                " ('agent', 'data', ?, ?, 'application/senml+json', ?)",
                (agent, START + i, pack(agent, [{"n": "selftest/x/count", "v": i}]))).lastrowid)
        put(db, "outage", id=ID, link="y-ty-wan", agency="y-ty", provider="VNPT " + EVIL, state="DOWN",
            start_ms=START + 1000, start_uncertainty_ms=1000, end_ms=START + 20 * MINUTE, end_uncertainty_ms=1500,
            edge_start_ms=START, edge_start_uncertainty_ms=500, edge_end_ms=START + 19 * MINUTE,
            edge_end_uncertainty_ms=500, edge_agent="y-ty-1", cause="wan-link", cause_reason="Because " + EVIL,
            evidence=json.dumps([rows[0]]), opened_journal=rows[0], closed_journal=rows[1])
        put(db, "outage_evidence", outage=ID, journal_id=rows[2])
        put(db, "maintenance", id="m1", scope="link", subject="y-ty-wan", from_ms=START + 15 * MINUTE,
            to_ms=START + 60 * MINUTE, reason="cable " + EVIL, actor="admin", entered_ms=START + 90 * MINUTE)
        put(db, "maintenance", id="m2", scope="agency", subject="bat-xat", from_ms=START + 16 * MINUTE,
            to_ms=START + 18 * MINUTE, reason="same", actor="admin", entered_ms=START)
        put(db, "maintenance", id="m3", scope="provider", subject="Viettel", from_ms=START,
            to_ms=START + 60 * MINUTE, reason="another carrier's", actor="admin", entered_ms=START)
        for at, state in ((START + 3000, "down"), (START + 19 * MINUTE + 2000, "up")):
            put(db, "edge_event", agent="y-ty-1", subject="y-ty-wan", kind="reach", at_ms=at, value=state,
                uncertainty_ms=0, journal_id=rows[2])
        minutes = [START + m * MINUTE for m in range(-30, 50)]
        alive = [at for at in minutes if not 0 <= at - START < 19 * MINUTE]
        series(db, 101, "loi-1", "reach/y-ty-wan/rtt-avg", [(at, 0.02) for at in alive])
        series(db, 102, "loi-1", "reach/y-ty-wan/sent", [(at, 60) for at in minutes])
        series(db, 103, "loi-1", "reach/y-ty-wan/received", [(at, 60 if at in alive else 0) for at in minutes])
        series(db, 104, "y-ty-1", "reach/y-ty-wan:gateway/rtt-avg", [(at, 0.001) for at in minutes])
        # What stands here is the folds' result: they must not judge it anew.
        db.execute("UPDATE fold_cursor SET journal_id = (SELECT max(id) FROM journal)")
        return rows


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    s = filled(tmp_path_factory.mktemp("web"), tmp_path_factory.mktemp("share"))
    s.rows = fill_outage(s.store)
    yield s
    assert s.stop() == 0


@pytest.fixture(scope="module")
def admin(server):
    c = Client(server.base)
    assert c.login("admin", server.password).status == 200
    return c


def test_both_clocks_and_what_counts(admin):
    r = admin.get(f"outages/{ID}/dispute")
    assert r.status == 200, r.body
    d = r.json
    assert d["clocks"]["estimate"] == {"start": "2020-11-01T04:00:01.000Z", "start_uncertainty_s": 1,
                                       "end": "2020-11-01T04:20:00.000Z", "end_uncertainty_s": 1.5}
    assert d["clocks"]["edge"]["agent"] == "y-ty-1"
    assert d["clocks"]["edge"]["end"] == "2020-11-01T04:19:00.000Z"
    # Two windows overlap each other: four minutes in all, from 15 to 19.
    assert d["counted"] == {"start": "2020-11-01T04:00:00.000Z", "end": "2020-11-01T04:19:00.000Z",
                            "duration_s": 1140, "maintenance_s": 240}
    assert [(w["id"], w["overlap_s"]) for w in d["maintenance"]] == [("m1", 240), ("m2", 120)]
    assert d["contract"]["carrier"] == "VNPT " + EVIL and d["contract"]["down_bps"] == 10_000_000
    assert [c["state"] for c in d["edge_record"]] == ["down", "up"]
    assert len(d["rules"]) == 9


def test_evidence_has_the_rows_hashes(admin, server):
    with sqlite3.connect(server.store) as db:
        want = {i: hashlib.sha256(p).hexdigest() for i, p in db.execute(
            f"SELECT id, payload FROM journal WHERE id IN ({','.join(map(str, server.rows))})")}
    got = {e["row"]: e["sha256"] for e in admin.get(f"outages/{ID}/dispute").json["evidence"]}
    assert got == want and len(got) == 3


def test_graphs_before_during_and_after(admin):
    graphs = {(g["agent"], g["quantity"]): g for g in admin.get(f"outages/{ID}/dispute").json["graphs"]}
    assert set(graphs) == {("loi-1", "rtt"), ("loi-1", "loss"), ("y-ty-1", "rtt")}
    loss = graphs["loi-1", "loss"]["mean"]
    # Ten minutes before, nineteen within, ten after.
    assert loss == [0] * 10 + [1] * 19 + [0] * 10
    rtt = graphs["loi-1", "rtt"]["mean"]
    assert rtt[:10] == [0.02] * 10 and rtt[10:29] == [None] * 19 and rtt[29:] == [0.02] * 10
    assert all(v == 0.001 for v in graphs["y-ty-1", "rtt"]["mean"])


class Page(html.parser.HTMLParser):
    void = {"meta", "br", "line", "rect", "path", "polyline"}

    def __init__(self, page):
        super().__init__(convert_charrefs=True)
        self.tags, self.open, self.text, self.attrs = [], [], [], []
        self.feed(page)
        assert not self.open, self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attrs += attrs
        if tag not in self.void:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attrs += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.text.append(data)


def test_the_page_is_whole_and_escaped(admin):
    r = admin.get(f"outages/{ID}/dispute?format=html")
    assert r.status == 200 and r.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in r.headers["Content-Security-Policy"]
    assert "script" not in r.headers["Content-Security-Policy"]
    raw = r.body.decode()
    page = Page(raw)
    assert "script" not in page.tags and "<script" not in raw
    text = "".join(page.text)
    assert text.count(EVIL) >= 4, "agency, carrier, reason and cause are shown as they are written"
    assert not [a for a in page.attrs if a[0].startswith("on") or a[0] in ("src", "href", "style")]
    assert "http" not in raw.replace("http-equiv", ""), "nothing from elsewhere"
    for words in ("Hồ sơ sự cố", "Outage dispute pack", "Hai đồng hồ", "Both clocks", "Bằng chứng", "Evidence",
                  "01/11/2020 11:00:00.000", "0:19:00", "0:04:00", "Số phiếu của nhà mạng", "Carrier's ticket",
                  "đường truyền của nhà mạng", "Quy tắc tính"):
        assert words in text, words
    assert page.tags.count("svg") == 3 and page.tags.count("h1") == 1
    assert len(re.findall(r"[0-9a-f]{64}", text)) == 3
    # The curve of the core's round trips breaks where nothing answered.
    assert raw.count("<polyline") == 1 + 2 + 1


def test_ticket_and_note(admin, server):
    note = lambda c, **body: c.call("PUT", f"/api/v1/outages/{ID}/note", body)
    assert note(admin, ticket="VNPT-123", note="gọi lúc 11:05 " + EVIL).status == 204
    d = admin.get(f"outages/{ID}/dispute").json
    assert (d["ticket"], d["note"]) == ("VNPT-123", "gọi lúc 11:05 " + EVIL)
    assert "VNPT-123" in "".join(Page(admin.get(f"outages/{ID}/dispute?format=html").body.decode()).text)
    assert note(admin, ticket="VNPT-124").status == 204
    o = admin.get(f"outages/{ID}").json
    assert (o["ticket"], o["note"]) == ("VNPT-124", None)
    problem(note(admin, ticket="x" * 121), 400)
    problem(admin.call("PUT", "/api/v1/outages/none/note", {"ticket": "x"}), 404)
    problem(note(account(server, admin, "chi-xem", "viewer"), ticket="x"), 403)
    problem(note(account(server, admin, "sa-pa-it", "operator", "sa-pa"), ticket="x"), 404)


def test_who_may_see_it(server, admin):
    assert account(server, admin, "bx", "viewer", "bat-xat").get(f"outages/{ID}/dispute").status == 200
    problem(account(server, admin, "sp", "viewer", "sa-pa").get(f"outages/{ID}/dispute"), 404)
    problem(admin.get("outages/none/dispute"), 404)
    problem(admin.get(f"outages/{ID}/dispute?format=pdf"), 400)


def test_rows_that_went_come_from_the_evidence(server, admin):
    """What retention removed from the journal is still told, by the copy that it left."""
    before = admin.get(f"outages/{ID}/dispute").json["evidence"]
    with sqlite3.connect(server.store) as db:
        row = server.rows[2]
        payload, = db.execute("SELECT payload FROM journal WHERE id = ?", (row,)).fetchone()
        put(db, "evidence", hash=hashlib.sha256(payload).digest(), journal_id=row, agent="y-ty-1",
            received_ms=START + 2, content_type="application/senml+json", payload=payload)
        db.execute("DELETE FROM journal WHERE id = ?", (row,))
    assert admin.get(f"outages/{ID}/dispute").json["evidence"] == before


def test_cli(server, tmp_path):
    env = {"HATANG_URL": server.base}
    assert hatang(tmp_path, "login", stdin=server.password + "\n", **env).returncode == 0
    cli = lambda *words: hatang(tmp_path, "outages", *words, **env)
    assert ID in cli("list").stdout and ID in cli("list", "--link", "y-ty-wan").stdout
    assert ID not in cli("list", "--open").stdout
    assert json.loads(cli("show", ID).stdout)["id"] == ID
    assert cli("note", ID, "--ticket", "T-9").returncode == 0
    assert json.loads(cli("dispute", ID).stdout)["ticket"] == "T-9"
    file = tmp_path / "dispute.html"
    assert cli("dispute", ID, "--html", str(file)).returncode == 0
    assert Page(file.read_text()).tags.count("svg") == 3
    r = cli("availability", "--month", "2020-11", "--by", "provider")
    assert r.returncode == 0 and "Viettel" in r.stdout and "denominator" in r.stdout
    assert cli("availability", "--link", "x", "--agency", "y").returncode == 2
    r = cli("dispute", "none")
    assert r.returncode == 1 and "no outage" in r.stderr
    assert cli("dispute", "none", "--html", str(tmp_path / "x")).returncode == 1
    assert not (tmp_path / "x").exists()
