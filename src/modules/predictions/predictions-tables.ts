/** Rows of migration 0023. */
export interface PredictionsTables {
  readonly prediction_endpoints: EndpointRow;
  readonly prediction_revisions: RevisionRow;
  readonly prediction_spools: SpoolRow;
  readonly prediction_replicas: ReplicaRow;
  readonly prediction_progress: ProgressRow;
  readonly prediction_segments: SegmentRow;
  readonly prediction_counts: CountsRow;
  readonly prediction_labels: LabelsRow;
  readonly prediction_bindings: BindingRow;
  readonly prediction_binding_parts: BindingPartRow;
  readonly prediction_dirty_days: DirtyDayRow;
  readonly prediction_truth_waiting: WaitingRow;
}

export interface EndpointRow {
  project: string;
  endpoint: string;
  replay: number;
  settled_ms: number | null;
  truth_version: number;
  unmatched: number;
}

export interface RevisionRow {
  project: string;
  endpoint: string;
  revision: string;
  model: string;
  version: number;
  score: string | null;
  profile: string | null;
  registered_ms: number;
}

export interface SpoolRow {
  replica: string;
  epoch: string;
  next_offset: number;
  wanted_offset: number;
  lost: number;
  updated_ms: number;
  behind_since_ms: number | null;
}

export interface ReplicaRow {
  replica: string;
  boot: string;
  sequence: number;
  reported_ms: number;
}

export interface ProgressRow {
  project: string;
  endpoint: string;
  replica: string;
  greatest_event_ms: number;
}

export interface SegmentRow {
  id: string;
  project: string;
  endpoint: string;
  kind: 'rows' | 'truth';
  day_ms: number;
  level: number;
  sha256: string;
  size_bytes: number;
  rows: number;
  min_id: string;
  max_id: string;
  min_event_ms: number;
  max_event_ms: number;
  created_ms: number;
}

export interface CountsRow {
  segment_id: string;
  revision: string;
  role: 'primary' | 'shadow';
  hour_ms: number;
  rows: number;
  errors: number;
  example_id: string;
  counts: string;
}

export interface LabelsRow {
  project: string;
  endpoint: string;
  hour_ms: number;
  revision: string;
  role: 'primary' | 'shadow';
  labelled: number;
  never_known: number;
  counts: string;
}

export interface BindingRow {
  project: string;
  name: string;
  endpoint: string;
  dataset: string;
  key_columns: string;
  time_column: string;
  value: string;
  matched_version: number;
}

export interface BindingPartRow {
  project: string;
  name: string;
  sha256: string;
  time_min_ms: number | null;
  time_max_ms: number | null;
  observed_ms: number;
  source: string;
  matched: number;
}

export interface DirtyDayRow {
  project: string;
  endpoint: string;
  day_ms: number;
  marks: number;
}

export interface WaitingRow {
  project: string;
  endpoint: string;
  lookup: string;
  prediction_id: string | null;
  prediction_row: number | null;
  key: string | null;
  event_ms: number | null;
  value: number | null;
  observed_ms: number;
  source: string;
  expires_ms: number;
}
