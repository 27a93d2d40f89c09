-- Tests of throughput that were allowed: state, not a fold. What runs now is what has
-- neither ended nor expired, so a restart of the server forgets nobody; the rest is the
-- account of what tests cost.
CREATE TABLE throughput_slot (
  id INTEGER PRIMARY KEY,
  agent TEXT NOT NULL, link TEXT NOT NULL,
  endpoint INTEGER NOT NULL,                 -- 1: against the server's own, 0: another URL
  granted_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL,
  bytes_max INTEGER NOT NULL,                -- that it may cost
  ended_ms INTEGER,                          -- NULL: it lasts until expires_ms
  bytes INTEGER,                             -- that it cost; NULL: not known, bytes_max is counted
  outcome TEXT,                              -- the agent's word, or 'expired', 'replaced', 'not taken'
  request TEXT                               -- the question's id: who asks twice has the same slot
);
CREATE INDEX throughput_slot_granted ON throughput_slot (granted_ms);
CREATE INDEX throughput_slot_request ON throughput_slot (agent, request);
CREATE INDEX throughput_slot_link ON throughput_slot (link, granted_ms);
CREATE INDEX throughput_slot_live ON throughput_slot (expires_ms) WHERE ended_ms IS NULL;
