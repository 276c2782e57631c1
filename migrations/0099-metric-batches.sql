-- Metrics of many keys that were logged for one instant, as they came, until a run has enough of them to be put into
-- tracking_metrics together: there each point of such a batch lies on a page of its own, here all lie on two or three.
create table tracking_metric_batches (
  run_id text not null references tracking_runs (run_id) on delete cascade,
  batch_id text not null,
  timestamp_ms bigint not null,
  step bigint not null,
  special smallint not null check (special between 0 and 3),
  point_count bigint not null,
  -- an object: the value of each key
  values_json text not null,
  primary key (run_id, batch_id)
);
