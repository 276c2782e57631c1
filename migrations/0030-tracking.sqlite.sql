-- Rows of a few columns that are all key: without a rowid the table is its own index (half the size, a third less time).

create table tracking_metrics (
  run_id text not null,
  metric_key text not null,
  timestamp_ms bigint not null,
  step bigint not null,
  -- NaN is (0, 1), plus and minus infinity the greatest and least number with 2 and 3
  value double precision not null,
  special smallint not null check (special between 0 and 3),
  -- exact duplicates are stored once; the order is that of a history
  primary key (run_id, metric_key, timestamp_ms, step, value, special)
) without rowid;

-- per run and key the point that is greatest by (step, timestamp, value)
create table tracking_latest_metrics (
  run_id text not null references tracking_runs (run_id) on delete cascade,
  metric_key text not null,
  timestamp_ms bigint not null,
  step bigint not null,
  value double precision not null,
  special smallint not null check (special between 0 and 3),
  primary key (run_id, metric_key)
) without rowid;

create table tracking_params (
  run_id text not null references tracking_runs (run_id) on delete cascade,
  param_key text not null,
  param_value text not null,
  primary key (run_id, param_key)
) without rowid;

create table tracking_run_tags (
  run_id text not null references tracking_runs (run_id) on delete cascade,
  tag_key text not null,
  tag_value text not null,
  primary key (run_id, tag_key)
) without rowid;
