"""One certificate on two machines: the copy's packs lie aside, acknowledged and shown, until an
administrator says which machine is the agent."""
import hashlib
import json

from province import until


def fingerprint(name):
    return hashlib.sha256(name.encode()).hexdigest()


def probe(name):
    return f"  - {{ probe: selftest, id: {name}, every: 200ms }}\n"


def counts(province, agent, table, name):
    """Numbers of the probe `name` in a table of packs, in order of arrival."""
    from parts import records
    rows = province.query(f"SELECT content_type, payload FROM {table} WHERE agent = ?"
                          " AND lane IS NOT NULL ORDER BY id", agent)
    return [r["v"] for kind, payload in rows for r in records(kind, payload)
            if r["n"] == f"{agent}/selftest/{name}/count"]


def test_a_clone_lies_aside_until_somebody_decides(province):
    province.registry()
    first = province.enroll("first")
    config = first.config.read_text().replace("mqtt:\n", "mqtt:\n  format: json\n")
    first.config.write_text(config)
    first.run(probe("first"))
    until("packs", lambda: province.packs(first.id) > 3)
    assert first.process.stop() == 0
    copy = first.copy("copy")
    copy.env["HATANG_FINGERPRINT"] = "copy"
    first.run()
    copy.run(probe("copy"))

    def clones():
        return json.loads(province.hatang("agents", "clones", "--json"))

    group = until("the clone is shown", lambda: [c for c in clones() if c["packs"] > 4])[0]
    assert group["agent"] == first.id and group["reason"] == "clone"
    assert group["fingerprint"] == fingerprint("copy")
    assert group["owner_fingerprint"] == fingerprint("first")
    assert first.id in province.hatang("agents", "clones")
    until("the copy is acknowledged all the same",
          lambda: copy.status()["publish"]["state"] == "sending"
          and copy.status()["spool"]["packs"] < 5)
    had = province.packs(first.id)
    until("the owner goes on beside it", lambda: province.packs(first.id) > had + 5)
    province.folded()
    latest = province.latest(first.id)
    assert "selftest/first/count" in latest and "selftest/copy/count" not in latest
    shown = province.show(first.id)
    assert shown["presence"]["fingerprint"] == fingerprint("first")
    assert shown["aside"] > 0

    # A machine that never spoke cannot be chosen; the copy can.
    said = province.hatang("agents", "claim", first.id, "--fingerprint", "f" * 64, code=1)
    assert "choose one" in said
    province.hatang("agents", "claim", first.id, "--fingerprint", fingerprint("copy"))
    until("the new owner's values count", lambda: "selftest/copy/count" in
          province.latest(first.id))
    assert province.show(first.id)["fingerprint"] == fingerprint("copy")
    until("the new owner is present",
          lambda: province.show(first.id)["presence"]["fingerprint"] == fingerprint("copy"))
    until("the loser is the clone now", lambda: [
        c for c in clones() if c["fingerprint"] == fingerprint("first") and c["packs"] > 4])
    assert {c["fingerprint"] for c in clones()} == {fingerprint("first")}
    mine = lambda: province.latest(first.id)["selftest/copy/count"]["value"]
    before, other = mine(), province.latest(first.id)["selftest/first/count"]["value"]
    until("the winner goes on", lambda: int(mine()) > int(before) + 5)
    province.folded()
    assert province.latest(first.id)["selftest/first/count"]["value"] == other
    assert first.process.stop() == 0 and copy.process.stop() == 0
    province.folded()

    # Nothing of the winner was lost while it lay aside, and nothing of the loser since.
    won = counts(province, first.id, "journal", "copy")
    assert sorted(won) == list(range(1, len(won) + 1))
    lost = counts(province, first.id, "journal", "first")
    aside = counts(province, first.id, "journal_aside", "first")
    assert sorted(lost + aside) == list(range(1, len(lost + aside) + 1))
    assert province.query("SELECT count(*) FROM journal WHERE kind = 'data' AND lane IS NULL"
                          ) == [(0,)]
    assert province.query("SELECT count(*) FROM garbage") == [(0,)]
    done = json.loads(province.hatang("agents", "--json"))
    assert [a["presence"]["state"] for a in done] == ["offline"]
