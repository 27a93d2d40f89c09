-- hatang's store. The journal is the truth; every table below "derived" is a fold over
-- it and can be made again. Times are Unix milliseconds (…_ms), sizes bytes. What is not
-- known is NULL, never 0.

-- ── the truth ────────────────────────────────────────────────────────────────────────
CREATE TABLE journal (
  id           INTEGER PRIMARY KEY,          -- the order folds see
  source       TEXT NOT NULL CHECK (source IN ('agent', 'operator', 'server')),
  kind         TEXT NOT NULL,                -- agent: data, presence, reply; operator and server: the verb, 'agency.put', 'start', 'beat'
  agent        TEXT,                         -- agent rows, and server rows about an agent
  lane         TEXT CHECK (lane IN ('data', 'hist')),
  epoch        TEXT,                         -- NULL: a publisher without epoch, at least once
  seq          INTEGER,
  boot         TEXT,
  session      TEXT,
  mono_ns      INTEGER,                      -- edge clock since boot when the pack was sealed
  sent_mono_ns INTEGER,                      -- the same when this copy was published
  content_type TEXT,
  received_ms  INTEGER NOT NULL,             -- server clock
  actor        TEXT,                         -- operator rows: who
  rules_hash   TEXT,                         -- rules in force when the row was folded first
  payload      BLOB NOT NULL                 -- as received; JSON for operator and server rows
);
CREATE UNIQUE INDEX journal_key ON journal (agent, epoch, seq) WHERE epoch IS NOT NULL;
CREATE INDEX journal_agent ON journal (agent, id);

-- What an agent sent that must not be folded: the same key with another payload, or a
-- clone (right certificate, other machine). Kept, acknowledged, shown, and decided by a person.
CREATE TABLE journal_aside (
  id           INTEGER PRIMARY KEY,
  reason       TEXT NOT NULL CHECK (reason IN ('conflict', 'clone')),
  agent        TEXT NOT NULL,
  fingerprint  TEXT,                         -- clone: whose session sent it
  lane         TEXT, epoch TEXT, seq INTEGER, boot TEXT, session TEXT,
  mono_ns      INTEGER, sent_mono_ns INTEGER,
  content_type TEXT,
  received_ms  INTEGER NOT NULL,
  payload      BLOB NOT NULL,
  payload_hash BLOB NOT NULL,                -- SHA-256
  decided_ms   INTEGER                       -- NULL: still open
);
CREATE UNIQUE INDEX journal_aside_key ON journal_aside (agent, epoch, seq, reason, payload_hash);

-- Bytes that are no message of ours: counted, a sample kept (the newest 1,000).
CREATE TABLE garbage (
  id          INTEGER PRIMARY KEY,
  received_ms INTEGER NOT NULL,
  topic       TEXT NOT NULL,
  agent       TEXT,
  epoch TEXT, seq INTEGER,                   -- where they could be read: it was acknowledged
  reason      TEXT NOT NULL,
  len         INTEGER NOT NULL,
  sample      BLOB NOT NULL                  -- at most 256 bytes
);
CREATE TABLE garbage_count (
  agent TEXT NOT NULL,                       -- '' when the topic names none
  reason TEXT NOT NULL,
  n INTEGER NOT NULL, last_ms INTEGER NOT NULL,
  PRIMARY KEY (agent, reason)
) WITHOUT ROWID;

-- Journal rows that a finding, an outage or a frozen score cites: exempt from retention.
CREATE TABLE evidence (
  hash       BLOB PRIMARY KEY,               -- SHA-256 of the payload
  journal_id INTEGER NOT NULL,
  agent TEXT, received_ms INTEGER NOT NULL, content_type TEXT,
  payload    BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE fold_cursor (
  fold TEXT NOT NULL PRIMARY KEY,
  version INTEGER NOT NULL,
  journal_id INTEGER NOT NULL                -- the last row folded; commits with its result
) WITHOUT ROWID;

-- ── accounts: state, with an audit row in the journal for each change ────────────────
CREATE TABLE account (
  name TEXT PRIMARY KEY,
  password_hash TEXT NOT NULL,               -- argon2id, libsodium's string
  role TEXT NOT NULL CHECK (role IN ('admin', 'operator', 'viewer')),
  agency TEXT,                               -- scope; NULL: everything
  created_ms INTEGER NOT NULL, disabled_ms INTEGER
) WITHOUT ROWID;
CREATE TABLE account_session (
  token_hash BLOB PRIMARY KEY,               -- BLAKE2b-256 of the cookie or API token
  account TEXT NOT NULL REFERENCES account (name),
  kind TEXT NOT NULL CHECK (kind IN ('session', 'api')),
  label TEXT, csrf TEXT,
  created_ms INTEGER NOT NULL, expires_ms INTEGER, last_used_ms INTEGER
) WITHOUT ROWID;
CREATE TABLE enroll_token (
  token_hash BLOB PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,                   -- the public half, shown in lists
  agency TEXT NOT NULL,
  agent TEXT,                                -- asked-for agent id; NULL: made by the server
  created_by TEXT NOT NULL,
  created_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL, used_ms INTEGER
) WITHOUT ROWID;
CREATE TABLE certificate (
  serial TEXT PRIMARY KEY,                   -- hexadecimal
  agent TEXT NOT NULL,
  not_before_ms INTEGER NOT NULL, not_after_ms INTEGER NOT NULL,
  issued_ms INTEGER NOT NULL, revoked_ms INTEGER, revoke_reason TEXT,
  pem TEXT NOT NULL
) WITHOUT ROWID;

-- ── derived from operator rows: the registry ─────────────────────────────────────────
CREATE TABLE agency (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  level TEXT NOT NULL CHECK (level IN ('province', 'district', 'commune')),   -- tỉnh, huyện, xã
  kind TEXT NOT NULL DEFAULT 'agency',       -- free word for scope filters
  parent TEXT,                               -- the agency above; NULL at the top
  latitude REAL, longitude REAL,
  journal_id INTEGER NOT NULL                -- the row that last said so
) WITHOUT ROWID;
CREATE TABLE headcount (                     -- civil servants (CBCCVC), as of a day
  agency TEXT NOT NULL, as_of_ms INTEGER NOT NULL,
  servants INTEGER NOT NULL,
  journal_id INTEGER NOT NULL,
  PRIMARY KEY (agency, as_of_ms)
) WITHOUT ROWID;
CREATE TABLE link (
  id TEXT PRIMARY KEY,
  agency TEXT NOT NULL,
  role TEXT NOT NULL CHECK (role IN ('primary', 'backup')),
  kind TEXT NOT NULL CHECK (kind IN ('province-wan', 'government-wan', 'internet')),
  line_type TEXT,                            -- leased-line, ftth, xdsl, wireless, satellite, other
  provider TEXT,
  contracted_down_bps INTEGER, contracted_up_bps INTEGER,
  router_address TEXT,                       -- what a vantage pings and polls
  parents TEXT,                              -- link ids with AND/OR, as written; NULL: none
  journal_id INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE agent (
  id TEXT PRIMARY KEY,
  agency TEXT NOT NULL,
  vantage INTEGER NOT NULL DEFAULT 0,        -- 1: measures other agencies' links
  enrolled_ms INTEGER,
  fingerprint TEXT,                          -- machine that owns the id
  revoked_ms INTEGER,
  approved_config TEXT,                      -- YAML; NULL: none approved yet
  approved_hash TEXT,                        -- SHA-256 of it, hexadecimal
  journal_id INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE declaration (                   -- posture that a person vouches for
  agency TEXT NOT NULL, solution TEXT NOT NULL,
  answer TEXT NOT NULL CHECK (answer IN ('yes', 'no')),
  document TEXT, signer TEXT, declared_ms INTEGER NOT NULL, expires_ms INTEGER,
  journal_id INTEGER NOT NULL,
  PRIMARY KEY (agency, solution)
) WITHOUT ROWID;
CREATE TABLE machine_correction (            -- a person's word on a machine; sticks
  agency TEXT NOT NULL, machine TEXT NOT NULL,
  class TEXT, same_as TEXT,
  journal_id INTEGER NOT NULL,
  PRIMARY KEY (agency, machine)
) WITHOUT ROWID;

-- ── derived from agents' rows ────────────────────────────────────────────────────────
CREATE TABLE presence (
  agent TEXT PRIMARY KEY,
  state TEXT NOT NULL CHECK (state IN ('online', 'offline', 'lost')),
  session TEXT, boot TEXT, fingerprint TEXT, version TEXT,
  clock TEXT CHECK (clock IN ('synchronised', 'free')),
  config_hash TEXT,
  since_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL,
  journal_id INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE boot_anchor (                   -- dates records of edges without a clock
  agent TEXT NOT NULL, boot TEXT NOT NULL,
  journal_id INTEGER NOT NULL,               -- the row that gave it; it counts from there on
  offset_ms INTEGER NOT NULL,                -- least seen of received_ms - sent_mono
  at_ms INTEGER NOT NULL,                    -- when it was taken
  mono_ns INTEGER NOT NULL,                  -- the boot's clock then
  floor_ms INTEGER NOT NULL,                 -- what is newer than mono_ns is not dated before this
  source TEXT NOT NULL CHECK (source IN ('presence', 'pack')),
  epoch TEXT, seq INTEGER,                   -- of that row, when it was a pack
  PRIMARY KEY (agent, boot, journal_id)
) WITHOUT ROWID;
CREATE TABLE gap (                           -- given up at the edge, or never explained
  agent TEXT NOT NULL, epoch TEXT NOT NULL,
  first_seq INTEGER NOT NULL, last_seq INTEGER NOT NULL,
  reason TEXT NOT NULL,
  reported_ms INTEGER NOT NULL, journal_id INTEGER NOT NULL,
  PRIMARY KEY (agent, epoch, first_seq)
) WITHOUT ROWID;
CREATE TABLE latest (
  agent TEXT NOT NULL, name TEXT NOT NULL,   -- family/instance/quantity
  kind TEXT NOT NULL CHECK (kind IN ('number', 'counter', 'string', 'boolean')),
  number REAL, counter TEXT, string TEXT, boolean INTEGER,   -- counter: decimal, up to 2^64-1
  unit TEXT,
  at_ms INTEGER NOT NULL, uncertainty_ms INTEGER NOT NULL,   -- at ± uncertainty
  rebased INTEGER NOT NULL,                  -- 1: dated by the server, not by the edge
  journal_id INTEGER NOT NULL,
  PRIMARY KEY (agent, name)
) WITHOUT ROWID;
CREATE TABLE series (
  id INTEGER PRIMARY KEY,
  agent TEXT NOT NULL, name TEXT NOT NULL, unit TEXT,
  UNIQUE (agent, name)
);
CREATE TABLE series_block (                  -- one series, one hour
  series INTEGER NOT NULL REFERENCES series (id),
  hour_ms INTEGER NOT NULL,
  n INTEGER NOT NULL, min REAL, max REAL, sum REAL,
  points BLOB NOT NULL,                      -- see server/derive/block.h
  PRIMARY KEY (series, hour_ms)
) WITHOUT ROWID;
CREATE TABLE link_fact (                     -- what is measured of a link; NULL: unknown
  link TEXT PRIMARY KEY,
  state TEXT NOT NULL CHECK (state IN ('UP', 'DEGRADED', 'DOWN', 'UNREACHABLE', 'UNKNOWN', 'MAINTENANCE')),
  reason TEXT NOT NULL,                      -- one sentence, English
  since_ms INTEGER, measured_ms INTEGER,
  loss REAL, rtt_s REAL,
  negotiated_down_bps INTEGER, negotiated_up_bps INTEGER,
  used_down_bps REAL, used_up_bps REAL,
  agent TEXT,                                -- who measured it
  evidence TEXT NOT NULL,                    -- JSON list of journal ids
  agency TEXT,                               -- whose it is in the registry
  since_journal INTEGER,                     -- the row that brought this state
  due_ms INTEGER                             -- may change by time alone then; NULL: never
) WITHOUT ROWID;
CREATE INDEX link_fact_due ON link_fact (due_ms) WHERE due_ms IS NOT NULL;
CREATE TABLE link_view (                     -- what one agent says of one link
  link TEXT NOT NULL, agent TEXT NOT NULL,
  ping_ms INTEGER, ping_status TEXT, sent REAL, received REAL, loss REAL, rtt_s REAL,
  failed INTEGER NOT NULL DEFAULT 0,         -- rounds in a row without a reply
  answered_ms INTEGER, ping_interval_ms INTEGER NOT NULL DEFAULT 0, ping_journal INTEGER,
  poll_ms INTEGER, poll_status TEXT, poll_interval_ms INTEGER NOT NULL DEFAULT 0,
  interface TEXT, oper TEXT,                 -- the interface that carries the link
  poll_received_ms INTEGER, ping_received_ms INTEGER,
  counter_ms INTEGER, in_octets TEXT, out_octets TEXT, bits INTEGER,
  uptime_s REAL, discontinuity_s REAL, speed_bps REAL,
  used_down_bps REAL, used_up_bps REAL, used_gap TEXT,   -- used_gap: why there is no rate
  poll_journal INTEGER,
  PRIMARY KEY (link, agent)
) WITHOUT ROWID;
CREATE INDEX link_view_agent ON link_view (agent);
CREATE TABLE link_hour (                     -- rounds of pings by hour
  link TEXT NOT NULL, agent TEXT NOT NULL, hour_ms INTEGER NOT NULL,
  rounds INTEGER NOT NULL, answered INTEGER NOT NULL,
  PRIMARY KEY (link, hour_ms, agent)
) WITHOUT ROWID;
CREATE INDEX link_hour_time ON link_hour (hour_ms);
CREATE TABLE machine (
  agency TEXT NOT NULL, id TEXT NOT NULL,    -- stable within the agency
  class TEXT NOT NULL CHECK (class IN ('computer', 'server', 'printer', 'phone', 'mobile',
    'camera', 'network', 'storage', 'ups', 'iot', 'unknown')),
  confidence REAL NOT NULL,                  -- 0 to 1, of the class
  random_mac INTEGER NOT NULL,
  identified INTEGER NOT NULL DEFAULT 0,     -- 1: something other than its MAC names it
  hostname TEXT, vendor TEXT,
  first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL,
  why TEXT NOT NULL,                         -- one sentence, English
  evidence TEXT NOT NULL,                    -- JSON list of journal ids
  PRIMARY KEY (agency, id)
) WITHOUT ROWID;
CREATE TABLE machine_nic (
  agency TEXT NOT NULL, mac TEXT NOT NULL,
  machine TEXT NOT NULL,
  ipv4 TEXT, seen_by TEXT NOT NULL,          -- words, comma separated
  first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL,
  hostname TEXT, dhcp_class TEXT, dhcp_parameters TEXT, dhcp_client_id TEXT,
  gateway INTEGER NOT NULL DEFAULT 0,
  journal_id INTEGER NOT NULL,               -- the row that last told something new of it
  PRIMARY KEY (agency, mac)
) WITHOUT ROWID;
CREATE INDEX machine_nic_machine ON machine_nic (agency, machine);
CREATE TABLE machine_host (                  -- machines that an agent runs on
  agency TEXT NOT NULL, id TEXT NOT NULL,
  hostname TEXT, os TEXT, macs TEXT, server INTEGER NOT NULL DEFAULT 0,
  first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL,
  journal_id INTEGER NOT NULL,
  PRIMARY KEY (agency, id)
) WITHOUT ROWID;
CREATE TABLE machine_dirty (                 -- agencies whose cards must be fused anew
  agency TEXT PRIMARY KEY, at_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE lan_coverage (                  -- observed ÷ declared, by subnet and hour
  agency TEXT NOT NULL, subnet TEXT NOT NULL, hour_ms INTEGER NOT NULL,
  targets INTEGER NOT NULL, probed INTEGER NOT NULL,
  journal_id INTEGER NOT NULL,
  PRIMARY KEY (agency, subnet, hour_ms)
) WITHOUT ROWID;
CREATE INDEX lan_coverage_time ON lan_coverage (hour_ms);
CREATE TABLE finding (                       -- one posture check of one agent
  agency TEXT NOT NULL, agent TEXT NOT NULL, check_id TEXT NOT NULL,
  answer TEXT NOT NULL CHECK (answer IN ('yes', 'no', 'not-observable')),
  evidence_text TEXT, count INTEGER,
  at_ms INTEGER NOT NULL, journal_id INTEGER NOT NULL,
  PRIMARY KEY (agency, agent, check_id)
) WITHOUT ROWID;

-- ── derived from all: the index ──────────────────────────────────────────────────────
CREATE TABLE index_dirty (                   -- agencies to compute anew, and since which time
  agency TEXT PRIMARY KEY, at_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE index_scope (                   -- what an agency was when it was last computed
  agency TEXT PRIMARY KEY, parent TEXT,
  computed_ms INTEGER NOT NULL,
  due_ms INTEGER NOT NULL                    -- windows move: compute again then
) WITHOUT ROWID;
CREATE INDEX index_scope_due ON index_scope (due_ms);
CREATE INDEX index_scope_parent ON index_scope (parent);
CREATE TABLE index_sum (                     -- what an agency contributes to those above it
  definition TEXT NOT NULL, indicator TEXT NOT NULL, agency TEXT NOT NULL,
  own INTEGER NOT NULL,                      -- 1: that agency alone; 0: with all below it
  n INTEGER NOT NULL, n_known INTEGER NOT NULL, n_partial INTEGER NOT NULL,
  n_no_headcount INTEGER NOT NULL, n_not_measured INTEGER NOT NULL, n_headcount INTEGER NOT NULL,
  servants REAL NOT NULL, servants_covered REAL NOT NULL,
  numerator REAL NOT NULL, denominator REAL NOT NULL, low REAL NOT NULL, high REAL NOT NULL,
  coverage REAL NOT NULL, confidence REAL NOT NULL, weight REAL NOT NULL,
  sources INTEGER NOT NULL,
  computed_ms INTEGER NOT NULL,
  PRIMARY KEY (definition, agency, indicator, own)
) WITHOUT ROWID;
CREATE INDEX agency_parent ON agency (parent);
CREATE INDEX link_agency ON link (agency);
CREATE INDEX agent_agency ON agent (agency);
CREATE TABLE index_value (
  definition TEXT NOT NULL,                  -- 'vn-ict-index-2016'
  indicator TEXT NOT NULL,                   -- 'computers', 'bandwidth', 'wan', 'security'
  scope TEXT NOT NULL,                       -- agency id; a district's or the province's holds its sum
  own INTEGER NOT NULL,                      -- 1: that agency alone; 0: with all below it
  status TEXT NOT NULL CHECK (status IN ('known', 'partial', 'unknown')),
  value REAL, unit TEXT,
  low REAL, high REAL,                       -- interval, where there is one
  numerator REAL, numerator_unit TEXT, denominator REAL, denominator_unit TEXT,
  coverage REAL NOT NULL,                    -- observed ÷ declared, 0 to 1
  confidence REAL NOT NULL,                  -- 0 to 1
  source TEXT NOT NULL CHECK (source IN ('measured', 'declared', 'mixed', 'none')),
  reason TEXT NOT NULL,                      -- why it is unknown or partial; '' when known
  cure TEXT NOT NULL,                        -- what would make it known; '' when known
  evidence TEXT NOT NULL,                    -- JSON list of journal ids
  explain TEXT NOT NULL,                     -- JSON: the inputs, one by one
  computed_ms INTEGER NOT NULL,
  PRIMARY KEY (definition, indicator, scope, own)
) WITHOUT ROWID;
