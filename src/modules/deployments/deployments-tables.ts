export interface PoolRow {
  pool: string;
  epoch: string;
  generation: number;
  flush: number;
  flush_asked_ms: number | null;
  /** What the server asked of callers when it last told the pool. */
  auth: 'open' | 'required' | null;
  updated_ms: number;
}

export interface DeploymentRow {
  project: string;
  name: string;
  pool: string;
  /** JSON of a DeploymentSpecDocument. */
  spec: string;
  generation: number;
  salt: string;
  created_ms: number;
  updated_ms: number;
}

export interface RevisionRow {
  revision: string;
  project: string;
  deployment: string;
  model: string;
  version: number;
  runtime: 'onnx' | 'python' | 'command' | 'graph';
  /** JSON of inputs and outputs, when the registry knows them in our form. */
  signature: string | null;
  score: string | null;
  created_ms: number;
  ready_ms: number | null;
  error: string | null;
}

export interface RevisionFileRow {
  revision: string;
  /** The first file is the one to load. */
  position: number;
  path: string;
  sha256: string;
  size_bytes: number;
}

export interface TrafficRow {
  project: string;
  deployment: string;
  revision: string;
  position: number;
  basis_points: number;
  role: 'live' | 'next' | 'previous';
}

export interface ShadowRow {
  project: string;
  deployment: string;
  reference: string;
  position: number;
  sample_rate: number;
  revision: string | null;
}

export interface ReplicaRow {
  pool: string;
  replica: string;
  boot: string;
  sequence: number;
  state: string;
  epoch: string | null;
  generation: number | null;
  flushed: number;
  endpoints: string;
  spool: string;
  program_version: string;
  reported_ms: number;
}

export interface CountersRow {
  revision: string;
  role: 'primary' | 'shadow';
  pool: string;
  replica: string;
  boot: string;
  requests: number;
  row_count: number;
  errors: string;
  latency_counts: string;
  latency_sum_us: number;
  max_event_ms: number | null;
}

/** The tables that this module owns. */
export interface DeploymentsTables {
  deployment_pools: PoolRow;
  deployments: DeploymentRow;
  deployment_revisions: RevisionRow;
  deployment_revision_files: RevisionFileRow;
  deployment_traffic: TrafficRow;
  deployment_shadows: ShadowRow;
  deployment_replicas: ReplicaRow;
  deployment_counters: CountersRow;
}
