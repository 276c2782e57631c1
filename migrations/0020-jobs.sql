create table jobs (
  id text primary key,
  project text not null,
  owner text not null,
  tag text not null,
  data text,
  work text not null,
  kind text not null check (kind in ('worker', 'command')),
  state text not null check (state in ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
  attempt bigint not null,
  fence bigint not null,
  lease_until_ms bigint,
  cancel_requested smallint not null check (cancel_requested in (0, 1)),
  run_after_ms bigint not null,
  cpu double precision not null,
  memory_mb bigint not null,
  timeout_ms bigint,
  retries text,
  token_id text,
  result text,
  error_code text,
  error_message text,
  created_ms bigint not null,
  started_ms bigint,
  ended_ms bigint
);
create index jobs_claim on jobs (state, run_after_ms, id);
create index jobs_owner on jobs (project, owner, id);
create index jobs_project on jobs (project, id);
