"""Outages, timelines and incidents by the API, on tables as the folds leave them."""
import json, os, sqlite3, sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import outage_fixture as fixture
from outage_fixture import DAY, HOUR, MIN, iso, with_outages
from test_web import PASSWORD, account, problem
from web_fixture import NOW, Client

pytestmark = pytest.mark.xdist_group("outages")  # one server for all


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    share = tmp_path_factory.mktemp("share")
    (share / "dashboard").mkdir()
    s = with_outages(tmp_path_factory.mktemp("outages"), share)
    yield s
    assert s.stop() == 0


@pytest.fixture(scope="module")
def admin(server):
    c = Client(server.base)
    assert c.login("admin", server.password).status == 200
    return c


@pytest.fixture(scope="module")
def scoped(server, admin):
    return account(server, admin, "bat-xat-it", "operator", "bat-xat")


def links(reply):
    assert reply.status == 200, reply.body
    return [o["link"] for o in reply.json["items"]]


def test_outages_newest_first(admin):
    assert links(admin.get("outages")) == ["so-tttt-wan", "y-ty-wan", "muong-vi-wan", "ta-van-wan", "bat-xat-wan"]


@pytest.mark.parametrize("query, want", [
    ("open=true", ["so-tttt-wan", "y-ty-wan"]),
    ("open=false", ["muong-vi-wan", "ta-van-wan", "bat-xat-wan"]),
    ("link=y-ty-wan", ["y-ty-wan"]),
    ("agency=bat-xat", ["y-ty-wan", "muong-vi-wan", "bat-xat-wan"]),    # and all below
    ("agency=sa-pa", ["ta-van-wan"]),
    ("provider=Viettel", ["ta-van-wan"]),
    ("cause=power", ["muong-vi-wan"]),
    (f"to={iso(NOW - 30 * HOUR)}", ["ta-van-wan", "bat-xat-wan"]),
    (f"from={iso(NOW - 30 * HOUR)}&to={iso(NOW - 24 * HOUR)}", ["muong-vi-wan"]),
    (f"from={iso(NOW - HOUR)}", ["so-tttt-wan", "y-ty-wan"]),           # what lasts touches any range after it began
], ids=lambda v: v.split("=")[0] if isinstance(v, str) else "")   # no times: workers must agree on names
def test_outages_filtered(admin, query, want):
    assert links(admin.get("outages?" + query)) == want


def test_outages_pages_join(admin):
    whole = admin.get("outages").json["items"]
    after, seen = "", []
    while after is not None:
        page = admin.get(f"outages?limit=2{after and '&after=' + after}").json
        assert len(page["items"]) <= 2
        seen += page["items"]
        after = page["next"]
    assert [o["id"] for o in seen] == [o["id"] for o in whole]
    problem(admin.get("outages?after=none"), 400, "cursor")
    problem(admin.get("outages?cause=moon"), 400, "cause")


def test_estimate_and_correction_are_both_kept(admin, server):
    o = admin.get("outages/" + server.made["power"]).json
    y, m = NOW - 26 * HOUR, NOW - 25 * HOUR
    assert o["corrected"] is True and o["start"] == iso(y - 700) and o["end"] == iso(m - 2300)
    assert o["estimate"]["start"] == iso(y) and o["estimate"]["start_uncertainty_s"] == 1.2
    assert o["edge"]["start"] == iso(y - 700) and o["edge"]["end_uncertainty_s"] == 0.05
    assert o["duration_s"] == pytest.approx((m - 2300 - y + 700) / 1000)
    assert o["cause"] == "power" and "boot id" in o["cause_reason"]
    assert o["ticket"] == "VNPT-LCI-0042" and o["note"] == "điện lực cắt điện"
    now = admin.get("outages/" + server.made["now"]).json
    assert now["open"] is True and now["end"] is None and now["edge"] is None and now["duration_s"] >= 7200
    problem(admin.get("outages/none"), 404)


def test_an_outage_tells_what_it_explains(admin, server, scoped):
    root = admin.get("outages/" + server.made["root"]).json
    assert root["behind"] == 1 and [b["link"] for b in root["behind_it"]] == ["ta-van-wan"]
    behind = admin.get("outages/" + server.made["behind"]).json
    assert behind["state"] == "UNREACHABLE" and behind["root"] == server.made["root"] and behind["cause"] == "parent"
    # Tả Van lies in another district.
    assert scoped.get("outages/" + server.made["root"]).json["behind_it"] == []


def test_scope_of_outages(scoped, server):
    assert links(scoped.get("outages")) == ["y-ty-wan", "muong-vi-wan", "bat-xat-wan"]
    assert links(scoped.get("outages?agency=sa-pa")) == []
    problem(scoped.get("outages/" + server.made["behind"]), 404)
    problem(scoped.get("links/ta-van-wan/timeline"), 404)
    got = scoped.get("timelines").json
    assert [l["link"] for l in got["items"]] == ["bat-xat-net", "bat-xat-wan", "muong-vi-wan", "y-ty-wan"]


def test_timeline_of_a_link(admin, server):
    t = admin.get(f"links/ta-van-wan/timeline?from={iso(NOW - 51 * HOUR)}&to={iso(NOW)}").json
    assert [(s["state"], s["why"]) for s in t["spans"]] == [
        ("UP", "ping-answered"), ("UNREACHABLE", "parent-down"), ("UNKNOWN", "vantage-blind")]
    assert t["spans"][-1]["to"] is None and "blind" in t["spans"][-1]["reason"]
    assert [o["id"] for o in t["outages"]] == [server.made["behind"]] and t["truncated"] is False
    day = admin.get("links/ta-van-wan/timeline").json
    assert [s["state"] for s in day["spans"]] == ["UNKNOWN"] and day["outages"] == []
    # Maintenance of an agency counts for the links of all below it.
    assert [m["id"] for m in day["maintenance"]] == ["mt-1"]
    assert admin.get("links/y-ty-wan/timeline").json["maintenance"] == []
    problem(admin.get("links/ta-van-wan/timeline?from=2018-01-02&to=2018-01-01"), 400, "before")
    problem(admin.get("links/ta-van-wan/timeline?from=2010-01-01&to=2018-01-01"), 400, "400 days")
    problem(admin.get("links/none/timeline"), 404)


def test_timelines_of_many(admin):
    got = admin.get("timelines").json
    assert len(got["items"]) == 7 and got["from"] and got["next"] is None
    # Over 24 hours: one was always up, one came back before.
    troubled = {l["link"] for l in admin.get("timelines?troubled=true").json["items"]}
    assert troubled == {"bat-xat-net", "sa-pa-wan", "so-tttt-wan", "ta-van-wan", "y-ty-wan"}
    below = admin.get(f"timelines?agency=bat-xat&troubled=true&from={iso(NOW - 60 * HOUR)}&to={iso(NOW)}").json["items"]
    assert [l["link"] for l in below] == ["bat-xat-net", "bat-xat-wan", "muong-vi-wan", "y-ty-wan"]
    assert [s["state"] for s in below[1]["spans"]] == ["UP", "DOWN", "UP"]
    assert [l["link"] for l in admin.get("timelines?provider=Viettel").json["items"]] == ["bat-xat-net", "sa-pa-wan", "ta-van-wan"]


def test_states_of_agencies(admin):
    a = {x["id"]: x for x in admin.get("agencies").json["items"]}
    assert a["so-tttt"]["on_backup"] is True and a["so-tttt"]["state"] == "DEGRADED"
    assert a["sa-pa"]["state"] == "MAINTENANCE" and a["ta-van"]["state"] == "UNKNOWN"
    assert "blind" in a["ta-van"]["state_reason"] and a["y-ty"]["on_backup"] is False
    assert next(x for x in admin.get("agency-tree").json["items"] if x["id"] == "so-tttt")["on_backup"] is True


def test_incidents(admin, server):
    got = admin.get("incidents").json["items"]
    assert [i["id"] for i in got] == [server.made[k] for k in ("backup-incident", "incident", "closed")]
    i = got[1]
    assert i["open"] is True and i["severity"] == "critical" and i["duration_s"] >= 7200
    assert i["problem"]["kind"] == "link-down" and i["problem"]["subject"] == "y-ty-wan"
    assert i["problem"]["outage"] == server.made["now"] and i["problem"]["cause"] == "wan-link"
    assert [a["id"] for a in i["affected"]] == ["y-ty"] and i["n_affected"] == 1 and i["n_open"] == 1
    assert i["title"]["vi"] == "Xã Y Tý mất kết nối WAN" and i["acked"] is None
    one = lambda q: [x["id"] for x in admin.get("incidents?" + q).json["items"]]
    assert one("open=true") == [server.made["backup-incident"], server.made["incident"]]
    assert one("open=true&acked=false") == [server.made["incident"]]
    assert one("severity=warning") == [server.made["backup-incident"]]
    assert one("agency=sa-pa") == [server.made["closed"]]
    assert one("rule=wan-outage&open=false") == [server.made["closed"]]
    assert len(one(f"from={iso(NOW - HOUR)}")) == 2


def test_an_incident_with_what_was_told(admin, server):
    i = admin.get("incidents/" + server.made["closed"]).json
    # What explains the others stands first.
    assert [m["kind"] for m in i["members"]] == ["link-down", "link-unreachable"]
    assert i["n_affected"] == 2 and i["n_open"] == 0 and i["problem"]["cause"] == "router"
    assert [(m["channel"], m["kind"], m["state"]) for m in i["messages"]] == [
        ("email-truc", "announce", "sent"), ("email-truc", "resolve", "sent")]
    assert [d["decision"] for d in i["decisions"]] == ["opened", "joined"]
    failed = admin.get("incidents/" + server.made["incident"]).json["messages"][1]
    assert failed["state"] == "failed" and failed["last_error"] == "gateway answered 503"
    problem(admin.get("incidents/none"), 404)


def test_scope_of_incidents(server, admin, scoped):
    assert [i["id"] for i in scoped.get("incidents").json["items"]] == [server.made["incident"], server.made["closed"]]
    i = scoped.get("incidents/" + server.made["closed"]).json
    assert [m["agency"] for m in i["members"]] == ["bat-xat"] and i["n_affected"] == 1
    assert [d["problem"].split("/")[1] for d in i["decisions"]] == ["bat-xat-wan"]
    assert i["title"] is None and "last_error" not in i["messages"][0]
    assert b"ta-van" not in scoped.get("incidents/" + server.made["closed"]).body
    problem(scoped.get("incidents/" + server.made["backup-incident"]), 404)
    # A viewer learns that a message failed, not what the mail server said.
    viewer = account(server, admin, "nguoi-xem", "viewer")
    assert "last_error" not in viewer.get("incidents/" + server.made["incident"]).json["messages"][1]
    problem(viewer.call("POST", f"/api/v1/incidents/{server.made['incident']}/ack", {}), 403)


def rows(server, kind):
    db = sqlite3.connect(server.store)
    got = db.execute("SELECT actor, payload FROM journal WHERE kind = ? ORDER BY id", (kind,)).fetchall()
    db.close()
    return [(actor, json.loads(payload)["data"]) for actor, payload in got]


def test_acknowledging_is_journaled(server, admin, scoped):
    ack = lambda who, what, body: who.call("POST", f"/api/v1/incidents/{what}/ack", body)
    problem(ack(admin, "none", {}), 404)
    problem(ack(admin, server.made["closed"], {}), 409, "closed")
    problem(ack(scoped, server.made["backup-incident"], {}), 404)
    problem(ack(admin, server.made["incident"], {"who": "me"}), 400, "who")
    assert ack(scoped, server.made["incident"], {"note": "đã gọi VNPT"}).status == 204
    assert ack(admin, server.made["backup-incident"], {}).status == 204
    assert rows(server, "incident.ack") == [
        ("bat-xat-it", {"id": server.made["incident"], "by": "bat-xat-it", "note": "đã gọi VNPT"})]
    # Folded before the answer: no further escalation. A second tap changes nothing.
    i = admin.get("incidents/" + server.made["incident"]).json
    assert i["acked_by"] == "bat-xat-it" and i["acked"] and i["escalate"] is None
    assert ack(admin, server.made["incident"], {}).status == 204 and len(rows(server, "incident.ack")) == 1


def test_who_sees_half_of_it_may_not_acknowledge(server, admin, scoped):
    db = sqlite3.connect(server.store, timeout=20)
    db.execute("UPDATE incident SET closed_ms = NULL WHERE id = ?", (server.made["closed"],))
    db.commit()
    try:
        problem(scoped.call("POST", f"/api/v1/incidents/{server.made['closed']}/ack", {}), 403, "scope")
    finally:
        db.execute("UPDATE incident SET closed_ms = ? WHERE id = ?", (NOW - 49 * HOUR, server.made["closed"]))
        db.commit()
        db.close()


def test_explaining(admin, scoped, server):
    x = admin.get("alerts/explain/" + server.made["now"]).json
    assert x["about"] == "y-ty-wan" and x["incident"] is None
    assert [(p["kind"], p["incident"]) for p in x["problems"]] == [("link-down", server.made["incident"])]
    assert [d["decision"] for d in x["problems"][0]["decisions"]] == ["opened"]
    x = admin.get("alerts/explain/" + server.made["closed"]).json
    assert x["incident"]["id"] == server.made["closed"] and len(x["problems"]) == 2
    assert len(scoped.get("alerts/explain/" + server.made["closed"]).json["problems"]) == 1
    problem(scoped.get("alerts/explain/ta-van-wan"), 404)
    problem(admin.get("alerts/explain/none"), 404, "nothing was ever wrong")


def test_messages_are_for_who_sees_all(admin, scoped, server):
    all_ = admin.get("alerts/messages").json["items"]
    assert len(all_) == 4 and all_[-1]["key"] == f"{server.made['incident']}/email-truc/announce/0"
    assert [m["channel"] for m in admin.get("alerts/messages?state=failed").json["items"]] == ["sms"]
    assert len(admin.get("alerts/messages?limit=3").json["items"]) == 3
    assert "facts" not in all_[0]
    problem(scoped.get("alerts/messages"), 403)


def test_rules_in_force(admin):
    r = admin.get("alerts/rules").json
    assert [x["id"] for x in r["rules"]] == ["wan-outage"] and len(r["hash"]) == 64
    assert r["rules"][0]["severity"] == "critical" and r["rules"][0]["route"] == ["duty"]


def test_replay_takes_a_scenario_or_a_time(admin, scoped):
    """The history names everybody: it is for who sees all. This server has no channels."""
    def replay(who, **body):
        return who.call("POST", "/api/v1/alerts/replay", body)

    day = iso(NOW - DAY)
    problem(replay(admin), 400, "either")
    problem(replay(admin, scenario="x", **{"from": day}), 400, "either")
    problem(replay(scoped, **{"from": day}), 403)
    problem(replay(admin, rules="version: 1\nrules: 7\n", **{"from": day}), 400, "rules:2:")
    rules = "version: 1\nrules:\n  - { id: all, kinds: [link-down] }\n"
    got = replay(admin, rules=rules, **{"from": day}).json
    assert got == {"rules": "rules", "channels": 0, "messages": []}
