"""The web room on a store whose tables are filled by hand: a small province."""
import json, os, sqlite3, struct, subprocess, time, urllib.error, urllib.request
from http.cookies import SimpleCookie

from built import BUILD, ROOT

SERVE = os.path.join(BUILD, "tests", "e2e", "web", "web_serve")
DEFINITION = "vn-ict-index-2016"
NOW = int(time.time() * 1000)

AGENCIES = [  # id, name, level, parent, servants
    ("lao-cai", "UBND tỉnh Lào Cai", "province", None, None),
    ("so-tttt", "Sở Thông tin và Truyền thông", "province", "lao-cai", 48),
    ("bat-xat", "Huyện Bát Xát", "district", "lao-cai", 120),
    ("muong-vi", "Xã Mường Vi", "commune", "bat-xat", 22),
    ("y-ty", "Xã Y Tý", "commune", "bat-xat", 25),
    ("sa-pa", "Huyện Sa Pa", "district", "lao-cai", 140),
    ("ta-van", "Xã Tả Van", "commune", "sa-pa", 21),
]
LINKS = [  # id, agency, kind, provider, contracted, state, rtt, agent
    ("bat-xat-wan", "bat-xat", "province-wan", "VNPT", 50_000_000, "UP", 0.0123, "bat-xat-1"),
    ("bat-xat-net", "bat-xat", "internet", "Viettel", 100_000_000, "DEGRADED", 0.0831, "bat-xat-1"),
    ("muong-vi-wan", "muong-vi", "province-wan", "VNPT", 10_000_000, "UP", 0.031, "loi-1"),
    ("y-ty-wan", "y-ty", "province-wan", "VNPT", 10_000_000, "DOWN", None, "loi-1"),
    ("ta-van-wan", "ta-van", "province-wan", "Viettel", 8_000_000, None, None, None),
]


def journal(db, kind, payload, agent=None, source="operator", ctype="application/json"):
    return db.execute(
        "INSERT INTO journal (source, kind, agent, received_ms, actor, content_type, payload)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (source, kind, agent, NOW, "admin" if source == "operator" else None, ctype, payload)).lastrowid


def put(db, table, **row):
    """Insert by column names; what is not said and may not be NULL is 0."""
    for _, name, _, not_null, default, _ in db.execute(f"PRAGMA table_info({table})"):
        if not_null and default is None and name not in row:
            row[name] = 0
    db.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})", list(row.values()))


def pack(agent, records):
    return json.dumps([{"bn": agent + "/", "bt": NOW / 1000, **records[0]}] + records[1:]).encode()


def value(db, indicator, scope, own, status, v, unit, num, den, coverage, ids, reason="", cure="", low=None, high=None):
    put(db, "index_value", definition=DEFINITION, indicator=indicator, scope=scope, own=own, status=status,
        value=v, unit=unit, low=low, high=high, numerator=num[0], numerator_unit=num[1], denominator=den[0],
        denominator_unit=den[1], coverage=coverage, confidence=0.9 if v is not None else 0,
        source="measured" if v is not None else "none", reason=reason, cure=cure, evidence=json.dumps(ids),
        explain=json.dumps({"agencies": [{"agency": scope, "computers": num[0], "evidence": ids}]}), computed_ms=NOW)


def varint(v):
    out = bytearray()
    while v > 127:
        out.append(v & 127 | 128)
        v >>= 7
    return bytes(out) + bytes([v])


def block(hour_ms, points):
    """server/derive/block.h, from its description: doubles."""
    out, at, delta, before = bytearray([1, 0]) + varint(len(points)), hour_ms, 0, 0
    for at_ms, number in points:
        d = at_ms - at
        dod = d - delta
        out += varint((dod << 1 if dod >= 0 else ~(dod << 1)) << 1)
        now = int.from_bytes(struct.pack(">d", number), "big")
        x = (before ^ now).to_bytes(8, "big")
        if before == now:
            out.append(0x80)
        else:
            lead, trail = len(x) - len(x.lstrip(b"\0")), len(x) - len(x.rstrip(b"\0"))
            out.append(lead << 4 | trail)
            out += x[lead:8 - trail]
        at, delta, before = at_ms, d, now
    return bytes(out)


def fill_series(db):
    """Round trips each minute of three hours, with a gap of half an hour."""
    hour = NOW // 3600000 * 3600000
    for id_, link, agent in ((1, "bat-xat-wan", "bat-xat-1"), (2, "bat-xat-net", "bat-xat-1")):
        put(db, "series", id=id_, agent=agent, name=f"icmp/{link}/rtt_avg", unit="s")
        for h in (hour - 10800000, hour - 7200000, hour - 3600000):
            minutes = range(0, 60 if h != hour - 7200000 else 30)
            points = [(h + m * 60000, 0.012 * id_ + 0.002 * (m % 7)) for m in minutes]
            numbers = [v for _, v in points]
            put(db, "series_block", series=id_, hour_ms=h, n=len(points), min=min(numbers), max=max(numbers),
                sum=sum(numbers), points=block(h, points))


def fill(path):
    db = sqlite3.connect(path)
    ids = {}
    # The folds must not run over rows made up here: what stands below is their result.
    for id_, name, level, parent, servants in AGENCIES:
        row = journal(db, "test.agency", json.dumps({"data": {"id": id_, "name": name}}))
        ids[id_] = row
        put(db, "agency", id=id_, name=name, level=level, parent=parent, journal_id=row)
        if servants:
            put(db, "headcount", agency=id_, as_of_ms=NOW - 86400000, servants=servants, journal_id=row)
    for agent, agency, vantage in (("bat-xat-1", "bat-xat", 0), ("loi-1", "so-tttt", 1)):
        put(db, "agent", id=agent, agency=agency, vantage=vantage, enrolled_ms=NOW - 86400000,
            fingerprint="f" * 64, journal_id=ids[agency])
        row = journal(db, "data", pack(agent, [
            {"n": "icmp/bat-xat-wan/rtt_avg", "u": "s", "v": 0.0123},
            {"n": "icmp/y-ty-wan/loss", "u": "/", "v": 1},
            {"n": "host/self/os", "vs": "Debian GNU/Linux 12"}]), agent, "agent", "application/senml+json")
        ids[agent] = row
        put(db, "presence", agent=agent, state="online", session="00", boot="boot", fingerprint="f" * 64,
            version="0.1.0", clock="synchronised", since_ms=NOW - 3600000, last_ms=NOW, journal_id=row)
        put(db, "latest", agent=agent, name="agent/self/proposal", kind="string", at_ms=NOW, journal_id=row,
            string="site: { subnets: [192.168.10.0/24], interfaces: [eth0] }\nprobes: []\n")
        put(db, "latest", agent=agent, name="selftest/self/count", kind="counter", unit="count",
            counter="18446744073709551615", at_ms=NOW, journal_id=row)
    for id_, agency, kind, provider, down, state, rtt, agent in LINKS:
        put(db, "link", id=id_, agency=agency, role="primary", kind=kind, line_type="ftth", provider=provider,
            contracted_down_bps=down, contracted_up_bps=down, router_address="10.0.0.1", journal_id=ids[agency])
        if state:
            put(db, "link_fact", link=id_, state=state, since_ms=NOW - 7200000, measured_ms=NOW,
                reason="5 of 5 pings answered" if state == "UP" else "pings were lost",
                loss=0.0 if rtt else 1.0, rtt_s=rtt, negotiated_down_bps=down, agent=agent,
                evidence=json.dumps([ids[agent]]))
    classes = ["computer"] * 12 + ["printer", "server", "network", "unknown"]
    for i, cls in enumerate(classes):
        m = f"m{i:02}"
        put(db, "machine", agency="bat-xat", id=m, **{"class": cls}, confidence=0.9, why="DHCP class MSFT 5.0",
            hostname=f"PC-{i:02}" if cls == "computer" else None, vendor="Dell", first_ms=NOW - 86400000,
            last_ms=NOW, evidence=json.dumps([ids["bat-xat-1"]]))
        put(db, "machine_nic", agency="bat-xat", mac=f"00:11:22:33:44:{i:02x}", machine=m,
            ipv4=f"192.168.10.{i + 10}", seen_by="arp-scan", first_ms=NOW - 86400000, last_ms=NOW)
    put(db, "lan_coverage", agency="bat-xat", subnet="192.168.10.0/24", hour_ms=NOW // 3600000 * 3600000,
        targets=254, probed=254, journal_id=ids["bat-xat-1"])
    for check, answer, seen, count in (("packet-filter", "yes", "nftables, 14 rules, policy drop", 14),
                                       ("spam-filter", "not-observable", None, None)):
        put(db, "finding", agency="bat-xat", agent="bat-xat-1", check_id=check, answer=answer, evidence_text=seen,
            count=count, at_ms=NOW, journal_id=ids["bat-xat-1"])
    put(db, "declaration", agency="bat-xat", solution="backup", answer="yes", document="12/QĐ-UBND",
        signer="Nguyễn Văn A", declared_ms=NOW - 10**10, expires_ms=NOW - 10**9, journal_id=ids["bat-xat"])
    for first, last, reason in ((5, 9, "spool-full"), (20, 20, "age")):
        put(db, "gap", agent="bat-xat-1", epoch="00000000000000aa", first_seq=first, last_seq=last, reason=reason,
            reported_ms=NOW, journal_id=ids["bat-xat-1"])
    put(db, "garbage", id=1, received_ms=NOW, topic="hatang/v1/x/data", agent="x", reason="malformed", len=3,
        sample=b"\x00\xff\x01")
    put(db, "garbage_count", agent="x", reason="malformed", n=1, last_ms=NOW)
    fill_series(db)
    e = [ids["bat-xat-1"], ids["bat-xat"]]
    for own in (0, 1):
        value(db, "computers", "bat-xat", own, "known", 0.86, "/", (103, "count"), (120, "count"), 0.96, e, low=0.81, high=0.9)
        value(db, "bandwidth", "bat-xat", own, "known", 1_250_000, "bit/s", (150e6, "bit/s"), (120, "count"), 1, e)
        value(db, "wan", "bat-xat", own, "known", 1, "/", (1, "count"), (1, "count"), 1, e)
        value(db, "security", "bat-xat", own, "partial", 0.4, "/", (4, "count"), (10, "count"), 0.5, e,
              "5 of 10 solutions are not known", "declare them with a document")
    value(db, "computers", "lao-cai", 0, "partial", 0.74, "/", (103, "count"), (139, "count"), 0.35, e,
          "5 of 7 agencies have no agent", "enrol an agent in each", 0.7, 0.8)
    value(db, "bandwidth", "lao-cai", 0, "known", 473_404.25, "bit/s", (178e6, "bit/s"), (376, "count"), 1, e)
    value(db, "wan", "lao-cai", 0, "partial", 0.667, "/", (4, "count"), (6, "count"), 0.8, e,
          "one link is not measured", "give it a vantage")
    value(db, "security", "lao-cai", 0, "unknown", None, "/", (None, "count"), (6, "count"), 0.05, [],
          "0 of 6 agencies are known; 6 not measured", "see the agencies below for what each one lacks")
    cursor = db.execute("SELECT max(id) FROM journal").fetchone()[0]
    db.execute("UPDATE fold_cursor SET journal_id = ?", (cursor,))
    db.commit()
    db.close()
    return ids


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)


class Client:
    """A browser without pages: cookie and CSRF token, or an API token."""

    def __init__(self, base, token=None, context=None):
        self.base, self.token, self.cookie, self.csrf, self.context = base, token, None, None, context

    def call(self, method, path, body=None, headers=None, raw=None):
        h = dict(headers or {})
        data = raw if raw is not None else json.dumps(body).encode() if body is not None else None
        if self.token:
            h["Authorization"] = "Bearer " + self.token
        if self.cookie:
            h["Cookie"] = self.cookie
        if self.csrf and method != "GET":
            h.setdefault("X-CSRF-Token", self.csrf)
        rq = urllib.request.Request(self.base + path, data=data, method=method, headers=h)
        try:
            with urllib.request.urlopen(rq, timeout=20, context=self.context) as r:
                return Reply(r.status, r.headers, r.read())
        except urllib.error.HTTPError as e:
            return Reply(e.code, e.headers, e.read())

    def get(self, path):
        return self.call("GET", "/api/v1/" + path)

    def login(self, account, password):
        r = self.call("POST", "/api/v1/session", {"account": account, "password": password})
        if r.status == 200:
            jar = SimpleCookie(r.headers["Set-Cookie"])
            self.cookie = "hatang_session=" + jar["hatang_session"].value
            self.csrf = r.json["csrf"]
        return r


class Server:
    def __init__(self, dir_, share, *more):
        self.dir, self.share, self.more = str(dir_), str(share), more
        self.process = None

    def start(self):
        port = os.path.join(self.dir, "port")
        if os.path.exists(port):
            os.unlink(port)
        self.log = open(os.path.join(self.dir, "log"), "ab")
        self.process = subprocess.Popen([SERVE, self.dir, self.share, *self.more], stderr=self.log)
        end = time.monotonic() + 30
        while not os.path.exists(port):
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError("web_serve did not start: " + open(os.path.join(self.dir, "log")).read())
            time.sleep(0.02)
        self.port = int(open(port).read())
        self.base = f"http{'s' if self.more else ''}://127.0.0.1:{self.port}"
        return self

    def stop(self):
        if self.process:
            self.process.terminate()
            code = self.process.wait(20)
            self.process = None
            self.log.close()
            return code

    @property
    def password(self):
        return open(os.path.join(self.dir, "first-password")).read().split()[1]

    @property
    def store(self):
        return os.path.join(self.dir, "store.db")


def filled(dir_, share, *more):
    """A server on a filled store: started once so that it makes the schema."""
    s = Server(dir_, share, *more)
    s.start()
    s.stop()
    s.ids = fill(s.store)
    return s.start()
