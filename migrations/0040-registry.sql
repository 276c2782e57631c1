-- registry: models, versions, aliases, stages, tags, promotions with their required checks

create table registry_models (
  model_key text not null primary key,
  project text not null,
  name text not null,
  description text not null default '',
  -- numbers are given once: a deleted version's number never names another one
  last_version bigint not null default 0,
  created_ms bigint not null,
  updated_ms bigint not null,
  deleted_ms bigint,
  unique (project, name)
);

create table registry_versions (
  model_key text not null references registry_models (model_key) on delete cascade,
  version bigint not null,
  -- sha256 of the main file for a proposed version; null for one registered by a source URI alone
  digest text,
  runtime text,
  signature text,
  predicts text,
  train_ref text,
  test_ref text,
  run_ref text,
  tracking_run_id text,
  logged_model_id text,
  source text not null default '',
  storage_location text not null default '',
  run_link text not null default '',
  description text not null default '',
  stage text not null default 'None' check (stage in ('None', 'Staging', 'Production', 'Archived')),
  created_by text not null,
  created_ms bigint not null,
  updated_ms bigint not null,
  deleted_ms bigint,
  primary key (model_key, version)
);

-- the identity of a version: (model, artifact digest)
create unique index registry_versions_identity on registry_versions (model_key, digest)
  where digest is not null and deleted_ms is null;
create index registry_versions_by_tracking_run on registry_versions (tracking_run_id);
create index registry_versions_by_update on registry_versions (updated_ms, model_key, version);

create table registry_version_files (
  model_key text not null,
  version bigint not null,
  path text not null,
  sha256 text not null,
  size_bytes bigint not null,
  primary key (model_key, version, path),
  foreign key (model_key, version) references registry_versions (model_key, version) on delete cascade
);

create table registry_model_tags (
  model_key text not null references registry_models (model_key) on delete cascade,
  tag_key text not null,
  tag_value text not null,
  primary key (model_key, tag_key)
);

create table registry_version_tags (
  model_key text not null,
  version bigint not null,
  tag_key text not null,
  tag_value text not null,
  primary key (model_key, version, tag_key),
  foreign key (model_key, version) references registry_versions (model_key, version) on delete cascade
);

create table registry_aliases (
  model_key text not null references registry_models (model_key) on delete cascade,
  alias text not null,
  version bigint not null,
  promotion_id text,
  moved_by text not null,
  moved_ms bigint not null,
  primary key (model_key, alias),
  foreign key (model_key, version) references registry_versions (model_key, version)
);
create index registry_aliases_by_version on registry_aliases (model_key, version);

create table registry_promotions (
  promotion_id text not null primary key,
  project text not null,
  model_key text not null references registry_models (model_key) on delete cascade,
  version bigint not null,
  alias text not null,
  state text not null check (state in ('open', 'completed', 'rejected', 'rolled-back')),
  -- the version that the alias named when this promotion moved it
  previous_version bigint,
  reason text not null default '',
  created_by text not null,
  created_ms bigint not null,
  ended_ms bigint,
  foreign key (model_key, version) references registry_versions (model_key, version) on delete cascade
);
create index registry_promotions_by_project on registry_promotions (project, promotion_id);
create index registry_promotions_by_alias on registry_promotions (model_key, alias, state);
create index registry_promotions_by_version on registry_promotions (model_key, version);

create table registry_promotion_checks (
  promotion_id text not null references registry_promotions (promotion_id) on delete cascade,
  check_name text not null,
  ordinal bigint not null,
  state text not null check (state in ('pending', 'satisfied', 'refused')),
  verdict text not null default '',
  evidence text,
  -- the request that decides an `approval:` check
  approval_id text,
  decided_by text,
  decided_ms bigint,
  primary key (promotion_id, check_name)
);
create index registry_promotion_checks_by_approval on registry_promotion_checks (approval_id);
