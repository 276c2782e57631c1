-- rollouts: every change of weights, by evidence

create table rollouts (
  rollout text not null primary key,
  project text not null,
  deployment text not null,
  model text not null,
  version bigint not null,
  revision text not null,
  state text not null check (state in ('warming', 'stepping', 'completed', 'aborted', 'superseded', 'rolled-back')),
  reason text not null,
  -- the complete set before, JSON of weights; empty for the first revision
  from_weights text not null,
  promotion_id text,
  -- steps, each and abort_when as they were declared when it started, JSON
  plan text not null,
  step bigint not null,
  -- counters of the new revision and the endpoint's clock, when it got its first traffic and when its step began, JSON
  first_baseline text,
  step_baseline text,
  -- since when replicas say that it cannot be loaded
  failed_ms bigint,
  -- the set before is still loaded
  previous_warm smallint not null check (previous_warm in (0, 1)),
  started_ms bigint not null,
  ended_ms bigint
);
create index rollouts_by_project on rollouts (project, rollout);
create index rollouts_by_deployment on rollouts (project, deployment, rollout);
-- one under way for each deployment, also when two events are handled at once
create unique index rollouts_under_way on rollouts (project, deployment) where state in ('warming', 'stepping');
