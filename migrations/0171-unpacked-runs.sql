-- Runs that were listed before histories were packed (0165): whoever lists runs packs them, a few at a time.
create table tracking_unpacked_runs (
  run_id text not null primary key references tracking_runs (run_id) on delete cascade
);
insert into tracking_unpacked_runs (run_id)
  select tracking_runs.run_id from tracking_runs
  where tracking_runs.listing = 'listed' and not exists (
    select 1 from tracking_packed_histories where tracking_packed_histories.run_id = tracking_runs.run_id);
