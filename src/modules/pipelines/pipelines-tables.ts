import type { RunState, StepState } from '#contracts/pipelines';

/** Rows of migrations 0050, 0090, 0092 and 0097. */
export interface PipelinesTables {
  readonly pipelines: {
    project: string;
    name: string;
    spec: string;
    generation: number;
    updated_ms: number;
  };
  readonly pipeline_code: {
    project: string;
    snapshot: string;
    files: string;
  };
  readonly pipeline_runs: {
    id: string;
    project: string;
    pipeline: string;
    state: RunState;
    trigger_by: string;
    params: string;
    spec: string;
    code: string;
    use_cache: number;
    inputs: string;
    snapshot: string;
    tracking_run_id: string | null;
    cause_depth: number | null;
    requested_by: string | null;
    result: string | null;
    error_code: string | null;
    error_message: string | null;
    created_ms: number;
    ended_ms: number | null;
    cancelling: number;
  };
  readonly pipeline_steps: {
    run_id: string;
    step: string;
    position: number;
    kind: 'command' | 'join' | 'register' | 'use' | 'foreach';
    state: StepState;
    needs: string;
    plan: string;
    cache_key: string | null;
    key_parts: string | null;
    why: string | null;
    job_id: string | null;
    token: string | null;
    tracking_run_id: string | null;
    outputs: string;
    error_code: string | null;
    error_message: string | null;
    started_ms: number | null;
    ended_ms: number | null;
    deadline_ms: number | null;
  };
  readonly pipeline_cache: {
    project: string;
    cache_key: string;
    run_id: string;
    step: string;
    outputs: string;
    created_ms: number;
  };
}
