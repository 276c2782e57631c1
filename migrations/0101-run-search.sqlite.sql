-- Tables that are all key have no rowid, as those of migration 0030.

create table tracking_listed_metrics (
  experiment_key bigint not null,
  metric_key text not null,
  is_nan smallint not null check (is_nan in (0, 1)),
  -- the value and the start of the run with their signs changed: an index forwards has the greatest value first, and of
  -- equal ones the run that started last
  falling double precision not null,
  before_ms bigint not null,
  run_id text not null,
  primary key (experiment_key, metric_key, is_nan, falling, before_ms, run_id)
) without rowid;

create table tracking_listed_texts (
  experiment_key bigint not null,
  kind text not null check (kind in ('param', 'tag')),
  text_key text not null,
  -- the first hundred characters
  head text not null,
  is_cut smallint not null check (is_cut in (0, 1)),
  run_id text not null,
  primary key (experiment_key, kind, text_key, head, run_id)
) without rowid;

create index tracking_runs_by_start on tracking_runs (experiment_key, lifecycle, start_ms desc, run_id, status);
create index tracking_runs_unlisted on tracking_runs (lifecycle, listing, experiment_key, run_id) where listing <> 'listed';
