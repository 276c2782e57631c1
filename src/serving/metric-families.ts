type Kind = 'counter' | 'gauge' | 'histogram';

/** A family of the exposition. Its labels come from what is deployed or from a list of ours, never from a caller. */
export interface Family {
  readonly kind: Kind;
  readonly help: string;
  readonly labels: readonly string[];
}
export type Families = Readonly<Record<string, Family>>;

const none: readonly string[] = [];
const ofEndpoint = ['project', 'endpoint'] as const;
const ofRevision = [...ofEndpoint, 'revision'] as const;
const ofRole = [...ofRevision, 'role'] as const;
const ofNode = [...ofRevision, 'node'] as const;
const ofModel = ['model', 'version', 'project', 'revision'] as const;

const family = (kind: Kind, labels: readonly string[], help: string): Family => ({ kind, help, labels });

/** What the data plane counts; docs/reference/metrics.md is printed from it. */
export const ownFamilies: Families = {
  tidemill_serving_requests_total: family('counter', ofRole, 'Requests sent to a revision.'),
  tidemill_serving_errors_total: family('counter', [...ofRole, 'kind'], 'Requests that failed, by kind.'),
  tidemill_serving_duration_seconds: family('histogram', ofRole, 'Receipt to outputs, answered requests.'),
  tidemill_serving_stage_duration_seconds: family(
    'histogram',
    [...ofRole, 'stage'],
    'What the duration is made of, where the model ran.',
  ),
  tidemill_serving_node_duration_seconds: family(
    'histogram',
    ofNode,
    'Work of a node of a graph, its waiting included, without that of the nodes before it.',
  ),
  tidemill_serving_node_rows_total: family('counter', ofNode, 'Rows that a node of a graph has answered.'),
  tidemill_serving_node_errors_total: family('counter', ofNode, 'Requests that failed at a node of a graph.'),
  tidemill_serving_branch_rows_total: family(
    'counter',
    [...ofNode, 'branch'],
    'Rows that took a branch of a switch or a split.',
  ),
  tidemill_serving_runs_total: family('counter', ofRole, 'Runs of a model: one for each batch.'),
  tidemill_serving_cache_hits_total: family('counter', ofRole, 'Answers from the cache.'),
  tidemill_serving_cache_misses_total: family('counter', ofRole, 'Answers that were not in the cache.'),
  tidemill_serving_cache_bytes: family('gauge', ofEndpoint, 'Bytes of kept answers.'),
  tidemill_serving_rate_limited_total: family(
    'counter',
    ofEndpoint,
    'Requests refused because their caller sends too many.',
  ),
  tidemill_serving_pending: family('gauge', ofRevision, 'Requests accepted and not yet answered.'),
  tidemill_serving_model_loaded: family('gauge', ofRevision, '1 while the model is in memory, 0 while it has left it.'),
  tidemill_serving_model_reloads_total: family(
    'counter',
    ofRevision,
    'How often a model that had left the memory came back.',
  ),
  tidemill_serving_shadows_dropped_total: family('counter', ofRevision, 'Shadow requests that did not fit the queue.'),
  tidemill_serving_shadow_rows_compared_total: family(
    'counter',
    ofRevision,
    "Rows whose shadow answer was laid beside the primary's.",
  ),
  tidemill_serving_shadow_rows_differing_total: family('counter', ofRevision, 'Rows among them whose answers differ.'),
  tidemill_serving_traffic_ratio: family('gauge', ofRevision, 'Share of traffic that a revision gets.'),
  tidemill_serving_model_memory_bytes: family('gauge', none, 'What loaded models hold, as far as it is known.'),
  tidemill_serving_request_memory_bytes: family(
    'gauge',
    none,
    'What requests and answers under way hold, as they were sent.',
  ),
  tidemill_serving_slow_clients_cut_total: family(
    'counter',
    none,
    'Clients cut because they kept others waiting for memory.',
  ),
  tidemill_spool_bytes: family('gauge', none, 'Bytes of prediction records on disk.'),
  tidemill_spool_dropped_total: family('counter', none, 'Prediction records lost for want of room.'),
  tidemill_spool_undelivered: family('gauge', none, 'Prediction records that the control plane has not taken yet.'),
  tidemill_trace_spans_exported_total: family('counter', none, 'Spans that the OpenTelemetry collector took.'),
  tidemill_trace_spans_dropped_total: family(
    'counter',
    ['reason'],
    'Spans that were not sent: too many at once, or no collector.',
  ),
};

/** The names that Triton gives, so that its dashboards read this server; times in microseconds, as there. */
export const tritonFamilies: Families = {
  nv_inference_request_success: family('counter', ofModel, 'Requests answered.'),
  nv_inference_request_failure: family('counter', [...ofModel, 'reason'], 'Requests that failed.'),
  nv_inference_count: family('counter', ofModel, 'Rows answered.'),
  nv_inference_exec_count: family('counter', ofModel, 'Runs of the model.'),
  nv_inference_request_duration_us: family('counter', ofModel, 'Time of answered requests together.'),
  nv_inference_queue_duration_us: family('counter', ofModel, 'Their time in the queue.'),
  nv_inference_compute_input_duration_us: family('counter', ofModel, 'Their time of reading and joining inputs.'),
  nv_inference_compute_infer_duration_us: family('counter', ofModel, 'Their time in runs of the model.'),
  nv_inference_compute_output_duration_us: family('counter', ofModel, 'Their time of handing out outputs.'),
  nv_inference_pending_request_count: family('gauge', ofModel, 'Requests accepted and not yet answered.'),
  nv_cache_num_hits_per_model: family('counter', ofModel, 'Answers from the cache.'),
  nv_cache_num_misses_per_model: family('counter', ofModel, 'Answers that were not in the cache.'),
  nv_cache_hit_duration_per_model: family('counter', ofModel, 'Time of answers from the cache together.'),
};

export const families: Families = { ...ownFamilies, ...tritonFamilies };
