create table monitors (
  project text not null,
  name text not null,
  deployment text not null,
  spec text not null,
  generation bigint not null,
  -- event time of the deployment when the monitor was declared: nothing before is judged
  from_ms bigint,
  -- end of the newest closed window
  last_end_ms bigint,
  updated_ms bigint not null,
  primary key (project, name)
);
create index monitors_deployment on monitors (project, deployment);

create table monitor_windows (
  id text primary key,
  project text not null,
  monitor text not null,
  start_ms bigint not null,
  end_ms bigint not null,
  model text,
  version bigint,
  predictions bigint not null,
  labelled bigint not null,
  state text not null check (state in ('ok', 'warning', 'alert', 'not-enough-data', 'off')),
  drifted bigint not null,
  result text not null,
  closed_ms bigint not null,
  foreign key (project, monitor) references monitors (project, name)
);
create unique index monitor_windows_end on monitor_windows (project, monitor, end_ms);
