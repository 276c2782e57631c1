-- Printed from the migrations by tests/schema.test.ts.
CREATE TABLE alert_silences (
  project text not null,
  fingerprint text not null,
  until_ms bigint not null,
  reason text not null,
  actor text not null,
  primary key (project, fingerprint)
);

CREATE TABLE alerts (
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

CREATE INDEX alerts_fingerprint on alerts (project, fingerprint, id);

CREATE UNIQUE INDEX alerts_open on alerts (project, fingerprint) where state = 'open';

CREATE INDEX alerts_project on alerts (project, id);

CREATE INDEX alerts_state on alerts (project, state, id);

CREATE TABLE applied_migrations (
  id text not null primary key,
  checksum text not null,
  applied_at_ms bigint not null
);

CREATE TABLE approval_policies (
  project text not null,
  name text not null,
  self_approval smallint not null check (self_approval in (0, 1)),
  primary key (project, name)
);

CREATE TABLE approvals (
  id text primary key,
  project text not null,
  subject text not null,
  policy text not null,
  state text not null check (state in ('pending', 'granted', 'refused', 'withdrawn')),
  requested_by text not null,
  requested_ms bigint not null,
  decided_by text,
  decided_ms bigint,
  reason text
, about text, message text);

CREATE UNIQUE INDEX approvals_pending on approvals (project, subject, policy) where state = 'pending';

CREATE INDEX approvals_project on approvals (project, id);

CREATE INDEX approvals_state on approvals (project, state, id);

CREATE INDEX approvals_subject on approvals (project, subject, id);

CREATE TABLE artifact_holds (
  project text not null,
  sha256 text not null references artifacts (sha256),
  owner text not null,
  name text,
  created_ms bigint not null,
  expires_ms bigint,
  primary key (project, sha256, owner)
);

CREATE INDEX artifact_holds_expires on artifact_holds (expires_ms);

CREATE INDEX artifact_holds_owner on artifact_holds (project, owner, sha256);

CREATE INDEX artifact_holds_sha256 on artifact_holds (sha256);

CREATE TABLE artifact_upload_parts (
  upload_id text not null references artifact_uploads (upload_id) on delete cascade,
  part bigint not null,
  etag text not null,
  size_bytes bigint not null,
  primary key (upload_id, part)
);

CREATE TABLE artifact_uploads (
  upload_id text primary key,
  project text not null,
  path text not null,
  part_count bigint not null,
  state text not null check (state in ('open', 'completed')),
  active_ms bigint not null
);

CREATE INDEX artifact_uploads_active on artifact_uploads (active_ms);

CREATE TABLE artifact_url_keys (
  name text primary key,
  secret text not null
);

CREATE TABLE artifacts (
  sha256 text primary key,
  size_bytes bigint not null,
  state text not null check (state in ('held', 'loose', 'condemned', 'removing')),
  project text not null,
  touched_ms bigint not null,
  condemned_ms bigint
);

CREATE INDEX artifacts_condemned on artifacts (state, condemned_ms, sha256);

CREATE INDEX artifacts_touched on artifacts (state, touched_ms, sha256);

CREATE TABLE audit_chain (
  sequence bigint primary key,
  position text not null,
  event_id text not null unique,
  hash text not null
);

CREATE TABLE automation_deliveries (
  id text primary key,
  project text not null,
  webhook_id text not null references automation_webhooks (id) on delete cascade,
  event_id text not null,
  event_type text not null,
  subject text not null,
  body text not null,
  state text not null check (state in ('pending', 'delivered', 'failed')),
  attempts bigint not null,
  -- null when it is not tried any more
  next_attempt_ms bigint,
  status bigint,
  error text,
  created_ms bigint not null,
  ended_ms bigint
);

CREATE INDEX automation_deliveries_created on automation_deliveries (created_ms);

CREATE INDEX automation_deliveries_due on automation_deliveries (next_attempt_ms, id);

CREATE UNIQUE INDEX automation_deliveries_event on automation_deliveries (webhook_id, event_id);

CREATE INDEX automation_deliveries_webhook on automation_deliveries (webhook_id, id);

CREATE TABLE automation_firings (
  id text primary key,
  project text not null,
  trigger_name text not null,
  -- id of the event, cron:<instant>, hand:<request id>
  cause text not null,
  cause_subject text not null,
  state text not null check (state in ('fired', 'suppressed', 'failed')),
  -- 1 when its cool-down counts from it
  cools smallint not null check (cools in (0, 1)),
  run_id text,
  reason text,
  -- on the clock of the cause: event time in a replay
  clock_ms bigint not null,
  at_ms bigint not null
);

CREATE UNIQUE INDEX automation_firings_cause on automation_firings (project, trigger_name, cause);

CREATE INDEX automation_firings_project on automation_firings (project, id);

CREATE INDEX automation_firings_trigger on automation_firings (project, trigger_name, id);

CREATE TABLE automation_triggers (
  project text not null,
  name text not null,
  spec text not null,
  -- what it listens to, alert:late-arrival/performance; null for cron
  on_reference text,
  -- when cron fires next
  next_fire_ms bigint,
  generation bigint not null,
  declared_ms bigint not null, declared_by text,
  primary key (project, name)
);

CREATE INDEX automation_triggers_next on automation_triggers (next_fire_ms);

CREATE INDEX automation_triggers_on on automation_triggers (project, on_reference);

CREATE TABLE automation_webhooks (
  id text primary key,
  project text not null,
  url text not null,
  types text not null,
  enabled smallint not null check (enabled in (0, 1)),
  created_ms bigint not null
, format text not null default 'tidemill', name text not null default '', description text not null default '', signed smallint not null default 1 check (signed in (0, 1)), updated_ms bigint not null default 0);

CREATE INDEX automation_webhooks_project on automation_webhooks (project, id);

CREATE TABLE consumers (
  name text not null primary key,
  position text not null,
  fence bigint not null,
  owner text not null,
  taken_at_ms bigint not null
);

CREATE TABLE dataset_ingestions (
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

CREATE INDEX dataset_ingestions_dataset on dataset_ingestions (project, name, id);

CREATE INDEX dataset_ingestions_open on dataset_ingestions (state, id);

CREATE TABLE dataset_packs (
  project text not null,
  name text not null,
  from_position bigint not null,
  to_position bigint not null,
  sha256 text not null,
  size_bytes bigint not null,
  primary key (project, name, from_position),
  foreign key (project, name) references datasets (project, name)
);

CREATE TABLE dataset_parts (
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

CREATE TABLE dataset_versions (
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

CREATE TABLE datasets (
  project text not null,
  name text not null,
  spec text,
  current_version bigint not null,
  updated_ms bigint not null,
  primary key (project, name)
);

CREATE TABLE deployment_counters (
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

CREATE INDEX deployment_counters_by_boot on deployment_counters (pool, replica, boot, revision);

CREATE TABLE deployment_pools (
  pool text not null primary key,
  -- a restored control plane begins another epoch; within one the generation only grows
  epoch text not null,
  generation bigint not null,
  flush bigint not null,
  flush_asked_ms bigint,
  updated_ms bigint not null
, auth text check (auth in ('open', 'required')));

CREATE TABLE deployment_replicas (
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

CREATE TABLE deployment_revision_files (
  revision text not null references deployment_revisions (revision) on delete cascade,
  position bigint not null,
  path text not null,
  sha256 text not null,
  size_bytes bigint not null,
  primary key (revision, position)
);

CREATE INDEX deployment_revision_files_by_digest on deployment_revision_files (sha256, revision);

CREATE TABLE deployment_revisions (
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

CREATE INDEX deployment_revisions_by_deployment on deployment_revisions (project, deployment, revision);

CREATE TABLE deployment_shadows (
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

CREATE INDEX deployment_shadows_by_revision on deployment_shadows (revision);

CREATE TABLE deployment_traffic (
  project text not null,
  deployment text not null,
  revision text not null references deployment_revisions (revision),
  position bigint not null,
  basis_points bigint not null check (basis_points between 0 and 10000),
  role text not null check (role in ('live', 'next', 'previous')),
  primary key (project, deployment, revision),
  foreign key (project, deployment) references deployments (project, name) on delete cascade
);

CREATE INDEX deployment_traffic_by_revision on deployment_traffic (revision);

CREATE TABLE deployments (
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

CREATE INDEX deployments_by_pool on deployments (pool, project, name);

CREATE TABLE evaluation_dataset_experiments (
  dataset_id text not null references evaluation_datasets (dataset_id) on delete cascade,
  experiment_id text not null,
  primary key (dataset_id, experiment_id)
);

CREATE INDEX evaluation_dataset_experiments_of on evaluation_dataset_experiments (experiment_id, dataset_id);

CREATE TABLE evaluation_dataset_tags (
  dataset_id text not null references evaluation_datasets (dataset_id) on delete cascade,
  tag_key text not null,
  tag_value text not null,
  primary key (dataset_id, tag_key)
);

CREATE TABLE evaluation_datasets (
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

CREATE INDEX evaluation_datasets_name on evaluation_datasets (project, name);

CREATE INDEX evaluation_datasets_project on evaluation_datasets (project, created_ms, dataset_id);

CREATE TABLE evaluation_records (
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

CREATE UNIQUE INDEX evaluation_records_inputs on evaluation_records (dataset_id, input_hash);

CREATE INDEX evaluation_records_order on evaluation_records (dataset_id, created_ms, record_id);

CREATE TABLE evaluation_scorer_sampling (
  scorer_id text primary key references evaluation_scorers (scorer_id) on delete cascade,
  config_id text not null,
  sample_rate double precision not null,
  filter_string text
);

CREATE TABLE evaluation_scorer_versions (
  scorer_id text not null references evaluation_scorers (scorer_id) on delete cascade,
  version bigint not null,
  serialized text not null,
  created_ms bigint not null,
  primary key (scorer_id, version)
);

CREATE TABLE evaluation_scorers (
  scorer_id text primary key,
  project text not null,
  experiment_id text not null,
  name text not null,
  -- numbers are never given twice
  last_version bigint not null
);

CREATE UNIQUE INDEX evaluation_scorers_name on evaluation_scorers (project, experiment_id, name);

CREATE TABLE evaluations (
  id text primary key,
  project text not null,
  promotion_id text not null,
  model text not null,
  version bigint not null,
  alias text not null,
  champion_version bigint,
  state text not null check (state in ('pending', 'decided', 'failed')),
  gates text not null,
  test_reference text,
  label text not null,
  job_id text not null,
  verdict text,
  result text,
  decisions text,
  error_code text,
  error_message text,
  created_ms bigint not null,
  ended_ms bigint
);

CREATE INDEX evaluations_model on evaluations (project, model, id);

CREATE INDEX evaluations_project on evaluations (project, id);

CREATE INDEX evaluations_promotion on evaluations (project, promotion_id, id);

CREATE TABLE events (
  position integer not null primary key,
  id text not null unique,
  project text not null,
  subject text not null,
  type text not null,
  actor text not null,
  cause text,
  depth bigint not null,
  at_ms bigint not null,
  data text not null
);

CREATE INDEX events_cause on events (cause) where cause is not null;

CREATE INDEX events_project on events (project, position);

CREATE INDEX events_subject on events (project, subject, position);

CREATE INDEX events_type on events (type, position);

CREATE TABLE feature_views (
  project text not null,
  name text not null,
  spec text not null,
  sql_text text,
  datasets text not null,
  generation bigint not null,
  updated_ms bigint not null,
  primary key (project, name)
);

CREATE TABLE graphs (
  project text not null,
  name text not null,
  -- JSON of a GraphSpec
  spec text not null,
  generation bigint not null,
  -- pending: to be looked at; made; waiting: for a model; refused: what it names does not fit together
  state text not null,
  reason text,
  version bigint,
  -- JSON list of references: the versions in it
  members text not null,
  created_ms bigint not null,
  updated_ms bigint not null,
  primary key (project, name)
);

CREATE INDEX graphs_pending on graphs (updated_ms, project, name) where state = 'pending';

CREATE TABLE idempotency_keys (
  project text not null,
  principal text not null,
  key_digest text not null,
  request_digest text not null,
  -- which try of the request may write: a try that was overtaken may not
  attempt text not null,
  -- committed: it has written; answered: and what it answered is known
  state text not null check (state in ('running', 'committed', 'answered')),
  status bigint,
  body text,
  created_ms bigint not null,
  primary key (project, principal, key_digest)
);

CREATE INDEX idempotency_keys_created on idempotency_keys (created_ms);

CREATE TABLE jobs (
  id text primary key,
  project text not null,
  owner text not null,
  tag text not null,
  data text,
  work text not null,
  kind text not null check (kind in ('worker', 'command')),
  state text not null check (state in ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
  attempt bigint not null,
  fence bigint not null,
  lease_until_ms bigint,
  cancel_requested smallint not null check (cancel_requested in (0, 1)),
  run_after_ms bigint not null,
  cpu double precision not null,
  memory_mb bigint not null,
  timeout_ms bigint,
  retries text,
  token_id text,
  result text,
  error_code text,
  error_message text,
  created_ms bigint not null,
  started_ms bigint,
  ended_ms bigint
, cause text, cause_depth bigint);

CREATE INDEX jobs_claim on jobs (state, run_after_ms, id);

CREATE INDEX jobs_owner on jobs (project, owner, id);

CREATE INDEX jobs_project on jobs (project, id);

CREATE TABLE lineage_edges (
  project text not null,
  from_ref text not null,
  to_ref text not null,
  kind text not null,
  actor text not null,
  created_ms bigint not null,
  primary key (project, from_ref, to_ref, kind)
);

CREATE INDEX lineage_edges_up on lineage_edges (project, to_ref, from_ref);

CREATE TABLE monitor_windows (
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

CREATE UNIQUE INDEX monitor_windows_end on monitor_windows (project, monitor, end_ms);

CREATE TABLE monitors (
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

CREATE INDEX monitors_deployment on monitors (project, deployment);

CREATE TABLE parked_events (
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

CREATE INDEX parked_events_subject on parked_events (consumer, project, subject, position);

CREATE TABLE pipeline_cache (
  project text not null,
  cache_key text not null,
  run_id text not null,
  step text not null,
  outputs text not null,
  created_ms bigint not null,
  primary key (project, cache_key)
);

CREATE TABLE pipeline_code (
  project text primary key,
  snapshot text not null,
  files text not null
);

CREATE TABLE pipeline_runs (
  id text primary key,
  project text not null,
  pipeline text not null,
  state text not null check (state in ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
  trigger_by text not null,
  params text not null,
  spec text not null,
  code text not null,
  use_cache smallint not null check (use_cache in (0, 1)),
  inputs text not null,
  snapshot text not null,
  tracking_run_id text,
  result text,
  error_code text,
  error_message text,
  created_ms bigint not null,
  ended_ms bigint
, cause_depth bigint, requested_by text, cancelling smallint not null default 0 check (cancelling in (0, 1)));

CREATE INDEX pipeline_runs_pipeline on pipeline_runs (project, pipeline, id);

CREATE INDEX pipeline_runs_project on pipeline_runs (project, id);

CREATE TABLE "pipeline_steps" (
  run_id text not null references pipeline_runs (id) on delete cascade,
  step text not null,
  position bigint not null,
  kind text not null check (kind in ('command', 'join', 'register', 'use', 'foreach')),
  state text not null check (state in ('pending', 'running', 'waiting', 'succeeded', 'cached', 'failed', 'skipped', 'cancelled')),
  needs text not null,
  plan text not null,
  cache_key text,
  key_parts text,
  why text,
  job_id text,
  token text,
  tracking_run_id text,
  outputs text not null,
  error_code text,
  error_message text,
  started_ms bigint,
  ended_ms bigint,
  deadline_ms bigint,
  primary key (run_id, step)
);

CREATE INDEX pipeline_steps_deadline on pipeline_steps (deadline_ms) where deadline_ms is not null;

CREATE UNIQUE INDEX pipeline_steps_token on pipeline_steps (token);

CREATE TABLE pipelines (
  project text not null,
  name text not null,
  spec text not null,
  generation bigint not null,
  updated_ms bigint not null,
  primary key (project, name)
);

CREATE TABLE prediction_binding_parts (
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

CREATE TABLE prediction_bindings (
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

CREATE INDEX prediction_bindings_dataset on prediction_bindings (project, dataset);

CREATE INDEX prediction_bindings_endpoint on prediction_bindings (project, endpoint);

CREATE TABLE prediction_counts (
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

CREATE INDEX prediction_counts_revision on prediction_counts (revision, hour_ms);

CREATE TABLE prediction_dirty_days (
  project text not null,
  endpoint text not null,
  day_ms bigint not null,
  marks bigint not null,
  primary key (project, endpoint, day_ms)
);

CREATE TABLE prediction_endpoints (
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

CREATE TABLE prediction_labels (
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

CREATE TABLE prediction_progress (
  project text not null,
  endpoint text not null,
  replica text not null,
  greatest_event_ms bigint not null,
  primary key (project, endpoint, replica)
);

CREATE TABLE prediction_replicas (
  replica text primary key,
  boot text not null,
  sequence bigint not null,
  reported_ms bigint not null
);

CREATE TABLE prediction_revisions (
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

CREATE TABLE prediction_segments (
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

CREATE INDEX prediction_segments_day on prediction_segments (project, endpoint, kind, day_ms, id);

CREATE INDEX prediction_segments_file on prediction_segments (project, sha256);

CREATE INDEX prediction_segments_ids on prediction_segments (project, kind, max_id, min_id);

CREATE TABLE prediction_spools (
  replica text not null,
  epoch text not null,
  next_offset bigint not null,
  wanted_offset bigint not null,
  lost bigint not null,
  updated_ms bigint not null, behind_since_ms bigint,
  primary key (replica, epoch)
);

CREATE TABLE prediction_truth_waiting (
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

CREATE INDEX prediction_truth_waiting_end on prediction_truth_waiting (expires_ms);

CREATE INDEX prediction_truth_waiting_id on prediction_truth_waiting (project, endpoint, prediction_id);

CREATE INDEX prediction_truth_waiting_time on prediction_truth_waiting (project, endpoint, event_ms);

CREATE TABLE projects (
  name text primary key,
  goal text,
  created_ms bigint
, description text not null default '');

CREATE TABLE registry_aliases (
  model_key text not null references registry_models (model_key) on delete cascade,
  alias text not null,
  version bigint not null,
  promotion_id text,
  moved_by text not null,
  moved_ms bigint not null,
  primary key (model_key, alias),
  foreign key (model_key, version) references registry_versions (model_key, version)
);

CREATE INDEX registry_aliases_by_version on registry_aliases (model_key, version);

CREATE TABLE registry_model_tags (
  model_key text not null references registry_models (model_key) on delete cascade,
  tag_key text not null,
  tag_value text not null,
  primary key (model_key, tag_key)
);

CREATE TABLE registry_models (
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

CREATE TABLE registry_promotion_checks (
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

CREATE INDEX registry_promotion_checks_by_approval on registry_promotion_checks (approval_id);

CREATE TABLE registry_promotions (
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

CREATE INDEX registry_promotions_by_alias on registry_promotions (model_key, alias, state);

CREATE INDEX registry_promotions_by_project on registry_promotions (project, promotion_id);

CREATE INDEX registry_promotions_by_version on registry_promotions (model_key, version);

CREATE TABLE registry_version_files (
  model_key text not null,
  version bigint not null,
  path text not null,
  sha256 text not null,
  size_bytes bigint not null,
  primary key (model_key, version, path),
  foreign key (model_key, version) references registry_versions (model_key, version) on delete cascade
);

CREATE TABLE registry_version_tags (
  model_key text not null,
  version bigint not null,
  tag_key text not null,
  tag_value text not null,
  primary key (model_key, version, tag_key),
  foreign key (model_key, version) references registry_versions (model_key, version) on delete cascade
);

CREATE TABLE registry_versions (
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

CREATE INDEX registry_versions_by_tracking_run on registry_versions (tracking_run_id);

CREATE INDEX registry_versions_by_update on registry_versions (updated_ms, model_key, version);

CREATE UNIQUE INDEX registry_versions_identity on registry_versions (model_key, digest)
  where digest is not null and deleted_ms is null;

CREATE TABLE rollout_waiters (
  token text not null primary key,
  rollout text not null references rollouts (rollout) on delete cascade,
  created_ms bigint not null
);

CREATE INDEX rollout_waiters_rollout on rollout_waiters (rollout);

CREATE TABLE rollouts (
  rollout text not null primary key,
  project text not null,
  deployment text not null,
  model text not null,
  version bigint not null,
  revision text not null,
  state text not null check (state in ('warming', 'stepping', 'completed', 'aborted', 'superseded', 'rolled-back')),
  reason text not null,
  -- the complete set before, JSON of weights; empty for the first revision
  from_weights text not null,
  promotion_id text,
  -- steps, each and abort_when as they were declared when it started, JSON
  plan text not null,
  step bigint not null,
  -- counters of the new revision and the endpoint's clock, when it got its first traffic and when its step began, JSON
  first_baseline text,
  step_baseline text,
  -- since when replicas say that it cannot be loaded
  failed_ms bigint,
  -- the set before is still loaded
  previous_warm smallint not null check (previous_warm in (0, 1)),
  started_ms bigint not null,
  ended_ms bigint
, cause text, cause_depth bigint);

CREATE INDEX rollouts_by_deployment on rollouts (project, deployment, rollout);

CREATE INDEX rollouts_by_project on rollouts (project, rollout);

CREATE UNIQUE INDEX rollouts_under_way on rollouts (project, deployment) where state in ('warming', 'stepping');

CREATE TABLE secrets (
  project text not null,
  name text not null,
  key_id text not null,
  nonce text not null,
  ciphertext text not null,
  tag text not null,
  grants text not null,
  created_ms bigint not null,
  updated_ms bigint not null,
  primary key (project, name)
);

CREATE TABLE tokens (
  id text primary key,
  digest text not null unique,
  kind text not null check (kind in ('user', 'step', 'replica')),
  name text not null,
  user_name text references users (name),
  project text,
  role text check (role in ('viewer', 'editor', 'approver', 'admin')),
  attempt text,
  pool text,
  issued_by text not null,
  created_ms bigint not null,
  expires_ms bigint,
  revoked_ms bigint
);

CREATE INDEX tokens_kind on tokens (kind, id);

CREATE INDEX tokens_project on tokens (project, id);

CREATE INDEX tokens_user on tokens (user_name);

CREATE TABLE traces_assessments (
  project text not null,
  trace_id text not null,
  assessment_id text not null,
  kind text not null check (kind in ('feedback', 'expectation', 'issue')),
  name text not null,
  -- what was said, as JSON; for a filter also as a text and, when it is one, as a number
  value_json text,
  value_text text,
  value_number double precision,
  error_json text,
  source_type text not null,
  source_id text not null,
  rationale text,
  metadata_json text,
  span_id text,
  -- the assessment that this one replaces
  overrides text,
  valid smallint not null check (valid in (0, 1)),
  created_ms bigint not null,
  updated_ms bigint not null,
  primary key (project, trace_id, assessment_id),
  foreign key (project, trace_id) references traces_traces (project, trace_id) on delete cascade
);

CREATE INDEX traces_assessments_by_name on traces_assessments (project, kind, name, trace_id);

CREATE TABLE traces_links (
  project text not null,
  trace_id text not null,
  kind text not null check (kind in ('run', 'logged-model', 'prompt')),
  -- an id; of a prompt `name/version`
  target text not null,
  primary key (project, trace_id, kind, target),
  foreign key (project, trace_id) references traces_traces (project, trace_id) on delete cascade
) without rowid;

CREATE INDEX traces_links_by_target on traces_links (project, kind, target, trace_id);

CREATE TABLE traces_pairs (
  project text not null,
  trace_id text not null,
  kind text not null check (kind in ('tag', 'metadata')),
  pair_key text not null,
  pair_value text not null,
  primary key (project, trace_id, kind, pair_key),
  foreign key (project, trace_id) references traces_traces (project, trace_id) on delete cascade
) without rowid;

CREATE INDEX traces_pairs_by_value on traces_pairs (project, kind, pair_key, substr(pair_value, 1, 64));

CREATE TABLE traces_spans (
  project text not null,
  trace_id text not null,
  -- 16 hexadecimal digits
  span_id text not null,
  parent_span_id text,
  name text not null,
  type text not null,
  status text not null check (status in ('UNSET', 'OK', 'ERROR')),
  -- microseconds: nanoseconds do not fit into a number that programs hold exactly; `content` has them
  start_us bigint not null,
  end_us bigint,
  model text,
  provider text,
  usage_json text,
  input_cost double precision,
  output_cost double precision,
  total_cost double precision,
  -- the whole span (span-content.ts), also what its text is searched in
  content text not null,
  primary key (project, trace_id, span_id),
  foreign key (project, trace_id) references traces_traces (project, trace_id) on delete cascade
);

CREATE INDEX traces_spans_by_name on traces_spans (project, name, trace_id);

CREATE INDEX traces_spans_by_type on traces_spans (project, type, trace_id);

CREATE TABLE traces_traces (
  project text not null,
  -- made by the client: `tr-<32 hexadecimal digits>`, so that two projects may hold the same one
  trace_id text not null,
  experiment_id bigint not null,
  client_request_id text,
  name text,
  state text not null check (state in ('STATE_UNSPECIFIED', 'OK', 'ERROR', 'IN_PROGRESS')),
  request_ms bigint not null,
  duration_ms bigint,
  request_preview text,
  response_preview text,
  session_id text,
  -- the client has told the whole trace: from then on spans do not change what it said
  told smallint not null check (told in (0, 1)),
  -- where its files lie: attachments, and the spans of clients that upload them as one file
  artifact_uri text not null,
  -- counted from the spans, or as the client told
  input_tokens bigint,
  output_tokens bigint,
  total_tokens bigint,
  cache_read_tokens bigint,
  cache_creation_tokens bigint,
  created_ms bigint not null,
  primary key (project, trace_id)
);

CREATE INDEX traces_traces_by_session on traces_traces (project, session_id, request_ms) where session_id is not null;

CREATE INDEX traces_traces_by_time on traces_traces (project, experiment_id, request_ms desc, trace_id);

CREATE TABLE tracking_artifacts (
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

CREATE INDEX tracking_artifacts_by_owner on tracking_artifacts (project, owner, sha256);

CREATE TABLE tracking_datasets (
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

CREATE TABLE tracking_experiment_tags (
  experiment_key bigint not null references tracking_experiments (experiment_key) on delete cascade,
  tag_key text not null,
  tag_value text not null,
  primary key (experiment_key, tag_key)
);

CREATE TABLE tracking_experiments (
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

CREATE INDEX tracking_experiments_by_creation on tracking_experiments (project, created_ms, experiment_id);

CREATE TABLE tracking_import_marks (
  project text not null,
  -- of the run or logged model
  id text not null,
  -- digest of what the source said of it
  print text not null,
  points bigint not null,
  files bigint not null,
  file_bytes bigint not null,
  files_digest text not null,
  marked_ms bigint not null,
  primary key (project, id)
);

CREATE TABLE tracking_input_tags (
  run_id text not null,
  dataset_key text not null,
  tag_key text not null,
  tag_value text not null,
  primary key (run_id, dataset_key, tag_key),
  foreign key (run_id, dataset_key) references tracking_inputs (run_id, dataset_key) on delete cascade
);

CREATE TABLE tracking_inputs (
  run_id text not null references tracking_runs (run_id) on delete cascade,
  dataset_key text not null references tracking_datasets (dataset_key) on delete cascade,
  ordinal bigint not null,
  primary key (run_id, dataset_key)
);

CREATE INDEX tracking_inputs_by_dataset on tracking_inputs (dataset_key);

CREATE TABLE tracking_latest_metrics (
  run_id text not null references tracking_runs (run_id) on delete cascade,
  metric_key text not null,
  timestamp_ms bigint not null,
  step bigint not null,
  value double precision not null,
  special smallint not null check (special between 0 and 3),
  primary key (run_id, metric_key)
) without rowid;

CREATE TABLE tracking_listed_metrics (
  experiment_key bigint not null,
  metric_key text not null,
  is_nan smallint not null check (is_nan in (0, 1)),
  -- the value and the start of the run with their signs changed: an index forwards has the greatest value first, and of
  -- equal ones the run that started last
  falling double precision not null,
  before_ms bigint not null,
  run_id text not null,
  primary key (experiment_key, metric_key, is_nan, falling, before_ms, run_id)
) without rowid;

CREATE TABLE tracking_listed_texts (
  experiment_key bigint not null,
  kind text not null check (kind in ('param', 'tag')),
  text_key text not null,
  -- the first hundred characters
  head text not null,
  is_cut smallint not null check (is_cut in (0, 1)),
  run_id text not null,
  primary key (experiment_key, kind, text_key, head, run_id)
) without rowid;

CREATE TABLE tracking_logged_model_metrics (
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

CREATE TABLE tracking_logged_model_params (
  model_id text not null references tracking_logged_models (model_id) on delete cascade,
  param_key text not null,
  param_value text not null,
  primary key (model_id, param_key)
);

CREATE TABLE tracking_logged_model_tags (
  model_id text not null references tracking_logged_models (model_id) on delete cascade,
  tag_key text not null,
  tag_value text not null,
  primary key (model_id, tag_key)
);

CREATE TABLE tracking_logged_models (
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

CREATE INDEX tracking_logged_models_by_creation on tracking_logged_models (experiment_key, created_ms, model_id);

CREATE INDEX tracking_logged_models_by_deletion on tracking_logged_models (project, deleted_ms, model_id)
  where deleted_ms is not null;

CREATE INDEX tracking_logged_models_by_run on tracking_logged_models (source_run_id) where source_run_id is not null;

CREATE TABLE tracking_metric_batches (
  run_id text not null references tracking_runs (run_id) on delete cascade,
  batch_id text not null,
  timestamp_ms bigint not null,
  step bigint not null,
  special smallint not null check (special between 0 and 3),
  point_count bigint not null,
  -- an object: the value of each key
  values_json text not null,
  primary key (run_id, batch_id)
);

CREATE TABLE tracking_metrics (
  run_id text not null,
  metric_key text not null,
  timestamp_ms bigint not null,
  step bigint not null,
  -- NaN is (0, 1), plus and minus infinity the greatest and least number with 2 and 3
  value double precision not null,
  special smallint not null check (special between 0 and 3),
  -- exact duplicates are stored once; the order is that of a history
  primary key (run_id, metric_key, timestamp_ms, step, value, special)
) without rowid;

CREATE TABLE tracking_packed_histories (
  run_id text not null references tracking_runs (run_id) on delete cascade,
  metric_key text not null,
  point_count bigint not null,
  points text not null,
  primary key (run_id, metric_key)
);

CREATE TABLE tracking_params (
  run_id text not null references tracking_runs (run_id) on delete cascade,
  param_key text not null,
  param_value text not null,
  primary key (run_id, param_key)
) without rowid;

CREATE TABLE tracking_purge_items (
  purge_id text not null references tracking_purges (purge_id) on delete cascade,
  -- runs and models (0) go before the experiment that they came from (1)
  ordinal bigint not null,
  item_ref text not null,
  -- of an experiment
  experiment_key bigint,
  primary key (purge_id, ordinal, item_ref)
);

CREATE INDEX tracking_purge_items_by_ref on tracking_purge_items (item_ref);

CREATE TABLE tracking_purges (
  purge_id text not null primary key,
  project text not null,
  -- reference of what was asked for: an experiment, a run, a logged model, or the project (all that was deleted in it)
  target text not null,
  state text not null check (state in ('open', 'done')),
  -- of a project: only what had been deleted by then
  deleted_before_ms bigint,
  requested_by text not null,
  requested_ms bigint not null,
  ended_ms bigint,
  -- what went so far
  experiment_count bigint not null default 0,
  run_count bigint not null default 0,
  model_count bigint not null default 0,
  point_count bigint not null default 0,
  file_count bigint not null default 0,
  size_bytes bigint not null default 0
, attempts bigint not null default 0, failure text, next_attempt_ms bigint not null default 0);

CREATE INDEX tracking_purges_by_project on tracking_purges (project, purge_id);

CREATE INDEX tracking_purges_open on tracking_purges (next_attempt_ms, purge_id) where state = 'open';

CREATE TABLE tracking_run_documents (
  run_id text not null primary key references tracking_runs (run_id) on delete cascade,
  document text not null
);

CREATE TABLE tracking_run_models (
  run_id text not null references tracking_runs (run_id) on delete cascade,
  direction text not null check (direction in ('input', 'output')),
  model_id text not null,
  step bigint not null default 0,
  primary key (run_id, direction, model_id)
);

CREATE INDEX tracking_run_models_by_model on tracking_run_models (model_id);

CREATE TABLE tracking_run_tags (
  run_id text not null references tracking_runs (run_id) on delete cascade,
  tag_key text not null,
  tag_value text not null,
  primary key (run_id, tag_key)
) without rowid;

CREATE TABLE tracking_runs (
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
, listing text not null default 'waiting'
  check (listing in ('waiting', 'listed', 'wide')));

CREATE INDEX tracking_runs_by_deletion on tracking_runs (project, deleted_ms, run_id) where deleted_ms is not null;

CREATE INDEX tracking_runs_by_parent on tracking_runs (parent_run_id) where parent_run_id is not null;

CREATE INDEX tracking_runs_by_start on tracking_runs (experiment_key, lifecycle, start_ms desc, run_id, status);

CREATE INDEX tracking_runs_unlisted on tracking_runs (lifecycle, listing, experiment_key, run_id) where listing <> 'listed';

CREATE TABLE tracking_unpacked_runs (
  run_id text not null primary key references tracking_runs (run_id) on delete cascade
);

CREATE TABLE user_roles (
  user_name text not null references users (name),
  project text not null,
  role text not null check (role in ('viewer', 'editor', 'approver', 'admin')),
  primary key (user_name, project)
);

CREATE TABLE users (
  name text primary key,
  created_ms bigint not null,
  disabled_ms bigint
);

CREATE TABLE workspace_applied (
  project text not null,
  section text not null,
  name text not null,
  spec text not null,
  primary key (project, section, name)
);

CREATE TABLE workspace_snapshots (
  project text primary key,
  snapshot text not null,
  applied_ms bigint not null
);
