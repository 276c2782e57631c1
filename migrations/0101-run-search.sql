-- Search over many runs: docs/adr/0019-runs-at-rest-are-listed.md.

-- waiting: its values are compared where they lie; listed: they are in the tables below as well, exactly;
-- wide: it has too many of them, and stays as those that wait
alter table tracking_runs add column listing text not null default 'waiting'
  check (listing in ('waiting', 'listed', 'wide'));

-- what a listed run has been logged, as the JSON that answers carry
create table tracking_run_documents (
  run_id text not null primary key references tracking_runs (run_id) on delete cascade,
  document text not null
);
drop index tracking_runs_by_start;
