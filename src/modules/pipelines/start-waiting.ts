import { createHash, randomBytes } from 'node:crypto';
import { parseDuration } from '#contracts/duration';
import type { StepSpec, Use } from '#contracts/pipelines';
import { formatReference } from '#contracts/references';
import type { Unit } from '#platform/database';
import type { PipelinesDeps } from './pipelines-deps.ts';
import { pipelinesErrors } from './pipelines-errors.ts';
import type { RunSteps } from './run-steps.ts';
import { type RunBasis, type Step, stepReference } from './run-types.ts';
import { expandWith } from './step-condition.ts';
import { findRunResult } from './wait-store.ts';

export const defaultPolicy = 'pipeline';
const tokenBytes = 32;

/** What is kept of a token: whoever reads the table cannot answer by it. */
export const tokenDigest = (token: string): string => createHash('sha256').update(token).digest('hex');

/** What whoever acts is told, and what people read meanwhile; or why the step cannot wait for it. */
type Wait = { readonly with: Readonly<Record<string, string>>; readonly why: string } | { readonly problem: string };

/**
 * Parks a built-in step: it has a token, and says in the event `step.waiting` what it waits for. A module above, an
 * approval or another program answers. Failed at once when what it is to tell has no value.
 */
export async function startWaiting(
  unit: Unit,
  deps: Pick<PipelinesDeps, 'approvals' | 'lineage'>,
  run: RunBasis,
  step: Step,
  steps: RunSteps,
): Promise<Step> {
  const spec = run.spec.steps[step.name] ?? {};
  const use = spec.use ?? 'external';
  const wait = await describeWait(unit, spec, run, steps);
  if ('problem' in wait) {
    const error = { code: pipelinesErrors.STEP_TEXT_UNDECIDED.code, message: wait.problem };
    return { ...step, state: 'failed', error, startedMs: unit.nowMs, endedMs: unit.nowMs };
  }
  const reference = stepReference(run.id, step.name);
  if (use === 'approve')
    await deps.approvals.request(unit, {
      project: run.project,
      subject: reference,
      policy: wait.with['policy'] ?? defaultPolicy,
      about: `pipeline ${run.pipeline}, step ${step.name}`,
      message: wait.with['message'],
      requestedBy: run.requestedBy,
    });
  await deps.lineage.record(unit, run.project, [
    ...step.needs.map((need) => ({ from: stepReference(run.id, need), to: reference, kind: 'consumed' })),
    { from: reference, to: formatReference('run', run.id), kind: 'part-of' },
  ]);
  const token = randomBytes(tokenBytes).toString('base64url');
  await unit.emit({
    type: 'step.waiting',
    project: run.project,
    subject: reference,
    data: { runId: run.id, pipeline: run.pipeline, step: step.name, use, with: { ...wait.with }, token },
  });
  const timeoutMs = spec.timeout === undefined ? undefined : parseDuration(spec.timeout);
  return {
    ...step,
    state: 'waiting',
    why: step.why === undefined ? wait.why : `${step.why}; ${wait.why}`,
    token: tokenDigest(token),
    startedMs: unit.nowMs,
    deadlineMs: timeoutMs === undefined ? undefined : unit.nowMs + timeoutMs,
  };
}

async function describeWait(unit: Unit, spec: StepSpec, run: RunBasis, steps: RunSteps): Promise<Wait> {
  const expanded = expandWith(spec, run, steps);
  if ('problem' in expanded)
    return { problem: pipelinesErrors.STEP_TEXT_UNDECIDED(expanded.field, expanded.problem).message };
  const { texts } = expanded;
  const told = texts['message'] === undefined ? '' : `: ${texts['message']}`;
  const use: Use = spec.use ?? 'external';
  switch (use) {
    case 'approve': {
      const policy = texts['policy'] ?? defaultPolicy;
      return { with: { ...texts, policy }, why: `waits for an approval under policy "${policy}"${told}` };
    }
    case 'deploy': {
      const deployment = texts['deployment'] ?? '';
      const model = texts['model'] === undefined ? await registeredModel(unit, run) : { model: texts['model'] };
      if ('problem' in model) return model;
      return { with: { deployment, ...model }, why: `waits until ${deployment} has taken ${model.model}` };
    }
    case 'notify':
      return { with: texts, why: `tells webhooks${told}` };
    case 'external':
      return { with: texts, why: `waits for another program${told}` };
  }
}

/** The version that this run registered. Whoever deploys it looks whether its alias names it by now. */
async function registeredModel(
  unit: Unit,
  run: RunBasis,
): Promise<{ readonly model: string; readonly alias: string } | { readonly problem: string }> {
  const result = await findRunResult(unit, run.id);
  if (result === undefined) return { problem: 'this run has registered no model' };
  return {
    model: formatReference('model', result.model, result.version),
    alias: run.spec.model?.alias ?? 'champion',
  };
}
