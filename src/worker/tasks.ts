import { Ajv, type ValidateFunction } from 'ajv';
import { type WorkerTaskInput, type WorkerTaskName, type WorkerTaskOutput, workerTasks } from '#contracts/worker';
import { nearestName } from '#platform/errors';
import { check } from './check.ts';
import { compact } from './compact.ts';
import { describe } from './describe.ts';
import { describeModel } from './describe-model.ts';
import { evaluate } from './evaluate.ts';
import { ingest, land } from './ingest.ts';
import { join } from './join.ts';
import { compactDay } from './log-compact.ts';
import { compareShadow } from './log-compare.ts';
import { takeFrames } from './log-intake.ts';
import { lookUp } from './log-lookup.ts';
import { joinTruth } from './log-truth.ts';
import { profile } from './profile.ts';
import { query } from './query.ts';
import { score } from './score.ts';
import type { TaskContext } from './task-context.ts';
import { workerErrors } from './worker-errors.ts';

type Tasks = {
  readonly [T in WorkerTaskName]: (context: TaskContext, input: WorkerTaskInput<T>) => Promise<WorkerTaskOutput<T>>;
};

const tasks: Tasks = {
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
  'log-intake': takeFrames,
  'log-compact': compactDay,
  'log-truth': joinTruth,
  'log-lookup': lookUp,
  'log-compare': compareShadow,
};

/** Runs a task whose name and input come from outside. @throws TASK_UNKNOWN, TASK_INPUT_INVALID, and what the task throws */
export type RunTask = (name: string, input: unknown, context: TaskContext) => Promise<unknown>;

export function createTaskRunner(): RunTask {
  const ajv = new Ajv({ allErrors: false, strict: false });
  const validators = new Map<WorkerTaskName, ValidateFunction>();
  return async (name, input, context) => {
    if (!isTaskName(name)) throw workerErrors.TASK_UNKNOWN(name, nearestName(name, Object.keys(workerTasks)));
    const validate = validators.get(name) ?? ajv.compile(workerTasks[name].input);
    validators.set(name, validate);
    if (!validate(input)) throw workerErrors.TASK_INPUT_INVALID(name, problemOf(validate));
    // The schema of this very task has just accepted the input.
    const run = tasks[name] as (context: TaskContext, input: unknown) => Promise<unknown>;
    return run(context, input);
  };
}

function isTaskName(name: string): name is WorkerTaskName {
  return Object.hasOwn(workerTasks, name);
}

/** The deepest problem: of a union the branch that fitted longest. */
function problemOf({ errors }: ValidateFunction): string {
  const worst = [...(errors ?? [])].toSorted((a, b) => depth(b.instancePath) - depth(a.instancePath))[0];
  if (worst === undefined) return 'it does not fit the schema';
  const extra = (worst.params as { readonly additionalProperty?: string }).additionalProperty;
  return `${worst.instancePath === '' ? 'it' : worst.instancePath} ${worst.message ?? 'is wrong'}${extra === undefined ? '' : ` ("${extra}")`}`;
}

const depth = (path: string): number => path.split('/').length;
