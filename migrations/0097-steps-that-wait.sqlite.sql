-- A step may be one that waits for somebody (`use:`), no longer than until its deadline, or run once for each item (`foreach`). SQLite changes no check in place.
create table pipeline_steps_new (
  run_id text not null references pipeline_runs (id) on delete cascade,
  step text not null,
  position bigint not null,
  kind text not null check (kind in ('command', 'join', 'register', 'use', 'foreach')),
  state text not null check (state in ('pending', 'running', 'waiting', 'succeeded', 'cached', 'failed', 'skipped', 'cancelled')),
  needs text not null,
  plan text not null,
  cache_key text,
  key_parts text,
  why text,
  job_id text,
  token text,
  tracking_run_id text,
  outputs text not null,
  error_code text,
  error_message text,
  started_ms bigint,
  ended_ms bigint,
  deadline_ms bigint,
  primary key (run_id, step)
);
insert into pipeline_steps_new (
  run_id, step, position, kind, state, needs, plan, cache_key, key_parts, why, job_id, token, tracking_run_id, outputs,
  error_code, error_message, started_ms, ended_ms
)
select
  run_id, step, position, kind, state, needs, plan, cache_key, key_parts, why, job_id, token, tracking_run_id, outputs,
  error_code, error_message, started_ms, ended_ms
from pipeline_steps;
drop table pipeline_steps;
alter table pipeline_steps_new rename to pipeline_steps;
create unique index pipeline_steps_token on pipeline_steps (token);
create index pipeline_steps_deadline on pipeline_steps (deadline_ms) where deadline_ms is not null;
