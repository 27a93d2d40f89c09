-- What is used and measured of links, over which network they run, and what follows for
-- the WAN. Times are Unix milliseconds. All of it is derived: folds over the journal.

CREATE TABLE bandwidth_link (                -- what the registry said as of the newest row folded
  link TEXT PRIMARY KEY, agency TEXT NOT NULL,
  contracted_down_bps INTEGER, contracted_up_bps INTEGER,
  provider TEXT, has_router INTEGER NOT NULL, journal_id INTEGER NOT NULL,
  born_ms INTEGER NOT NULL,                  -- what was measured before is of another line; 0: the first of its id
  removed_ms INTEGER                         -- NULL: it is there
) WITHOUT ROWID;
CREATE TABLE bandwidth_hour (                -- five-minute means of what went over a link, by who polled it
  link TEXT NOT NULL, hour_ms INTEGER NOT NULL, agent TEXT NOT NULL,
  slots BLOB NOT NULL,                       -- see server/derive/usage.h
  first_journal INTEGER NOT NULL, last_journal INTEGER NOT NULL,   -- rows that it stands on
  PRIMARY KEY (link, hour_ms, agent)
) WITHOUT ROWID;
CREATE TABLE bandwidth_month (               -- a month that is over, when its hours are given up
  link TEXT NOT NULL, from_ms INTEGER NOT NULL, to_ms INTEGER NOT NULL,
  declared INTEGER NOT NULL, observed INTEGER NOT NULL,               -- slots of five minutes
  office_declared INTEGER NOT NULL, office_observed INTEGER NOT NULL,
  down_p95 REAL, down_mean REAL, down_peak REAL, down_office_p95 REAL, down_office_mean REAL,
  down_busy REAL, down_busy_hour INTEGER,
  up_p95 REAL, up_mean REAL, up_peak REAL, up_office_p95 REAL, up_office_mean REAL,
  up_busy REAL, up_busy_hour INTEGER,        -- NULL: nothing observed
  journal_id INTEGER NOT NULL,               -- the row at which it was closed
  PRIMARY KEY (link, from_ms)
) WITHOUT ROWID;
CREATE TABLE bandwidth_poll (                -- the newest counters, from which the next rate is taken
  link TEXT NOT NULL, agent TEXT NOT NULL,
  lane INTEGER NOT NULL,                     -- 1 live, 2 backlog: each has an order of its own
  interface TEXT NOT NULL, why TEXT, confidence REAL,   -- which carries the link, and why
  at_ms INTEGER NOT NULL,
  in_octets TEXT NOT NULL, out_octets TEXT NOT NULL, bits INTEGER NOT NULL,
  uptime_s REAL, discontinuity_s REAL, speed_bps REAL,
  journal_id INTEGER NOT NULL,
  PRIMARY KEY (link, agent, lane)
) WITHOUT ROWID;
CREATE TABLE bandwidth_test (                -- the newest throughput test that told this direction
  link TEXT NOT NULL, agent TEXT NOT NULL,
  way TEXT NOT NULL CHECK (way IN ('down', 'up', 'any')),   -- any: the newest attempt, good or not
  at_ms INTEGER NOT NULL,
  status TEXT NOT NULL, endpoint TEXT,
  bps REAL, low_bps REAL, high_bps REAL,
  journal_id INTEGER NOT NULL,
  PRIMARY KEY (link, agent, way)
) WITHOUT ROWID;
CREATE TABLE link_bandwidth (                -- contracted, negotiated, measured and used, side by side
  link TEXT PRIMARY KEY, agency TEXT NOT NULL,
  computed_ms INTEGER NOT NULL,
  due_ms INTEGER,                            -- to be looked at again then; NULL: when something comes
  contradicted INTEGER NOT NULL,             -- 1 down, 2 up: what is contracted is contradicted
  negotiated_bps REAL, negotiated_journal INTEGER,
  measured_down_bps REAL, measured_down_low REAL, measured_down_high REAL, measured_down_journal INTEGER,
  measured_down_ms INTEGER,
  measured_up_bps REAL, measured_up_low REAL, measured_up_high REAL, measured_up_journal INTEGER,
  used_down_p95 REAL, used_up_p95 REAL, used_coverage REAL NOT NULL,
  findings TEXT NOT NULL,                    -- JSON list
  document TEXT NOT NULL                     -- JSON: each with reason, cure, time, source, evidence, confidence
) WITHOUT ROWID;
CREATE INDEX link_bandwidth_due ON link_bandwidth (due_ms) WHERE due_ms IS NOT NULL;
CREATE INDEX link_bandwidth_agency ON link_bandwidth (agency);

CREATE TABLE link_path (                     -- over which network a link was seen to run, from when to when
  link TEXT NOT NULL, agent TEXT NOT NULL, from_ms INTEGER NOT NULL,
  last_ms INTEGER NOT NULL,                  -- newest trace that said the same
  network TEXT NOT NULL,                     -- 'province-wan', 'government-wan', 'internet', 'unknown'
  reached INTEGER NOT NULL,                  -- 1: its traces came to their target
  target TEXT, reason TEXT NOT NULL, trace TEXT,   -- of the newest
  journal_id INTEGER NOT NULL,
  PRIMARY KEY (link, agent, from_ms)
) WITHOUT ROWID;
CREATE TABLE link_inside (                   -- newest answer of an inside address over a link, by tcp, http or dns
  link TEXT NOT NULL, agent TEXT NOT NULL, probe TEXT NOT NULL,
  at_ms INTEGER NOT NULL, ok_ms INTEGER,     -- newest one; newest that answered
  status TEXT NOT NULL, target TEXT,
  journal_id INTEGER NOT NULL,
  PRIMARY KEY (link, agent, probe)
) WITHOUT ROWID;
CREATE TABLE wan_connected (                 -- whether an agency is connected to the WAN, by its links
  definition TEXT NOT NULL, agency TEXT NOT NULL,
  answer TEXT NOT NULL CHECK (answer IN ('yes', 'no', 'unknown')),
  confidence REAL NOT NULL,
  reason TEXT NOT NULL, cure TEXT NOT NULL,
  as_of_ms INTEGER NOT NULL,                 -- the reference date, or when it was computed
  links TEXT NOT NULL,                       -- JSON list: each link's answer and evidence
  computed_ms INTEGER NOT NULL,
  PRIMARY KEY (agency, definition)
) WITHOUT ROWID;
CREATE TABLE rtt_part (                      -- round trips of a quarter of an hour, for smoke graphs
  link TEXT NOT NULL, from_ms INTEGER NOT NULL, agent TEXT NOT NULL,
  sent INTEGER NOT NULL, received INTEGER NOT NULL,
  hist TEXT NOT NULL,                        -- base/hist.h
  first_journal INTEGER NOT NULL, last_journal INTEGER NOT NULL,   -- rows that it stands on
  held_journal INTEGER NOT NULL,             -- folded anew, it holds all rows until then already
  PRIMARY KEY (link, from_ms, agent)
) WITHOUT ROWID;
