-- Keys that have ended, oldest first: retention forgets them by age.
CREATE INDEX grant_states_age ON grant_states (ended_at) WHERE ended_at IS NOT NULL;

INSERT INTO till_migrations (number, works_since) VALUES (2, 1);
