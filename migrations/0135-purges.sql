-- tracking: what is being deleted for good, in units of bounded size. An open purge is gone on with after a restart.

create table tracking_purges (
  purge_id text not null primary key,
  project text not null,
  -- reference of what was asked for: an experiment, a run, a logged model, or the project (all that was deleted in it)
  target text not null,
  state text not null check (state in ('open', 'done')),
  -- of a project: only what had been deleted by then
  deleted_before_ms bigint,
  requested_by text not null,
  requested_ms bigint not null,
  ended_ms bigint,
  -- what went so far
  experiment_count bigint not null default 0,
  run_count bigint not null default 0,
  model_count bigint not null default 0,
  point_count bigint not null default 0,
  file_count bigint not null default 0,
  size_bytes bigint not null default 0
);
create index tracking_purges_by_project on tracking_purges (project, purge_id);
create index tracking_purges_open on tracking_purges (purge_id) where state = 'open';

-- What an open purge has taken and not emptied yet: a run whose row is gone and whose points and files are not, a logged
-- model that nobody finds any more, an experiment that has left its project.
create table tracking_purge_items (
  purge_id text not null references tracking_purges (purge_id) on delete cascade,
  -- runs and models (0) go before the experiment that they came from (1)
  ordinal bigint not null,
  item_ref text not null,
  -- of an experiment
  experiment_key bigint,
  primary key (purge_id, ordinal, item_ref)
);
create index tracking_purge_items_by_ref on tracking_purge_items (item_ref);

-- what was deleted when, for purges by age
create index tracking_runs_by_deletion on tracking_runs (project, deleted_ms, run_id) where deleted_ms is not null;
create index tracking_logged_models_by_deletion on tracking_logged_models (project, deleted_ms, model_id)
  where deleted_ms is not null;
