"""`hatang` against the real API: login, tables, JSON, problems, exit codes."""
import json, os, re, subprocess, sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from web_fixture import BUILD, filled

HATANG = os.path.join(BUILD, "cli", "hatang")


pytestmark = pytest.mark.xdist_group("cli")  # one server for all


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    share = tmp_path_factory.mktemp("share")
    s = filled(tmp_path_factory.mktemp("web"), share)
    yield s
    s.stop()


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


def hatang(home, *words, stdin="", **env):
    clean = {"HOME": str(home), "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", **env}
    return subprocess.run([HATANG, *words], input=stdin, capture_output=True, text=True, env=clean, timeout=60)


@pytest.fixture(scope="module")
def cli(server, home):
    r = hatang(home, "login", stdin=server.password + "\n", HATANG_URL=server.base)
    assert r.returncode == 0, r.stderr
    return lambda *words, **more: hatang(home, *words, **{"HATANG_URL": server.base, **more})


def test_login_keeps_a_token_that_others_cannot_read(cli, home, server):
    token = home / ".config" / "hatang" / "token"
    assert oct(token.stat().st_mode & 0o777) == "0o600"
    assert server.password not in token.read_text()


def test_wrong_login(server, tmp_path):
    r = hatang(tmp_path, "login", "--account", "x", stdin="wrong\n", HATANG_URL=server.base)
    assert r.returncode == 1 and "check both" in r.stderr
    assert not (tmp_path / ".config").exists()


def test_tables(cli):
    r = cli("agency", "list")
    assert r.returncode == 0, r.stderr
    lines = r.stdout.splitlines()
    assert lines[0].split()[0] == "ID" and len(lines) == 8
    assert any("Huyện Bát Xát" in l and l.startswith("bat-xat ") for l in lines)
    assert re.search(r"y-ty-wan +y-ty +DOWN", cli("links").stdout)
    assert "PC-00" in cli("machines", "--agency", "bat-xat").stdout
    assert "nftables, 14 rules" in cli("posture", "--agency", "bat-xat").stdout
    assert "spool-full" in cli("gaps").stdout
    assert "bat-xat-1" in cli("agents").stdout
    show = cli("index", "show", "lao-cai").stdout
    assert "unknown" in show and "see the agencies below for what each one lacks" in show
    assert re.search(r"computers +0\.74", show)


def test_json_and_explain(cli):
    links = json.loads(cli("links", "--json").stdout)
    assert len(links) == 5 and {l["state"] for l in links} == {"UP", "DOWN", "DEGRADED", "UNKNOWN"}
    x = json.loads(cli("index", "explain", "bat-xat", "computers", "--json").stdout)
    assert x["value"]["evidence"] and x["evidence_rows"]


def test_token_and_import(cli, tmp_path):
    token = cli("token", "create", "--agency", "bat-xat", "--expires", "2h").stdout.strip()
    assert re.fullmatch(r"[0-9a-f]+\.[0-9a-f]+\.[0-9a-f]+", token)
    assert token.split(".")[0] in cli("token", "list").stdout
    file = tmp_path / "co-quan.csv"
    file.write_text("id,name,level,parent\nx,Xã X,xã,bat-xat\ny,Xã Y,làng,bat-xat\n")
    r = cli("agency", "import", str(file), "--dry-run")
    assert r.returncode == 1 and "line 3, level" in r.stderr and "nothing was changed" in r.stdout
    assert cli("agency", "show", "x").returncode == 1
    r = cli("agency", "import", str(file), "--skip-bad")
    assert r.returncode == 0, r.stderr
    assert "Xã X" in cli("agency", "show", "x").stdout


def test_approve(cli):
    r = cli("agents", "approve", "bat-xat-1")
    assert r.returncode == 0, r.stderr
    assert json.loads(cli("agents", "show", "bat-xat-1").stdout)["proposal"] is None
    assert cli("agents", "approve", "bat-xat-1").returncode == 1


@pytest.mark.parametrize("words, says", [
    (("nothing",), "no verb"), (("agency", "jump"), "usage"), (("links", "--colour"), "unknown option"),
    (("links", "--agency"), "wants a value"), (("machines",), "usage"), (("token", "create"), "usage"),
    (("token", "create", "--agency", "x", "--expires", "soon"), "12h or 7d")])
def test_usage_is_2(cli, words, says):
    r = cli(*words)
    assert r.returncode == 2 and says in r.stderr, r.stderr


def test_failures_are_1_and_say_why(cli, home, server):
    r = cli("agency", "show", "none")
    assert r.returncode == 1 and 'no agency "none"' in r.stderr
    wrong = home / "wrong"
    wrong.write_text("hta_wrong\n")
    wrong.chmod(0o600)
    r = cli("links", HATANG_TOKEN_FILE=str(wrong))
    assert r.returncode == 1 and "login" in r.stderr
    r = cli("links", HATANG_URL="http://127.0.0.1:1")
    assert r.returncode == 1 and "127.0.0.1:1" in r.stderr
    r = hatang(home / "other", "links", HATANG_URL=server.base)
    assert r.returncode == 1 and "hatang login" in r.stderr


def test_every_verb_has_help(cli):
    verbs = [l.split()[0] for l in cli("--help").stdout.splitlines() if l.startswith("  ")]
    assert len(verbs) >= 10
    for verb in verbs:
        assert cli(verb, "--help").returncode == 0, verb
