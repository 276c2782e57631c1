import type { OutputKind } from '#contracts/jobs';
import type { Json } from '#contracts/json';
import type { TreeFile } from '#contracts/tree';
import type { WorkerTaskInput, WorkerTaskName } from '#contracts/worker';
import type { Origin } from '#platform/database';

export type { Json };

/** Larger outputs of kind json and metrics are kept as files alone. */
export const valueLimitBytes = 64 * 1024;
const valueKinds: readonly OutputKind[] = ['json', 'metrics'];
export const hasValue = (kind: OutputKind): boolean => valueKinds.includes(kind);

/** A file by content, and the name under which a step sees it. */
export interface NamedBlob {
  readonly sha256: string;
  readonly name: string;
}

export interface CommandInput {
  readonly name: string;
  readonly files: readonly NamedBlob[];
  /** `file`: the step gets the path of the only file; `folder`: the path of a folder that holds all of them. */
  readonly as: 'file' | 'folder';
}

export interface CommandWork {
  readonly kind: 'command';
  /** A text runs under `sh -c` with `${inputs.x}`, `${outputs.x}`, `${params.x}` each as one argument; a list runs bare. */
  readonly command: string | readonly string[];
  /** The code files that lie in the working folder of the step. */
  readonly code: readonly TreeFile[];
  readonly inputs: readonly CommandInput[];
  readonly outputs: readonly { readonly name: string; readonly kind: OutputKind }[];
  /** `${token}` in a value becomes the attempt's token, `${folder}` its working folder. */
  readonly environment: Readonly<Record<string, string>>;
  /** Secrets that an attempt gets as variables: their names here, their values only in its environment. */
  readonly secrets?: { readonly grantee: string; readonly names: Readonly<Record<string, string>> };
  /** Digest of a requirements text: the step runs inside that Python environment. */
  readonly requirements?: string;
  readonly params: Readonly<Record<string, Json>>;
  /** The item that it runs for, `${each.x}`. */
  readonly each?: Readonly<Record<string, Json>>;
}

export interface WorkerWork {
  readonly kind: 'worker';
  readonly task: WorkerTaskName;
  /** `blob:<sha256>` stands for the local path of a blob, `out:<name>` for the path of a file that the task makes. */
  readonly input: Json;
}

/** The work of one worker task, its input checked by the task's type. */
export function workerWork<T extends WorkerTaskName>(task: T, input: WorkerTaskInput<T>): WorkerWork {
  return { kind: 'worker', task, input };
}

export type JobWork = CommandWork | WorkerWork;

export interface Retries {
  readonly max: number;
  readonly on: readonly ('error' | 'lost' | 'timeout')[];
  readonly backoffMs?: number;
}

export interface NewJob {
  readonly project: string;
  /** Reference of what asked for it; the subject of `job.finished`. */
  readonly owner: string;
  /** What it does there, for the owner's consumer: `datasets.ingest`. */
  readonly tag: string;
  /** Handed back untouched. */
  readonly data?: Json;
  readonly work: JobWork;
  readonly cpu?: number;
  readonly memoryMb?: number;
  readonly timeoutMs?: number;
  readonly retries?: Retries;
}

/** What an attempt left behind, kept by content. */
export interface JobFile {
  readonly sha256: string;
  readonly sizeBytes: number;
  readonly kind: OutputKind;
  /** The files of a folder; the digest is then that of their manifest. */
  readonly tree?: readonly TreeFile[];
  /** What a small file of kind json or metrics says. */
  readonly value?: Json;
}

export interface JobResult {
  /** The worker task's answer; absent for commands. */
  readonly output?: Json;
  /** By output name. */
  readonly files: Readonly<Record<string, JobFile>>;
  readonly exitCode?: number;
}

export interface Job {
  readonly id: string;
  readonly project: string;
  readonly owner: string;
  readonly tag: string;
  readonly data: Json;
  readonly work: JobWork;
  readonly state: 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled';
  readonly attempt: number;
  readonly fence: number;
  readonly cancelRequested: boolean;
  readonly cpu: number;
  readonly memoryMb: number;
  readonly timeoutMs: number | undefined;
  readonly retries: Retries | undefined;
  readonly tokenId: string | undefined;
  readonly result: JobResult | undefined;
  readonly error: { readonly code: string; readonly message: string } | undefined;
  readonly createdMs: number;
  readonly startedMs: number | undefined;
  readonly endedMs: number | undefined;
  /** What led to the unit that asked for it: its end follows from that. */
  readonly origin: Origin;
}

/** What an owner is interested in once a job has ended. */
export type JobEnd = Pick<Job, 'id' | 'owner' | 'tag' | 'state' | 'result' | 'error'>;

/** How one attempt ended, before it is recorded. */
export type AttemptOutcome =
  | { readonly kind: 'succeeded'; readonly result: JobResult }
  | {
      readonly kind: 'failed' | 'lost' | 'timed-out' | 'cancelled';
      readonly code: string;
      readonly message: string;
      readonly exitCode?: number;
    };

/** The server stops and the process goes on: nothing to record, the next server adopts it. */
export interface LeftAttempt {
  readonly kind: 'left';
}
