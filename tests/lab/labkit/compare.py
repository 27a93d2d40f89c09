"""What the server says of the province, held against what was done to it. Unknown is an
answer too: of an office without an agent, the right number of computers is "unknown"."""
import json
import math
import urllib.request

from . import truth as truths

WAN_KINDS = ("province-wan", "government-wan")


class Api:
    def __init__(self, state):
        self.url = json.loads((state / "ready.json").read_text())["url"]
        self.bearer = (state / "server/admin.token").read_text().strip()

    def get(self, path):
        ask = urllib.request.Request(self.url + path.lstrip("/"), headers={"Authorization": f"Bearer {self.bearer}"})
        with urllib.request.urlopen(ask, timeout=10) as reply:
            return json.load(reply)


def close(a, b):
    return a is not None and b is not None and math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12)


def solution(row, name):
    """An index value's own word on one solution."""
    return next((i["answer"] for i in row["explain"]["inputs"]
                 if i["what"] == "solution" and i["solution"] == name), None)


class Expect:
    """Of one agency alone: numerator and denominator as they were made, or why unknown."""

    def __init__(self, truth, agency):
        self.row = truth["agencies"][agency]
        self.link = next((l for l in truth["links"].values() if l["agency"] == agency), None)
        self.agent = truth["processes"].get(f"agent-{agency}") is not None

    def computers(self):
        # The core is the data centre: its agent watches others' links and scans no LAN.
        if not self.agent or not self.row["machines"]:
            return None
        return sum(m["kind"] == "computer" for m in self.row["machines"]), self.row["servants"]

    def bandwidth(self):
        return (self.link["down_bps"], self.row["servants"]) if self.link else None

    def wan(self):
        return (1 if self.link["kind"] in WAN_KINDS else 0, 1) if self.link else None


def check_value(got, want, servants_matter=True):
    """(ok, what was wanted) of one value."""
    if want is None or (servants_matter and want[1] is None):
        return got["status"] == "unknown" and got["value"] is None and got["reason"] != "" and got["cure"] != "", "unknown"
    numerator, denominator = want
    text = f"{numerator}/{denominator}"
    if got["value"] is None:
        return False, text
    exact = close(got["numerator"]["value"], numerator) and close(got["denominator"]["value"], denominator)
    low, high = got.get("low"), got.get("high")
    within = (low is not None and high is not None and close(got["denominator"]["value"], denominator)
              and low - 1e-9 <= numerator / denominator <= high + 1e-9)
    return exact or within, text


def sum_of(own, indicator, agencies):
    """The numerator and denominator that an agency's sum must have: of the known below it."""
    rows = [own[a, indicator] for a in agencies if (a, indicator) in own and own[a, indicator]["value"] is not None]
    if not rows:
        return None
    return sum(r["numerator"]["value"] for r in rows), sum(r["denominator"]["value"] for r in rows)


def lines(api, truth):
    """(ok, scope, indicator, wanted, got row) of everything that can be held against truth."""
    own = {(r["scope"], r["indicator"]): r for r in api.get("/api/v1/index?own=true&limit=1000")["items"]}
    summed = {(r["scope"], r["indicator"]): r for r in api.get("/api/v1/index?own=false&limit=1000")["items"]}
    for agency in truth["agencies"]:
        expect = Expect(truth, agency)
        for indicator in ("computers", "bandwidth", "wan"):
            got = own.get((agency, indicator))
            if got is None:
                yield False, agency, indicator, "a value", {}
                continue
            ok, want = check_value(got, getattr(expect, indicator)(), indicator != "wan")
            yield ok, agency, indicator, want, got
        got = own.get((agency, "security"), {})
        if expect.agent:
            full = api.get(f"/api/v1/index/{agency}/security?own=true")["value"]
            answer = solution(full, "firewall")
            want = "yes" if expect.row["firewall"] else "no"
            yield answer == want, agency, "security: firewall", want, {**got, "shown": answer}
        else:
            yield got.get("status") == "unknown", agency, "security", "unknown", got
    for agency in truth["agencies"]:
        below = truths.below(truth, agency)
        if len(below) == 1:
            continue
        for indicator in ("computers", "bandwidth", "wan", "security"):
            want, got = sum_of(own, indicator, below), summed.get((agency, indicator), {})
            known = [a for a in below if own.get((a, indicator), {}).get("value") is not None]
            if want is None:
                yield got.get("status") == "unknown", f"{agency} and below", indicator, "unknown", got
                continue
            ok = (got.get("value") is not None and close(got["numerator"]["value"], want[0])
                  and close(got["denominator"]["value"], want[1]) and close(got["value"], want[0] / want[1])
                  and (got["status"] != "known" or len(known) == len(below)))
            yield ok, f"{agency} and below", indicator, f"{want[0]:g}/{want[1]:g}", got


def show(got):
    if "shown" in got:
        return str(got["shown"])
    if got.get("value") is None:
        return f"unknown: {got.get('reason', 'no row')}"
    low, high = got.get("low"), got.get("high")
    text = f"{got['numerator']['value']:g}/{got['denominator']['value']:g}"
    if low is not None and high is not None and low != high:
        text += f" = {got['value']:.3g} ({low:.3g} to {high:.3g})"
    return f"{text}, coverage {got['coverage']:.0%}, {got['source']}"


def main(state, as_json):
    result = list(lines(Api(state), truths.read(state)))
    if as_json:
        print(json.dumps([{"ok": ok, "scope": s, "indicator": i, "wanted": w, "got": show(g)}
                          for ok, s, i, w, g in result], ensure_ascii=False, indent=1))
    else:
        for ok, scope, indicator, want, got in result:
            print(f"{'ok   ' if ok else 'WRONG'} {scope:22} {indicator:20} done: {want:14} hatang: {show(got)}")
    bad = sum(not ok for ok, *_ in result)
    if not as_json:
        print(f"{len(result) - bad} right, {bad} wrong")
    return 1 if bad or not result else 0
