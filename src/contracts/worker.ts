import { type Static, Type } from 'typebox';
import { errorKinds } from './error-kinds.ts';
import { join } from './worker-features.ts';
import { logCompact, logCompare, logIntake, logLookup, logTruth } from './worker-predictions.ts';
import { describeModel, evaluate, score } from './worker-scoring.ts';
import { check, compact, describe, ingest, type JsonValue, land, profile, query } from './worker-tables.ts';

/** The tasks of the worker process: name → schema of its input and of its output. */
export const workerTasks = {
  ingest,
  land,
  check,
  describe,
  profile,
  query,
  compact,
  join,
  score,
  evaluate,
  'describe-model': describeModel,
  'log-intake': logIntake,
  'log-compact': logCompact,
  'log-truth': logTruth,
  'log-lookup': logLookup,
  'log-compare': logCompare,
} as const;

export type WorkerTaskName = keyof typeof workerTasks;
export type WorkerTaskInput<T extends WorkerTaskName> = DeepReadonly<Static<(typeof workerTasks)[T]['input']>>;
export type WorkerTaskOutput<T extends WorkerTaskName> = DeepReadonly<Static<(typeof workerTasks)[T]['output']>>;

type DeepReadonly<T> = JsonValue extends T
  ? T
  : T extends JsonScalar
    ? T
    : { readonly [K in keyof T]: DeepReadonly<T[K]> };
type JsonScalar = string | number | boolean | null;

/**
 * The worker's protocol: JSON, one message a line. The parent writes requests to its stdin, several may be in flight, and
 * reads one answer for each from its stdout, in any order. `cancel` interrupts a request, which then fails with
 * TASK_CANCELLED; of one that is unknown or done it is no error. The end of stdin ends the process.
 */
export const WorkerRequest = Type.Union([
  Type.Object({ id: Type.String({ minLength: 1 }), task: Type.String(), input: Type.Unknown() }),
  Type.Object({ id: Type.String({ minLength: 1 }), cancel: Type.Literal(true) }),
]);
export type WorkerRequest = Static<typeof WorkerRequest>;

export const WorkerAnswer = Type.Union([
  Type.Object({ id: Type.String(), ok: Type.Literal(true), output: Type.Unknown() }),
  Type.Object({
    id: Type.String(),
    ok: Type.Literal(false),
    error: Type.Object({
      code: Type.String(),
      kind: Type.Enum([...errorKinds]),
      message: Type.String(),
      details: Type.Optional(Type.Unknown()),
    }),
  }),
]);
export type WorkerAnswer = Static<typeof WorkerAnswer>;
