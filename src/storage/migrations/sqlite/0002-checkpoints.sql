-- Checkpoints over the heads of all chains: signed by the broker, each linked to the one before it.
CREATE TABLE checkpoints (
  seq INTEGER PRIMARY KEY CHECK (seq >= 1),
  -- The `no` of the last event that it covers.
  last_event INTEGER NOT NULL,
  -- Compact JWS; its payload holds a digest over the heads below.
  jws TEXT NOT NULL
) STRICT;

-- The heads of the chains that grew since the checkpoint before. Chains stand here by name, as the digest has them.
CREATE TABLE checkpoint_heads (
  checkpoint INTEGER NOT NULL REFERENCES checkpoints (seq),
  chain TEXT NOT NULL,
  seq INTEGER NOT NULL CHECK (seq >= 1),
  hash BLOB NOT NULL CHECK (length(hash) = 32),
  PRIMARY KEY (checkpoint, chain)
) STRICT, WITHOUT ROWID;

CREATE INDEX checkpoint_heads_of_chain ON checkpoint_heads (chain, seq);
