import type { Generated } from 'kysely';

export type Lifecycle = 'active' | 'deleted';
export type RunStatus = 'RUNNING' | 'SCHEDULED' | 'FINISHED' | 'FAILED' | 'KILLED';
/** A run in one of these stays as it is. */
export const endedStatuses: readonly RunStatus[] = ['FINISHED', 'FAILED', 'KILLED'];
/** What is kept of a run for searches; the states are in run-listing-store.ts. */
export type RunListingState = 'waiting' | 'listed' | 'wide';
export type LoggedModelStatus = 'LOGGED_MODEL_PENDING' | 'LOGGED_MODEL_READY' | 'LOGGED_MODEL_UPLOAD_FAILED';

export interface ExperimentRow {
  experiment_key: number;
  project: string;
  experiment_id: number;
  name: string;
  artifact_location: string;
  lifecycle: Lifecycle;
  created_ms: number;
  updated_ms: number;
}

export interface RunRow {
  run_id: string;
  project: string;
  experiment_key: number;
  name: string;
  status: RunStatus;
  user_id: string;
  start_ms: number;
  end_ms: number | null;
  lifecycle: Lifecycle;
  deleted_ms: number | null;
  artifact_uri: string;
  parent_run_id: string | null;
  created_by: string;
}

export interface MetricRow {
  run_id: string;
  metric_key: string;
  timestamp_ms: number;
  step: number;
  value: number;
  special: number;
}

export interface MetricBatchRow {
  run_id: string;
  batch_id: string;
  timestamp_ms: number;
  step: number;
  special: number;
  point_count: number;
  values_json: string;
}

export interface DatasetRow {
  dataset_key: string;
  experiment_key: number;
  name: string;
  digest: string;
  source_type: string;
  source: string;
  schema_json: string | null;
  profile_json: string | null;
}

export interface LoggedModelRow {
  model_id: string;
  project: string;
  experiment_key: number;
  name: string;
  model_type: string;
  source_run_id: string | null;
  artifact_uri: string;
  status: LoggedModelStatus;
  status_message: string;
  created_ms: number;
  updated_ms: number;
  deleted_ms: number | null;
}

export interface ArtifactRow {
  project: string;
  parent: string;
  name: string;
  is_folder: number;
  owner: string;
  sha256: string | null;
  size_bytes: number;
  updated_ms: number;
}

export interface PurgeRow {
  purge_id: string;
  project: string;
  target: string;
  state: 'open' | 'done';
  deleted_before_ms: number | null;
  requested_by: string;
  requested_ms: number;
  ended_ms: number | null;
  experiment_count: number;
  run_count: number;
  model_count: number;
  point_count: number;
  file_count: number;
  size_bytes: number;
  attempts: number;
  failure: string | null;
  next_attempt_ms: number;
}

export interface PurgeItemRow {
  purge_id: string;
  ordinal: number;
  item_ref: string;
  experiment_key: number | null;
}

export interface ImportMarkRow {
  project: string;
  id: string;
  print: string;
  points: number;
  files: number;
  file_bytes: number;
  files_digest: string;
  marked_ms: number;
}

/** The tables that this module owns. */
export interface TrackingTables {
  tracking_experiments: ExperimentRow;
  tracking_experiment_tags: { experiment_key: number; tag_key: string; tag_value: string };
  tracking_runs: RunRow & { listing: Generated<RunListingState> };
  tracking_run_documents: { run_id: string; document: string };
  tracking_packed_histories: { run_id: string; metric_key: string; point_count: number; points: string };
  tracking_unpacked_runs: { run_id: string };
  tracking_metrics: MetricRow;
  tracking_metric_batches: MetricBatchRow;
  tracking_latest_metrics: MetricRow;
  tracking_params: { run_id: string; param_key: string; param_value: string };
  tracking_run_tags: { run_id: string; tag_key: string; tag_value: string };
  tracking_datasets: DatasetRow;
  tracking_inputs: { run_id: string; dataset_key: string; ordinal: number };
  tracking_input_tags: { run_id: string; dataset_key: string; tag_key: string; tag_value: string };
  tracking_run_models: { run_id: string; direction: 'input' | 'output'; model_id: string; step: number };
  tracking_logged_models: LoggedModelRow;
  tracking_logged_model_params: { model_id: string; param_key: string; param_value: string };
  tracking_logged_model_tags: { model_id: string; tag_key: string; tag_value: string };
  tracking_logged_model_metrics: {
    model_id: string;
    metric_key: string;
    run_id: string;
    timestamp_ms: number;
    step: number;
    value: number;
    special: number;
    dataset_name: string;
    dataset_digest: string;
  };
  tracking_artifacts: ArtifactRow;
  tracking_purges: PurgeRow;
  tracking_purge_items: PurgeItemRow;
  tracking_import_marks: ImportMarkRow;
}
