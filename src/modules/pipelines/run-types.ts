import type { PipelineSpec, RunState, StepState } from '#contracts/pipelines';
import type { TreeFile } from '#contracts/tree';
import type { JobFile, JobWork, Json } from '#modules/jobs';
import type { KeyParts } from './cache-key.ts';

export interface StepOutput extends JobFile {
  /** The dataset version that it became, `dataset:train.prepare.train@4`. */
  readonly dataset?: string;
}

export type Outputs = Readonly<Record<string, StepOutput>>;

/** What is known of a step before the run begins; resolved once, so that a run never sees data move. */
export interface StepPlan {
  /** Part of the key that is settled at the start: command, code, parameters, fixed inputs. */
  readonly keyParts: KeyParts;
  readonly cacheable: boolean;
  /** For a join: the whole job. */
  readonly work?: JobWork;
  /** For a command: files of inputs that come from datasets and artifacts. */
  readonly fixedInputs?: Readonly<Record<string, readonly { readonly sha256: string; readonly name: string }[]>>;
  /** The item for which the step runs, `${each.x}`. */
  readonly each?: Readonly<Record<string, Json>>;
  /** References read, for lineage. */
  readonly reads: readonly string[];
}

export interface Step {
  readonly name: string;
  readonly position: number;
  readonly kind: 'command' | 'join' | 'register' | 'use' | 'foreach';
  readonly state: StepState;
  readonly needs: readonly string[];
  readonly plan: StepPlan;
  readonly key: string | undefined;
  readonly keyParts: KeyParts | undefined;
  readonly why: string | undefined;
  readonly jobId: string | undefined;
  /** What answers it while it waits: the digest of its token; of `register` the promotion's id. */
  readonly token: string | undefined;
  readonly trackingRunId: string | undefined;
  readonly outputs: Outputs;
  readonly error: { readonly code: string; readonly message: string } | undefined;
  readonly startedMs: number | undefined;
  readonly endedMs: number | undefined;
  /** Until when it waits. */
  readonly deadlineMs: number | undefined;
}

export interface RunResult {
  readonly model: string;
  readonly version: number;
  readonly verdict?: string;
}

export interface Run {
  readonly id: string;
  readonly project: string;
  readonly pipeline: string;
  readonly state: RunState;
  /** It was cancelled, and what must still end has not yet. */
  readonly cancelling: boolean;
  readonly trigger: string;
  readonly params: Readonly<Record<string, Json>>;
  readonly spec: PipelineSpec;
  /** The code tree that it runs. */
  readonly code: readonly TreeFile[];
  readonly useCache: boolean;
  readonly inputs: readonly string[];
  readonly snapshot: string;
  readonly trackingRunId: string | undefined;
  /** How long the chain of causes was at its start. */
  readonly causeDepth: number | undefined;
  /** The person behind it, who may not approve what comes of it. */
  readonly requestedBy: string;
  readonly result: RunResult | undefined;
  readonly error: { readonly code: string; readonly message: string } | undefined;
  readonly createdMs: number;
  readonly endedMs: number | undefined;
}

/** What never changes of a run once it has begun. */
export type RunBasis = Omit<Run, 'state' | 'cancelling' | 'result' | 'error' | 'endedMs'>;

export const isEnded = (state: StepState): boolean => !['pending', 'running', 'waiting'].includes(state);
export const isDone = (state: StepState): boolean => state === 'succeeded' || state === 'cached';

export const stepReference = (run: string, step: string): string => `pipeline-step:${run}/${step}`;

/** The run and the step of a reference, or of the owner of a job. */
export function parseStepReference(reference: string): { readonly runId: string; readonly step: string } {
  const [runId = '', step = ''] = reference.replace(/^pipeline-step:/, '').split('/');
  return { runId, step };
}
