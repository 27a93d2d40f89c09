"""Cuts in the lab and what people were told of them: for tests/bench/outages and the tests."""
import json
import sqlite3
import time


def topology(n, targets=0, name="outages"):
    """n offices with nothing but a router, and links that only answer pings."""
    lines = [f"name: {name}", f"targets: {targets}", "sites:"]
    for i in range(n):
        lines.append(f"  - {{ id: x{i:03}, name: Xã {i}, subnet: 172.20.{i // 16}.{i % 16 * 16}/28, agent: no, snmp: no,"
                     " link: { down: 20M, up: 20M } }")
    return "\n".join(lines) + "\n"


def lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def done(state, *what):
    """What was done to the lab, of those kinds, in order."""
    return [e for e in lines(state / "truth.jsonl") if e["did"] in what]


def told(state, kind=None):
    """What the receiver accepted, without repetitions: by key, as it should do itself."""
    seen = {}
    for row in lines(state / "receiver" / "told.jsonl"):
        seen.setdefault(row["key"], row)
    return [r for r in seen.values() if kind is None or r["message"]["kind"] == kind]


def of(row, link):
    return row["message"]["subject"] == link or link in row["message"]["affected"]


def first(state, kind, link, after):
    """The first message of a kind about a link since then."""
    return next((r for r in told(state, kind) if r["at"] >= after and of(r, link)), None)


def query(state, sql, *args):
    db = sqlite3.connect(f"file:{state}/server/server.db?mode=ro", uri=True, timeout=20)
    try:
        return db.execute(sql, args).fetchall()
    finally:
        db.close()


def watched(state, links):
    """Whether a vantage saw all of them up."""
    up = query(state, "SELECT count(*) FROM link_span WHERE to_ms IS NULL AND state = 'UP'")[0][0]
    return up >= links


def wait(what, seconds, test):
    end = time.monotonic() + seconds
    while not (answer := test()):
        if time.monotonic() > end:
            raise RuntimeError(f"not within {seconds} s: {what}")
        time.sleep(0.05)
    return answer


def settles(test, seconds):
    """Wait for it, or until the time is over: the caller asserts, and so shows what is."""
    end = time.monotonic() + seconds
    while not test() and time.monotonic() < end:
        time.sleep(0.1)


def percentile(values, share):
    """The least value that so many of them do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * share // 100) - 1)]


HOPS = """\
SELECT o.start_ms, j.received_ms, m.created_ms, m.sent_ms FROM outage o
 JOIN journal j ON j.id = o.opened_journal
 LEFT JOIN problem p ON p.subject = o.link AND p.opened_journal = o.opened_journal
 LEFT JOIN incident_member i ON i.problem = p.id
 LEFT JOIN outbox m ON m.incident = i.incident AND m.kind = 'announce'
 WHERE o.link = ? ORDER BY o.start_ms"""


def hops(state, link, cut_at):
    """Where the time went, in seconds since the cut: the estimated start, the journal's row,
    the outbox's row, the sender's mark."""
    for row in query(state, HOPS, link):
        if row[1] / 1000 >= cut_at:
            return [None if ms is None else ms / 1000 - cut_at for ms in row]
    return None
