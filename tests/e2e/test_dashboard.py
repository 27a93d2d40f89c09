"""The pages in Debian's Chromium, on the real API: log in, read, explain, switch language."""
import os, re, shutil, subprocess, sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from web_fixture import ROOT, filled

WEB = os.path.join(ROOT, "dashboards", "web")


pytestmark = pytest.mark.xdist_group("dashboard")  # one build for all


@pytest.fixture(scope="module")
def share(tmp_path_factory):
    share = tmp_path_factory.mktemp("share")
    subprocess.run([os.path.join(WEB, "build"), str(share / "dashboard")], check=True)
    return share


@pytest.mark.long
@pytest.mark.once("the pages run in the browser")
def test_pages(share, tmp_path):
    assert shutil.which("node"), "node is missing: packaging/install-deps test"
    s = filled(tmp_path, share)
    try:
        done = subprocess.run(["node", "test/browser.mjs", s.base, s.password, str(tmp_path / "shots")],
                              cwd=WEB, capture_output=True, text=True, timeout=240)
    finally:
        s.stop()
    assert done.returncode == 0, done.stdout + done.stderr
    assert len([l for l in done.stdout.splitlines() if l.startswith("ok ")]) == 9, done.stdout


@pytest.mark.once("reads what esbuild made")
def test_small_and_self_contained(share):
    sizes = {f: os.path.getsize(share / "dashboard" / f) for f in os.listdir(share / "dashboard")}
    assert set(sizes) == {"index.html", "app.js", "style.css", "icon.svg"}
    assert sum(sizes.values()) < 300_000, sizes
    assert "http" not in (share / "dashboard" / "index.html").read_text()


@pytest.mark.once("reads a file")
def test_lock_names_no_registry():
    lock = open(os.path.join(WEB, "package-lock.json")).read()
    assert '"resolved"' not in lock
    assert '"integrity"' in lock


def literals(text):
    """The strings of some C text, joined where the language joins them."""
    found = re.findall(r'"(?:[^"\\]|\\.)*"(?:\s*"(?:[^"\\]|\\.)*")*', text)
    return ["".join(re.findall(r'"((?:[^"\\]|\\.)*)"', f)) for f in found]


def calls(file, name):
    """The strings in every call (not definition) of a C function in a file."""
    text = open(os.path.join(ROOT, "server", file)).read()
    string = r'"(?:[^"\\]|\\.)*"'
    return [s for call in re.findall(name + rf"\((?:{string}|[^\";{{])*;", text) for s in literals(call)]


def decisions():
    """What `incident_decide`, `join` and `never` are called with, filled in."""
    words = {"opened", "joined", "held", "grouped", "merged", "took-in", "suppressed", "not-told", "closed",
             "acknowledged", "told", "limited"}
    raw = [s for f in ("alert/incident.c", "alert/tell.c") for n in (r"\bincident_decide", r"\bjoin", r"\bnever")
           for s in calls(f, n)]
    assert words <= set(raw), words - set(raw)
    said = {s for s in raw if s not in words and s != "%s" and " " in s}
    said |= {s.replace("it%s", "it, which was told of") for s in said}
    said = {s.replace("it%s", "it").replace("%s to %s", "announce to %s") for s in said}
    return [s.replace("%lld", "7").replace("%s", "bat-xat") for s in sorted(said) if s.strip(", ") != "which was told of"]


def agency_states():
    text = open(os.path.join(ROOT, "server", "derive", "agency_state.c")).read()
    found = re.findall(r'on_backup \? ("[^"]*") : ("[^"]*")', text) + re.findall(r'\.reason = ("[^"]*")()', text)
    return [s.strip('"').replace("links%s", "links").replace("%s", "y-ty-4g")
            for pair in found for s in pair if s.strip('"')]


def sentences(file, pattern):
    """What the rules of a C table say, %s filled in."""
    text = open(os.path.join(ROOT, "server", "derive", file)).read()
    found = ["".join(re.findall(r'"((?:[^"\\]|\\.)*)"', m)) for m in re.findall(pattern, text)]
    return [f.replace("%s", "cut off" if "agent that" in f else "12 %") for f in found]


def bandwidth_sentences():
    """What is said of bandwidth and the WAN: texts of more than two words in these files."""
    out, reachable, over = [], [], []
    for file in ("bandwidth_check.c", "bandwidth_document.c", "wan_connected.c", "rate.c", "usage.c"):
        text = open(os.path.join(ROOT, "server", "derive", file)).read()
        text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
        text = re.sub(r"HT_OPT_[^}]*\}", "", text)  # help of options
        text = text.replace('%" PRId64\n', '3"').replace('%" PRId64 "', "3")
        for m in re.findall(r'((?:"(?:[^"\\\n]|\\.)*"\s*)+)', text):
            one = "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', m))
            if one.count(" ") < 2 or " is no " in one:
                continue
            one = one.replace("%%", "%").replace("%.64s", "y-ty").replace("%.1f", "12.5").replace("%.0f", "80")
            if one.startswith("%s: "):
                one = "down" + one[2:]
            one = one.replace("%s", "internet" if "over" in one else "5 Mbit/s")
            part = reachable if re.match(r"(link|an inside address) .*(answers|over link y-ty|of it is known\))$", one) and "only" not in one \
                else over if re.match(r"(over|but|its path|no rule knows)\b", one) else out
            part.append(one if part is not over or re.match("over|but", one) else "but " + one)
    assert len(reachable) == 3 and len(over) >= 5, (reachable, over)
    return out + [f"{r}, {o}" for r in reachable for o in over if o != "but 5 Mbit/s"] + [f"{r}, {over[0]}: hop 2" for r in reachable]


def test_folds_say_why_in_vietnamese(share):
    """Every sentence of causes, states and alert decisions has a translation."""
    strings = r'((?:"(?:[^"\\]|\\.)*"\s*)+)'
    causes = sentences("cause.c", r"\{ CAUSE_\w+, \w+,\s*" + strings + r"\}")
    states = sentences("linkstate.c", r'\{ \w+, LINK_\w+, (?:\w+, \w+,\s*)?(?:"[\w-]+",\s*)?' + strings + r"\}")
    assert len(causes) > 10 and len(states) > 10, (causes, states)
    told, agencies = decisions(), agency_states()
    bandwidth = bandwidth_sentences()
    assert len(bandwidth) > 40, bandwidth
    assert len(told) >= 20 and len(agencies) >= 3, (told, agencies)
    done = subprocess.run(["node", "test/reasons.mjs"], cwd=WEB, capture_output=True, text=True, timeout=60,
                          input="\n".join(causes + states + told + agencies + bandwidth))
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
