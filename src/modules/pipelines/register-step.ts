import type { JobResult } from '#modules/jobs';
import type { Unit } from '#platform/database';
import { modelSteps, parseOutput, timeColumn } from './pipeline-graph.ts';
import type { PipelinesDeps } from './pipelines-deps.ts';
import type { RunSteps } from './run-steps.ts';
import type { RunBasis, RunResult, StepOutput } from './run-types.ts';

/**
 * Proposes the run's model to the registry and has it judged, in one unit. The token is the promotion's id: the step
 * waits until its gates are decided. No token: an equal model was there and has been decided before.
 */
export async function propose(
  unit: Unit,
  deps: PipelinesDeps,
  run: RunBasis,
  steps: RunSteps,
  described: JobResult,
): Promise<{ readonly result: RunResult; readonly token: string | undefined }> {
  const block = run.spec.model;
  if (block === undefined) throw new Error(`run ${run.id} has a register step but no model`);
  await steps.load(modelSteps(block));
  const model = outputAt(steps, block.from);
  const [train, test] = [outputAt(steps, block.train), outputAt(steps, block.test)];
  const metrics = block.metrics === undefined ? undefined : outputAt(steps, block.metrics);
  const gates = block.gates ?? [];
  const alias = block.alias ?? 'champion';
  const fit = steps.get(parseOutput(block.from)?.step ?? '');
  const proposed = await deps.registry.proposeVersion(unit, {
    project: run.project,
    model: block.name,
    digest: model.sha256,
    files: [{ path: 'model.onnx', sha256: model.sha256, sizeBytes: model.sizeBytes }],
    runtime: 'onnx',
    signature: described.output ?? null,
    predicts: block.predicts,
    ...(train.dataset !== undefined && { trainRef: train.dataset }),
    ...(test.dataset !== undefined && { testRef: test.dataset }),
    runRef: `run:${run.id}`,
    ...(fit.trackingRunId !== undefined && { trackingRunId: fit.trackingRunId }),
    alias,
    requestedBy: run.requestedBy,
    checks: [...gates.map((gate) => `gate:${gate}`), ...(block.approvals ?? []).map((policy) => `approval:${policy}`)],
  });
  const result = { model: block.name, version: proposed.version };
  if (proposed.promotionId === undefined) return { result: { ...result, verdict: 'existed' }, token: undefined };
  await deps.evaluation.judge(unit, {
    project: run.project,
    promotionId: proposed.promotionId,
    model: block.name,
    version: proposed.version,
    alias,
    test: { sha256: test.sha256, reference: test.dataset },
    label: block.label,
    time: timeColumn(run.spec),
    predicts: block.predicts,
    gates,
    metrics: metrics?.sha256,
  });
  return { result, token: proposed.promotionId };
}

function outputAt(steps: RunSteps, text: string): StepOutput {
  const parsed = parseOutput(text);
  const output = parsed && steps.get(parsed.step).outputs[parsed.output];
  if (output === undefined) throw new Error(`output ${text} is not there, though its step has succeeded`);
  return output;
}
