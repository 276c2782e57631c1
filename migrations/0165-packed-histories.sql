-- Histories of listed runs, printed; see packed-history-store.ts.
create table tracking_packed_histories (
  run_id text not null references tracking_runs (run_id) on delete cascade,
  metric_key text not null,
  point_count bigint not null,
  points text not null,
  primary key (run_id, metric_key)
);
