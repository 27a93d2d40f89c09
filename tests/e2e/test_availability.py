"""Availability of a month by the API: figures worked by hand, scopes, pages, rules."""
import os, sqlite3, sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from test_web import account, problem
from web_fixture import Client, filled, put

MONTH = 1604163600000  # 2020-10-31T17:00Z, November in Vietnam; 30 days
HOUR = 3600000


def at(hour):
    return MONTH + int(hour * HOUR)


def span(db, link, from_h, to_h, state):
    put(db, "link_span", link=link, from_ms=at(from_h), to_ms=None if to_h is None else at(to_h), state=state,
        why="x", reason="x")


def outage(db, link, agency, start_h, end_h, cause="wan-link", state="DOWN", edge=None, **more):
    id_ = f"{link}-{start_h}"
    put(db, "outage", id=id_, link=link, agency=agency, provider="VNPT", state=state, start_ms=at(start_h),
        end_ms=None if end_h is None else at(end_h), cause=cause, cause_reason="Because.", evidence="[]",
        edge_start_ms=at(edge[0]) if edge else None, edge_end_ms=at(edge[1]) if edge else None, **more)
    return id_


def fill_november(store):
    with sqlite3.connect(store) as db:
        # y-ty-wan: 10 h down by the core, 9 by the edge; 1 h of degraded; unknown from 700 h on.
        span(db, "y-ty-wan", -100, 100, "UP")
        span(db, "y-ty-wan", 100, 110, "DOWN")
        span(db, "y-ty-wan", 110, 111, "DEGRADED")
        span(db, "y-ty-wan", 111, 700, "UP")
        span(db, "y-ty-wan", 700, None, "UNKNOWN")
        outage(db, "y-ty-wan", "y-ty", 100, 110, edge=(100.5, 109.5))
        # muong-vi-wan: down across the end of the month before, and 20 h behind a parent.
        span(db, "muong-vi-wan", -50, -5, "UP")
        span(db, "muong-vi-wan", -5, 15, "DOWN")
        span(db, "muong-vi-wan", 15, 300, "UP")
        span(db, "muong-vi-wan", 300, 320, "UNREACHABLE")
        span(db, "muong-vi-wan", 320, None, "UP")
        outage(db, "muong-vi-wan", "muong-vi", -5, 15)
        outage(db, "muong-vi-wan", "muong-vi", 300, 320, "parent", "UNREACHABLE")
        # ta-van-wan (Viettel, Sa Pa): up.
        span(db, "ta-van-wan", -50, None, "UP")
        # A window of 4 h for VNPT, half of it within the outage of y-ty-wan.
        put(db, "maintenance", id="m1", scope="provider", subject="VNPT", from_ms=at(98.5), to_ms=at(102.5),
            reason="x", actor="a", entered_ms=at(900))
        put(db, "maintenance", id="m2", scope="all", subject="", from_ms=at(0), to_ms=at(700),
            reason="x", actor="a", entered_ms=at(900), removed_ms=at(901))
        db.execute("DELETE FROM link_span WHERE link IN ('bat-xat-wan', 'bat-xat-net')")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    s = filled(tmp_path_factory.mktemp("web"), tmp_path_factory.mktemp("share"))
    fill_november(s.store)
    yield s
    assert s.stop() == 0


@pytest.fixture(scope="module")
def admin(server):
    c = Client(server.base)
    assert c.login("admin", server.password).status == 200
    return c


def hours(figures):
    return {k[:-2]: figures[k] / 3600 for k in figures if k in
            ("up_s", "degraded_s", "down_s", "unreachable_s", "unknown_s", "maintenance_s")}


def month_hours(counted):
    from datetime import datetime
    return (datetime.fromisoformat(counted.replace("Z", "+00:00")).timestamp() * 1000 - MONTH) / HOUR


def test_one_link_by_hand(admin):
    r = admin.get("availability?scope=link&id=y-ty-wan&month=2020-11")
    assert r.status == 200, r.body
    a = r.json
    assert (a["from"], a["to"]) == ("2020-10-31T17:00:00.000Z", "2020-11-30T17:00:00.000Z")
    end = month_hours(a["counted_to"])
    assert end == 720
    h = hours(a["total"])
    # Maintenance 98.5 to 102.5; down 102.5 to 109.5; 109.5 to 110 was up by the edge.
    assert h["maintenance"] == 4 and h["down"] == 7 and h["degraded"] == 1
    assert h["unknown"] == pytest.approx(20)
    assert sum(h.values()) == pytest.approx(end)
    t = a["total"]
    assert t["outages"] == 1 and t["outage_minutes"] == 420 and t["mttr_s"] == 7 * 3600
    good = h["up"] + h["degraded"]
    assert t["availability"] == pytest.approx(good / (good + 7))
    assert t["mtbf_s"] == pytest.approx(good * 3600)
    o, = a["outages"]
    assert o["start"] == o["edge_start"] and o["estimate_start"] < o["start"] and o["cause"] == "wan-link"


def test_rules_are_printed_in_both_languages(admin):
    rules = admin.get("availability?month=2020-11").json["rules"]
    assert len(rules) == 9 and all(r["vi"] and r["en"] for r in rules)
    assert any("denominator" in r["en"] for r in rules) and any("bảo trì" in r["vi"] for r in rules)


def test_an_outage_across_the_month_is_split(admin):
    nov = admin.get("availability?scope=link&id=muong-vi-wan&month=2020-11").json["total"]
    oct_ = admin.get("availability?scope=link&id=muong-vi-wan&month=2020-10").json["total"]
    assert (nov["down_s"], oct_["down_s"]) == (15 * 3600, 5 * 3600)
    assert (nov["outages"], oct_["outages"]) == (0, 1)
    # It ended in November: its whole length is November's repair.
    assert nov["mttr_s"] == 20 * 3600 and oct_["mttr_s"] is None


def test_groups_sum_up(admin):
    by_link = admin.get("availability?scope=all&month=2020-11").json
    assert {i["id"] for i in by_link["items"]} == {"bat-xat-wan", "bat-xat-net", "muong-vi-wan", "y-ty-wan", "ta-van-wan"}
    for by, ids in (("provider", {"VNPT", "Viettel"}), ("district", {"bat-xat", "sa-pa"}),
                    ("agency", {"bat-xat", "muong-vi", "y-ty", "ta-van"})):
        g = admin.get(f"availability?scope=all&month=2020-11&by={by}").json
        assert {i["id"] for i in g["items"]} == ids
        for key in ("down_s", "up_s", "unknown_s", "maintenance_s", "outages", "links"):
            assert sum(i[key] for i in g["items"]) == pytest.approx(g["total"][key], abs=1)
            if key in ("down_s", "outages", "links"):
                assert g["total"][key] == by_link["total"][key]
    named = {i["id"]: i["name"] for i in admin.get("availability?month=2020-11&by=district").json["items"]}
    assert named["bat-xat"] == "Huyện Bát Xát"
    vnpt = admin.get("availability?scope=provider&id=VNPT&month=2020-11").json
    assert {i["id"] for i in vnpt["items"]} == {"bat-xat-wan", "muong-vi-wan", "y-ty-wan"}
    district = admin.get("availability?scope=district&id=bat-xat&month=2020-11").json
    assert district["total"]["links"] == 4 and district["total"]["down_s"] == 22 * 3600


def test_pages(admin):
    seen, after = [], ""
    while after is not None:
        p = admin.get(f"availability?month=2020-11&limit=2{'&after=' + after if after else ''}").json
        assert p["total"]["links"] == 5
        seen += [i["id"] for i in p["items"]]
        after = p["next"]
    assert seen == sorted(seen) and len(seen) == 5


def test_scope_of_an_account(server, admin):
    c = account(server, admin, "xem-y-ty", "viewer", "y-ty")
    a = c.get("availability?month=2020-11").json
    assert [i["id"] for i in a["items"]] == ["y-ty-wan"] and a["total"]["links"] == 1
    problem(c.get("availability?scope=link&id=ta-van-wan&month=2020-11"), 404)


def test_refusals(admin):
    problem(admin.get("availability?month=2026-13"), 400, "a month such as")
    problem(admin.get("availability?scope=link"), 400, "say which")
    problem(admin.get("availability?scope=all&id=x"), 400, "leave it out")
    problem(admin.get("availability?scope=planet&id=x"), 400)
    problem(admin.get("availability?scope=link&id=none"), 404)
