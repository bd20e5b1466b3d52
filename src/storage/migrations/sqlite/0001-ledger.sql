-- Instants are NumericDate: seconds since the epoch. Every digest is SHA-256. docs/storage.md says what each table is for.

-- What a key is, fixed when it is minted.
CREATE TABLE grants (
  no INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  key_digest BLOB NOT NULL UNIQUE CHECK (length(key_digest) = 32),
  policy TEXT NOT NULL,
  job_digest BLOB NOT NULL CHECK (length(job_digest) = 32),
  idempotency_digest BLOB CHECK (length(idempotency_digest) = 32),
  -- The id of the grant that took the place of this one, when the answer to its mint was lost.
  replaced_by TEXT,
  run_digest BLOB NOT NULL CHECK (length(run_digest) = 32),
  minted_at REAL NOT NULL,
  -- The whole grant as JSON: job, claims, scope.
  terms TEXT NOT NULL
) STRICT;

-- One job, one budget.
CREATE UNIQUE INDEX grants_of_jobs ON grants (job_digest, policy) WHERE replaced_by IS NULL;

-- What changes of a grant, and what decides whether it lives: all that a charge reads. Narrow, so that charges of many
-- grants touch few pages.
CREATE TABLE grant_states (
  grant_no INTEGER PRIMARY KEY REFERENCES grants (no),
  budget INTEGER NOT NULL CHECK (budget BETWEEN 1 AND 1000000000),
  expires_at REAL NOT NULL,
  idle_after REAL,
  used INTEGER NOT NULL DEFAULT 0 CHECK (used >= 0 AND used <= budget),
  given_back INTEGER NOT NULL DEFAULT 0 CHECK (given_back >= 0),
  -- Of the used ones: those whose request has finished.
  finished INTEGER NOT NULL DEFAULT 0 CHECK (finished >= 0 AND finished <= used),
  active_at REAL NOT NULL,
  -- No later than the instant at which time alone ends the grant; the sweep looks then.
  due_at REAL NOT NULL,
  ended_at REAL,
  end_reason TEXT CHECK (end_reason IN
    ('revoked_by_job', 'revoked_by_operator', 'job_completed', 'expired', 'idle', 'exhausted', 'reissued')),
  -- The end of the grant's chain: how many events it has, the hash of the last, and where that one is.
  events INTEGER NOT NULL CHECK (events >= 1),
  head BLOB NOT NULL CHECK (length(head) = 32),
  last_event INTEGER NOT NULL,
  CHECK ((ended_at IS NULL) = (end_reason IS NULL))
) STRICT;

CREATE INDEX grant_states_due ON grant_states (due_at) WHERE ended_at IS NULL;

-- Audit events. `no` is their order in the whole ledger. Chain 0 is the broker's own, any other a grant's `no`.
CREATE TABLE events (
  no INTEGER PRIMARY KEY,
  chain INTEGER NOT NULL,
  seq INTEGER NOT NULL CHECK (seq >= 1),
  -- The event before it in its chain. With it a chain is read backwards from any of its events, without an index that
  -- would cost each charge a page of its own.
  before INTEGER CHECK ((before IS NULL) = (seq = 1)),
  hash BLOB NOT NULL CHECK (length(hash) = 32),
  -- Canonical JSON (RFC 8785), whose digest is `hash`.
  text TEXT NOT NULL
) STRICT;

-- Where to begin: one event in 64, so that a long chain is read in pages.
CREATE UNIQUE INDEX event_milestones ON events (chain, seq) WHERE seq % 64 = 0;

-- The end of chain 0.
CREATE TABLE broker_chain (
  only INTEGER PRIMARY KEY CHECK (only = 1),
  events INTEGER NOT NULL,
  head BLOB NOT NULL CHECK (length(head) = 32),
  last_event INTEGER CHECK ((last_event IS NULL) = (events = 0))
) STRICT;

INSERT INTO broker_chain VALUES (1, 0, zeroblob(32), NULL);

-- ID tokens that were used: digests of issuer and `jti`.
CREATE TABLE used_tokens (
  digest BLOB PRIMARY KEY CHECK (length(digest) = 32),
  expires_at REAL NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX used_tokens_expiry ON used_tokens (expires_at);

-- How many verified ID tokens came from a repository in one minute of the clock.
CREATE TABLE mint_minutes (
  repository_digest BLOB NOT NULL CHECK (length(repository_digest) = 32),
  minute INTEGER NOT NULL,
  tokens INTEGER NOT NULL CHECK (tokens >= 1),
  PRIMARY KEY (repository_digest, minute)
) STRICT, WITHOUT ROWID;

-- What a policy has granted to one run (`span` is its digest) or on one day (`span` is `YYYY-MM-DD`, UTC).
CREATE TABLE allowances (
  policy TEXT NOT NULL,
  span ANY NOT NULL,
  keys INTEGER NOT NULL CHECK (keys >= 0),
  activations INTEGER NOT NULL CHECK (activations >= 0),
  granted_at REAL NOT NULL,
  PRIMARY KEY (policy, span)
) STRICT, WITHOUT ROWID;

-- Sealed by the broker before they come here: signing keys, credentials.
CREATE TABLE sealed_records (
  name TEXT PRIMARY KEY,
  value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Written by readiness checks, to see a write reach the disk.
CREATE TABLE probes (
  only INTEGER PRIMARY KEY CHECK (only = 1),
  writes INTEGER NOT NULL,
  -- Makes each write larger than a charge's: on a disk that is nearly full the check must not be the last that passes.
  padding BLOB
) STRICT;

INSERT INTO probes VALUES (1, 0, NULL);
