-- Since when a definition is not a current one; 0 while it is. Definitions are
-- found by what they were for, and not by who names them: that stands in the
-- encoded part of events and executions.
ALTER TABLE definition ADD COLUMN superseded INTEGER NOT NULL DEFAULT 0;
