"""Nothing is lost and nothing comes twice, whatever is killed: a selftest counts every
50 ms while broker, server and agent are killed with SIGKILL at random moments, the link
is pulled, and all are started again. At the end the numbers in the journal, with the
gaps that the agent reported, must be the whole sequence."""
import json
import os
import random
import time

import pytest
from parts import json_records, until

KILLS, KILLS_EXTENDED = 24, 300
PROBE = "  - { probe: selftest, id: st, every: 50ms, timeout: 1s }\n"


def numbers(office):
    """(number, epoch, seq) of each reading in the journal, and the gaps by epoch."""
    got, gaps = [], []
    for _id, _lane, epoch, seq, _type, payload in office.server.packs("a1"):
        for r in json_records(payload):
            if r["n"] == "a1/selftest/st/count":
                got.append((r["v"], epoch, seq))
            elif r["n"] == "a1/agent/spool/gap":
                where, span = r["vs"].split(" ")[0].split(":")
                first, last = map(int, span.split("-"))
                gaps.append((where, first, last))
    return got, gaps


def explained(got, gaps):
    """Every number between the first and the last is in the journal, or lies in packs that
    a gap names; none is there twice."""
    values = [v for v, _, _ in got]
    twice = sorted({v for v in values if values.count(v) > 1}) if len(values) != len(
        set(values)) else []
    assert not twice, f"twice in the journal: {twice[:20]}"
    missing = set(range(1, max(values) + 1)) - set(values)
    if missing:
        assert gaps, f"missing without any gap: {sorted(missing)[:20]}"
        by_value = {v: (e, s) for v, e, s in got}
        for m in missing:
            below = max((v for v in by_value if v < m), default=None)
            above = min(v for v in by_value if v > m)
            low = by_value[below][1] if below else 0
            epoch, high = by_value[above]
            assert any(e == epoch and first <= high and last >= low for e, first, last in gaps), \
                f"{m} is missing and no gap names it"
    return len(values)


def seq_holes(office):
    """Sequence numbers that neither the journal nor a gap explains, by epoch."""
    _, gaps = numbers(office)
    holes = {}
    by_epoch = {}
    for p in office.server.packs("a1"):
        by_epoch.setdefault(p[2], []).append(p[3])
    for epoch, seqs in by_epoch.items():
        assert len(seqs) == len(set(seqs)), "a key twice in the journal"
        named = {s for e, first, last in gaps if e == epoch for s in range(first, last + 1)}
        left = set(range(1, max(seqs) + 1)) - set(seqs) - named
        if left:
            holes[epoch] = sorted(left)
    return holes


@pytest.mark.long
def test_kills(office, extended):
    seed = int(os.environ.get("HATANG_SEED", time.time_ns() % 1_000_000))
    print(f"HATANG_SEED={seed}")  # repeats the choices, not the moments
    chance = random.Random(seed)
    kills = KILLS_EXTENDED if extended else KILLS
    agent = office.agent("a1", PROBE).start()
    parts = {"broker": office.broker, "server": office.server, "agent": agent}
    until("numbers flow", lambda: len(numbers(office)[0]) >= 10, 30)

    for i in range(kills):
        name = chance.choice(sorted(parts))
        time.sleep(chance.uniform(0.05, 1.2))  # the random moment, not a synchronisation
        parts[name].kill()
        # Sometimes a second one falls before the first is up again.
        also = chance.choice(sorted(parts)) if chance.random() < 0.2 else None
        if also and also != name:
            parts[also].kill()
        time.sleep(chance.uniform(0, 0.5))
        for part in {name, also} - {None}:
            parts[part].start()
        if i == kills // 2:
            office.broker.kill()  # the link is pulled; the agent goes on counting
            before = agent.status()["collect"]["readings"]
            until("it counts on while it is cut off",
                  lambda: agent.status()["collect"]["readings"] > before + 100, 30)
            office.broker.start()

    # Back-off grows to a minute when peers are killed again and again.
    until("all is sent", lambda: agent.status()["publish"]["state"] == "sending"
          and agent.status()["spool"]["packs"] < 3, 180)
    assert agent.stop() == 0
    until("the spool is empty", lambda: drained(agent), 90)
    got, gaps = numbers(office)
    n = explained(got, gaps)
    assert seq_holes(office) == {}
    assert len({e for _, e, _ in got}) == 1, "no kill begins a new epoch"
    print(json.dumps({"kills": kills, "numbers": n, "gaps": len(gaps)}))


def drained(agent):
    """Let the agent run until it has nothing left, then look at the file."""
    if agent.queue()["count"] == 0:
        return True
    agent.start()
    until("sending", lambda: agent.status()["publish"]["state"] == "sending", 90)
    until("few", lambda: agent.status()["spool"]["packs"] < 2, 60)
    agent.stop()
    return agent.queue()["count"] == 0
