import { defineErrors } from '#platform/errors';

export const jobsErrors = defineErrors({
  JOB_NOT_FOUND: { kind: 'not_found', message: (id: string) => `there is no job ${id} in this project` },
  STEP_OUTPUT_MISSING: {
    kind: 'invalid',
    message: (name: string, variable: string) =>
      `the step ended well but left no output "${name}": it must write to the path in $${variable}`,
  },
  STEP_OUTPUT_KIND: {
    kind: 'invalid',
    message: (name: string, expected: string, found: string) =>
      `output "${name}" should be a ${expected} but the step made a ${found}`,
  },
  STEP_OUTPUT_NOT_PARQUET: {
    kind: 'invalid',
    message: (name: string, found: string) =>
      `output "${name}" is declared a dataset, which is one Parquet file, but the step made ${found}`,
    help: 'Write Parquet (pandas: `to_parquet`), or declare the output as another kind: `file`, `json`.',
  },
  STEP_OUTPUT_LINK: {
    kind: 'invalid',
    message: (name: string, path: string) =>
      `output "${name}" holds "${path}", which is a link or a device: only files and folders can be kept`,
  },
  STEP_CODE_PATH: {
    kind: 'invalid',
    message: (path: string) => `the code file "${path}" lies outside of the project's folder`,
  },
  STEP_FAILED: {
    kind: 'invalid',
    message: (exitCode: number, tail: string) =>
      `the step's command ended with exit code ${exitCode}${tail === '' ? '' : `; its last lines: ${tail}`}`,
  },
  STEP_KILLED: { kind: 'invalid', message: (signal: string) => `the step's command was ended by signal ${signal}` },
  STEP_TIMED_OUT: {
    kind: 'timeout',
    message: (timeoutMs: number) => `the step was ended after its timeout of ${timeoutMs / 1000} s`,
  },
  ATTEMPT_LOST: {
    kind: 'unavailable',
    message: () => 'the attempt left no result behind: its process is gone (the machine restarted, or it was killed)',
  },
  JOB_CANCELLED: { kind: 'conflict', message: () => 'the job was cancelled' },
});
