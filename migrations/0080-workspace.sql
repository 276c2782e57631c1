create table workspace_snapshots (
  project text primary key,
  snapshot text not null,
  applied_ms bigint not null
);

create table workspace_applied (
  project text not null,
  section text not null,
  name text not null,
  spec text not null,
  primary key (project, section, name)
);
