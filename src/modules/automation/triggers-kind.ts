import type { TriggerSpec } from '#contracts/automation';
import type { PipelineSpec } from '#contracts/pipelines';
import { parseReference } from '#contracts/references';
import type { ResourceKind, SpecProblem, WorkspaceDocument } from '#platform/resource-kind';
import { cronProblem } from './cron-times.ts';
import { nameTrigger } from './trigger-name.ts';
import type { TriggerService } from './trigger-service.ts';
import { listTriggersAfter } from './trigger-store.ts';

/** `triggers:` in tidemill.yaml, a list. What a pruned trigger did stays in its firings. */
export function createTriggersKind(
  triggers: Pick<TriggerService, 'declare'>,
  /** A cron's time may have come nearer. */
  changed: () => void,
): ResourceKind<TriggerSpec> {
  return {
    section: 'triggers',
    kind: 'trigger',
    nameOf: nameTrigger,
    async current(reader, project) {
      return new Map((await listTriggersAfter(reader, project)).map(({ name, spec }) => [name, spec]));
    },
    check: (_name, spec, document) => [...checkWhen(spec), ...checkAction(spec, document), ...checkOn(spec, document)],
    async apply(unit, project, { name, after }) {
      await triggers.declare(unit, project, name, after);
      unit.afterCommit(changed);
    },
  };
}

function* checkWhen({ on, cron, zone }: TriggerSpec): Iterable<SpecProblem> {
  if ((on === undefined) === (cron === undefined))
    yield {
      path: [],
      message: on === undefined ? 'a trigger says when it fires' : 'a trigger has either `on` or `cron`, not both',
      expected: 'on: alert:<monitor>/performance, or cron: "0 3 * * *"',
    };
  if (cron === undefined) {
    if (zone !== undefined) yield { path: ['zone'], message: '`zone` has no use without `cron`' };
    return;
  }
  const problem = cronProblem(cron, zone);
  if (problem !== undefined)
    yield {
      path: [problem.at],
      message: problem.message,
      expected: problem.at === 'cron' ? 'minute hour day month weekday: "0 3 * * MON"' : 'a name such as Europe/Berlin',
    };
}

const namesIn = (document: WorkspaceDocument, section: string): readonly string[] =>
  Object.keys(document.sections[section] ?? {});

// Specs in a document have passed their schema.
const pipelineOf = (document: WorkspaceDocument, { run }: TriggerSpec): PipelineSpec | undefined =>
  document.sections['pipelines']?.[parseReference(run)?.name ?? ''] as PipelineSpec | undefined;

function* checkAction(spec: TriggerSpec, document: WorkspaceDocument): Iterable<SpecProblem> {
  const pipeline = pipelineOf(document, spec);
  if (pipeline === undefined) {
    const known = namesIn(document, 'pipelines').map((name) => `pipeline:${name}`);
    yield { path: ['run'], message: `"${spec.run}" is not declared`, known };
    return;
  }
  const known = Object.keys(pipeline.params ?? {});
  for (const name of Object.keys(spec.params ?? {}))
    if (!known.includes(name))
      yield { path: ['params', name], message: `${spec.run} has no parameter "${name}"`, known };
}

/** The incidents that name something of the document, by what they are about. */
const alertKinds: Readonly<Record<string, readonly string[]>> = {
  monitors: ['performance', 'drift'],
  datasets: ['quality'],
  deployments: ['rollout', 'lost-predictions'],
};

const alertsOf = (document: WorkspaceDocument): readonly string[] => [
  ...new Set(
    Object.entries(alertKinds).flatMap(([section, kinds]) =>
      namesIn(document, section).flatMap((name) => kinds.map((kind) => `alert:${name}/${kind}`)),
    ),
  ),
];

function* checkOn(spec: TriggerSpec, document: WorkspaceDocument): Iterable<SpecProblem> {
  const { on = '', run } = spec;
  const reference = parseReference(on);
  if (reference === undefined) return;
  const { kind, name } = reference;
  if (kind === 'alert') {
    const [subject = '', alert = ''] = name.split('/');
    const known = alertsOf(document);
    const ofSubject = known.filter((one) => one.startsWith(`alert:${subject}/`));
    if (ofSubject.length === 0)
      yield {
        path: ['on'],
        message: `nothing named "${subject}" raises "${on}"`,
        known: known.filter((one) => one.endsWith(`/${alert}`)),
      };
    else if (!known.includes(on))
      yield { path: ['on'], message: `nothing raises "${on}"`, expected: ofSubject.join(', '), known: ofSubject };
  }
  const makers = makersOf(spec, document);
  const known = namesIn(document, 'datasets');
  if (kind === 'dataset' && makers.length === 0 && !known.includes(name))
    yield { path: ['on'], message: `"${on}" is not declared`, known: known.map((one) => `dataset:${one}`) };
  const started = nameIn(run);
  const circle = makers.map((maker) => wayBack(started, maker, document)).find((way) => way !== undefined);
  if (circle === undefined) return;
  const message =
    circle.length === 1
      ? `${run} makes ${on} itself: it would start itself again and again`
      : `by their triggers pipelines start each other in a circle: ${[...circle, started].join(' → ')}`;
  yield { path: ['on'], message, expected: 'something that none of these pipelines makes' };
}

const nameIn = (reference: string): string => parseReference(reference)?.name ?? reference;

/** The pipelines that make what a trigger listens to. */
function makersOf({ on = '' }: TriggerSpec, document: WorkspaceDocument): readonly string[] {
  const { kind, name = '', at } = parseReference(on) ?? {};
  return Object.entries(document.sections['pipelines'] ?? {}).flatMap(([pipeline, spec]) => {
    const { model } = spec as PipelineSpec;
    const makes =
      kind === 'dataset'
        ? name.startsWith(`${pipeline}.`) // outputs are named <pipeline>.<step>.<output>
        : kind === 'model' && model?.name === name && (model.alias ?? 'champion') === at;
    return makes ? [pipeline] : [];
  });
}

/** The pipelines from one to another along the triggers, both included. */
function wayBack(from: string, to: string, document: WorkspaceDocument): readonly string[] | undefined {
  const next = Object.values(document.sections['triggers'] ?? {}).flatMap((spec) => {
    const trigger = spec as TriggerSpec;
    return makersOf(trigger, document).map((maker) => ({ maker, starts: nameIn(trigger.run) }));
  });
  const ways: (readonly [string, ...string[]])[] = [[from]]; // each ends where it began to be followed, newest first
  const seen = new Set([from]);
  for (let way = ways.shift(); way !== undefined; way = ways.shift()) {
    if (way[0] === to) return way.toReversed();
    for (const { maker, starts } of next) {
      if (maker !== way[0] || seen.has(starts)) continue;
      seen.add(starts);
      ways.push([starts, ...way]);
    }
  }
  return undefined;
}
