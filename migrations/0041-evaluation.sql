create table evaluations (
  id text primary key,
  project text not null,
  promotion_id text not null,
  model text not null,
  version bigint not null,
  alias text not null,
  champion_version bigint,
  state text not null check (state in ('pending', 'decided', 'failed')),
  gates text not null,
  test_reference text,
  label text not null,
  job_id text not null,
  verdict text,
  result text,
  decisions text,
  error_code text,
  error_message text,
  created_ms bigint not null,
  ended_ms bigint
);
create index evaluations_model on evaluations (project, model, id);
create index evaluations_project on evaluations (project, id);
