"""mqtt/PROTOCOL.md is enough for a stranger: mosquitto_pub and a Python script that know
nothing of hatang's code reach the journal through a real broker and server."""
import json
import pathlib
import re
import subprocess
import sys

import pytest

from broker import Broker, Pki, until
from built import BUILD, ROOT
from server import Server

HERE = pathlib.Path(__file__).resolve().parent
PROTOCOL = (ROOT / "mqtt" / "PROTOCOL.md").read_text()
AGENT = "bat-xat-1"


pytestmark = pytest.mark.xdist_group("protocol")  # one server for all


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    return Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def broker(tmp_path_factory, pki):
    b = Broker(tmp_path_factory.mktemp("broker"), pki).start()
    yield b
    b.stop()


@pytest.fixture(scope="module")
def server(tmp_path_factory, broker, pki):
    s = Server(tmp_path_factory.mktemp("server"), broker, pki)
    s.start()
    yield s
    s.end()


def mosquitto_pub_of_the_page(broker, pki):
    """The command of section 7 as it stands there, with this test's broker and files."""
    crt, key = pki.issue(AGENT)
    text = re.search(r"(mosquitto_pub .*?\]')", PROTOCOL, re.S).group(1)
    for there, here in (("broker.example", "localhost"), ("-p 8883", f"-p {broker.port}"),
                        ("ca.crt", str(pki.ca)), (f"{AGENT}.crt", str(crt)), (f"{AGENT}.key", str(key))):
        assert there in text
        text = text.replace(there, here)
    return text


def test_mosquitto_pub_as_the_page_says(server, broker, pki):
    subprocess.run(["sh", "-ec", mosquitto_pub_of_the_page(broker, pki)], check=True, timeout=30)
    rows = until("the pack is journaled", lambda: server.query(
        "SELECT lane, epoch, seq, content_type FROM journal WHERE agent = ? AND source = 'agent'", AGENT))
    assert rows == [("data", None, None, "application/senml+json")]
    until("folded", lambda: server.query(
        "SELECT 1 FROM latest WHERE agent = ? AND name = 'icmp/wan/status'", AGENT))


def test_another_agent_in_fifty_lines(server, broker, pki):
    crt, key = pki.issue("stranger-1")
    done = subprocess.run([sys.executable, HERE / "stranger.py", "localhost", str(broker.port),
                           "stranger-1", pki.ca, crt, key, "40"],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    epoch = done.stdout.strip()
    seqs = [r[0] for r in server.query("SELECT seq FROM journal WHERE epoch = ? ORDER BY seq", epoch)]
    assert seqs == list(range(1, 41))
    until("its goodbye", lambda: server.query(
        "SELECT state FROM presence WHERE agent = 'stranger-1'") == [("offline",)])


def test_packs_of_the_page_decode(broker, pki):
    text = mosquitto_pub_of_the_page(broker, pki)
    pack = re.search(r"-m '(.*)'", text, re.S).group(1)
    out = subprocess.run([BUILD / "cli" / "hatang", "decode", "--json"], input=pack, text=True,
                         capture_output=True, check=True).stdout
    assert [(r["n"], r.get("v", r.get("vs"))) for r in json.loads(out)] == [
        ("bat-xat-1/icmp/wan/loss", 0), ("bat-xat-1/icmp/wan/status", "ok")]


def test_the_page_names_what_the_code_has():
    topics = re.findall(r"TOPIC_(\w+)\] = \"(\w+)\"", (ROOT / "mqtt" / "topic.c").read_text())
    props = re.findall(r"\{ PROPS_\w+, \"(\w+)\"", (ROOT / "mqtt" / "props.c").read_text())
    verbs = re.findall(r"\[CONTROL_(?:CONFIG|PROBE|PROPOSE)\] = \"(\w+)\"",
                       (ROOT / "mqtt" / "control.c").read_text())
    assert len(topics) == 6 and len(props) == 6 and len(verbs) == 3
    for word in [t[1] for t in topics] + props + verbs:
        assert f"`{word}`" in PROTOCOL, word
