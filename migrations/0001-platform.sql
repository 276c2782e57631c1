-- Who follows the event log, and how far each has come. The fence is raised by whoever takes the consumer up; a
-- cursor moves only under the fence that its process holds.
create table consumers (
  name text not null primary key,
  position text not null,
  fence bigint not null,
  owner text not null,
  taken_at_ms bigint not null
);

-- Events that a consumer could not handle, and later ones of the same subject, which wait behind them.
create table parked_events (
  consumer text not null references consumers (name),
  position text not null,
  event_id text not null,
  project text not null,
  subject text not null,
  type text not null,
  error text not null,
  attempts bigint not null,
  parked_at_ms bigint not null,
  primary key (consumer, position)
);
create index parked_events_subject on parked_events (consumer, project, subject, position);
