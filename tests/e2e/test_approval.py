"""An agent proposes what to measure, an administrator approves it, it comes back and is in
force; what the agent cannot take is refused with its place, and shown."""
import hashlib

from province import until


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


def test_proposal_approved_and_in_force(province):
    province.registry()
    m = province.enroll("box").run()
    proposal = until("the proposal", lambda: province.show(m.id)["proposal"])
    assert proposal["first"] and "probes:" in proposal["config"]
    assert m.status()["probes"] == [], "nothing is measured that nobody approved"
    assert province.hatang("agents", "approve", m.id).strip() == "done"
    until("in force", lambda: province.show(m.id)["config_in_force"])
    shown = province.show(m.id)
    assert shown["approved_config"] == proposal["config"] and shown["proposal"] is None
    digest = sha256(proposal["config"])
    assert shown["approved_hash"] == shown["presence"]["config_hash"] == digest
    assert m.approved.read_text() == proposal["config"]
    assert m.approved.stat().st_mode & 0o077 == 0
    status = m.status()
    assert status["approved"] == digest
    assert {"wan", "host"} & {p["id"] for p in status["probes"]}, status["probes"]

    session = shown["presence"]["session"]
    assert m.process.stop() == 0
    m.run()
    until("a new session", lambda: province.show(m.id)["presence"]["session"] != session)
    assert province.show(m.id)["presence"]["config_hash"] == digest
    assert {p["id"] for p in m.status()["probes"]} == {p["id"] for p in status["probes"]}


def test_what_the_agent_cannot_take_is_refused_and_shown(province):
    province.registry()
    m = province.enroll("box").run()
    until("online", lambda: province.presence(m.id) == "online")

    def approve(text):
        file = province.folder / "approve.yaml"
        file.write_text(text)
        province.hatang("agents", "approve", m.id, "--file", str(file))

    good = "probes:\n  - { probe: selftest, id: old, every: 200ms }\n"
    approve(good)
    until("in force", lambda: province.show(m.id)["config_in_force"])
    approve("probes:\n  - { probe: selftest, id: new, evry: 200ms }\n")
    refused = until("the refusal", lambda: province.show(m.id)["config_refused"])
    assert "approved.yaml:2:" in refused["error"] and "every" in refused["error"]
    assert 'config_refused agent=bat-xat-1' in province.server.log.read_text()
    shown = province.show(m.id)
    assert not shown["config_in_force"]
    assert shown["presence"]["config_hash"] == sha256(good)
    assert m.approved.read_text() == good
    before = province.latest(m.id)["selftest/old/count"]["value"]
    until("the old goes on",
          lambda: province.latest(m.id)["selftest/old/count"]["value"] != before)
    status, row = province.get(f"/api/v1/evidence/{refused['evidence']}")
    assert status == 200 and "approved.yaml:2:" in str(row)

    # Whom the agent trusts is not to be approved at all.
    (province.folder / "approve.yaml").write_text("mqtt: { host: elsewhere.example }\n")
    said = province.hatang("agents", "approve", m.id, "--file",
                           str(province.folder / "approve.yaml"), code=1)
    assert "configuration:1:1:" in said and "mqtt" in said
    approve(good.replace("old", "newer"))
    until("in force", lambda: province.show(m.id)["config_in_force"])
    assert province.show(m.id)["config_refused"] is None
    assert [p["id"] for p in m.status()["probes"]] == ["newer"]
