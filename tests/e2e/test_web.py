"""The HTTP API on the real web room, writer and registry; its tables filled by hand."""
import json, os, re, ssl, socket, sqlite3, subprocess, sys, threading, time

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import web_fixture as fixture
from web_fixture import Client, Server, filled

PASSWORD = "một mật khẩu đủ dài"


pytestmark = pytest.mark.xdist_group("web")  # one server for all


@pytest.fixture(scope="module")
def share(tmp_path_factory):
    share = tmp_path_factory.mktemp("share")
    (share / "dashboard").mkdir()
    (share / "dashboard" / "index.html").write_text("<!doctype html><title>x</title>")
    (share / "dashboard" / "app.js").write_text("export {};")
    (share / "dashboard" / "secret.key").write_text("not served")
    return share


@pytest.fixture(scope="module")
def server(tmp_path_factory, share):
    s = filled(tmp_path_factory.mktemp("web"), share)
    yield s
    assert s.stop() == 0


@pytest.fixture(scope="module")
def admin(server):
    c = Client(server.base)
    assert c.login("admin", server.password).status == 200
    return c


@pytest.fixture(scope="module")
def other(tmp_path_factory, share):
    """Another such server, for edits: the score is computed anew after them."""
    s = filled(tmp_path_factory.mktemp("other"), share)
    yield s
    assert s.stop() == 0


@pytest.fixture(scope="module")
def editor(other):
    c = Client(other.base)
    assert c.login("admin", other.password).status == 200
    return c


def account(server, admin, name, role, agency=None):
    body = {"account": name, "password": PASSWORD, "role": role, "agency": agency}
    r = admin.call("POST", "/api/v1/accounts", body)
    assert r.status in (201, 409), r.body
    c = Client(server.base)
    assert c.login(name, PASSWORD).status == 200
    return c


def problem(r, status, *words):
    assert r.status == status, (r.status, r.body)
    assert r.headers["Content-Type"] == "application/problem+json"
    p = r.json
    assert p["status"] == status and p["type"].startswith("urn:hatang:problem:") and p["title"]
    for word in words:
        assert word in p["detail"], p["detail"]


def test_nothing_without_login(server):
    c = Client(server.base)
    spec = c.get("openapi.yaml").body.decode()
    import yaml
    paths = yaml.safe_load(spec)["paths"]
    tried = 0
    for path, verbs in paths.items():
        for verb, op in verbs.items():
            if op["x-role"] == "public":
                continue
            r = c.call(verb.upper(), re.sub(r"{\w+}", "x", path), raw=b"{}" if verb != "get" else None)
            problem(r, 401, "login")
            tried += 1
    assert tried > 30


def test_viewer_may_not_write(server, admin):
    c = account(server, admin, "xem", "viewer")
    problem(c.call("POST", "/api/v1/tokens", {"agency": "bat-xat"}), 403)
    problem(c.call("POST", "/api/v1/agents/bat-xat-1/revoke", {"reason": "x"}), 403)
    problem(c.call("PUT", "/api/v1/posture/bat-xat/backup", {"answer": "no"}), 403)
    problem(c.get("accounts"), 403)
    assert c.get("agencies").status == 200


def test_csrf_is_demanded(server, admin):
    c = Client(server.base)
    c.cookie = admin.cookie
    problem(c.call("POST", "/api/v1/tokens", {"agency": "bat-xat"}), 403, "X-CSRF-Token")
    c.csrf = "x" * 43
    problem(c.call("POST", "/api/v1/tokens", {"agency": "bat-xat"}), 403, "X-CSRF-Token")


def test_cookie_is_kept_from_scripts(server):
    r = Client(server.base).login("admin", server.password)
    cookie = r.headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie and "Path=/" in cookie
    assert r.headers["Cache-Control"] == "no-store"


def test_scope_sees_itself_and_below(server, admin):
    c = account(server, admin, "bat-xat-it", "operator", "bat-xat")
    seen = {a["id"] for a in c.get("agencies?values=true").json["items"]}
    assert seen == {"bat-xat", "muong-vi", "y-ty"}
    assert {a["id"] for a in c.get("agency-tree").json["items"]} == seen
    assert {l["agency"] for l in c.get("links").json["items"]} == seen
    assert {v["scope"] for v in c.get("index").json["items"]} == {"bat-xat"}
    assert [a["id"] for a in c.get("agents").json["items"]] == ["bat-xat-1"]
    for path in ("agencies/sa-pa", "machines?agency=sa-pa", "posture?agency=lao-cai", "agents/loi-1",
                 "links/ta-van-wan", "index/lao-cai/computers", "latest?agent=loi-1", "agencies/none",
                 f"evidence/{server.ids['sa-pa']}"):
        problem(c.get(path), 404)
    problem(c.call("PUT", "/api/v1/posture/sa-pa/backup", {"answer": "no"}), 404)
    problem(c.get("garbage"), 403)
    # The vantage's row: only the records about its own links.
    row = c.get(f"evidence/{server.ids['loi-1']}").json
    assert {r["name"] for r in row["records"]} == {"icmp/bat-xat-wan/rtt_avg", "icmp/y-ty-wan/loss"}
    assert row["hidden"] == 1
    assert len(c.get(f"evidence/{server.ids['bat-xat-1']}").json["records"]) == 3
    assert "hatang_journal_rows_total" not in c.call("GET", "/metrics").body.decode()
    assert "sa-pa" not in c.call("GET", "/metrics").body.decode()


def test_vantage_is_for_who_sees_all(other, editor):
    scoped = account(other, editor, "bat-xat-admin", "admin", "bat-xat")
    problem(scoped.call("PUT", "/api/v1/agents/bat-xat-1", {"vantage": True}), 403)
    assert editor.get("agents/bat-xat-1").json["vantage"] is False
    assert editor.call("PUT", "/api/v1/agents/bat-xat-1", {"vantage": True}).status == 204
    assert editor.get("agents/bat-xat-1").json["vantage"] is True
    assert editor.call("PUT", "/api/v1/agents/bat-xat-1", {"vantage": False}).status == 204


def test_agencies_with_their_values(admin):
    a = {x["id"]: x for x in admin.get("agencies?values=true").json["items"]}
    assert len(a) == 7
    assert a["bat-xat"]["name"] == "Huyện Bát Xát" and a["bat-xat"]["servants"] == 120
    assert a["bat-xat"]["state"] == "UP" and a["y-ty"]["state"] == "DOWN"
    # Not measured and not registered are both unknown, never down.
    assert a["ta-van"]["state"] == "UNKNOWN" and a["sa-pa"]["state"] == "UNKNOWN"
    assert a["sa-pa"]["index"] == []
    security = next(v for v in a["lao-cai"]["index"] if v["indicator"] == "security")
    assert security["status"] == "unknown" and security["value"] is None
    assert security["reason"] and security["cure"]
    for key in ("unit", "coverage", "confidence", "evidence", "numerator", "denominator"):
        assert key in security
    assert [x["id"] for x in admin.get("agencies?parent=bat-xat").json["items"]] == ["muong-vi", "y-ty"]
    assert [x["id"] for x in admin.get("agencies?search=B%C3%A1t").json["items"]] == ["bat-xat"]


@pytest.mark.parametrize("path", ["agencies", "links", "gaps", "machines?agency=bat-xat", "latest?agent=bat-xat-1"])
def test_pages_join_to_the_whole(admin, path):
    sep = "&" if "?" in path else "?"
    whole = admin.get(path).json
    assert whole["next"] is None and len(whole["items"]) > 1
    after, items = "", []
    while True:
        page = admin.get(f"{path}{sep}limit=1" + (f"&after={after}" if after else "")).json
        assert len(page["items"]) == 1
        items += page["items"]
        if not page["next"]:
            break
        after = page["next"]
    assert items == whole["items"]


def test_explanation_down_to_the_record(admin, server):
    x = admin.get("index/bat-xat/computers?own=true").json
    assert x["value"]["own"] is True and x["value"]["low"] == 0.81
    assert x["value"]["explain"]["agencies"][0]["evidence"] == x["value"]["evidence"]
    ids = [r["id"] for r in x["evidence_rows"]]
    assert sorted(ids) == sorted(x["value"]["evidence"])
    row = admin.get(f"evidence/{server.ids['bat-xat-1']}").json
    assert row["source"] == "agent"
    assert {"name": "icmp/bat-xat-wan/rtt_avg", "unit": "s", "value": 0.0123} in [
        {k: r[k] for k in ("name", "unit", "value")} for r in row["records"]]
    problem(admin.get("evidence/999999"), 404)
    problem(admin.get("evidence/x"), 400, "whole number")


def test_counters_are_exact(admin):
    items = admin.get("latest?agent=bat-xat-1&prefix=selftest/").json["items"]
    assert [i["value"] for i in items] == ["18446744073709551615"]


def test_series(admin):
    hour = fixture.NOW // 3600000 * 3600000
    iso = lambda ms: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ms / 1000))
    q = f"series?agent=bat-xat-1&name=icmp/bat-xat-wan/rtt_avg&from={iso(hour - 10800000)}&to={iso(hour)}&points=180"
    s = admin.get(q).json
    assert s["unit"] == "s" and s["step_s"] == 60 and len(s["t"]) == 180
    assert s["mean"][:60] == pytest.approx([0.012 + 0.002 * (m % 7) for m in range(60)])
    assert s["mean"][90:120] == [None] * 30, "a gap is no zero"
    assert s["coverage"] == pytest.approx(150 / 180)
    coarse = admin.get(q.replace("points=180", "points=3")).json
    assert coarse["min"] == pytest.approx([0.012] * 3) and coarse["max"] == pytest.approx([0.024] * 3)
    problem(admin.get(q + "&points=1"), 400, "twice")
    problem(admin.get("series?agent=bat-xat-1&name=icmp/none/rtt_avg"), 404)
    problem(admin.get("series?agent=a&name=b/c/d&from=2018-01-02&to=2018-01-01"), 400, "before")


def test_links_machines_posture(admin):
    wan = admin.get("links/bat-xat-wan").json
    assert wan["contracted"] == {"down": 50000000, "up": 50000000, "unit": "bit/s"}
    assert wan["rtt_s"] == 0.0123 and wan["used"]["down"] is None
    none = admin.get("links/ta-van-wan").json
    assert none["state"] == "UNKNOWN" and none["rtt_s"] is None and "vantage" in none["reason"]
    assert [l["id"] for l in admin.get("links?state=DOWN").json["items"]] == ["y-ty-wan"]
    m = admin.get("machines?agency=bat-xat&class=printer").json
    assert len(m["items"]) == 1 and m["items"][0]["nics"][0]["ipv4"] == "192.168.10.22"
    assert {c["class"]: c["machines"] for c in m["classes"]}["computer"] == 12
    assert m["subnets"][0]["targets"] == 254
    p = admin.get("posture?agency=bat-xat").json
    assert [f["answer"] for f in p["findings"]] == ["yes", "not-observable"]
    assert p["declarations"][0]["expired"] is True
    assert admin.get("agents/bat-xat-1").json["proposal"]["config"].startswith("site:")


def test_tokens_and_ca(editor):
    admin = editor
    pem = admin.get("ca")
    assert pem.body.startswith(b"-----BEGIN CERTIFICATE-----")
    r = admin.call("POST", "/api/v1/tokens", {"agency": "bat-xat", "valid_s": 3600})
    assert r.status == 201
    token = r.json["token"]
    listed = admin.get("tokens").json["items"]
    assert [t["state"] for t in listed if t["id"] == r.json["id"]] == ["open"]
    assert token.split(".")[1] not in admin.get("tokens").body.decode()
    problem(admin.call("POST", "/api/v1/tokens", {"agency": "nowhere"}), 400)
    problem(admin.call("POST", "/api/v1/tokens", {"agency": "bat-xat", "valid_s": 1}), 400, "60 to 2592000")


def test_enrol(editor, other, tmp_path):
    admin, server = editor, other
    token = admin.call("POST", "/api/v1/tokens", {"agency": "muong-vi", "agent": "muong-vi-1"}).json["token"]
    subprocess.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-keyout", tmp_path / "key", "-out", tmp_path / "csr", "-subj", "/CN=x"],
                   check=True, capture_output=True)
    body = {"token": token, "csr": (tmp_path / "csr").read_text(), "fingerprint": "ab" * 32}
    nobody = Client(server.base)
    r = nobody.call("POST", "/api/v1/enroll", body)
    assert r.status == 201, r.body
    assert r.json["agent"] == "muong-vi-1" and r.json["certificate"].startswith("-----BEGIN")
    assert nobody.call("POST", "/api/v1/enroll", body).status in (401, 409, 410)
    assert admin.get("agents/muong-vi-1").json["agency"] == "muong-vi"


def test_import_dry_run_and_bad_rows(editor):
    admin = editor
    good = "id,name,level,parent,servants,servants_as_of\nbac-ha,Huyện Bắc Hà,huyện,lao-cai,90,2018-01-01\n".encode()
    bad = good + "x y,Xã,xã,nowhere,-1,hôm qua\n".encode()
    r = admin.call("POST", "/api/v1/agencies/import?dry_run=true", raw=good)
    assert r.status == 200 and r.json["agencies"]["added"] == 1 and r.json["applied"] is False, r.body
    problem(admin.get("agencies/bac-ha"), 404)
    for path in ("/api/v1/agencies/import?dry_run=true", "/api/v1/agencies/import"):
        r = admin.call("POST", path, raw=bad)
        assert r.status == 422 and r.json["applied"] is False
    assert r.status == 422 and r.json["bad_rows"] == 1 and r.json["problems"][0]["line"] == 3, r.body
    problem(admin.get("agencies/bac-ha"), 404)
    r = admin.call("POST", "/api/v1/agencies/import", raw=good)
    assert r.status == 200 and r.json["applied"] is True
    # Read your writes: the registry's fold ran before the answer.
    assert admin.get("agencies/bac-ha").json["servants"] == 90


def test_api_token(server, admin):
    r = admin.call("POST", "/api/v1/api-tokens", {"label": "script"})
    assert r.status == 201
    c = Client(server.base, token=r.json["token"])
    assert c.get("session").json["account"] == "admin"
    listed = c.get("api-tokens").json["items"]
    id_ = next(t["id"] for t in listed if t["label"] == "script")
    assert c.call("DELETE", f"/api/v1/api-tokens/{id_}").status == 204
    problem(c.get("session"), 401)


def test_account_changes_are_journaled(server, admin):
    account(server, admin, "tam-thoi", "viewer")
    assert admin.call("DELETE", "/api/v1/accounts/tam-thoi").status == 204
    problem(admin.call("DELETE", "/api/v1/accounts/admin"), 409, "last admin")
    db = sqlite3.connect(server.store)
    rows = db.execute("SELECT kind, actor, payload FROM journal WHERE kind LIKE 'account.%' ORDER BY id").fetchall()
    db.close()
    kinds = [(k, a) for k, a, p in rows if json.loads(p)["account"] == "tam-thoi"]
    assert kinds == [("account.put", "admin"), ("account.disable", "admin")]
    assert not any(PASSWORD in (p if isinstance(p, str) else p.decode()) for _, _, p in rows)


def test_guessing_is_slowed_down(tmp_path, share):
    s = Server(tmp_path, share).start()
    try:
        c = Client(s.base)
        replies = [c.login("admin", "wrong" * 4) for _ in range(6)]
        assert [r.status for r in replies[:4]] == [403] * 4
        late = replies[-1]
        problem(late, 429, "wait")
        assert int(late.headers["Retry-After"]) >= 1
        # The right password has to wait too: a guess tells nothing.
        problem(c.login("admin", s.password), 429)
    finally:
        s.stop()


def raw(server, data, timeout=10):
    with socket.create_connection(("127.0.0.1", server.port), timeout) as k:
        k.sendall(data)
        k.settimeout(timeout)
        out = b""
        try:
            while b"\r\n\r\n" not in out:
                more = k.recv(4096)
                if not more:
                    break
                out += more
        except (TimeoutError, ConnectionResetError):
            pass
        return out


def test_odd_requests(server, admin):
    for path in ("/api/v1/agencies?limit=0", "/api/v1/agencies?limit=1001", "/api/v1/agencies?wat=1",
                 "/api/v1/agencies?after=%00", "/api/v1/agencies/%2e%2e"):
        problem(admin.call("GET", path), 400)
    problem(admin.call("GET", "/api/v1/none"), 404)
    problem(admin.call("GET", "/../../etc/passwd"), 404)
    problem(admin.call("GET", "/secret.key"), 404)
    problem(admin.call("DELETE", "/api/v1/agencies"), 405)
    problem(admin.call("GET", "/api/v1/agencies?search=" + "a" * 4000), 414)
    problem(admin.call("POST", "/api/v1/tokens", raw=b"{"), 400, "ends inside")
    problem(admin.call("POST", "/api/v1/tokens", raw=b'{"agency":"x","agency2":1}'), 400, "agency2")
    assert b" 413 " in raw(server, b"POST /api/v1/session HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n")
    assert b" 413 " in raw(server, b"POST /api/v1/session HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                           + b"10000\r\n" + b"a" * 65536 + b"\r\n10000\r\n" + b"a" * 65536 + b"\r\n0\r\n\r\n")
    assert b" 200 " not in raw(server, b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 100000 + b"\r\n\r\n")
    assert b" 200 " not in raw(server, b"\x00\xff\x16\x03\x01\r\n\r\n", 2)
    assert admin.call("GET", "/healthz").status == 200


def test_headers_and_files(server):
    c = Client(server.base)
    r = c.call("GET", "/")
    assert r.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in r.headers["Content-Security-Policy"]
    assert r.headers["X-Content-Type-Options"] == "nosniff"
    again = c.call("GET", "/", headers={"If-None-Match": r.headers["ETag"]})
    assert again.status == 304 and again.body == b""
    assert c.call("GET", "/app.js").headers["Content-Type"].startswith("text/javascript")
    head = c.call("HEAD", "/")
    assert head.status == 200 and head.body == b""


def test_metrics_are_prometheus_text(server, admin):
    r = Client(server.base).call("GET", "/metrics")
    text = r.body.decode()
    assert r.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    line = re.compile(r'^(# (HELP|TYPE) hatang_\w+ .+|hatang_\w+(\{(\w+="([^"\\]|\\.)*",?)*\})? [-+0-9.eE]+)$')
    for l in text.splitlines():
        assert line.match(l), l
    assert 'hatang_link_state{agency="y-ty",link="y-ty-wan",role="primary",kind="province-wan",state="DOWN"} 1' in text
    # Unknown is no line, not 0.
    assert 'hatang_link_rtt_seconds{agency="y-ty"' not in text
    assert 'indicator="security",scope="lao-cai",own="0"} ' not in "\n".join(
        l for l in text.splitlines() if l.startswith("hatang_index_value"))
    assert r'{agent="bat-xat-1",agency="bat-xat",state="online"} 1' in text


def test_ready(server):
    c = Client(server.base)
    assert c.call("GET", "/readyz").json == {"ready": True}


def test_events_tell_of_changes(server, admin):
    import http.client
    k = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    k.request("GET", "/api/v1/events", headers={"Cookie": admin.cookie})
    r = k.getresponse()
    assert r.getheader("Content-Type") == "text/event-stream"
    assert r.readline().startswith(b"retry:")
    db = sqlite3.connect(server.store, timeout=20)

    def change():
        # Again and again until it is seen: the first may fall before the first look.
        for i in range(40):
            if done.wait(0.5):
                return
            db2 = sqlite3.connect(server.store, timeout=20)
            db2.execute("UPDATE link_fact SET state = ?, since_ms = since_ms + 1 WHERE link = 'y-ty-wan'",
                        ("UP" if i % 2 else "DOWN",))
            db2.commit()
            db2.close()

    done = threading.Event()
    thread = threading.Thread(target=change)
    thread.start()
    try:
        seen = b""
        while b'"links"' not in seen:
            line = r.readline()
            assert line
            seen = line
    finally:
        done.set()
        thread.join()
        k.close()
        db.execute("UPDATE link_fact SET state = 'DOWN' WHERE link = 'y-ty-wan'")
        db.commit()
        db.close()


def test_tls(tmp_path, share):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem", "-days", "1",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    s = Server(tmp_path, share, str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")).start()
    try:
        c = Client(s.base, context=ssl.create_default_context(cafile=tmp_path / "cert.pem"))
        assert "Secure" in c.login("admin", s.password).headers["Set-Cookie"]
        assert c.get("agencies").json == {"items": [], "next": None}
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises(Exception):
            Client(s.base, context=old).get("ca")
    finally:
        s.stop()


def test_many_at_once(server, admin):
    errors = []

    def one():
        try:
            for _ in range(10):
                assert admin.get("agencies?values=true").status == 200
        except Exception as e:
            errors.append(e)

    threads = [threading.Thread(target=one) for _ in range(12)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert not errors


def test_edits_by_people(editor, other):
    """Each is journaled with its author, folded before the answer, and shown."""
    put = lambda path, body: editor.call("PUT", "/api/v1/" + path, body)
    assert put("machines/bat-xat/m00", {"class": "server"}).status == 204
    assert put("posture/bat-xat/firewall", {"answer": "yes", "document": "01/QĐ", "signer": "B"}).status == 204
    declared = {d["solution"]: d for d in editor.get("posture?agency=bat-xat").json["declarations"]}
    assert declared["firewall"]["document"] == "01/QĐ" and declared["firewall"]["expired"] is False
    row = editor.get(f"evidence/{declared['firewall']['evidence']}").json
    assert row["source"] == "operator" and row["actor"] == "admin" and row["content"]["data"]["solution"] == "firewall"
    config = editor.get("agents/bat-xat-1").json["proposal"]["config"]
    assert editor.call("POST", "/api/v1/agents/bat-xat-1/approve", {"config": config}).status == 204
    agent = editor.get("agents/bat-xat-1").json
    assert agent["proposal"] is None and agent["approved_config"] == config
    problem(editor.call("POST", "/api/v1/agents/bat-xat-1/approve", {"config": "mqtt: { host: evil }"}), 400)
    assert editor.call("POST", "/api/v1/agents/bat-xat-1/revoke", {"reason": "stolen"}).status == 204
    assert editor.get("agents/bat-xat-1").json["revoked"]
    problem(put("machines/bat-xat/none", {"class": "server"}), 404)
    problem(put("machines/bat-xat/m00", {"class": "toaster"}), 400, "computer, server")
