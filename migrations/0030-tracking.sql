-- tracking: experiments, runs, logged models, their data and artifact trees

create table tracking_experiments (
  -- for joins; people and clients use (project, experiment_id)
  experiment_key bigint not null primary key,
  project text not null,
  experiment_id bigint not null,
  name text not null,
  artifact_location text not null,
  lifecycle text not null check (lifecycle in ('active', 'deleted')),
  created_ms bigint not null,
  updated_ms bigint not null,
  unique (project, experiment_id),
  unique (project, name)
);
create index tracking_experiments_by_creation on tracking_experiments (project, created_ms, experiment_id);

create table tracking_experiment_tags (
  experiment_key bigint not null references tracking_experiments (experiment_key) on delete cascade,
  tag_key text not null,
  tag_value text not null,
  primary key (experiment_key, tag_key)
);

create table tracking_runs (
  run_id text not null primary key,
  project text not null,
  experiment_key bigint not null references tracking_experiments (experiment_key) on delete cascade,
  name text not null,
  status text not null check (status in ('RUNNING', 'SCHEDULED', 'FINISHED', 'FAILED', 'KILLED')),
  user_id text not null,
  start_ms bigint not null,
  end_ms bigint,
  lifecycle text not null check (lifecycle in ('active', 'deleted')),
  deleted_ms bigint,
  artifact_uri text not null,
  parent_run_id text,
  created_by text not null
);
create index tracking_runs_by_start on tracking_runs (experiment_key, start_ms, run_id);
create index tracking_runs_by_parent on tracking_runs (parent_run_id) where parent_run_id is not null;

create table tracking_datasets (
  dataset_key text not null primary key,
  experiment_key bigint not null references tracking_experiments (experiment_key) on delete cascade,
  name text not null,
  digest text not null,
  source_type text not null,
  source text not null,
  schema_json text,
  profile_json text,
  unique (experiment_key, name, digest)
);

create table tracking_inputs (
  run_id text not null references tracking_runs (run_id) on delete cascade,
  dataset_key text not null references tracking_datasets (dataset_key) on delete cascade,
  ordinal bigint not null,
  primary key (run_id, dataset_key)
);
create index tracking_inputs_by_dataset on tracking_inputs (dataset_key);

create table tracking_input_tags (
  run_id text not null,
  dataset_key text not null,
  tag_key text not null,
  tag_value text not null,
  primary key (run_id, dataset_key, tag_key),
  foreign key (run_id, dataset_key) references tracking_inputs (run_id, dataset_key) on delete cascade
);

-- models that a run read (direction 'input') or made ('output')
create table tracking_run_models (
  run_id text not null references tracking_runs (run_id) on delete cascade,
  direction text not null check (direction in ('input', 'output')),
  model_id text not null,
  step bigint not null default 0,
  primary key (run_id, direction, model_id)
);
create index tracking_run_models_by_model on tracking_run_models (model_id);

create table tracking_logged_models (
  model_id text not null primary key,
  project text not null,
  experiment_key bigint not null references tracking_experiments (experiment_key) on delete cascade,
  name text not null,
  model_type text not null,
  source_run_id text,
  artifact_uri text not null,
  status text not null
    check (status in ('LOGGED_MODEL_PENDING', 'LOGGED_MODEL_READY', 'LOGGED_MODEL_UPLOAD_FAILED')),
  status_message text not null default '',
  created_ms bigint not null,
  updated_ms bigint not null,
  deleted_ms bigint
);
create index tracking_logged_models_by_creation on tracking_logged_models (experiment_key, created_ms, model_id);
create index tracking_logged_models_by_run on tracking_logged_models (source_run_id) where source_run_id is not null;

create table tracking_logged_model_params (
  model_id text not null references tracking_logged_models (model_id) on delete cascade,
  param_key text not null,
  param_value text not null,
  primary key (model_id, param_key)
);

create table tracking_logged_model_tags (
  model_id text not null references tracking_logged_models (model_id) on delete cascade,
  tag_key text not null,
  tag_value text not null,
  primary key (model_id, tag_key)
);

create table tracking_logged_model_metrics (
  model_id text not null references tracking_logged_models (model_id) on delete cascade,
  metric_key text not null,
  run_id text not null,
  timestamp_ms bigint not null,
  step bigint not null,
  value double precision not null,
  special smallint not null check (special between 0 and 3),
  dataset_name text not null default '',
  dataset_digest text not null default '',
  primary key (model_id, metric_key, run_id, timestamp_ms, step, value, special)
);

-- the tree of files under a project's `mlflow-artifacts:/`; bytes lie in the blob store by digest
create table tracking_artifacts (
  project text not null,
  parent text not null,
  name text not null,
  is_folder smallint not null check (is_folder in (0, 1)),
  -- who holds the bytes: `tracking-run:<id>`, `logged-model:<id>`, `experiment:<id>`
  owner text not null,
  sha256 text,
  size_bytes bigint not null default 0,
  updated_ms bigint not null,
  primary key (project, parent, name)
);
create index tracking_artifacts_by_owner on tracking_artifacts (project, owner, sha256);
