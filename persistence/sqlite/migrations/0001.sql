-- Times are milliseconds since 1970, 0 is none. Ids carry their partition in
-- bits 12 to 21. Columns are what users narrow lists by or the engine looks
-- up; everything else of a row is in spec (never changes) and state, in the
-- encoding of encoding.go. No foreign keys, and no index on a status.

CREATE TABLE lease (
  id          INTEGER PRIMARY KEY, -- what rows name their writer by
  incarnation TEXT NOT NULL UNIQUE,
  name        TEXT NOT NULL,
  expires     INTEGER NOT NULL,
  dead        INTEGER NOT NULL
);

CREATE TABLE partition (
  id           INTEGER PRIMARY KEY,
  owner        TEXT NOT NULL,
  epoch        INTEGER NOT NULL,
  id_high      INTEGER NOT NULL,
  finish_high  INTEGER NOT NULL, -- as of the last Announced; the index execution_end knows the rest
  announced_to INTEGER NOT NULL
);

-- hash is of kind, source and key: one small b-tree, and the event or execution
-- has the words.
CREATE TABLE dedupe (
  hash  BLOB PRIMARY KEY,
  first INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE event (
  id        INTEGER PRIMARY KEY,
  trigger   TEXT NOT NULL,
  evaluated INTEGER NOT NULL,
  writer    INTEGER NOT NULL,
  payload   TEXT,
  spec      BLOB NOT NULL
);
CREATE INDEX event_unevaluated ON event (id) WHERE evaluated = 0;

CREATE TABLE enforcement (
  id         INTEGER PRIMARY KEY,
  event      INTEGER NOT NULL,
  rule       TEXT NOT NULL,
  action     TEXT NOT NULL,
  status     INTEGER NOT NULL,
  evaluation TEXT,
  spec       BLOB NOT NULL
);
CREATE UNIQUE INDEX enforcement_pair ON enforcement (event, rule);

CREATE TABLE execution (
  id            INTEGER PRIMARY KEY,
  version       INTEGER NOT NULL,
  status        INTEGER NOT NULL,
  writer        INTEGER NOT NULL,
  finished      INTEGER,          -- null while it is live
  finish_number INTEGER NOT NULL,
  event         INTEGER NOT NULL,
  enforcement   INTEGER NOT NULL, -- found by its event
  parent        INTEGER NOT NULL,
  action        TEXT NOT NULL,
  rule          TEXT NOT NULL,
  trigger       TEXT NOT NULL,
  worker        TEXT NOT NULL,
  incarnation   TEXT NOT NULL,
  parameters    TEXT,
  spec          BLOB NOT NULL,
  state         BLOB NOT NULL,
  result        TEXT
);
-- Of about 43 µs that an admission and an end cost together (flushes of 250),
-- each index has its share, measured by leaving it out: execution_end 4 µs and
-- 1.1 kB of log, for it grows at one place per partition; the others, which
-- grow at one place or stay small, under 2 µs and 0.1 kB each. The greatest
-- single cost is a dedupe key: in a large table each has a page of its own.
CREATE INDEX execution_live ON execution ((id >> 12) & 1023, id) WHERE finished IS NULL;
CREATE INDEX execution_end ON execution ((id >> 12) & 1023, finish_number) WHERE finish_number > 0;
CREATE INDEX execution_event ON execution (event) WHERE event > 0;
CREATE INDEX execution_parent ON execution (parent) WHERE parent > 0;

CREATE TABLE worker (
  name    TEXT PRIMARY KEY,
  version INTEGER NOT NULL,
  writer  INTEGER NOT NULL,
  body    TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE definition (
  hash TEXT PRIMARY KEY,
  kind TEXT NOT NULL,
  ref  TEXT NOT NULL,
  body TEXT
);

CREATE TABLE access_token (
  name    TEXT PRIMARY KEY,
  kind    TEXT NOT NULL,
  roles   TEXT NOT NULL,
  hash    TEXT NOT NULL,
  created INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE output (
  execution INTEGER NOT NULL,
  attempt   INTEGER NOT NULL,
  stream    INTEGER NOT NULL,
  begins    INTEGER NOT NULL,
  data      BLOB NOT NULL,
  UNIQUE (execution, attempt, stream, begins)
);

CREATE TABLE resolved (times INTEGER NOT NULL); -- a write that proves that writing works
INSERT INTO resolved VALUES (0);

WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 127)
INSERT INTO partition SELECT i, '', 0, 0, 0, 0 FROM n;
