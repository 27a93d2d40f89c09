"""`hatang alert` against the API on tables as the folds leave them."""
import json, os, pathlib, subprocess, sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from built import BUILD, ROOT as TOP
from outage_fixture import with_outages
from web_fixture import Client

ROOT = pathlib.Path(TOP)
pytestmark = pytest.mark.xdist_group("cli-alert")  # one server for all


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    share = tmp_path_factory.mktemp("share")
    (share / "dashboard").mkdir()
    (share / "alert").mkdir()
    (share / "alert" / "rules").symlink_to(ROOT / "server" / "alert" / "rules")
    s = with_outages(tmp_path_factory.mktemp("cli"), share)
    yield s
    assert s.stop() == 0


@pytest.fixture(scope="module")
def hatang(server, tmp_path_factory):
    c = Client(server.base)
    assert c.login("admin", server.password).status == 200
    folder = tmp_path_factory.mktemp("home")
    token = folder / "token"
    token.write_text(c.call("POST", "/api/v1/api-tokens", {"label": "cli"}).json["token"])
    token.chmod(0o600)
    env = {**os.environ, "HATANG_URL": server.base, "HATANG_TOKEN_FILE": str(token), "XDG_CONFIG_HOME": str(folder)}

    def run(*args, code=0):
        done = subprocess.run([BUILD / "cli" / "hatang", *args], capture_output=True, text=True, timeout=60, env=env)
        assert done.returncode == code, f"{args}: {done.returncode} {done.stdout}{done.stderr}"
        return done.stdout + done.stderr
    return run


def test_list(hatang, server):
    lines = hatang("alert", "list").splitlines()
    assert lines[0].split()[:3] == ["INCIDENT", "SEVERITY", "WHAT"] and len(lines) == 3
    assert "link-down" in lines[2] and "y-ty-wan" in lines[2] and "wan-link" in lines[2]
    assert len(hatang("alert", "--all").splitlines()) == 4
    got = json.loads(hatang("alert", "list", "--all", "--agency", "sa-pa", "--json"))
    assert [i["id"] for i in got] == [server.made["closed"]]


def test_show_and_explain(hatang, server):
    text = hatang("alert", "show", server.made["incident"])
    for word in ("critical", "link-down", "Xã Y Tý", "email-truc", "gateway answered 503", "opened"):
        assert word in text, text
    assert json.loads(hatang("alert", "show", server.made["incident"], "--json"))["n_affected"] == 1
    # An incident, an outage, a link, an agency: all can be asked about.
    assert "email-truc" in hatang("alert", "explain", server.made["incident"])
    for id_ in (server.made["now"], "y-ty-wan", "y-ty"):
        text = hatang("alert", "explain", id_)
        assert "link-down y-ty-wan" in text and server.made["incident"] in text and "opened" in text, text
    # The outage of yesterday was told to nobody: its problem is not there.
    assert "nothing was ever wrong" in hatang("alert", "explain", server.made["power"], code=1)
    assert "there is no incident" in hatang("alert", "show", "none", code=1)


def test_acknowledge(hatang, server):
    assert "acknowledged" in hatang("alert", "ack", server.made["incident"], "--note", "gọi VNPT")
    assert "closed" in hatang("alert", "ack", server.made["closed"], code=1)
    assert "there is no incident" in hatang("alert", "ack", "none", code=1)


@pytest.mark.parametrize("args", [("show",), ("ack",), ("list", "x"), ("explain",), ("what",), ("replay",),
                                  ("replay", "file", "other"), ("list", "--wat")])
def test_usage(hatang, args):
    assert "usage" in hatang("alert", *args, code=2)


def test_a_missing_file_is_named(hatang):
    assert "/nonexistent" in hatang("alert", "replay", "/nonexistent", code=1)


def test_scenarios_are_replayed(hatang, tmp_path):
    """Each that is shipped passes; one that expects something else does not, and says so."""
    for file in sorted((ROOT / "tests" / "replay").glob("*.yaml")):
        hatang("alert", "replay", str(file))
    text = (ROOT / "tests" / "replay" / "single.yaml").read_text()
    assert text.count("kind: announce") >= 1
    other = tmp_path / "other.yaml"
    other.write_text(text.replace("kind: announce", "kind: escalate", 1))
    assert "announce" in hatang("alert", "replay", str(other), code=1)
    other.write_text(text.replace("events:", "evnets:", 1))
    assert "evnets" in hatang("alert", "replay", str(other), code=1)
    answer = json.loads(hatang("alert", "replay", str(ROOT / "tests" / "replay" / "single.yaml"), "--json"))
    assert answer["passed"] is True and answer["report"]
