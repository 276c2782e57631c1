-- One row for each event of the log, in the order of positions; each hash covers the event and the hash before it.
create table audit_chain (
  sequence bigint primary key,
  position text not null,
  event_id text not null unique,
  hash text not null
);
