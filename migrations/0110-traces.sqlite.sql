-- Rows that are all key: without a rowid the table is its own index.

create table traces_pairs (
  project text not null,
  trace_id text not null,
  kind text not null check (kind in ('tag', 'metadata')),
  pair_key text not null,
  pair_value text not null,
  primary key (project, trace_id, kind, pair_key),
  foreign key (project, trace_id) references traces_traces (project, trace_id) on delete cascade
) without rowid;
-- the beginning is enough to find a value by, and the whole may be too long for an index
create index traces_pairs_by_value on traces_pairs (project, kind, pair_key, substr(pair_value, 1, 64));

-- what a trace came from: the run and the logged model that made it, the prompts that it used
create table traces_links (
  project text not null,
  trace_id text not null,
  kind text not null check (kind in ('run', 'logged-model', 'prompt')),
  -- an id; of a prompt `name/version`
  target text not null,
  primary key (project, trace_id, kind, target),
  foreign key (project, trace_id) references traces_traces (project, trace_id) on delete cascade
) without rowid;
create index traces_links_by_target on traces_links (project, kind, target, trace_id);
