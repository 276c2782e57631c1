-- deployments: endpoints, their revisions and traffic; pools and what their replicas report

create table deployment_pools (
  pool text not null primary key,
  -- a restored control plane begins another epoch; within one the generation only grows
  epoch text not null,
  generation bigint not null,
  flush bigint not null,
  flush_asked_ms bigint,
  updated_ms bigint not null
);

create table deployments (
  project text not null,
  name text not null,
  pool text not null references deployment_pools (pool),
  spec text not null,
  generation bigint not null,
  -- what a sticky choice is mixed with
  salt text not null,
  created_ms bigint not null,
  updated_ms bigint not null,
  primary key (project, name)
);
create index deployments_by_pool on deployments (pool, project, name);

-- a revision outlives its deployment: predictions and lineage name it
create table deployment_revisions (
  revision text not null primary key,
  project text not null,
  deployment text not null,
  model text not null,
  version bigint not null,
  runtime text not null,
  signature text,
  score text,
  created_ms bigint not null,
  -- first ready at every live replica
  ready_ms bigint,
  error text,
  unique (project, deployment, model, version)
);
create index deployment_revisions_by_deployment on deployment_revisions (project, deployment, revision);

create table deployment_revision_files (
  revision text not null references deployment_revisions (revision) on delete cascade,
  position bigint not null,
  path text not null,
  sha256 text not null,
  size_bytes bigint not null,
  primary key (revision, position)
);
create index deployment_revision_files_by_digest on deployment_revision_files (sha256, revision);

-- what an endpoint holds loaded: a share of the traffic, or none and `next` to get some, or `previous` to return to
create table deployment_traffic (
  project text not null,
  deployment text not null,
  revision text not null references deployment_revisions (revision),
  position bigint not null,
  basis_points bigint not null check (basis_points between 0 and 10000),
  role text not null check (role in ('live', 'next', 'previous')),
  primary key (project, deployment, revision),
  foreign key (project, deployment) references deployments (project, name) on delete cascade
);
create index deployment_traffic_by_revision on deployment_traffic (revision);

create table deployment_shadows (
  project text not null,
  deployment text not null,
  reference text not null,
  position bigint not null,
  sample_rate double precision not null,
  -- null while there is no such version
  revision text references deployment_revisions (revision),
  primary key (project, deployment, reference),
  foreign key (project, deployment) references deployments (project, name) on delete cascade
);
create index deployment_shadows_by_revision on deployment_shadows (revision);

create table deployment_replicas (
  pool text not null references deployment_pools (pool),
  replica text not null,
  boot text not null,
  sequence bigint not null,
  state text not null,
  epoch text,
  generation bigint,
  flushed bigint not null,
  -- endpoints and spool of the last report, JSON
  endpoints text not null,
  spool text not null,
  program_version text not null,
  reported_ms bigint not null,
  primary key (pool, replica)
);

-- monotonic within a boot; the sum over boots and replicas is what a revision did
create table deployment_counters (
  revision text not null references deployment_revisions (revision) on delete cascade,
  role text not null check (role in ('primary', 'shadow')),
  pool text not null,
  replica text not null,
  boot text not null,
  requests bigint not null,
  row_count bigint not null,
  errors text not null,
  latency_counts text not null,
  latency_sum_us bigint not null,
  max_event_ms bigint,
  primary key (revision, role, pool, replica, boot)
);
create index deployment_counters_by_boot on deployment_counters (pool, replica, boot, revision);
