-- What operators say about rules beside the packs.

CREATE TABLE applied_rule (
  ref       TEXT PRIMARY KEY,
  body      TEXT,
  principal TEXT NOT NULL,
  applied   INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE rule_switch (
  rule      TEXT PRIMARY KEY,
  enabled   INTEGER NOT NULL,
  principal TEXT NOT NULL,
  switched  INTEGER NOT NULL
) WITHOUT ROWID;
