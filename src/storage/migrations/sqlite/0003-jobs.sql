-- Jobs that GitHub has said are over: no key is minted for them any more. `job_digest` as in `grants`.
CREATE TABLE ended_jobs (
  job_digest BLOB PRIMARY KEY CHECK (length(job_digest) = 32),
  ended_at REAL NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX ended_jobs_age ON ended_jobs (ended_at);

-- The keys of one branch or pull request, for the comment that shows them together.
CREATE INDEX grants_of_refs ON grants (terms ->> '$.job.repositoryId', terms ->> '$.job.claims.ref');
