"""The page behind a message's link: shows, and acknowledges without a login."""
import hashlib, hmac, json, os, re, sqlite3, subprocess, sys, time, urllib.parse

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from outage_fixture import with_outages
from web_fixture import Client

pytestmark = pytest.mark.xdist_group("ack-page")  # one server for all
KEY = bytes(range(32))
NOW = int(time.time() * 1000)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    share = tmp_path_factory.mktemp("share")
    (share / "dashboard").mkdir()
    s = with_outages(tmp_path_factory.mktemp("ack"), share)
    db = sqlite3.connect(s.store, timeout=20)
    db.execute("INSERT INTO alert_secret (one, key) VALUES (1, ?)", (KEY,))
    db.commit()
    db.close()
    yield s
    assert s.stop() == 0


def token(incident, expires=NOW + 3600000, key=KEY):
    """As server/alert/acklink.h describes it."""
    text = f"{incident}~{expires}"
    return f"/ack/{text}~{hmac.new(key, text.encode(), hashlib.sha256).hexdigest()}"


def post(client, path, **form):
    return client.call("POST", path, raw=urllib.parse.urlencode(form).encode())


def acks(server):
    db = sqlite3.connect(server.store, timeout=20)
    got = db.execute("SELECT actor, payload FROM journal WHERE kind = 'incident.ack' ORDER BY id").fetchall()
    db.close()
    return [(actor, json.loads(payload)["data"]) for actor, payload in got]


def test_a_wrong_link_does_nothing(server):
    c, id_ = Client(server.base), server.made["incident"]
    good = token(id_)
    for path in (token(id_, key=bytes(32)), good[:-1] + ("0" if good[-1] != "0" else "1"), token("i0-none"),
                 good.replace(id_, server.made["closed"]), "/ack/x", "/ack/~~", f"/ack/{id_}~~" + "0" * 64):
        for r in (c.call("GET", path), post(c, path)):
            assert r.status == 404 and "mở lại" in r.body.decode(), path
    late = token(id_, NOW - 1000)
    assert c.call("GET", late).status == 410 and post(c, late).status == 410
    assert c.call("GET", "/ack/" + "a" * 300).status in (400, 404, 414)
    assert acks(server) == []


def test_looking_changes_nothing_and_posting_acknowledges(server):
    c, path = Client(server.base), token(server.made["incident"])
    page = c.call("GET", path)
    assert page.status == 200 and page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert page.headers["Referrer-Policy"] == "no-referrer" and page.headers["Cache-Control"] == "no-store"
    text = page.body.decode()
    for word in ("Xã Y Tý mất kết nối WAN", "Tôi nhận xử lý", "I take it", "1 cơ quan bị ảnh hưởng"):
        assert word in text, text
    assert c.call("HEAD", path).status == 200
    assert acks(server) == [], "a mail server that looks at the link must change nothing"
    done = post(c, path, who="Nguyễn Văn Ả <b>", note="đã gọi VNPT & điện lực")
    assert done.status == 200 and "Đã ghi nhận" in done.body.decode()
    assert acks(server) == [("link: Nguyễn Văn Ả <b>", {
        "id": server.made["incident"], "by": "link: Nguyễn Văn Ả <b>", "note": "đã gọi VNPT & điện lực"})]
    # Folded before the answer; a name is text, never markup; a second tap changes nothing.
    again = c.call("GET", path).body.decode()
    assert "Đã có người nhận xử lý: link: Nguyễn Văn Ả &lt;b&gt;" in again and "<b>" not in again
    assert post(c, path).status == 200 and len(acks(server)) == 1
    admin = Client(server.base)
    admin.login("admin", server.password)
    assert admin.get("incidents/" + server.made["incident"]).json["acked_by"] == "link: Nguyễn Văn Ả <b>"


def test_what_is_over_is_only_shown(server):
    c, path = Client(server.base), token(server.made["closed"])
    assert "đã kết thúc" in c.call("GET", path).body.decode()
    assert post(c, path).status == 200 and len(acks(server)) <= 1
    # It opens this one thing and nothing else.
    assert c.call("GET", "/api/v1/incidents").status == 401


def test_long_names_are_cut_at_a_letter(server):
    c, path = Client(server.base), token(server.made["backup-incident"])
    db = sqlite3.connect(server.store, timeout=20)
    db.execute("UPDATE incident SET acked_ms = NULL, acked_by = NULL WHERE id = ?", (server.made["backup-incident"],))
    db.commit()
    db.close()
    assert post(c, path, who="ặ" * 40).status == 200
    actor = acks(server)[-1][0]
    assert actor.startswith("link: ặ") and len(actor.encode()) <= 64 and set(actor[6:]) == {"ặ"}
