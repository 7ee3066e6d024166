-- Times are milliseconds since 1970: to_timestamp(finished / 1000.0). Ids carry
-- their partition in bits 12 to 21 and their moment above. Columns are what users
-- narrow lists by or query, and what the engine looks up; everything else of a
-- row is in spec (never changes) and state, in the encoding of package
-- persistence. Documents are json and not jsonb: what was given is read back as
-- it was given, with its order, its duplicate keys and its forms of numbers.
-- No foreign keys, no index on a status, and none whose predicate names it.
--
-- event, enforcement, execution and output are split by the time of ids; ranges.go
-- makes their parts, which have a fill factor where rows change.

CREATE TABLE lease (
  incarnation text PRIMARY KEY,
  id          bigint NOT NULL GENERATED ALWAYS AS IDENTITY, -- what rows name their writer by
  name        text NOT NULL,
  expires     timestamptz NOT NULL, -- what a renewal writes is in no index
  dead        boolean NOT NULL,
  session     bigint NOT NULL -- a flush of an earlier one is fenced
) WITH (fillfactor = 50);

CREATE TABLE partition (
  id           smallint PRIMARY KEY,
  owner        text NOT NULL,
  epoch        bigint NOT NULL,
  id_high      bigint NOT NULL,
  finish_high  bigint NOT NULL, -- of rows that were pruned
  announced_to bigint NOT NULL
) WITH (fillfactor = 50);
INSERT INTO partition SELECT i, '', 0, 0, 0, 0 FROM generate_series(0, 127) i;

-- hash is of kind, source and key.
CREATE TABLE dedupe (
  hash  uuid PRIMARY KEY,
  first bigint NOT NULL
);

CREATE TABLE event (
  id        bigint PRIMARY KEY,
  evaluated bigint, -- null until its rules are judged
  writer    bigint NOT NULL,
  trigger   text NOT NULL,
  payload   json,
  spec      bytea NOT NULL
) PARTITION BY RANGE (id);
CREATE INDEX ON event (id) WHERE evaluated IS NULL;

CREATE TABLE enforcement (
  id         bigint NOT NULL, -- unique in each part
  event      bigint NOT NULL,
  execution  bigint NOT NULL, -- 0 where it failed
  status     smallint NOT NULL,
  rule       text NOT NULL,
  action     text NOT NULL,
  evaluation json,
  spec       bytea NOT NULL,
  again      bytea, -- the spec that a rerun gave, of which rule, execution and failure count
  PRIMARY KEY (event, rule)
) PARTITION BY RANGE (event);

-- What changes stands last, and half of each page is left for it: an update that
-- stays on its page writes only that to the log.
CREATE TABLE execution (
  id            bigint PRIMARY KEY,
  event         bigint NOT NULL,
  enforcement   bigint NOT NULL,
  parent        bigint NOT NULL,
  loose         boolean NOT NULL, -- it has an event, and no enforcement of that names it
  action        text NOT NULL,
  rule          text NOT NULL,
  trigger       text NOT NULL,
  parameters    json,
  spec          bytea NOT NULL,
  worker        text NOT NULL,
  incarnation   text NOT NULL,
  writer        bigint NOT NULL,
  version       bigint NOT NULL,
  finished      bigint, -- null while it is live
  finish_number bigint NOT NULL,
  status        smallint NOT NULL,
  state         bytea NOT NULL,
  result        json
) PARTITION BY RANGE (id);
CREATE INDEX ON execution (((id >> 12) & 1023), id) WHERE finished IS NULL;
CREATE INDEX ON execution (((id >> 12) & 1023), finish_number) WHERE finish_number > 0;
-- Those of an event are found through its enforcements: an index of all would
-- cost each execution two entries, one when it begins and one when it ends.
CREATE INDEX ON execution (event) WHERE loose;
CREATE INDEX ON execution (parent) WHERE parent > 0;

CREATE SEQUENCE output_number;
CREATE TABLE output (
  execution bigint NOT NULL,
  attempt   bigint NOT NULL,
  stream    smallint NOT NULL,
  begins    bigint NOT NULL,
  number    bigint NOT NULL, -- the order in which chunks came
  data      bytea NOT NULL,
  PRIMARY KEY (execution, attempt, stream, begins)
) PARTITION BY RANGE (execution);

CREATE TABLE worker (
  name    text PRIMARY KEY,
  version bigint NOT NULL,
  writer  bigint NOT NULL,
  body    json NOT NULL
);

CREATE TABLE definition (
  hash       text PRIMARY KEY,
  kind       text NOT NULL,
  ref        text NOT NULL,
  body       json,
  superseded bigint NOT NULL -- since when it is not current; 0 while it is
);

CREATE TABLE access_token (
  name    text PRIMARY KEY,
  kind    text NOT NULL,
  roles   json NOT NULL,
  hash    text NOT NULL,
  created bigint NOT NULL,
  made_by text NOT NULL,
  expires bigint NOT NULL
);

CREATE TABLE audit (
  number    bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  at        bigint NOT NULL,
  principal text NOT NULL,
  kind      text NOT NULL,
  address   text NOT NULL,
  action    text NOT NULL,
  target    text NOT NULL,
  status    integer NOT NULL,
  code      text NOT NULL
);

CREATE TABLE applied_rule (
  ref       text PRIMARY KEY,
  body      json,
  principal text NOT NULL,
  applied   bigint NOT NULL
);

CREATE TABLE rule_switch (
  rule      text PRIMARY KEY,
  enabled   boolean NOT NULL,
  principal text NOT NULL,
  switched  bigint NOT NULL
);

-- The parts of the four tables that are split have the same bounds. What is in
-- none of them is in the rest.
CREATE TABLE id_range (
  name   text PRIMARY KEY,
  begins bigint NOT NULL,
  ends   bigint NOT NULL
);
CREATE TABLE event_rest PARTITION OF event DEFAULT;
CREATE TABLE enforcement_rest PARTITION OF enforcement DEFAULT;
CREATE UNIQUE INDEX ON enforcement_rest (id);
CREATE TABLE execution_rest PARTITION OF execution DEFAULT WITH (fillfactor = 50);
CREATE TABLE output_rest PARTITION OF output DEFAULT;
