create table prediction_endpoints (
  project text not null,
  endpoint text not null,
  replay smallint not null check (replay in (0, 1)),
  -- greatest event time up to which everything answered is in the log
  settled_ms bigint,
  -- guards the writers of truth: each raises it by one
  truth_version bigint not null,
  unmatched bigint not null,
  primary key (project, endpoint)
);

create table prediction_revisions (
  project text not null,
  endpoint text not null,
  revision text not null,
  model text not null,
  version bigint not null,
  score text,
  profile text,
  registered_ms bigint not null,
  primary key (project, endpoint, revision),
  foreign key (project, endpoint) references prediction_endpoints (project, endpoint)
);

-- How far each spool has been taken, and how far its replica said that it had written.
create table prediction_spools (
  replica text not null,
  epoch text not null,
  next_offset bigint not null,
  wanted_offset bigint not null,
  lost bigint not null,
  updated_ms bigint not null,
  primary key (replica, epoch)
);

create table prediction_replicas (
  replica text primary key,
  boot text not null,
  sequence bigint not null,
  reported_ms bigint not null
);

create table prediction_progress (
  project text not null,
  endpoint text not null,
  replica text not null,
  greatest_event_ms bigint not null,
  primary key (project, endpoint, replica)
);

-- The manifest: which files hold the rows (or the truths) of an endpoint's event day. A file of level 0 may serve several days.
create table prediction_segments (
  id text primary key,
  project text not null,
  endpoint text not null,
  kind text not null check (kind in ('rows', 'truth')),
  day_ms bigint not null,
  level bigint not null,
  sha256 text not null,
  size_bytes bigint not null,
  rows bigint not null,
  min_id text not null,
  max_id text not null,
  min_event_ms bigint not null,
  max_event_ms bigint not null,
  created_ms bigint not null
);
create index prediction_segments_day on prediction_segments (project, endpoint, kind, day_ms, id);
create index prediction_segments_file on prediction_segments (project, sha256);
create index prediction_segments_ids on prediction_segments (project, kind, max_id, min_id);

create table prediction_counts (
  segment_id text not null,
  revision text not null,
  role text not null check (role in ('primary', 'shadow')),
  hour_ms bigint not null,
  rows bigint not null,
  errors bigint not null,
  example_id text not null,
  counts text not null,
  primary key (segment_id, revision, role, hour_ms),
  foreign key (segment_id) references prediction_segments (id)
);
create index prediction_counts_revision on prediction_counts (revision, hour_ms);

create table prediction_labels (
  project text not null,
  endpoint text not null,
  hour_ms bigint not null,
  revision text not null,
  role text not null check (role in ('primary', 'shadow')),
  labelled bigint not null,
  never_known bigint not null,
  counts text not null,
  primary key (project, endpoint, hour_ms, revision, role)
);

-- Truth that is read from a dataset.
create table prediction_bindings (
  project text not null,
  name text not null,
  endpoint text not null,
  dataset text not null,
  key_columns text not null,
  time_column text not null,
  value text not null,
  -- the dataset's version whose parts have been matched; 0: none yet
  matched_version bigint not null,
  primary key (project, name)
);
create index prediction_bindings_dataset on prediction_bindings (project, dataset);
create index prediction_bindings_endpoint on prediction_bindings (project, endpoint);

create table prediction_binding_parts (
  project text not null,
  name text not null,
  sha256 text not null,
  time_min_ms bigint,
  time_max_ms bigint,
  observed_ms bigint not null,
  source text not null,
  matched smallint not null check (matched in (0, 1)),
  primary key (project, name, sha256),
  foreign key (project, name) references prediction_bindings (project, name)
);

-- Days whose rows came after truth of them had been read: to be matched again.
create table prediction_dirty_days (
  project text not null,
  endpoint text not null,
  day_ms bigint not null,
  marks bigint not null,
  primary key (project, endpoint, day_ms)
);

create table prediction_truth_waiting (
  project text not null,
  endpoint text not null,
  -- `id:<prediction>[.<row>]` or `key:<event ms>:<key>`
  lookup text not null,
  prediction_id text,
  prediction_row bigint,
  key text,
  event_ms bigint,
  value double precision,
  observed_ms bigint not null,
  source text not null,
  expires_ms bigint not null,
  primary key (project, endpoint, lookup)
);
create index prediction_truth_waiting_id on prediction_truth_waiting (project, endpoint, prediction_id);
create index prediction_truth_waiting_time on prediction_truth_waiting (project, endpoint, event_ms);
create index prediction_truth_waiting_end on prediction_truth_waiting (expires_ms);
