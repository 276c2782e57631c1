export type TraceState = 'STATE_UNSPECIFIED' | 'OK' | 'ERROR' | 'IN_PROGRESS';
export type SpanStatus = 'UNSET' | 'OK' | 'ERROR';
export type AssessmentKind = 'feedback' | 'expectation' | 'issue';
export type PairKind = 'tag' | 'metadata';
export type LinkKind = 'run' | 'logged-model' | 'prompt';

export interface TraceRow {
  project: string;
  trace_id: string;
  experiment_id: number;
  client_request_id: string | null;
  name: string | null;
  state: TraceState;
  request_ms: number;
  duration_ms: number | null;
  request_preview: string | null;
  response_preview: string | null;
  session_id: string | null;
  told: number;
  artifact_uri: string;
  input_tokens: number | null;
  output_tokens: number | null;
  total_tokens: number | null;
  cache_read_tokens: number | null;
  cache_creation_tokens: number | null;
  created_ms: number;
}

export interface SpanRow {
  project: string;
  trace_id: string;
  span_id: string;
  parent_span_id: string | null;
  name: string;
  type: string;
  status: SpanStatus;
  start_us: number;
  end_us: number | null;
  model: string | null;
  provider: string | null;
  usage_json: string | null;
  input_cost: number | null;
  output_cost: number | null;
  total_cost: number | null;
  content: string;
}

export interface PairRow {
  project: string;
  trace_id: string;
  kind: PairKind;
  pair_key: string;
  pair_value: string;
}

export interface LinkRow {
  project: string;
  trace_id: string;
  kind: LinkKind;
  target: string;
}

export interface AssessmentRow {
  project: string;
  trace_id: string;
  assessment_id: string;
  kind: AssessmentKind;
  name: string;
  value_json: string | null;
  value_text: string | null;
  value_number: number | null;
  error_json: string | null;
  source_type: string;
  source_id: string;
  rationale: string | null;
  metadata_json: string | null;
  span_id: string | null;
  overrides: string | null;
  valid: number;
  created_ms: number;
  updated_ms: number;
}

/** The tables that this module owns. */
export interface TracesTables {
  traces_traces: TraceRow;
  traces_spans: SpanRow;
  traces_pairs: PairRow;
  traces_links: LinkRow;
  traces_assessments: AssessmentRow;
}
