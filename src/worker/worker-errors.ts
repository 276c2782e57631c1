import { defineErrors } from '#platform/errors';

const meant = (near: string | undefined): string => (near === undefined ? '' : `; did you mean "${near}"?`);

export const workerErrors = defineErrors({
  TASK_UNKNOWN: {
    kind: 'invalid',
    message: (task: string, near: string | undefined) => `the worker has no task "${task}"${meant(near)}`,
  },
  TASK_INPUT_INVALID: {
    kind: 'invalid',
    message: (task: string, problem: string) => `the input of task "${task}" is wrong: ${problem}`,
  },
  TASK_CANCELLED: { kind: 'unavailable', message: (task: string) => `task "${task}" was cancelled` },
  TASK_FAILED: {
    kind: 'internal',
    message: (reason: string) => `DuckDB failed: ${reason}`,
    help: 'The log of the worker has the whole error.',
  },
  WORKER_OUT_OF_MEMORY: {
    kind: 'too_large',
    message: (reason: string) => `the task needs more memory than the worker may use: ${reason}`,
    help: 'Raise --worker-memory-mb, or make the table smaller.',
  },
  DISK_FULL: {
    kind: 'unavailable',
    message: (reason: string) => `the disk is full: ${reason}`,
    help: 'Free space in the home folder and try again.',
  },
  SOURCE_UNREADABLE: {
    kind: 'invalid',
    message: (problem: SourceProblem) =>
      `${problem.file}${problem.line === undefined ? '' : `, line ${problem.line}`}${problem.column === undefined ? '' : `, column "${problem.column}"`}: ${problem.reason}. ${problem.mend}`,
    details: (problem: SourceProblem) => problem,
    help: 'Mend the file, or say in tidemill.yaml how it is to be read.',
  },
  SOURCE_SCHEMA_MISMATCH: {
    kind: 'invalid',
    message: (file: string, problems: readonly string[]) =>
      `${file} does not have the columns that are expected: ${problems.join('; ')}`,
    details: (_file: string, problems: readonly string[]) => ({ problems }),
  },
  TIME_COLUMN_INVALID: {
    kind: 'invalid',
    message: (column: string, type: string, where: string) =>
      `column "${column}" of ${where} is ${type} and cannot say when something happened; make it a timestamp, a date, or an integer of milliseconds UTC`,
  },
  COLUMN_MISSING: {
    kind: 'invalid',
    message: (column: string, where: string, near: string | undefined) =>
      `there is no column "${column}" in ${where}${meant(near)}`,
    details: (column: string, where: string) => ({ column, where }),
  },
  JOIN_KEY_TYPES: {
    kind: 'invalid',
    message: (view: string, column: string, ours: string, theirs: string) =>
      `column "${column}" is ${ours} in the rows and ${theirs} in view "${view}"; cast one so that both are of one kind`,
  },
  JOIN_COLUMN_TWICE: {
    kind: 'conflict',
    message: (column: string) => `two columns of the join are called "${column}"; rename the view or the column`,
  },
  SQL_INVALID: {
    kind: 'invalid',
    message: (what: string, reason: string) => `${what}: ${reason}`,
    help: 'One SELECT over the datasets by their names, in the SQL of DuckDB.',
  },
  SQL_FORBIDDEN: {
    kind: 'forbidden',
    message: (what: string, reason: string) => `${what} reaches outside its datasets: ${reason}`,
    help: 'Read data by declaring it as a dataset; files, networks and extensions are closed to SQL features.',
  },
  SCORE_INVALID: {
    kind: 'invalid',
    message: (text: string, reason: string) => `score "${text}": ${reason}`,
    help: 'Name an output of the model, with the class in brackets when it has several columns: probabilities[1].',
  },
  MODEL_INPUTS_INVALID: {
    kind: 'invalid',
    message: (reason: string) => `the model cannot be fed with these rows: ${reason}`,
  },
  LABEL_INVALID: {
    kind: 'invalid',
    message: (label: string, reason: string) => `label "${label}": ${reason}`,
  },
  METRICS_INVALID: {
    kind: 'invalid',
    message: (reason: string) => `the metrics of the pipeline are not JSON of the form { "name": number }: ${reason}`,
  },
  CHECK_INVALID: { kind: 'invalid', message: (what: string, reason: string) => `check ${what}: ${reason}` },
  PARTITIONS_INVALID: { kind: 'invalid', message: (reason: string) => `partitions: ${reason}` },
});

export interface SourceProblem {
  readonly file: string;
  readonly line?: number;
  readonly column?: string;
  readonly reason: string;
  readonly mend: string;
}
