"""A store whose journal is written by hand and folded by the server itself: what people entered
and what agents sent, at any time, without a broker."""
import json, sqlite3, time

from web_fixture import Server

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
NOW = int(time.time() * 1000)


def stamp(ms):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(ms / 1000)) + ".%03dZ" % (ms % 1000)


class Journal:
    """Rows in the order of their time; written at once."""

    def __init__(self):
        self.rows = []

    def _add(self, at_ms, source, kind, payload, agent=None, lane=None, ctype="application/json", actor=None):
        self.rows.append((at_ms, source, kind, agent, lane, ctype, actor, json.dumps(payload).encode()))

    def edit(self, kind, data, at_ms=NOW - 3 * DAY):
        self._add(at_ms, "operator", kind, {"effective_from": stamp(at_ms), "data": data}, actor="admin")

    def pack(self, agent, at_ms, lane="data", received_ms=None, **readings):
        """readings: name without the agent (with '/' as '__') to a number, or a text; counters are (n,)."""
        records = [{"bn": agent + "/", "bt": at_ms / 1000}]
        for name, value in readings.items():
            rec = {"n": name.replace("__", "/")}
            if isinstance(value, str):
                rec["vs"] = value
            elif isinstance(value, tuple):
                rec["v"], rec["u"] = value
            records.append(rec)
        records[1] = {**records[0], **records[1]}
        self._add(received_ms or at_ms, "agent", "data", records[1:], agent, lane, "application/senml+json")

    def beat(self, at_ms=NOW):
        self._add(at_ms, "server", "beat", {})

    def presence(self, agent, at_ms, state="online"):
        self._add(at_ms, "server", "presence", {
            "state": state, "session": "00112233445566aa", "boot": "11111111-2222-3333-4444-555555555555",
            "mono": 1000.5, "wall": at_ms / 1000, "synchronised": True, "fingerprint": "0" * 64,
            "version": "0.1.0", "epoch": "00112233445566bb", "config": ""}, agent)

    def write(self, store):
        db = sqlite3.connect(store)
        db.execute("DELETE FROM journal")  # of the start that made the schema
        db.execute("DELETE FROM fold_cursor")
        db.executemany("INSERT INTO journal (received_ms, source, kind, agent, lane, content_type, actor, payload)"
                       " VALUES (?, ?, ?, ?, ?, ?, ?, ?)", sorted(self.rows, key=lambda r: r[0]))
        last = db.execute("SELECT max(id) FROM journal").fetchone()[0]
        db.commit()
        db.close()
        return last


def folded(dir_, share, journal):
    """A server on this journal, all of it folded."""
    s = Server(dir_, share)
    s.start()
    s.stop()
    journal.beat(int(time.time() * 1000))  # so that the server does not think that it was away
    last = journal.write(s.store)
    s.start()
    db = sqlite3.connect(s.store)
    end = time.monotonic() + 60
    while db.execute("SELECT coalesce(min(journal_id), 0) FROM fold_cursor").fetchone()[0] < last or \
            db.execute("SELECT count(*) FROM index_dirty").fetchone()[0]:
        if time.monotonic() > end:
            raise RuntimeError("not folded: " + open(s.dir + "/log").read()[-3000:])
        time.sleep(0.05)
    db.close()
    return s
