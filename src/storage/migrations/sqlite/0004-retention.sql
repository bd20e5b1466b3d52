-- Keys that have ended, oldest first: retention forgets them by age.
CREATE INDEX grant_states_ended ON grant_states (ended_at) WHERE ended_at IS NOT NULL;
