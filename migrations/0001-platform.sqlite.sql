-- One writer: the rowid is the order of commits.
create table events (
  position integer not null primary key,
  id text not null unique,
  project text not null,
  subject text not null,
  type text not null,
  actor text not null,
  cause text,
  depth bigint not null,
  at_ms bigint not null,
  data text not null
);
create index events_project on events (project, position);
create index events_subject on events (project, subject, position);
create index events_type on events (type, position);
create index events_cause on events (cause) where cause is not null;
