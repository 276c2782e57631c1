-- Requests that were sent with an Idempotency-Key. Neither the key nor the body is kept, only digests of them.
create table idempotency_keys (
  project text not null,
  principal text not null,
  key_digest text not null,
  request_digest text not null,
  -- which try of the request may write: a try that was overtaken may not
  attempt text not null,
  -- committed: it has written; answered: and what it answered is known
  state text not null check (state in ('running', 'committed', 'answered')),
  status bigint,
  body text,
  created_ms bigint not null,
  primary key (project, principal, key_digest)
);
create index idempotency_keys_created on idempotency_keys (created_ms);
