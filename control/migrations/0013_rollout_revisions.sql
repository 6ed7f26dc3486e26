-- The revision of the rollout that wrote a target: what is told to who follows it is what was written since.
ALTER TABLE rollout_targets ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;
