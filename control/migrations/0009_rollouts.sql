-- What somebody must be permitted who lets a rollout change miners; NULL = planned before this was kept.
ALTER TABLE rollouts ADD COLUMN needs TEXT;
