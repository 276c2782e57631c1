import type { OutputKind } from '#contracts/jobs';
import type { JoinInput, ModelBlock, PipelineSpec, StepSpec } from '#contracts/pipelines';
import { expressionSources } from './step-condition.ts';

/** A step that is a command. */
export type CommandSpec = StepSpec & { readonly run: NonNullable<StepSpec['run']> };
export const isCommand = (spec: StepSpec): spec is CommandSpec => spec.run !== undefined;

/**
 * A pipeline as what runs: each declared step, an implicit `join` step before a step that takes features (named
 * `<step>.<input>`), and `register` at the end when the pipeline makes a model.
 */
export type GraphStep =
  | { readonly kind: 'command'; readonly name: string; readonly needs: readonly string[]; readonly spec: CommandSpec }
  | { readonly kind: 'foreach'; readonly name: string; readonly needs: readonly string[]; readonly spec: CommandSpec }
  | { readonly kind: 'use'; readonly name: string; readonly needs: readonly string[]; readonly spec: StepSpec }
  | { readonly kind: 'join'; readonly name: string; readonly needs: readonly string[]; readonly join: JoinInput }
  | { readonly kind: 'register'; readonly name: string; readonly needs: readonly string[] };

export const registerStep = 'register';

/** Where an input comes from. */
export type InputSource =
  | { readonly kind: 'step'; readonly step: string; readonly output: string }
  | { readonly kind: 'join'; readonly step: string; readonly join: JoinInput }
  /** Of all items of a step: `train[*].metrics`. */
  | { readonly kind: 'collected'; readonly step: string; readonly output: string }
  | { readonly kind: 'dataset'; readonly name: string; readonly at: string | undefined }
  | { readonly kind: 'artifact'; readonly sha256: string }
  | { readonly kind: 'unknown'; readonly text: string };

export const joinOutput = 'rows';

export function parseInput(step: string, name: string, input: string | JoinInput): InputSource {
  if (typeof input !== 'string') return { kind: 'join', step: `${step}.${name}`, join: input };
  const dataset = /^dataset:([A-Za-z0-9][A-Za-z0-9._-]*)(?:@([A-Za-z0-9._-]+))?$/.exec(input);
  if (dataset?.[1] !== undefined) return { kind: 'dataset', name: dataset[1], at: dataset[2] };
  const artifact = /^artifact:([0-9a-f]{64})$/.exec(input);
  if (artifact?.[1] !== undefined) return { kind: 'artifact', sha256: artifact[1] };
  const collected = /^([A-Za-z0-9][A-Za-z0-9_-]*)\[\*\]\.([A-Za-z0-9][A-Za-z0-9_-]*)$/.exec(input);
  if (collected?.[1] !== undefined && collected[2] !== undefined)
    return { kind: 'collected', step: collected[1], output: collected[2] };
  const output = parseOutput(input);
  return output === undefined ? { kind: 'unknown', text: input } : { kind: 'step', ...output };
}

/** `<step>.<output>` */
export function parseOutput(text: string): { readonly step: string; readonly output: string } | undefined {
  const match = /^([A-Za-z0-9][A-Za-z0-9_-]*)\.([A-Za-z0-9][A-Za-z0-9_-]*)$/.exec(text);
  return match?.[1] === undefined || match[2] === undefined ? undefined : { step: match[1], output: match[2] };
}

export function outputsOf(spec: StepSpec): readonly { readonly name: string; readonly kind: OutputKind }[] {
  const { outputs = [] } = spec;
  return isList(outputs)
    ? outputs.map((name) => ({ name, kind: 'file' as const }))
    : Object.entries(outputs).map(([name, kind]) => ({ name, kind }));
}

function isList(outputs: NonNullable<StepSpec['outputs']>): outputs is string[] {
  return Array.isArray(outputs);
}

/** The steps that make what the model block names, each once. */
export function modelSteps({ from, train, test, metrics }: ModelBlock): readonly string[] {
  const outputs = [from, train, test, ...(metrics === undefined ? [] : [metrics])];
  return [...new Set(outputs.map((text) => parseOutput(text)?.step ?? ''))];
}

/** The steps in the order of the document, joins before the step that takes them, `register` last. */
export function expandSteps(spec: PipelineSpec): readonly GraphStep[] {
  const steps: GraphStep[] = [];
  const declared = Object.entries(spec.steps);
  for (const [name, step] of declared) {
    const needs = new Set([...(step.needs ?? []), ...expressionSources(step)]);
    // what it deploys when it names no model is what this run registers
    if (step.use === 'deploy' && step.with?.model === undefined) needs.add(registerStep);
    for (const [inputName, input] of Object.entries(step.inputs ?? {})) {
      const source = parseInput(name, inputName, input);
      if (source.kind === 'step' || source.kind === 'collected') needs.add(source.step);
      if (source.kind === 'join') {
        steps.push({ kind: 'join', name: source.step, needs: [], join: source.join });
        needs.add(source.step);
      }
    }
    if (step.always === true) for (const [other, { always }] of declared) if (always !== true) needs.add(other);
    if (isCommand(step))
      steps.push({ kind: step.foreach === undefined ? 'command' : 'foreach', name, needs: [...needs], spec: step });
    else steps.push({ kind: 'use', name, needs: [...needs], spec: step });
  }
  if (spec.model !== undefined) {
    steps.push({ kind: 'register', name: registerStep, needs: modelSteps(spec.model) });
  }
  return steps;
}

/** How the names of columns begin that a join puts beside its rows: `<view>__<column>`. */
export function featurePrefixes(spec: PipelineSpec): string[] {
  const views = expandSteps(spec).flatMap((step) => (step.kind === 'join' ? step.join.features : []));
  return [...new Set(views)].map((view) => `${view}__`);
}

/** The column that says when a row was: as declared, else the instant of the joins, when they agree on one. */
export function timeColumn(spec: PipelineSpec): string | undefined {
  const instants = new Set(expandSteps(spec).flatMap((step) => (step.kind === 'join' ? step.join.at : [])));
  return spec.model?.time ?? (instants.size === 1 ? [...instants][0] : undefined);
}

/** A cycle as the names along it, first name repeated at the end; undefined when there is none. */
export function findCycle(steps: readonly Pick<GraphStep, 'name' | 'needs'>[]): readonly string[] | undefined {
  const needs = new Map(steps.map((step) => [step.name, step.needs]));
  const done = new Set<string>();
  const path: string[] = [];
  function visit(name: string): readonly string[] | undefined {
    if (done.has(name)) return undefined;
    const at = path.indexOf(name);
    if (at >= 0) return [...path.slice(at), name];
    path.push(name);
    for (const need of needs.get(name) ?? []) {
      const cycle = visit(need);
      if (cycle !== undefined) return cycle;
    }
    path.pop();
    done.add(name);
    return undefined;
  }
  for (const { name } of steps) {
    const cycle = visit(name);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}
