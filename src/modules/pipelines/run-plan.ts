import type { PipelineSpec } from '#contracts/pipelines';
import { formatReference } from '#contracts/references';
import type { TreeFile } from '#contracts/tree';
import { hasValue, type Json, workerWork } from '#modules/jobs';
import type { Reader } from '#platform/database';
import { isAppError, nearestName, withCause } from '#platform/errors';
import { digest } from './cache-key.ts';
import { codeOf } from './code-files.ts';
import { expandSteps, type GraphStep, joinOutput, outputsOf, parseInput } from './pipeline-graph.ts';
import type { PipelinesDeps } from './pipelines-deps.ts';
import { pipelinesErrors } from './pipelines-errors.ts';
import type { Step, StepPlan } from './run-types.ts';

type PlanDeps = Pick<PipelinesDeps, 'artifacts' | 'datasets' | 'features' | 'secrets'>;
type Params = Readonly<Record<string, Json>>;

/** Defaults overlaid with what was asked for. @throws PIPELINE_PARAM_UNKNOWN */
export function mergeParams(spec: PipelineSpec, given: Readonly<Record<string, unknown>>): Params {
  const known = Object.keys(spec.params ?? {});
  for (const name of Object.keys(given))
    if (!known.includes(name)) throw pipelinesErrors.PIPELINE_PARAM_UNKNOWN(name, nearestName(name, known));
  return { ...spec.params, ...given } as Params;
}

/** Resolves everything that may move (dataset versions, features' data) once, and makes the run's pending steps. */
export async function planSteps(
  reader: Reader,
  deps: PlanDeps,
  request: {
    readonly project: string;
    readonly pipeline: string;
    readonly spec: PipelineSpec;
    readonly params: Params;
    readonly code: readonly TreeFile[];
  },
): Promise<readonly Step[]> {
  const graph = expandSteps(request.spec);
  const steps: Step[] = [];
  for (const [position, step] of graph.entries()) {
    const plan = await planStep(reader, deps, request, step);
    steps.push({
      name: step.name,
      position,
      kind: step.kind,
      state: 'pending',
      needs: step.needs,
      plan,
      key: undefined,
      keyParts: undefined,
      why: undefined,
      jobId: undefined,
      token: undefined,
      trackingRunId: undefined,
      outputs: {},
      error: undefined,
      startedMs: undefined,
      endedMs: undefined,
      deadlineMs: undefined,
    });
  }
  return steps;
}

async function planStep(
  reader: Reader,
  deps: PlanDeps,
  request: Parameters<typeof planSteps>[2],
  step: GraphStep,
): Promise<StepPlan> {
  const { project, spec, params, code } = request;
  if (step.kind === 'register' || step.kind === 'use') return { keyParts: {}, cacheable: false, reads: [] };
  if (step.kind === 'join') {
    const [name = '', version] = step.join.spine.replace(/^dataset:/, '').split('@');
    await resolveDataset(reader, deps, project, name, version);
    const { input, references, content } = await deps.features.plan(reader, project, {
      spine: { dataset: name, ...(version !== undefined && { version }) },
      at: step.join.at,
      views: step.join.features,
    });
    const work = workerWork('join', { ...input, outputPath: `out:${joinOutput}` });
    const keyParts = Object.fromEntries(Object.entries(content).map(([part, value]) => [part, digest(value)]));
    return { keyParts, cacheable: true, work, reads: references };
  }
  const fixedInputs: Record<string, readonly { sha256: string; name: string }[]> = {};
  const contents: Record<string, string> = {};
  const reads: string[] = [];
  for (const [inputName, input] of Object.entries(step.spec.inputs ?? {})) {
    const source = parseInput(step.name, inputName, input);
    if (source.kind === 'artifact') {
      await deps.artifacts.assertReadable(reader, project, source.sha256);
      fixedInputs[inputName] = [{ sha256: source.sha256, name: inputName }];
      contents[inputName] = source.sha256;
      reads.push(`artifact:${source.sha256}`);
    } else if (source.kind === 'dataset') {
      const found = await resolveDataset(reader, deps, project, source.name, source.at);
      contents[inputName] = digest(found.parts.map(({ sha256 }) => sha256)); // packs change the files, not the content
      fixedInputs[inputName] = found.files.map(({ sha256 }, part) => ({
        sha256,
        name: `part-${String(part).padStart(5, '0')}.parquet`,
      }));
      reads.push(`dataset:${found.dataset}@${found.version}`);
    }
  }
  const files = codeOf(step.spec, code, spec.steps);
  const requirements = code.find(({ path }) => path === spec.python)?.sha256;
  const seen =
    step.spec.params === undefined
      ? params
      : Object.fromEntries(step.spec.params.map((name) => [name, params[name] ?? null]));
  return {
    cacheable: step.spec.cache !== false && outputsOf(step.spec).length > 0,
    fixedInputs,
    reads,
    keyParts: {
      command: JSON.stringify(step.spec.run),
      // with their values: a result that was kept without them cannot stand in
      outputs: JSON.stringify(
        outputsOf(step.spec).map((output) => (hasValue(output.kind) ? { ...output, value: true } : output)),
      ),
      ...Object.fromEntries(
        files.map(({ path, sha256, executable }) => [`code.${path}`, executable === true ? `${sha256}+x` : sha256]),
      ),
      ...Object.fromEntries(Object.entries(seen).map(([name, value]) => [`params.${name}`, JSON.stringify(value)])),
      ...Object.fromEntries(Object.entries(step.spec.env ?? {}).map(([name, value]) => [`env.${name}`, value])),
      ...(await fingerprintSecrets(reader, deps, request, step.name)),
      ...Object.fromEntries(Object.entries(contents).map(([name, content]) => [`inputs.${name}`, content])),
      ...(requirements !== undefined && { python: requirements }),
    },
  };
}

/** What the key knows of secrets: whether they are the same. @throws STEP_SECRET_UNUSABLE */
async function fingerprintSecrets(
  reader: Reader,
  deps: Pick<PlanDeps, 'secrets'>,
  { project, pipeline, spec }: Pick<Parameters<typeof planSteps>[2], 'project' | 'pipeline' | 'spec'>,
  step: string,
): Promise<Record<string, string>> {
  const parts: Record<string, string> = {};
  for (const [variable, name] of Object.entries(spec.steps[step]?.secrets ?? {})) {
    try {
      const grantee = formatReference('pipeline', pipeline);
      parts[`secrets.${variable}`] = await deps.secrets.fingerprint(reader, project, name, grantee);
    } catch (error) {
      if (!isAppError(error)) throw error;
      const remedy = `tidemill secret put ${name} --grants pipeline:${pipeline}`;
      throw withCause(pipelinesErrors.STEP_SECRET_UNUSABLE(step, variable, error.message, remedy), error);
    }
  }
  return parts;
}

async function resolveDataset(
  reader: Reader,
  deps: Pick<PipelinesDeps, 'datasets'>,
  project: string,
  name: string,
  at: string | undefined,
) {
  const found = await deps.datasets.version(reader, project, name, at);
  if (found === undefined)
    throw pipelinesErrors.PIPELINE_INPUT_MISSING(`dataset:${name}${at === undefined ? '' : `@${at}`}`);
  return found;
}
