create table alerts (
  id text primary key,
  project text not null,
  fingerprint text not null,
  kind text not null,
  severity text not null check (severity in ('info', 'warning', 'critical')),
  title text not null,
  subject text not null,
  model text,
  version bigint,
  state text not null check (state in ('open', 'resolved')),
  -- 0 while a silence keeps it from being told
  announced smallint not null check (announced in (0, 1)),
  count bigint not null,
  evidence text not null,
  opened_ms bigint not null,
  last_seen_ms bigint not null,
  -- the last sighting on the subject's own clock (event time in a replay)
  clock_ms bigint not null,
  resolved_ms bigint,
  resolved_reason text
);
create unique index alerts_open on alerts (project, fingerprint) where state = 'open';
create index alerts_fingerprint on alerts (project, fingerprint, id);
create index alerts_project on alerts (project, id);
create index alerts_state on alerts (project, state, id);

create table alert_silences (
  project text not null,
  fingerprint text not null,
  until_ms bigint not null,
  reason text not null,
  actor text not null,
  primary key (project, fingerprint)
);
