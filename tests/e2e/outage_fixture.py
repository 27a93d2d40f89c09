"""Outages, incidents and messages of the small province of web_fixture, as the folds leave
them: one link dead now, one cut behind it, one over and corrected by its edge, one never
measured, an office on its backup, one in maintenance."""
import json, sqlite3, time

from web_fixture import NOW, filled, journal, put

MIN, HOUR = 60000, 3600000
DAY = 24 * HOUR


def stamp(ms):
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(ms // 1000))


def iso(ms):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(ms // 1000)) + f".{ms % 1000:03d}Z"


def span(db, link, row, *states):
    """states: (from_ms, state, why, reason); each lasts until the next, the last is open."""
    for i, (at, state, why, reason) in enumerate(states):
        put(db, "link_span", link=link, from_ms=at, to_ms=states[i + 1][0] if i + 1 < len(states) else None,
            state=state, why=why, reason=reason, agent="loi-1", journal_id=row)


def outage(db, link, agency, row, start, end=None, **more):
    id_ = f"{link}-{stamp(start)}"
    put(db, "outage", id=id_, link=link, agency=agency, **{**dict(
        provider="VNPT", state="DOWN", start_ms=start, start_uncertainty_ms=1200, end_ms=end,
        end_uncertainty_ms=None if end is None else 1200, cause="unknown",
        cause_reason="nothing was written down at the edge yet", evidence=json.dumps([row]),
        opened_journal=row, closed_journal=None if end is None else row), **more})
    return id_


def problem(db, kind, subject, agency, row, opened, closed=None, root=None, reason="it does not answer", provider="VNPT",
            facts=None):
    id_ = f"{kind}/{subject}/{row}"
    put(db, "problem", id=id_, kind=kind, subject=subject, agency=agency, provider=provider, root=root,
        opened_ms=opened, closed_ms=closed, reason=reason, facts=json.dumps(facts or {}), opened_journal=row,
        closed_journal=None if closed is None else row)
    return id_


def incident(db, id_, rule, severity, subject, row, opened, problems, closed=None, **more):
    put(db, "incident", id=id_, kind=problems[0][0].split("/")[0], rule=rule, rules_hash="0" * 64, severity=severity, group_by="parent", subject=subject,
        opened_ms=opened, closed_ms=closed, announced_ms=opened, journal_id=row, level=0, **more)
    for p, joined in problems:
        put(db, "incident_member", incident=id_, problem=p, joined_ms=joined, left_ms=closed)
        db.execute("INSERT INTO alert_decision (incident, problem, at_ms, decision, reason) VALUES (?, ?, ?, ?, ?)",
                   (id_, p, joined, "joined" if joined > opened else "opened", f"{p.split('/')[1]} has a problem"))


def message(db, incident_, channel, kind, n, at, state="sent", error=None, title=None):
    facts = {"incident": incident_, "title_vi": title or "Mất kết nối", "title_en": "Outage"}
    put(db, "outbox", key=f"{incident_}/{channel}/{kind}/{n}", incident=incident_, channel=channel, kind=kind,
        facts=json.dumps(facts), created_ms=at, due_ms=at, attempts=1, state=state,
        sent_ms=at + 900 if state == "sent" else None, last_error=error)


def fill_outages(path, ids):
    db = sqlite3.connect(path)
    v, e = ids["loi-1"], ids["bat-xat-1"]
    up = ("ping-answered", "5 of 5 pings answered")
    down = ("ping-unanswered", "20 of 20 pings unanswered, its parents answer")
    made = {}
    # Y Tý is dead, and Mường Vi was cut yesterday by a power failure.
    t = NOW - 2 * HOUR
    span(db, "y-ty-wan", v, (NOW - 3 * DAY, "UP", *up), (t, "DOWN", *down))
    made["now"] = outage(db, "y-ty-wan", "y-ty", v, t, cause="wan-link", cause_reason="its router answers by the backup, the line does not")
    y, m = NOW - 26 * HOUR, NOW - 25 * HOUR
    span(db, "muong-vi-wan", v, (NOW - 3 * DAY, "UP", *up), (y, "DOWN", *down), (m, "UP", *up))
    made["power"] = outage(
        db, "muong-vi-wan", "muong-vi", v, y, m, edge_start_ms=y - 700, edge_start_uncertainty_ms=50,
        edge_end_ms=m - 2300, edge_end_uncertainty_ms=50, edge_agent="muong-vi-1", cause="power",
        cause_reason="its boot id changed while it was away: there was no power")
    put(db, "outage_note", outage=made["power"], ticket="VNPT-LCI-0042", note="điện lực cắt điện", journal_id=e)
    # Behind Bát Xát: its own link died, and a commune became unreachable.
    b, c = NOW - 50 * HOUR, NOW - 49 * HOUR
    span(db, "bat-xat-wan", v, (NOW - 3 * DAY, "UP", *up), (b, "DOWN", *down), (c, "UP", *up))
    made["root"] = outage(db, "bat-xat-wan", "bat-xat", v, b, c, cause="router", cause_reason="SNMP says the port went down")
    made["behind"] = outage(db, "ta-van-wan", "ta-van", v, b + 3000, c, state="UNREACHABLE", root=made["root"],
                            provider="Viettel", cause="parent", cause_reason="bat-xat-wan is down")
    span(db, "bat-xat-net", e, (NOW - 3 * DAY, "DEGRADED", "loss", "12 % of the pings of five minutes were lost"))
    span(db, "ta-van-wan", v, (NOW - 3 * DAY, "UP", *up), (b + 3000, "UNREACHABLE", "parent-down", "bat-xat-wan is down"),
         (c, "UNKNOWN", "vantage-blind", "the vantage loi-1 is blind: its own gateway does not answer"))
    put(db, "link", id="so-tttt-wan", agency="so-tttt", role="primary", kind="province-wan", provider="VNPT",
        line_type="leased-line", router_address="10.0.9.1", journal_id=ids["so-tttt"])
    put(db, "link", id="sa-pa-wan", agency="sa-pa", role="primary", kind="province-wan", provider="Viettel",
        line_type="ftth", router_address="10.0.8.1", journal_id=ids["sa-pa"])
    for link, state, why, reason, since in (
            ("so-tttt-wan", "DOWN", *down, NOW - 20 * MIN),
            ("sa-pa-wan", "MAINTENANCE", "maintenance", "maintenance until this evening: new fibre", NOW - HOUR)):
        put(db, "link_fact", link=link, state=state, since_ms=since, measured_ms=NOW, reason=reason, agent="loi-1",
            evidence=json.dumps([v]))
        span(db, link, v, (NOW - 3 * DAY, "UP", *up), (since, state, why, reason))
    made["backup"] = outage(db, "so-tttt-wan", "so-tttt", v, NOW - 20 * MIN)
    put(db, "maintenance", id="mt-1", scope="agency", subject="sa-pa", from_ms=NOW - HOUR, to_ms=NOW + 5 * HOUR,
        reason="thay cáp quang", actor="admin", entered_ms=NOW - 2 * HOUR, journal_id=e)
    for agency, state, backup, reason in (
            ("lao-cai", "UNKNOWN", 0, "it has no link of its own"), ("so-tttt", "DEGRADED", 1, "so-tttt-wan is down, a backup carries it"),
            ("bat-xat", "UP", 0, "its primary link answers"), ("muong-vi", "UP", 0, "its primary link answers"),
            ("y-ty", "DOWN", 0, "its only link is down"), ("ta-van", "UNKNOWN", 0, "the vantage loi-1 is blind"),
            ("sa-pa", "MAINTENANCE", 0, "maintenance: new fibre")):
        put(db, "agency_state", agency=agency, state=state, on_backup=backup, since_ms=NOW - HOUR, reason=reason, journal_id=v)

    p = problem(db, "link-down", "y-ty-wan", "y-ty", v, t, facts={"links": 1})
    made["incident"] = f"i{v}-wan-outage"
    incident(db, made["incident"], "wan-outage", "critical", "y-ty-wan", v, t, [(p, t)], escalate_ms=NOW + 10 * MIN)
    message(db, made["incident"], "email-truc", "announce", 0, t + 1000, title="Xã Y Tý mất kết nối WAN")
    message(db, made["incident"], "sms", "announce", 0, t + 1000, "failed", "gateway answered 503", "Xã Y Tý mất kết nối WAN")
    p = problem(db, "on-backup", "so-tttt", "so-tttt", v, NOW - 20 * MIN, reason="so-tttt-wan is down, a backup carries it")
    made["backup-incident"] = f"i{v}-on-backup"
    incident(db, made["backup-incident"], "on-backup", "warning", "so-tttt", v, NOW - 20 * MIN, [(p, NOW - 20 * MIN)],
             acked_ms=NOW - 15 * MIN, acked_by="truc-ban")
    root = problem(db, "link-down", "bat-xat-wan", "bat-xat", e, b, c)
    behind = problem(db, "link-unreachable", "ta-van-wan", "ta-van", e, b + 3000, c, root, "bat-xat-wan is down", "Viettel")
    made["closed"] = f"i{e}-wan-outage"
    incident(db, made["closed"], "wan-outage", "critical", "bat-xat-wan", e, b, [(root, b), (behind, b + 3000)], c)
    message(db, made["closed"], "email-truc", "announce", 0, b + 1000)
    message(db, made["closed"], "email-truc", "resolve", 0, c + 1000)
    db.execute("INSERT INTO alert_decision (incident, problem, at_ms, decision, reason) VALUES (NULL, NULL, ?, ?, ?)",
               (NOW, "not-told", "no rule takes it"))
    db.commit()
    db.close()
    return made


def fill_many(path, ids, n=500):
    """n more communes in ten districts; every state is there."""
    db = sqlite3.connect(path)
    kinds = ["UP"] * 40 + ["DEGRADED", "DOWN", "UNREACHABLE", "UNKNOWN", "MAINTENANCE"]
    for d in range(10):
        put(db, "agency", id=f"huyen-{d}", name=f"Huyện Thứ {d + 1}", level="district", parent="lao-cai", journal_id=ids["lao-cai"])
    for i in range(n):
        agency, state = f"xa-{i:03}", kinds[i % len(kinds)]
        put(db, "agency", id=agency, name=f"Xã Số {i:03}", level="commune", parent=f"huyen-{i % 10}", journal_id=ids["lao-cai"])
        put(db, "link", id=agency + "-wan", agency=agency, role="primary", kind="province-wan", provider=("VNPT", "Viettel")[i % 2],
            line_type="ftth", router_address="10.1.0.1", journal_id=ids["lao-cai"])
        put(db, "link_fact", link=agency + "-wan", state=state, since_ms=NOW - HOUR, measured_ms=NOW, reason="", agent="loi-1",
            evidence="[]")
        put(db, "agency_state", agency=agency, state=state, on_backup=int(i % 50 == 7), since_ms=NOW - HOUR,
            reason="it is " + state.lower(), journal_id=ids["loi-1"])
    db.commit()
    db.close()


def with_outages(dir_, share, many=0):
    """A server on such a store; .made has the ids."""
    s = filled(dir_, share)
    s.stop()
    s.made = fill_outages(s.store, s.ids)
    if many:
        fill_many(s.store, s.ids, many)
    return s.start()
