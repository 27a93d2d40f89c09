"""The probe `reach` in a real agent, with real sockets, a real broker, and links that are cut:
how soon it is told, in which order, and what it does not say."""
import shutil

import pytest
from vantage import inside, quantile

pytestmark = pytest.mark.skipif(not (shutil.which("unshare") and shutil.which("nft")),
                                reason="needs unshare and nft")


def test_a_cut_is_told_at_once(tmp_path):
    got = inside("cuts", str(tmp_path), 60, 4, 4)
    print(f"\ndown after {got['down']}, up after {got['up']},"
          f" transition to subscriber {got['sent']}")
    assert got["changes_while_quiet"] == 0, "no state is told twice, at no seam of runs"
    assert max(got["down"]) < 5 and max(got["up"]) < 5
    # The urgent way waits for no tick: a commit and the broker, not a second.
    assert quantile(got["sent"], 0.5) < 0.5
    assert got["exit"] == 0


def test_twenty_thousand_are_told_at_once(tmp_path):
    got = inside("many", str(tmp_path), 20000)
    assert got["told"] == 20000, "each once"
    assert "spool.gap" not in got["log"], "and not one was given up for want of room"
    assert got["lost"] == []
    assert got["exit"] == 0


def test_parents_are_told_before_children(tmp_path):
    got = inside("storm", str(tmp_path), 200, 10)
    at = {link: i for i, (link, _, _) in enumerate(got["order"])}
    assert len(at) == 200 == len(got["order"]), "each once"
    for i in range(10, 200):
        assert at[f"l{i % 10}"] < at[f"l{i}"]
    print(f"\nthe last of 200 arrived {max(a for _, a, _ in got['order']):.2f} s after the cut")
    assert max(a for _, a, _ in got["order"]) < 6
    assert not any(got["blind"])


def test_blind_restarted_and_stopped(tmp_path):
    got = inside("blind", str(tmp_path), 30)
    assert got["blind_after"] < 6
    assert got["reason"] == "none of the 2 self-check targets answers"
    assert got["down_while_blind"] == 0
    assert got["sees"][0] is False
    assert got["after_restart"] == ["up"]
    assert got["after_stop"] == []
