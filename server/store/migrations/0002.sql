-- Agencies whose sums must be made anew, with all above them: they wait here while rows
-- wait to be folded, so that a province is summed up once and not at every slice.
CREATE TABLE index_total_dirty (
  agency TEXT PRIMARY KEY
) WITHOUT ROWID;
