-- Transactions commit in another order than the sequence: readers go by (xid, sequence) below pg_snapshot_xmin.
create sequence events_sequence;
create table events (
  xid bigint not null default (pg_current_xact_id()::text::bigint),
  sequence bigint not null default nextval('events_sequence'),
  id text not null unique,
  project text not null,
  subject text not null,
  type text not null,
  actor text not null,
  cause text,
  depth bigint not null,
  at_ms bigint not null,
  data text not null,
  primary key (xid, sequence)
);
create index events_project on events (project, xid, sequence);
create index events_subject on events (project, subject, xid, sequence);
create index events_type on events (type, xid, sequence);
create index events_cause on events (cause) where cause is not null;
