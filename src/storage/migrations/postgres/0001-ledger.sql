-- Instants are NumericDate: seconds since the epoch. Every digest is SHA-256. docs/storage.md says what each table is for.

-- What was applied here. `works_since`: the number of the oldest migration whose program still works after this one.
CREATE TABLE till_migrations (
  number integer PRIMARY KEY,
  works_since integer NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT now()
);

-- What a key is, fixed when it is minted.
CREATE TABLE grants (
  no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id text COLLATE "C" NOT NULL UNIQUE,
  key_digest bytea NOT NULL UNIQUE CHECK (octet_length(key_digest) = 32),
  policy text COLLATE "C" NOT NULL,
  job_digest bytea NOT NULL CHECK (octet_length(job_digest) = 32),
  idempotency_digest bytea CHECK (octet_length(idempotency_digest) = 32),
  -- The id of the grant that took the place of this one, when the answer to its mint was lost.
  replaced_by text COLLATE "C",
  run_digest bytea NOT NULL CHECK (octet_length(run_digest) = 32),
  -- Of issuer, repository and ref; NULL where the token named no ref.
  ref_digest bytea CHECK (octet_length(ref_digest) = 32),
  minted_at float8 NOT NULL,
  expires_at float8 NOT NULL,
  idle_after float8,
  -- The whole grant as JSON: job, claims, scope. Not jsonb, which cannot hold every text that a token can.
  terms text NOT NULL
);

-- One job, one budget.
CREATE UNIQUE INDEX grants_of_jobs ON grants (job_digest, policy) WHERE replaced_by IS NULL;
-- The keys of one branch or pull request, for the comment that shows them together.
CREATE INDEX grants_of_refs ON grants (ref_digest) WHERE replaced_by IS NULL;

-- What changes of a grant. Narrow, with room in each page for the next version of a row.
CREATE TABLE grant_states (
  grant_no bigint PRIMARY KEY REFERENCES grants (no),
  -- Counts the changes of the row: who has read it knows whether it is still what was read.
  version bigint NOT NULL DEFAULT 1,
  budget bigint NOT NULL CHECK (budget BETWEEN 1 AND 1000000000),
  used bigint NOT NULL DEFAULT 0 CHECK (used >= 0 AND used <= budget),
  given_back bigint NOT NULL DEFAULT 0 CHECK (given_back >= 0),
  -- Of the used ones: those whose request has finished.
  finished bigint NOT NULL DEFAULT 0 CHECK (finished >= 0 AND finished <= used),
  active_at float8 NOT NULL,
  -- No later than the instant at which time alone ends the grant; the sweep looks then.
  due_at float8 NOT NULL,
  ended_at float8,
  end_reason text CHECK (end_reason IN
    ('revoked_by_job', 'revoked_by_operator', 'job_completed', 'expired', 'idle', 'exhausted', 'reissued')),
  -- The transaction that ended it: replicas look for those that they have not heard of.
  ended_in xid8,
  -- The end of the grant's chain: how many events it has, and the hash of the last.
  events bigint NOT NULL CHECK (events >= 1),
  head bytea NOT NULL CHECK (octet_length(head) = 32),
  CHECK ((ended_at IS NULL) = (end_reason IS NULL)),
  CHECK ((ended_at IS NULL) = (ended_in IS NULL))
) WITH (fillfactor = 70);

CREATE INDEX grant_states_due ON grant_states (due_at) WHERE ended_at IS NULL;
CREATE INDEX grant_states_ended ON grant_states (ended_in) WHERE ended_at IS NOT NULL;

-- Audit events. Chain 0 is the broker's own, any other a grant's `no`. The key holds each place of a chain once.
CREATE TABLE events (
  chain bigint NOT NULL,
  seq bigint NOT NULL CHECK (seq >= 1),
  -- Their order in the whole ledger; numbers of transactions that came to nothing are missing.
  no bigint GENERATED ALWAYS AS IDENTITY,
  hash bytea NOT NULL CHECK (octet_length(hash) = 32),
  -- Canonical JSON (RFC 8785), whose digest is `hash`.
  text text NOT NULL,
  PRIMARY KEY (chain, seq)
);

CREATE UNIQUE INDEX events_in_order ON events (no);

-- The end of chain 0.
CREATE TABLE broker_chain (
  one integer PRIMARY KEY CHECK (one = 1),
  events bigint NOT NULL,
  head bytea NOT NULL CHECK (octet_length(head) = 32)
);

INSERT INTO broker_chain VALUES (1, 0, decode(repeat('00', 32), 'hex'));

-- ID tokens that were used: digests of issuer and `jti`.
CREATE TABLE used_tokens (
  digest bytea PRIMARY KEY CHECK (octet_length(digest) = 32),
  expires_at float8 NOT NULL
);

CREATE INDEX used_tokens_expiry ON used_tokens (expires_at);

-- How many verified ID tokens came from a repository in one minute of the clock.
CREATE TABLE mint_minutes (
  repository_digest bytea NOT NULL CHECK (octet_length(repository_digest) = 32),
  minute bigint NOT NULL,
  tokens integer NOT NULL CHECK (tokens >= 1),
  PRIMARY KEY (repository_digest, minute)
);

CREATE INDEX mint_minutes_age ON mint_minutes (minute);

-- What a policy has granted to one run (`span` is its digest in hex) or on one day (`span` is `YYYY-MM-DD`, UTC).
CREATE TABLE allowances (
  policy text COLLATE "C" NOT NULL,
  span text COLLATE "C" NOT NULL,
  keys bigint NOT NULL CHECK (keys >= 0),
  activations bigint NOT NULL CHECK (activations >= 0),
  granted_at float8 NOT NULL,
  PRIMARY KEY (policy, span)
);

CREATE INDEX allowances_age ON allowances (granted_at);

-- Jobs that GitHub has said are over: no key is minted for them any more. `job_digest` as in `grants`.
CREATE TABLE ended_jobs (
  job_digest bytea PRIMARY KEY CHECK (octet_length(job_digest) = 32),
  ended_at float8 NOT NULL
);

CREATE INDEX ended_jobs_age ON ended_jobs (ended_at);

-- Checkpoints over the heads of all chains: signed by the broker, each linked to the one before it.
CREATE TABLE checkpoints (
  seq bigint PRIMARY KEY CHECK (seq >= 1),
  -- Every event up to this `no` is covered, and every later one is not.
  last_event bigint NOT NULL,
  -- Compact JWS; its payload holds a digest over the heads below.
  jws text NOT NULL
);

-- The heads of the chains that grew since the checkpoint before. Chains stand here by name, as the digest has them.
CREATE TABLE checkpoint_heads (
  checkpoint bigint NOT NULL REFERENCES checkpoints (seq),
  chain text COLLATE "C" NOT NULL,
  seq bigint NOT NULL CHECK (seq >= 1),
  hash bytea NOT NULL CHECK (octet_length(hash) = 32),
  PRIMARY KEY (checkpoint, chain)
);

CREATE INDEX checkpoint_heads_of_chain ON checkpoint_heads (chain, seq);

-- Sealed by the broker before they come here: signing keys, credentials.
CREATE TABLE sealed_records (
  name text COLLATE "C" PRIMARY KEY,
  value bytea NOT NULL
);

-- Written by readiness checks, to see a write reach the disk.
CREATE TABLE probes (
  one integer PRIMARY KEY CHECK (one = 1),
  writes bigint NOT NULL
);

INSERT INTO probes VALUES (1, 0);

INSERT INTO till_migrations (number, works_since) VALUES (1, 1);
