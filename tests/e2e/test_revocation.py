"""`hatang agents revoke`: the live session dies, nothing comes after it; and the same machine
comes back with a new token as who it was."""
import json
import time

import pytest
from province import SELFTEST, Wire, until


def test_revoked_within_two_seconds_and_back_with_its_history(province):
    province.registry()
    m = province.enroll("box").run(SELFTEST)
    until("packs", lambda: province.packs(m.id) > 3)
    wire = Wire(m)
    old = [f.read_text() for f in m.certificate]

    began = time.monotonic()
    province.hatang("agents", "revoke", m.id, "--reason", "stolen")
    log = province.broker.log
    assert wire.closed.wait(2), "the live session lives on"
    until("the agent's session is ended too",
          lambda: log.read_text().count("administrative action") >= 2, 2)
    print(f"\nboth sessions ended after {time.monotonic() - began:.2f} s")
    with pytest.raises((ConnectionError, OSError)):
        Wire(m)
    refused = lambda: log.read_text().count("verify failed")

    def agent_refused_again():
        n = refused()
        until("the agent tries and is refused", lambda: refused() > n, 30)

    agent_refused_again()  # what the broker took before the revocation is committed by then
    province.folded()
    had = province.packs(m.id)
    agent_refused_again()
    assert province.packs(m.id) == had
    assert province.show(m.id)["revoked"]
    assert m.process.running(), "it goes on measuring and keeps what it has"

    # The same machine, enrolled anew: same id, what it measured meanwhile is delivered.
    m.process.stop()
    m.enroll(province.token())
    assert m.id == "bat-xat-1" and [f.read_text() for f in m.certificate] != old
    m.run()
    until("it delivers again", lambda: province.packs(m.id) > had + 5)
    until("online", lambda: province.presence(m.id) == "online")
    shown = province.show(m.id)
    assert not shown["revoked"] and shown["aside"] == 0
    until("the backlog is through", lambda: m.status()["spool"]["packs"] < 3)
    assert m.process.stop() == 0
    province.folded()
    rows = province.query("SELECT epoch, min(seq), max(seq), count(*) FROM journal WHERE agent = ?"
                          " AND kind = 'data' GROUP BY epoch", m.id)
    assert len(rows) == 1 and rows[0][1] == 1 and rows[0][2] == rows[0][3], rows
    status, answer = province.get("/api/v1/gaps?agent=" + m.id)
    assert status == 200 and answer["items"] == []
    # The history before and after is one.
    status, series = province.get(f"/api/v1/series?agent={m.id}&name=selftest/st/count")
    assert status == 200
    said = json.loads(province.hatang("agents", "--json"))
    assert [a["id"] for a in said] == [m.id]
