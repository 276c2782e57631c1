-- Rows of inputs and expectations to evaluate against, as MLflow's clients keep them.
create table evaluation_datasets (
  dataset_id text primary key,
  project text not null,
  name text not null,
  -- changes with every change of the records
  digest text not null,
  -- JSON: the fields of inputs, outputs and expectations with their types; null before the first record
  schema_json text,
  record_count bigint not null,
  created_ms bigint not null,
  updated_ms bigint not null,
  created_by text,
  updated_by text
);
create index evaluation_datasets_project on evaluation_datasets (project, created_ms, dataset_id);
create index evaluation_datasets_name on evaluation_datasets (project, name);

create table evaluation_dataset_tags (
  dataset_id text not null references evaluation_datasets (dataset_id) on delete cascade,
  tag_key text not null,
  tag_value text not null,
  primary key (dataset_id, tag_key)
);

-- Which experiments a dataset is used in: numbers of the same project.
create table evaluation_dataset_experiments (
  dataset_id text not null references evaluation_datasets (dataset_id) on delete cascade,
  experiment_id text not null,
  primary key (dataset_id, experiment_id)
);
create index evaluation_dataset_experiments_of on evaluation_dataset_experiments (experiment_id, dataset_id);

create table evaluation_records (
  record_id text primary key,
  dataset_id text not null references evaluation_datasets (dataset_id) on delete cascade,
  -- sha256 of the inputs: what is given twice is one record
  input_hash text not null,
  -- JSON, numbers as they were written
  inputs text not null,
  outputs text,
  expectations text,
  tags text not null,
  source text,
  created_ms bigint not null,
  updated_ms bigint not null,
  created_by text,
  updated_by text
);
create unique index evaluation_records_inputs on evaluation_records (dataset_id, input_hash);
create index evaluation_records_order on evaluation_records (dataset_id, created_ms, record_id);
