-- Steps of pipelines that wait for a rollout to end; the token answers the step.
create table rollout_waiters (
  token text not null primary key,
  rollout text not null references rollouts (rollout) on delete cascade,
  created_ms bigint not null
);
create index rollout_waiters_rollout on rollout_waiters (rollout);
