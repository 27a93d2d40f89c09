"""The way to the server is cut while data flows: the backlog comes later, on its own lane,
and nothing is lost or comes twice."""
from parts import records
from province import until

PROBES = "  - { probe: selftest, id: st, every: 50ms }\n"


def test_backlog_comes_and_new_data_does_not_wait(province):
    province.registry()
    m = province.enroll("box").run(PROBES)
    until("packs", lambda: province.packs(m.id) > 3)
    province.broker.kill()
    until("a backlog", lambda: m.status()["spool"]["packs"] >= 60, 30)
    province.broker.start()
    until("the backlog is gone", lambda: m.status()["publish"]["state"] == "sending"
          and m.status()["spool"]["packs"] < 5, 60)
    rows = lambda: province.query(
        "SELECT lane, seq, content_type, payload FROM journal WHERE agent = ?"
        " AND kind = 'data' ORDER BY id", m.id)
    until("new data", lambda: rows()[-1][0] == "data")
    assert m.process.stop() == 0
    got = rows()
    hist = [i for i, r in enumerate(got) if r[0] == "hist"]
    assert len(hist) >= 60
    numbers = [r["v"] for _, _, kind, payload in got for r in records(kind, payload)
               if r["n"] == f"{m.id}/selftest/st/count"]
    assert sorted(numbers) == list(range(1, len(numbers) + 1)), "nothing lost, nothing twice"
    assert province.get("/api/v1/gaps")[1]["items"] == []
