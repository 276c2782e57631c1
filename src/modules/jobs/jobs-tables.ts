/** Rows of migrations 0020 and 0090. */
export interface JobsTables {
  readonly jobs: JobRow;
}

export interface JobRow {
  id: string;
  project: string;
  owner: string;
  tag: string;
  data: string | null;
  work: string;
  kind: 'worker' | 'command';
  state: 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled';
  attempt: number;
  fence: number;
  lease_until_ms: number | null;
  cancel_requested: number;
  run_after_ms: number;
  cpu: number;
  memory_mb: number;
  timeout_ms: number | null;
  retries: string | null;
  token_id: string | null;
  result: string | null;
  error_code: string | null;
  error_message: string | null;
  created_ms: number;
  started_ms: number | null;
  ended_ms: number | null;
  cause: string | null;
  cause_depth: number | null;
}
