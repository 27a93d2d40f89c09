-- Outages and what is told of them. Times are Unix milliseconds, server's clock or dated
-- by it. "Derived" tables are folds over the journal; outbox and delivery are state.

-- ── derived: links and vantages through time ─────────────────────────────────────────
CREATE TABLE link_span (                     -- one state of one link; the newest is open
  link TEXT NOT NULL, from_ms INTEGER NOT NULL,
  to_ms INTEGER,                             -- NULL: it lasts
  state TEXT NOT NULL CHECK (state IN ('UP', 'DEGRADED', 'DOWN', 'UNREACHABLE', 'UNKNOWN', 'MAINTENANCE')),
  why TEXT NOT NULL,                         -- a word of the rule that said so, for translation
  reason TEXT NOT NULL,                      -- one sentence, English
  agent TEXT,                                -- whose statement; NULL: nobody's
  journal_id INTEGER NOT NULL,               -- the row that brought it
  PRIMARY KEY (link, from_ms)
) WITHOUT ROWID;
CREATE INDEX link_span_open ON link_span (link) WHERE to_ms IS NULL;

CREATE TABLE outage (                        -- a link was DOWN or UNREACHABLE
  id TEXT PRIMARY KEY,                       -- '<link>-20261123T220103Z': the estimated start; the same after a refold
  link TEXT NOT NULL, agency TEXT NOT NULL,
  provider TEXT,                             -- as the registry had it then
  state TEXT NOT NULL CHECK (state IN ('DOWN', 'UNREACHABLE')),
  root TEXT,                                 -- UNREACHABLE: the outage that explains this one
  -- the estimate: what was seen from the core
  start_ms INTEGER NOT NULL, start_uncertainty_ms INTEGER NOT NULL,
  end_ms INTEGER, end_uncertainty_ms INTEGER,              -- NULL: it lasts
  -- the correction: what the cut-off edge wrote down meanwhile; NULL: no record (yet)
  edge_start_ms INTEGER, edge_start_uncertainty_ms INTEGER,
  edge_end_ms INTEGER, edge_end_uncertainty_ms INTEGER,
  edge_agent TEXT,
  cause TEXT NOT NULL CHECK (cause IN ('unknown', 'wan-link', 'router', 'power', 'lan',
    'agent', 'far-end', 'server', 'parent')),
  cause_reason TEXT NOT NULL,                -- one sentence, English
  evidence TEXT NOT NULL,                    -- JSON list of journal ids
  opened_journal INTEGER NOT NULL, closed_journal INTEGER
) WITHOUT ROWID;
CREATE INDEX outage_link ON outage (link, start_ms);
CREATE INDEX outage_start ON outage (start_ms);
CREATE INDEX outage_open ON outage (link) WHERE end_ms IS NULL;
CREATE TABLE outage_note (                   -- a person's words: ticket number, remark
  outage TEXT PRIMARY KEY,
  ticket TEXT, note TEXT, journal_id INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE vantage_state (                 -- whether a vantage can be believed
  agent TEXT PRIMARY KEY,
  blind INTEGER NOT NULL, since_ms INTEGER NOT NULL,
  reason TEXT NOT NULL, journal_id INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE agency_state (                  -- an agency by its links
  agency TEXT PRIMARY KEY,
  state TEXT NOT NULL CHECK (state IN ('UP', 'DEGRADED', 'DOWN', 'UNREACHABLE', 'UNKNOWN', 'MAINTENANCE')),
  on_backup INTEGER NOT NULL,                -- 1: primary dead, a backup carries it
  since_ms INTEGER NOT NULL, reason TEXT NOT NULL, journal_id INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE link_reach (                    -- what one agent's reach probe says of one link
  link TEXT NOT NULL, agent TEXT NOT NULL,
  state TEXT CHECK (state IN ('up', 'down')),  -- NULL: only minutes were told
  at_ms INTEGER,                             -- of the transition
  lost_ms INTEGER, answered_ms INTEGER,      -- down: first lost, last answered ping
  in_doubt INTEGER NOT NULL DEFAULT 0,       -- 1: it was told while the agent was blind
  heard_ms INTEGER NOT NULL,                 -- newest reading
  received_ms INTEGER NOT NULL,              -- and its arrival
  sent REAL, received REAL, rtt_s REAL,      -- of the newest minute
  lossy INTEGER NOT NULL DEFAULT 0,          -- 1: loss lasts
  minutes INTEGER NOT NULL DEFAULT 0,        -- in a row that say otherwise
  journal_id INTEGER NOT NULL,
  PRIMARY KEY (link, agent)
) WITHOUT ROWID;
CREATE INDEX link_reach_agent ON link_reach (agent);
CREATE TABLE link_memory (                   -- what the state machine of a link remembers
  link TEXT PRIMARY KEY, agency TEXT NOT NULL, provider TEXT, role TEXT NOT NULL,
  own TEXT NOT NULL,                         -- state as seen, whatever it hangs on
  state TEXT NOT NULL,                       -- with its parents, without maintenance
  muted INTEGER NOT NULL,                    -- 1: it, or its root, is under maintenance
  root TEXT, root_problem TEXT,              -- UNREACHABLE: by which link
  down_ms INTEGER,                           -- dead since
  hold_ms INTEGER,                           -- UNREACHABLE until then, though the root is back
  flap REAL NOT NULL, flap_ms INTEGER NOT NULL,
  unstable INTEGER NOT NULL,
  problems INTEGER NOT NULL,                 -- bits: which are open
  due_ms INTEGER                             -- to be judged again then
) WITHOUT ROWID;
CREATE INDEX link_memory_due ON link_memory (due_ms) WHERE due_ms IS NOT NULL;
CREATE INDEX link_memory_agency ON link_memory (agency);
CREATE TABLE link_parent (                   -- links named in link.parents
  parent TEXT NOT NULL, child TEXT NOT NULL,
  PRIMARY KEY (parent, child)
) WITHOUT ROWID;
CREATE INDEX link_parent_child ON link_parent (child);
CREATE TABLE agent_live (                    -- whether an agent is heard of
  agent TEXT PRIMARY KEY, agency TEXT NOT NULL,
  state TEXT NOT NULL,                       -- of its presence; 'none': it told none
  session TEXT, since_ms INTEGER NOT NULL,
  heard_ms INTEGER,                          -- newest live pack
  interval_ms INTEGER NOT NULL DEFAULT 0,    -- between such packs
  due_ms INTEGER                             -- silent from then on
) WITHOUT ROWID;
CREATE INDEX agent_live_agency ON agent_live (agency);
CREATE INDEX agent_live_due ON agent_live (due_ms) WHERE due_ms IS NOT NULL;
CREATE TABLE server_awake (                  -- rows come without a hole since
  one INTEGER PRIMARY KEY CHECK (one = 1),
  since_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL
);
CREATE TABLE maintenance (                   -- operator rows; also entered afterwards
  id TEXT PRIMARY KEY,
  scope TEXT NOT NULL CHECK (scope IN ('link', 'agency', 'provider', 'all')),
  subject TEXT NOT NULL,                     -- link, agency or provider; '' for all
  from_ms INTEGER NOT NULL, to_ms INTEGER NOT NULL,
  reason TEXT NOT NULL, actor TEXT NOT NULL,
  entered_ms INTEGER NOT NULL,
  removed_ms INTEGER,                        -- kept, for the audit
  journal_id INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX maintenance_time ON maintenance (from_ms, to_ms);
CREATE INDEX maintenance_end ON maintenance (to_ms);

-- ── derived: problems ────────────────────────────────────────────────────────────────
-- One row an episode of something wrong. Folds write them; alert rules read them, and
-- know nothing else. A change is appended to problem_change, which is what incidents
-- are folded from.
CREATE TABLE problem (
  id TEXT PRIMARY KEY,                       -- '<kind>/<subject>/<journal id that opened it>'
  kind TEXT NOT NULL,                        -- 'link-down', 'link-unreachable', 'link-degraded', 'link-unstable',
                                             -- 'link-unpingable' (data flows), 'on-backup', 'agent-silent', 'vantage-blind',
                                             -- 'certificate-expiry', 'disk-ceiling', 'queue-growing', 'peer-silent'; rules take later kinds
  subject TEXT NOT NULL,                     -- id of the link, agency, agent, or '@server'
  agency TEXT, provider TEXT,                -- what it may be grouped by; NULL: nothing
  root TEXT,                                 -- the problem that explains this one
  opened_ms INTEGER NOT NULL, closed_ms INTEGER,
  reason TEXT NOT NULL,                      -- one sentence, English
  facts TEXT NOT NULL,                       -- JSON object for templates: numbers and ids
  opened_journal INTEGER NOT NULL, closed_journal INTEGER
) WITHOUT ROWID;
CREATE INDEX problem_open ON problem (kind, subject) WHERE closed_ms IS NULL;
CREATE TABLE problem_change (
  id INTEGER PRIMARY KEY,
  problem TEXT NOT NULL,
  change TEXT NOT NULL CHECK (change IN ('open', 'update', 'close')),
  at_ms INTEGER NOT NULL, journal_id INTEGER NOT NULL
);

-- ── derived: incidents ───────────────────────────────────────────────────────────────
CREATE TABLE incident (                      -- what people are told of: problems of one cause
  id TEXT PRIMARY KEY,                       -- 'i<journal id>-<rule>' and a number when a row opened several: the same after a refold
  rule TEXT NOT NULL,                        -- of the alert rules
  rules_hash TEXT NOT NULL,                  -- rules in force when it opened
  severity TEXT NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
  group_by TEXT NOT NULL,                    -- 'problem', 'parent', 'provider', 'district'
  subject TEXT NOT NULL,                     -- the root's subject, or the provider or district
  opened_ms INTEGER NOT NULL, closed_ms INTEGER,
  announce_ms INTEGER,                       -- when it may be told (hold time, hours); NULL: told or never
  announced_ms INTEGER,                      -- NULL: nobody was told
  acked_ms INTEGER, acked_by TEXT,
  level INTEGER NOT NULL DEFAULT 0,          -- escalation
  escalate_ms INTEGER,                       -- next escalation; NULL: none
  journal_id INTEGER NOT NULL,
  kind TEXT NOT NULL,                        -- of the root problem
  root TEXT,                                 -- the problem it is about; NULL: a provider or district
  agency TEXT, district TEXT, provider TEXT, -- of the root problem: what it may be merged by
  merged TEXT,                               -- into which incident; that one is told of
  update_ms INTEGER, digest_ms INTEGER,      -- when later members are told of; NULL: nothing new
  n_told INTEGER NOT NULL DEFAULT 0,         -- members when last told
  due_ms INTEGER                             -- something is to be told then; NULL: nothing
) WITHOUT ROWID;
CREATE INDEX incident_open ON incident (rule) WHERE closed_ms IS NULL;
CREATE INDEX incident_time ON incident (opened_ms);
CREATE INDEX incident_due ON incident (due_ms) WHERE due_ms IS NOT NULL;
CREATE INDEX incident_journal ON incident (journal_id);
CREATE INDEX incident_merged ON incident (merged) WHERE merged IS NOT NULL;
CREATE INDEX incident_provider ON incident (provider, rule) WHERE closed_ms IS NULL AND merged IS NULL;
CREATE INDEX incident_district ON incident (district, rule) WHERE closed_ms IS NULL AND merged IS NULL;
CREATE INDEX incident_group ON incident (subject, group_by) WHERE closed_ms IS NULL AND merged IS NULL;
CREATE INDEX incident_announced ON incident (rule, announced_ms) WHERE announced_ms IS NOT NULL;
CREATE INDEX problem_root ON problem (root) WHERE root IS NOT NULL;
CREATE INDEX problem_subject ON problem (subject, closed_journal);
CREATE INDEX problem_agency ON problem (agency, closed_journal);
CREATE INDEX link_provider ON link (provider);
CREATE TABLE incident_member (
  incident TEXT NOT NULL, problem TEXT NOT NULL,
  joined_ms INTEGER NOT NULL, left_ms INTEGER,
  PRIMARY KEY (incident, problem)
) WITHOUT ROWID;
CREATE INDEX incident_member_problem ON incident_member (problem);
CREATE TABLE alert_decision (                -- why somebody was or was not told
  id INTEGER PRIMARY KEY,
  incident TEXT,                             -- NULL: a problem that became none
  problem TEXT,
  at_ms INTEGER NOT NULL,
  decision TEXT NOT NULL,                    -- a word: 'opened', 'joined', 'held', 'told', 'not-told', 'acknowledged', …
  reason TEXT NOT NULL                       -- one sentence, English
);
CREATE INDEX alert_decision_incident ON alert_decision (incident);
CREATE INDEX alert_decision_problem ON alert_decision (problem);
CREATE TABLE alert_waiting (                 -- problems under maintenance: looked at again then
  problem TEXT PRIMARY KEY, due_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX alert_waiting_due ON alert_waiting (due_ms);
CREATE TABLE alert_cursor (                  -- the last problem_change folded, and what it said then
  one INTEGER PRIMARY KEY CHECK (one = 1),
  change_id INTEGER NOT NULL, problem TEXT NOT NULL, journal_id INTEGER NOT NULL,
  at_ms INTEGER NOT NULL
);
CREATE TABLE incident_ack (                  -- operator rows
  incident TEXT PRIMARY KEY,
  at_ms INTEGER NOT NULL, by TEXT NOT NULL, note TEXT,
  journal_id INTEGER NOT NULL
) WITHOUT ROWID;

-- ── state: messages to people. A refold never fills it again ─────────────────────────
CREATE TABLE outbox (
  id INTEGER PRIMARY KEY,
  key TEXT NOT NULL UNIQUE,                  -- '<incident>/<channel>/<kind>/<n>': Message-ID and idempotency key
  incident TEXT NOT NULL,                    -- or 'test'
  channel TEXT NOT NULL,                     -- of the channels file
  kind TEXT NOT NULL CHECK (kind IN ('announce', 'update', 'digest', 'escalate', 'resolve', 'test')),
  facts TEXT NOT NULL,                       -- JSON: the incident as it was then; templates render it
  created_ms INTEGER NOT NULL,
  due_ms INTEGER NOT NULL,                   -- not before; retries move it
  attempts INTEGER NOT NULL DEFAULT 0,
  state TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'sent', 'failed', 'dropped')),
  last_error TEXT, sent_ms INTEGER
);
CREATE INDEX outbox_due ON outbox (due_ms) WHERE state = 'pending';
CREATE INDEX outbox_incident ON outbox (incident);
CREATE INDEX outbox_channel ON outbox (channel, id) WHERE state = 'pending';
CREATE TABLE alert_live (                    -- changes up to here were told live: a refold tells none of them again
  one INTEGER PRIMARY KEY CHECK (one = 1),
  journal_id INTEGER NOT NULL, at_ms INTEGER NOT NULL,
  refold INTEGER NOT NULL                    -- 1: what is folded now was told of, or never will be
);
CREATE TABLE alert_secret (                  -- signs the links that acknowledge
  one INTEGER PRIMARY KEY CHECK (one = 1),
  key BLOB NOT NULL
);

-- ── derived: what edges wrote down, for the correction of outages ────────────────────
CREATE TABLE edge_event (                    -- changes only; old ones are removed
  agent TEXT NOT NULL,                       -- '@server': of the server itself
  subject TEXT NOT NULL,                     -- instance: '<link>', '<link>:gateway', a probe's id
  kind TEXT NOT NULL CHECK (kind IN ('reach', 'blind', 'router', 'oper', 'stopped')),
  at_ms INTEGER NOT NULL,
  value TEXT NOT NULL,                       -- up, down; router: '' (at_ms is its start); oper: ifOperStatus
  lost_ms INTEGER,                           -- reach: first lost ping; stopped: last row before it
  answered_ms INTEGER,                       -- reach: an answered ping; router: newest poll that says so
  uncertainty_ms INTEGER NOT NULL,
  journal_id INTEGER NOT NULL,
  PRIMARY KEY (agent, subject, kind, at_ms)
) WITHOUT ROWID;
CREATE INDEX edge_event_time ON edge_event (at_ms);
CREATE INDEX edge_event_subject ON edge_event (subject, kind, at_ms);
CREATE TABLE edge_run (                      -- lives of agents' processes, and of the server ('@server')
  agent TEXT NOT NULL, boot TEXT NOT NULL, session TEXT NOT NULL,
  first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL,   -- earliest and newest record
  journal_id INTEGER NOT NULL,
  PRIMARY KEY (agent, boot, session)
) WITHOUT ROWID;
CREATE INDEX edge_run_last ON edge_run (last_ms);
CREATE INDEX outage_opened ON outage (opened_journal);
CREATE INDEX outage_closed ON outage (closed_journal) WHERE closed_journal IS NOT NULL;
CREATE TABLE outage_evidence (               -- rows of the edge that a correction rests on: kept, as `outage.evidence` is
  outage TEXT NOT NULL, journal_id INTEGER NOT NULL,
  PRIMARY KEY (outage, journal_id)
) WITHOUT ROWID;

-- ── what agents are told to ping ─────────────────────────────────────────────────────
ALTER TABLE presence ADD COLUMN targets_hash TEXT;   -- of the list in force at the agent; NULL: none
CREATE INDEX link_journal ON link (journal_id);      -- the newest edit, at every look
CREATE INDEX agent_journal ON agent (journal_id);
CREATE TABLE agent_targets (                 -- state: composed from the registry, sent over `cmd`
  agent TEXT PRIMARY KEY,
  hash TEXT NOT NULL,                        -- SHA-256 of the list; '': it has nothing to ping
  targets INTEGER NOT NULL,                  -- how many
  composed_ms INTEGER NOT NULL,
  refused TEXT, refused_ms INTEGER           -- why the agent does not take it, in its words
) WITHOUT ROWID;
CREATE INDEX evidence_journal ON evidence (journal_id);
