create table datasets (
  project text not null,
  name text not null,
  spec text,
  current_version bigint not null,
  updated_ms bigint not null,
  primary key (project, name)
);

create table dataset_versions (
  project text not null,
  name text not null,
  version bigint not null,
  rows bigint,
  parts bigint not null,
  size_bytes bigint not null,
  columns text not null,
  time_column text,
  time_min_ms bigint,
  time_max_ms bigint,
  producer text,
  profile_sha256 text,
  created_ms bigint not null,
  primary key (project, name, version),
  foreign key (project, name) references datasets (project, name)
);

-- Landed data: set_version 0, and a version holds every part up to its own first_version. A step's output is a set of its own.
create table dataset_parts (
  project text not null,
  name text not null,
  set_version bigint not null,
  position bigint not null,
  first_version bigint not null,
  sha256 text not null,
  size_bytes bigint not null,
  rows bigint not null,
  time_min_ms bigint,
  time_max_ms bigint,
  source text not null,
  source_sha256 text not null,
  created_ms bigint not null,
  primary key (project, name, set_version, position),
  foreign key (project, name) references datasets (project, name)
);

create table dataset_ingestions (
  id text primary key,
  project text not null,
  name text not null,
  state text not null check (state in ('queued', 'running', 'published', 'failed', 'blocked')),
  files text not null,
  job_id text,
  version bigint,
  checks text,
  error_code text,
  error_message text,
  created_ms bigint not null,
  ended_ms bigint,
  foreign key (project, name) references datasets (project, name)
);
create index dataset_ingestions_dataset on dataset_ingestions (project, name, id);
create index dataset_ingestions_open on dataset_ingestions (state, id);

-- Many small parts are read slowly: neighbouring ones are also kept together in one file.
create table dataset_packs (
  project text not null,
  name text not null,
  from_position bigint not null,
  to_position bigint not null,
  sha256 text not null,
  size_bytes bigint not null,
  primary key (project, name, from_position),
  foreign key (project, name) references datasets (project, name)
);
