"""From nothing to an agent whose packs are journaled, on real parts: hatang-server with
its own CA over HTTPS, the mosquitto that it configured, hatang-agent enroll and run."""
import os
import sqlite3
import ssl
import stat
import subprocess
import time

import pytest
from broker import free_port, until
from province import DATA, SELFTEST


def import_csv(province, name, query=""):
    return province.request("POST", "/api/v1/agencies/import" + query, (DATA / name).read_bytes(),
                            "text/csv")


@pytest.fixture
def district(province):
    """The province with the registry of a district."""
    assert import_csv(province, "district.csv")[0] == 200
    return province


def test_registry_import_over_the_api(province):
    status, report = import_csv(province, "bad.csv")
    assert status == 422 and not report["applied"] and report["bad_rows"] == 9, report
    status, report = import_csv(province, "district.csv", "?dry_run=true")
    assert status == 200 and report["agencies"]["added"] == 6 and not report["applied"]
    status, report = import_csv(province, "district.csv")
    assert status == 200 and report["applied"] and report["links"]["added"] == 6
    status, report = import_csv(province, "district.vi.csv")
    assert status == 200 and not report["applied"] and report["agencies"]["unchanged"] == 3


def test_enrolled_agent_delivers_and_a_revoked_one_does_not(district):
    province, m = district, district.machine("a")
    assert "Enrolled as bat-xat-1 of bat-xat" in m.enroll(province.token())
    assert stat.S_IMODE(os.stat(m.folder / "key.pem").st_mode) == 0o600
    m.run(SELFTEST)
    until("packs of the agent are journaled", lambda: province.packs("bat-xat-1") > 3)

    status, _ = province.request("POST", "/api/v1/agents/bat-xat-1/revoke", {"reason": "stolen"})
    assert status in (200, 204)
    log = province.broker.log
    until("the live session is kicked", lambda: "administrative action" in log.read_text(), 2)
    refused = lambda: log.read_text().split("administrative action", 1)[1].count("verify failed")
    until("it was refused on coming back", refused, 30)
    had = province.packs("bat-xat-1")  # with what was on its way when it was kicked
    until("it was refused again", lambda: refused() >= 2, 30)
    assert province.packs("bat-xat-1") == had


def test_enrolling_again_adopts_the_history(district):
    province, m = district, district.enroll("a")
    key = m.folder / "key.pem"
    before = m.config.read_text(), key.read_text()
    assert "stays as it is" in m.enroll(province.token())
    assert m.config.read_text() == before[0]
    assert key.read_text() != before[1]
    # A new machine takes the id over, with a token that was made for it.
    other = province.machine("b")
    assert "as bat-xat-1 of" in other.enroll(province.token("bat-xat", "--agent", "bat-xat-1"))
    other.run(SELFTEST)
    until("the new machine delivers", lambda: province.packs("bat-xat-1") > 0)


def aged(province, folder, agent):
    """Put a certificate in place that is good for ten minutes more, and was for nine days:
    for the agent's own key, and known to the server."""
    ca = province.folder / "mint"
    ca.mkdir()
    (ca / "index").write_text("")
    (ca / "conf").write_text(f"""\
[ca]
default_ca = d
[d]
new_certs_dir = {ca}
database = {ca}/index
rand_serial = yes
default_md = sha256
policy = p
x509_extensions = x
[p]
commonName = supplied
[x]
basicConstraints = CA:FALSE
extendedKeyUsage = clientAuth
""")
    now = int(time.time())
    start, end = now - 9 * 86400, now + 600
    stamp = lambda t: time.strftime("%Y%m%d%H%M%SZ", time.gmtime(t))
    openssl = lambda *a: subprocess.run(["openssl", *map(str, a)], check=True, capture_output=True)
    openssl("req", "-new", "-key", folder / "key.pem", "-subj", f"/CN={agent}", "-out", ca / "csr")
    openssl("ca", "-batch", "-notext", "-config", ca / "conf", "-cert", province.state / "ca/ca.crt",
            "-keyfile", province.state / "ca/ca.key", "-in", ca / "csr", "-out", ca / "crt",
            "-startdate", stamp(start), "-enddate", stamp(end))
    (folder / "cert.pem").write_bytes((ca / "crt").read_bytes())
    db = sqlite3.connect(province.state / "server.db", timeout=20)
    with db:
        db.execute("UPDATE certificate SET not_before_ms = ?, not_after_ms = ? WHERE agent = ?",
                   (start * 1000, end * 1000, agent))
    db.close()
    return end


def ends(cert):
    text = subprocess.run(["openssl", "x509", "-in", cert, "-noout", "-enddate"], check=True,
                          capture_output=True, text=True).stdout
    return ssl.cert_time_to_seconds(text.strip().split("=", 1)[1])


def test_a_certificate_is_renewed_before_it_ends(district):
    province, m = district, district.enroll("a")
    folder = m.folder
    end, key = aged(province, folder, "bat-xat-1"), (folder / "key.pem").read_bytes()
    assert ends(folder / "cert.pem") == end
    agent = m.run(SELFTEST).process
    until("a new certificate is there", lambda: ends(folder / "cert.pem") > end + 300 * 86400)
    until("the agent has connected with it", lambda: agent.log.read_text().count("to=sending") >= 2)
    had = province.packs("bat-xat-1")
    until("packs come by it", lambda: province.packs("bat-xat-1") > had + 1)
    assert (folder / "key.pem").read_bytes() == key
    rows = province.query("SELECT count(*) FROM certificate WHERE revoked_ms IS NULL")
    assert rows == [(2,)]  # the old one stays good until its end
    assert province.query("SELECT agent FROM certificate ORDER BY issued_ms DESC LIMIT 1") == [("bat-xat-1",)]
    assert province.query("SELECT count(*) FROM journal WHERE source = 'operator'"
                          " AND kind = 'agent.renew'") == [(1,)]


def test_refusals_say_why(district):
    province, a, b = district, district.machine("a"), district.machine("b")
    token = province.token()
    # Another server's CA: the token must not be sent, nor used up.
    other = token[:-32] + ("0" * 32)
    assert "not the one that made the token" in a.enroll(other, None, 1)
    assert "copy it whole" in a.enroll(token[:-1], None, 1)
    assert "unprotected" in a.enroll(token, "http://hatang.example", 1)
    assert "cannot be reached" in a.enroll(token, f"https://127.0.0.1:{free_port()}", 1)
    assert "Enrolled as" in a.enroll(token)
    assert "used already" in b.enroll(token, None, 1)
    wrong = token[:9] + ("f" if token[9] != "f" else "0") + token[10:]
    assert "not known" in b.enroll(wrong, None, 1)
    assert not (b.folder / "key.pem").exists()
