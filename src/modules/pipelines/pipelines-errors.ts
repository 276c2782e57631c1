import { defineErrors } from '#platform/errors';

export const pipelinesErrors = defineErrors({
  PIPELINE_NOT_FOUND: {
    kind: 'not_found',
    message: (name: string, near: string | undefined) =>
      `there is no pipeline "${name}"${near === undefined ? '; declare it in tidemill.yaml and apply' : `; did you mean "${near}"?`}`,
  },
  PIPELINE_PARAM_UNKNOWN: {
    kind: 'invalid',
    message: (name: string, near: string | undefined) =>
      `the pipeline has no parameter "${name}"${near === undefined ? '' : `; did you mean "${near}"?`}`,
  },
  PIPELINE_INPUT_MISSING: {
    kind: 'invalid',
    message: (input: string) => `${input} has no version yet: land its data first`,
  },
  STEP_SECRET_UNUSABLE: {
    kind: 'invalid',
    message: (step: string, variable: string, problem: string, remedy: string) =>
      `step "${step}" takes $${variable} from a secret, but ${problem}. Put it, the value by standard input: ${remedy}`,
  },
  SNAPSHOT_UNREADABLE: {
    kind: 'invalid',
    message: (digest: string, problem: string) => `${digest} is not the code of a project: ${problem}`,
  },
  RUN_NOT_FOUND: { kind: 'not_found', message: (id: string) => `there is no run ${id} in this project` },
  STEP_NOT_FOUND: { kind: 'not_found', message: (step: string, run: string) => `run ${run} has no step "${step}"` },
  STEP_NOT_WAITING: {
    kind: 'conflict',
    message: (step?: string, state?: string) =>
      step === undefined
        ? 'no step waits for this token: it has been answered, or its run has ended'
        : `step "${step}" waits for nothing: it is ${state}`,
  },
  STEP_TOKEN_WRONG: {
    kind: 'forbidden',
    message: (step: string) =>
      `this is not the token for which step "${step}" waits: it stands in the event step.waiting of this run`,
    help: 'tidemill events list --type step.waiting --subject pipeline-step:<run>/<step> --json',
  },
  STEP_NOT_EXTERNAL: {
    kind: 'conflict',
    message: (step: string, use: string | undefined) =>
      `step "${step}" is not answered by this: ${use === undefined ? 'it is no step that waits' : `use: ${use}`}`,
    help: 'Only `use: external` is answered by another program. An approval is decided by tidemill approval decide.',
  },
  STEP_APPROVAL_REFUSED: {
    kind: 'forbidden',
    message: (policy: string, reason: string) => `refused under policy "${policy}": ${reason}`,
  },
  STEP_WAIT_OVER: {
    kind: 'timeout',
    message: (use: string, timeout: string) => `nobody answered within ${timeout} (use: ${use})`,
  },
  STEP_ANSWERED_FAILED: {
    kind: 'invalid',
    message: (reason: string | undefined) => reason ?? 'whoever it waited for said that it failed',
  },
  STEP_TEXT_UNDECIDED: {
    kind: 'invalid',
    message: (field: string, problem: string) => `with.${field} has no value: ${problem}`,
  },
  STEP_NOT_RECORDED: {
    kind: 'internal',
    message: (step: string, reason: string) =>
      `step "${step}" did its work, but its result could not be recorded: ${reason}. Mend that and start the run again: the steps before it are taken from the cache`,
    help: 'The reason is that of the module that refused the result, datasets or registry most often; the log has it whole.',
  },
  STEP_CONDITION_UNDECIDED: {
    kind: 'invalid',
    message: (when: string, problem: string) =>
      `its condition ${when} cannot be decided: ${problem}. Where a field may be missing, ask has(…) first`,
    help: 'The step fails; those that need it are skipped.',
  },
  STEP_ITEMS_UNDECIDED: {
    kind: 'invalid',
    message: (problem: string) => `what it runs for cannot be told: ${problem}`,
  },
  STEP_ITEMS_FAILED: {
    kind: 'invalid',
    message: (items: string, count: number) => `not all of its ${count} items have succeeded: ${items}`,
    help: 'The other items are in the cache: the next run runs those again that failed.',
  },
  STEP_DEPENDENCY_FAILED: {
    kind: 'conflict',
    message: (steps: string) => `not run, because of what it needs: ${steps}`,
  },
  RUN_STEPS_FAILED: { kind: 'invalid', message: (steps: string) => `failed in ${steps}` },
});
