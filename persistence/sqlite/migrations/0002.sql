-- Tokens that somebody makes, and that may expire; and who did what by request.

ALTER TABLE access_token ADD COLUMN made_by TEXT NOT NULL DEFAULT '';
ALTER TABLE access_token ADD COLUMN expires INTEGER NOT NULL DEFAULT 0;

CREATE TABLE audit (
  number    INTEGER PRIMARY KEY AUTOINCREMENT, -- a number never comes twice: it is the cursor of the list
  at        INTEGER NOT NULL,
  principal TEXT NOT NULL,
  kind      TEXT NOT NULL,
  address   TEXT NOT NULL,
  action    TEXT NOT NULL,
  target    TEXT NOT NULL,
  status    INTEGER NOT NULL,
  code      TEXT NOT NULL
);
