import type { PredictionView } from '#contracts/predictions';
import type { WorkerTaskOutput } from '#contracts/worker';
import type { EdgeResolver } from '#modules/lineage';
import type { Reader } from '#platform/database';
import type { PredictionsDeps } from './predictions-deps.ts';
import { countRowsOf, listExamples, listSegmentsOfDays, listSegmentsOfIds } from './segment-store.ts';

export interface Lookup {
  /** `<id>` or `<id>.<row>`; undefined when the log of the project has none. */
  find(reader: Reader, project: string, name: string): Promise<PredictionView | undefined>;
  /** Edges of `prediction:<id>`: what answered. */
  readonly resolvePrediction: EdgeResolver;
  /** Edges of `revision:<id>`: a few of its predictions, as examples. */
  readonly resolveRevision: EdgeResolver;
}

/** Of so many predictions a revision names a few. */
const examples = 10;
const named = /^(.+?)(?:\.(\d+))?$/;

export function createLookup(deps: Pick<PredictionsDeps, 'jobs'>): Lookup {
  async function find(reader: Reader, project: string, name: string): Promise<PredictionView | undefined> {
    const [, predictionId = name, row] = named.exec(name) ?? [];
    const segments = await listSegmentsOfIds(reader, { project, fromId: predictionId, toId: predictionId });
    const [first] = segments;
    if (first === undefined) return undefined;
    const days = [...new Set(segments.map((segment) => segment.dayMs))];
    const endpoints = [...new Set(segments.map(({ endpoint }) => endpoint))];
    const truths = [];
    for (const endpoint of endpoints)
      truths.push(...(await listSegmentsOfDays(reader, project, endpoint, 'truth', days)));
    for (const endpoint of endpoints) {
      const ofEndpoint = (segment: { readonly endpoint: string }) => segment.endpoint === endpoint;
      const found = await deps.jobs.runTask('log-lookup', {
        rows: pathsOf(segments.filter(ofEndpoint)),
        truths: pathsOf(truths.filter(ofEndpoint)),
        predictionId,
      });
      if (found.rows.length === 0) continue;
      const view = toView(project, endpoint, found);
      const rows = row === undefined ? view.rows : view.rows.filter((one) => one.row === Number(row));
      return rows.length === 0 ? undefined : { ...view, rows };
    }
    return undefined;
  }

  return {
    find,
    async resolvePrediction(reader, project, name, { direction }) {
      const found = direction === 'down' ? undefined : await find(reader, project, name);
      if (found === undefined) return { edges: [] };
      return { edges: [{ from: `revision:${found.revision}`, to: `prediction:${name}`, kind: 'answered' }] };
    },
    async resolveRevision(reader, _project, name, { direction, limit }) {
      if (direction === 'up') return { edges: [] };
      const ids = await listExamples(reader, name, Math.min(limit, examples));
      return {
        edges: ids.map((id) => ({ from: `revision:${name}`, to: `prediction:${id}`, kind: 'answered' })),
        total: await countRowsOf(reader, name),
      };
    },
  };
}

const pathsOf = (segments: readonly { readonly sha256: string }[]): string[] => [
  ...new Set(segments.map(({ sha256 }) => `blob:${sha256}`)),
];

const instant = (ms: number): string => new Date(ms).toISOString();

function toView(project: string, deployment: string, found: WorkerTaskOutput<'log-lookup'>): PredictionView {
  const head = found.rows[0] ?? {};
  const optional = (name: string): string | undefined => {
    const value = head[name];
    return typeof value === 'string' ? value : undefined;
  };
  const text = (name: string): string => optional(name) ?? '';
  const shadowOf = optional('shadow_of');
  const error = optional('error');
  return {
    id: text('prediction_id'),
    project,
    deployment,
    revision: text('revision'),
    model: text('model_ref'),
    role: text('role') === 'shadow' ? 'shadow' : 'primary',
    ...(shadowOf !== undefined && { shadowOf }),
    requestId: text('request_id'),
    reason: text('reason'),
    propensity: Number(head['propensity']),
    status: text('status') === 'error' ? 'error' : 'ok',
    ...(error !== undefined && { error }),
    principal: text('principal'),
    receivedAt: instant(Number(head['received_ms'])),
    durationUs: Number(head['duration_us']),
    ...requestOf(head),
    rows: found.rows.map((row) => {
      const number = Number(row['row']);
      const truth = found.truths.find((one) => one.row === number);
      return {
        row: number,
        ...(typeof row['key'] === 'string' && { key: row['key'] }),
        eventTime: instant(Number(row['event_ms'])),
        ...(typeof row['score'] === 'number' && { score: row['score'] }),
        ...branchesOf(row['branches']),
        inputs: tensorsOf(row, 'in'),
        outputs: tensorsOf(row, 'out'),
        ...(truth && {
          truth: {
            value: truth.value,
            observedAt: instant(truth.observedMs),
            recordedAt: instant(truth.recordedMs),
            source: truth.source,
          },
        }),
      };
    }),
  };
}

/** What newer files say of a request beside its rows. */
function requestOf(
  head: Readonly<Record<string, unknown>>,
): Pick<PredictionView, 'stagesUs' | 'cached' | 'traceId' | 'difference' | 'redacted'> {
  const { input_us: input, queue_us: queue, infer_us: infer, output_us: output } = head;
  const { trace_id: traceId, cached, redacted } = head;
  const { difference_rows: rows, difference_max_abs: maxAbs } = head;
  return {
    ...(typeof infer === 'number' && {
      stagesUs: { input: Number(input), queue: Number(queue), infer, output: Number(output) },
    }),
    ...(cached === true && { cached }),
    ...(typeof traceId === 'string' && { traceId }),
    ...(typeof rows === 'number' && { difference: { rows, maxAbs: Number(maxAbs) } }),
    ...(Array.isArray(redacted) && redacted.length > 0 && { redacted: redacted.map(String) }),
  };
}

/** Of a row of a graph; null for any other. */
function branchesOf(taken: unknown): Pick<PredictionView['rows'][number], 'branches'> {
  if (typeof taken !== 'object' || taken === null) return {};
  return { branches: Object.fromEntries(Object.entries(taken).map(([node, branch]) => [node, String(branch)])) };
}

/** The values of a side; bytes that are no text, which have a column of their own, as `{ "base64": … }`. */
function tensorsOf(row: Readonly<Record<string, unknown>>, side: 'in' | 'out'): Record<string, unknown> {
  const below = (prefix: string) =>
    Object.entries(row).flatMap(([name, value]) =>
      name.startsWith(prefix) ? [[name.slice(prefix.length), value] as const] : [],
    );
  const values = new Map(below(`${side}.`));
  for (const [name, bytes] of below(`${side}_bytes.`)) {
    const texts = values.get(name);
    const merged = Array.isArray(bytes)
      ? bytes.map((one: unknown, at) => (one === null ? (Array.isArray(texts) ? texts[at] : null) : { base64: one }))
      : { base64: bytes };
    values.set(name, merged);
  }
  return Object.fromEntries(values);
}
