"""Maintenance windows by API and CLI: who may, what is refused, what is kept."""
import json, os, sqlite3, sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from test_cli import hatang
from test_web import account, problem
from web_fixture import Client, filled


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    s = filled(tmp_path_factory.mktemp("web"), tmp_path_factory.mktemp("share"))
    yield s
    assert s.stop() == 0


@pytest.fixture(scope="module")
def admin(server):
    c = Client(server.base)
    assert c.login("admin", server.password).status == 200
    return c


def window(c, **more):
    body = {"scope": "link", "subject": "bat-xat-wan", "from": "2026-11-02T01:00:00Z",
            "to": "2026-11-02T03:00:00Z", "reason": "thay cáp quang", **more}
    return c.call("POST", "/api/v1/maintenance", {k: v for k, v in body.items() if v is not None})


def listed(c, query=""):
    return c.get("maintenance" + query).json["items"]


def test_entered_afterwards_changed_and_removed_is_kept(admin, server):
    r = window(admin)
    assert r.status == 201, r.body
    id_ = r.json["id"]
    w, = [w for w in listed(admin) if w["id"] == id_]
    assert (w["agency"], w["agency_name"], w["actor"]) == ("bat-xat", "Huyện Bát Xát", "admin")
    assert w["afterwards"] and w["state"] == "over" and w["reason"] == "thay cáp quang"
    assert window(admin, id=id_, to="2026-11-02T04:00:00Z").status == 201
    assert [w["to"] for w in listed(admin) if w["id"] == id_] == ["2026-11-02T04:00:00.000Z"]
    assert admin.call("DELETE", "/api/v1/maintenance/" + id_).status == 204
    assert id_ not in {w["id"] for w in listed(admin)}
    w, = [w for w in listed(admin, "?removed=true") if w["id"] == id_]
    assert w["removed"] and w["state"] == "removed"
    problem(admin.call("DELETE", "/api/v1/maintenance/" + id_), 404, "removed already")
    with sqlite3.connect(server.store) as db:
        kinds = [k for k, in db.execute("SELECT kind FROM journal WHERE kind LIKE 'maintenance.%' ORDER BY id")]
    assert kinds == ["maintenance.put", "maintenance.put", "maintenance.remove"]


def test_refusals_name_the_cure(admin):
    problem(window(admin, to="2026-11-02T00:00:00Z"), 400, "later than")
    problem(window(admin, subject="nowhere"), 400, 'no link "nowhere"')
    problem(window(admin, subject=None), 400, "say which link")
    problem(window(admin, scope="provider", subject="Nobody"), 400, 'no provider "Nobody"')
    problem(window(admin, scope="all"), 400, "leave it out")
    problem(window(admin, scope="world"), 400)
    problem(window(admin, to="2036-11-02T00:00:00Z"), 400, "mistyped")
    problem(admin.get("maintenance?after=x"), 400, "next")


def test_scope_of_an_account(server, admin):
    c = account(server, admin, "bao-tri", "operator", "bat-xat")
    mine = window(c, subject="y-ty-wan")
    assert mine.status == 201
    problem(window(c, subject="ta-van-wan"), 403, "not of your agency")
    problem(window(c, scope="all", subject=None), 403, "other agencies")
    theirs = window(admin, subject="ta-van-wan").json["id"]
    everybodys = window(admin, scope="provider", subject="VNPT").json["id"]
    seen = {w["id"] for w in listed(c)}
    assert mine.json["id"] in seen and everybodys in seen and theirs not in seen
    problem(c.call("DELETE", "/api/v1/maintenance/" + theirs), 403)
    problem(c.call("DELETE", "/api/v1/maintenance/" + everybodys), 403)
    problem(window(c, id=theirs, subject="y-ty-wan"), 403)
    assert c.call("DELETE", "/api/v1/maintenance/" + mine.json["id"]).status == 204
    viewer = account(server, admin, "xem-bt", "viewer", "bat-xat")
    problem(window(viewer, subject="y-ty-wan"), 403)


def test_pages_and_times(admin):
    ids = [window(admin, **{"from": f"2025-0{m}-01T00:00:00Z", "to": f"2025-0{m}-02T00:00:00Z"}).json["id"]
           for m in (1, 2, 3)]
    span = "from=2025-01-01T12:00:00Z&to=2025-03-01T12:00:00Z"
    got, after = [], ""
    while after is not None:
        p = admin.get(f"maintenance?limit=2&{span}{'&after=' + after if after else ''}").json
        got += [w["id"] for w in p["items"]]
        after = p["next"]
    assert got == ids[::-1]
    assert [w["id"] for w in listed(admin, "?from=2025-02-02T00:00:00Z&to=2025-03-02T00:00:00Z")] == ids[2:]


def test_cli(server, tmp_path):
    env = {"HATANG_URL": server.base}
    assert hatang(tmp_path, "login", stdin=server.password + "\n", **env).returncode == 0
    r = hatang(tmp_path, "maintenance", "add", "--agency", "sa-pa", "--from", "2026-01-05T22:00:00+07:00",
               "--for", "2h", "--reason", "nâng cấp", **env)
    assert r.returncode == 0, r.stderr
    id_ = r.stdout.strip()
    w, = [w for w in json.loads(hatang(tmp_path, "maintenance", "list", "--json", **env).stdout) if w["id"] == id_]
    assert (w["from"], w["to"]) == ("2026-01-05T15:00:00.000Z", "2026-01-05T17:00:00.000Z")
    assert "nâng cấp" in hatang(tmp_path, "maintenance", "list", **env).stdout
    assert hatang(tmp_path, "maintenance", "remove", id_, **env).returncode == 0
    assert id_ not in hatang(tmp_path, "maintenance", "list", **env).stdout
    assert id_ in hatang(tmp_path, "maintenance", "list", "--removed", **env).stdout
    assert hatang(tmp_path, "maintenance", "add", "--link", "x", "--reason", "y", **env).returncode == 2
    r = hatang(tmp_path, "maintenance", "add", "--link", "x", "--everything", "--for", "1h", "--reason", "y", **env)
    assert r.returncode == 2
    r = hatang(tmp_path, "maintenance", "remove", "none", **env)
    assert r.returncode == 1 and "maintenance" in r.stderr
