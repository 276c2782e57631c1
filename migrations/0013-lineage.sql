-- from_ref is the source or cause, to_ref what came of it. Both are references.
create table lineage_edges (
  project text not null,
  from_ref text not null,
  to_ref text not null,
  kind text not null,
  actor text not null,
  created_ms bigint not null,
  primary key (project, from_ref, to_ref, kind)
);
create index lineage_edges_up on lineage_edges (project, to_ref, from_ref);
