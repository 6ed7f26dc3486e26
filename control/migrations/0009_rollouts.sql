-- What somebody must be permitted who lets a rollout change miners; NULL = planned before this was kept.
ALTER TABLE rollouts ADD COLUMN needs TEXT;
-- People other than the planner who must approve it, and those who did, as JSON.
ALTER TABLE rollouts ADD COLUMN approvals_needed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollouts ADD COLUMN approvals TEXT NOT NULL DEFAULT '[]';
