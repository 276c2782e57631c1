create table pipelines (
  project text not null,
  name text not null,
  spec text not null,
  generation bigint not null,
  updated_ms bigint not null,
  primary key (project, name)
);

create table pipeline_code (
  project text primary key,
  snapshot text not null,
  files text not null
);

create table pipeline_runs (
  id text primary key,
  project text not null,
  pipeline text not null,
  state text not null check (state in ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
  trigger_by text not null,
  params text not null,
  spec text not null,
  code text not null,
  use_cache smallint not null check (use_cache in (0, 1)),
  inputs text not null,
  snapshot text not null,
  tracking_run_id text,
  result text,
  error_code text,
  error_message text,
  created_ms bigint not null,
  ended_ms bigint
);
create index pipeline_runs_project on pipeline_runs (project, id);
create index pipeline_runs_pipeline on pipeline_runs (project, pipeline, id);

create table pipeline_steps (
  run_id text not null references pipeline_runs (id) on delete cascade,
  step text not null,
  position bigint not null,
  kind text not null check (kind in ('command', 'join', 'register')),
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
  primary key (run_id, step)
);
create unique index pipeline_steps_token on pipeline_steps (token);

create table pipeline_cache (
  project text not null,
  cache_key text not null,
  run_id text not null,
  step text not null,
  outputs text not null,
  created_ms bigint not null,
  primary key (project, cache_key)
);
